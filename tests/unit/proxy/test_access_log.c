/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/access_log.c"

#include "base/rng.h"
#include "wire/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct address client;

static struct access_record full_record(void)
{
    assert_true(address_parse(STR("10.1.2.3"), 5555, &client));
    return (struct access_record){
        .realtime = 1769903999123456,
        .id = STR("id-1"),
        .client = &client,
        .method = STR("POST"),
        .path = STR("/v1/chat/completions"),
        .api = STR("chat"),
        .model = STR("m"),
        .user = STR("u"),
        .server = STR("gpu1"),
        .hostgroup = STR("3"),
        .status = 200,
        .is_stream = true,
        .attempts = 2,
        .bytes_in = 10,
        .bytes_out = 20,
        .queue = 1999,
        .connect = 30,
        .first_byte = 4000,
        .overhead = 50,
        .total = 61000,
        .usage = {true, 7, 6, 5, 4},
        .error = STR("queue_full"),
    };
}

static void assert_text(struct buf *out, struct str expected)
{
    assert_true(buf_ok(out));
    if (!str_eq(buf_str(out), expected))
        fail_msg("wrote " STR_FMT, STR_ARG(buf_str(out)));
    buf_free(out);
}

static void test_full(void **state)
{
    struct access_record record = full_record();
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    access_log_json(&out, &record);
    assert_text(
        &out,
        STR("{\"time\":\"2026-01-31T23:59:59.123Z\",\"id\":\"id-1\",\"client\":\"10.1.2.3:5555\",\"method\":"
            "\"POST\",\"path\":\"/v1/chat/completions\",\"api\":\"chat\",\"model\":\"m\",\"user\":\"u\","
            "\"hostgroup\":\"3\",\"server\":\"gpu1\",\"status\":200,\"stream\":true,\"attempts\":2,"
            "\"bytes_in\":10,\"bytes_out\":20,\"queue_us\":1999,\"connect_us\":30,\"first_byte_us\":4000,"
            "\"overhead_us\":50,\"total_us\":61000,\"input_tokens\":7,\"output_tokens\":5,"
            "\"cached_tokens\":6,\"reasoning_tokens\":4,\"error\":\"queue_full\"}\n"));
    access_log_text(&out, &record);
    assert_text(
        &out,
        STR("2026-01-31T23:59:59.123Z 10.1.2.3:5555 id-1 POST /v1/chat/completions m gpu1 200 total=61ms "
            "queue=1ms ttfb=4ms attempts=2 tokens=7/5 queue_full\n"));
}

static void test_empty(void **state)
{
    struct buf out;
    (void)state;
    assert_true(address_parse(STR("::1"), 1, &client));
    struct access_record record = {.client = &client, .status = 499};
    buf_init(&out, 4096);
    access_log_json(&out, &record);
    assert_text(
        &out,
        STR("{\"time\":\"1970-01-01T00:00:00.000Z\",\"client\":\"[::1]:1\",\"status\":499,\"stream\":false,"
            "\"attempts\":0,\"bytes_in\":0,\"bytes_out\":0,\"queue_us\":0,\"connect_us\":0,"
            "\"first_byte_us\":0,\"overhead_us\":0,\"total_us\":0}\n"));
    access_log_text(&out, &record);
    assert_text(
        &out,
        STR("1970-01-01T00:00:00.000Z [::1]:1 - - - - - 499 total=0ms queue=0ms ttfb=0ms attempts=0\n"));
}

static enum json_visit visit(void *context, const struct json_item *item)
{
    unsigned *texts = context;
    struct str text;
    if (item->type == JSON_STRING) {
        assert_int_equal(json_item_text(item, &text), ERR_OK);
        ++*texts;
    }
    return item->depth == 0 ? JSON_ENTER : JSON_SKIP;
}

static size_t count_char(struct str s, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == c;
    return count;
}

/* Any bytes at all in any field: the JSON line is JSON and one line, the text line has its columns. */
static void test_nasty_values(void **state)
{
    static const char nasty[] = "\"\\\n\r\t\0\x01\x7f\x1b[31m\xff\xc3\xa9\xe2\x80\xa8{}[],: \xed\xa0\x80";
    struct json_reader *reader = json_reader_new(1 << 20);
    struct rng rng;
    (void)state;
    rng_init(&rng, 7);
    for (unsigned round = 0; round < 5000; round++) {
        struct access_record record = full_record();
        struct str *const texts[] = {&record.id,     &record.method,    &record.path,
                                     &record.api,    &record.model,     &record.user,
                                     &record.server, &record.hostgroup, &record.error};
        char values[ARRAY_LEN(texts)][40];
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            size_t len = rng_below(&rng, sizeof(values[i])) + 1;
            for (size_t at = 0; at < len; at++)
                values[i][at] =
                    rng_below(&rng, 2) ? nasty[rng_below(&rng, sizeof(nasty) - 1)] : (char)rng_next(&rng);
            *texts[i] = (struct str){values[i], len};
        }
        struct buf out;
        unsigned seen = 0;
        buf_init(&out, 65536);
        access_log_json(&out, &record);
        assert_true(buf_ok(&out) && count_char(buf_str(&out), '\n') == 1);
        assert_int_equal(out.ptr[out.len - 1], '\n');
        assert_true(buf_reserve(&out, JSON_PADDING));
        assert_int_equal(json_walk(reader, buf_str(&out), visit, &seen), ERR_OK);
        assert_int_equal(seen, 2 + ARRAY_LEN(texts));
        buf_clear(&out);
        access_log_text(&out, &record);
        assert_true(buf_ok(&out));
        assert_int_equal(count_char(buf_str(&out), ' '), 13);
        for (size_t i = 0; i + 1 < out.len; i++)
            assert_true(out.ptr[i] >= ' ' && out.ptr[i] < 0x7f);
        assert_int_equal(out.ptr[out.len - 1], '\n');
        buf_free(&out);
    }
    json_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_nasty_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
