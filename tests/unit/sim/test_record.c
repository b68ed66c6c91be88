/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/wire/json_write.c src/wire/json_token.c -lcrypto -lm */
#include "../../../src/sim/record.c"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct recorder recorder;

static uint64_t record(const char *target, struct str body)
{
    struct http_head head = {.method = STR("POST"), .target = str_from(target), .field_count = 1};
    head.fields[0] = (struct http_field){.name = STR("X-A"), .value = STR("b \"c\"")};
    uint64_t number = record_head(&recorder, &head, 77);
    record_body(&recorder, number, body);
    return number;
}

/* The list as text; the caller frees. */
static struct buf list(uint64_t count)
{
    struct buf text;
    struct json_writer out;
    buf_init(&text, (size_t)1 << 26);
    json_write_init(&out, &text);
    recorder_write(&recorder, count, &out);
    return text;
}

static void assert_listed(uint64_t count, struct str wanted, bool is_there)
{
    struct buf text = list(count);
    assert_int_equal(str_find(buf_str(&text), wanted) >= 0, is_there);
    buf_free(&text);
}

static void test_one(void **state)
{
    (void)state;
    recorder_init(&recorder);
    uint64_t number = record("/v1/x", STR("abc"));
    record_outcome(&recorder, number, OUTCOME_CANCELLED);
    struct buf text = list(5);
    assert_true(
        str_eq(buf_str(&text),
               STR("[{\"number\":1,\"arrival_us\":77,\"outcome\":\"cancelled\",\"method\":\"POST\","
                   "\"target\":\"/v1/x\",\"headers\":[[\"X-A\",\"b \\\"c\\\"\"]],\"body_length\":3,"
                   "\"body_sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
                   "\"body\":\"abc\"}]")));
    buf_free(&text);
    recorder_fini(&recorder);
}

static void test_ring(void **state)
{
    (void)state;
    recorder_init(&recorder);
    for (uint64_t i = 1; i <= RECORD_SLOTS + 10; i++)
        record("/t", STR("x"));
    assert_listed(RECORD_SLOTS, STR("\"number\":1010,"), true);
    assert_listed(RECORD_SLOTS, STR("\"number\":11,"), true);
    assert_listed(RECORD_SLOTS, STR("\"number\":10,"), false);
    assert_listed(1, STR("\"number\":1009,"), false);
    assert_listed(1, STR("\"number\":1010,"), true);
    record_outcome(&recorder, 3, OUTCOME_COMPLETED); /* gone: not the one that has its place */
    assert_listed(RECORD_SLOTS, STR("completed"), false);
    recorder_fini(&recorder);
}

static void test_clear(void **state)
{
    (void)state;
    recorder_init(&recorder);
    uint64_t number = record("/old", STR("x"));
    recorder_clear(&recorder);
    record_outcome(&recorder, number, OUTCOME_COMPLETED);
    assert_listed(10, STR("/old"), false);
    record("/new", STR("x"));
    assert_listed(10, STR("/new"), true);
    recorder_fini(&recorder);
}

static void test_bounds(void **state)
{
    (void)state;
    size_t size = 2 * RECORD_BODY_MAX;
    char *big = malloc(size);
    assert_non_null(big);
    memset(big, 'z', size);
    recorder_init(&recorder);
    for (size_t i = 0; i < RECORD_SLOTS; i++) {
        record("/big", (struct str){big, size});
        size_t kept = 0;
        for (size_t slot = 0; slot < RECORD_SLOTS && i % 97 == 0; slot++)
            kept += recorder.slots[slot].bytes.cap;
        assert_true(i % 97 != 0 || kept == recorder.kept_bytes);
        assert_true(recorder.kept_bytes <= RECORD_TOTAL_MAX);
    }
    assert_listed(1, STR("\"body_length\":131072"), true);
    struct buf text = list(1);
    assert_true(text.len > RECORD_BODY_MAX && text.len < RECORD_BODY_MAX + 500);
    buf_free(&text);
    recorder_fini(&recorder);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
