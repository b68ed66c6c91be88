/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/wire/sse.c */
#include "../../../bench/verify.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
#define WORD(n) "data: {\"choices\":[{\"delta\":{\"content\":\"tok" n " \"}}],\"sim_stamp\":5000}\n\n"
#define DONE "data: [DONE]\n\n"

/* Feeds `stream` in pieces of `size`; the first fault, or the verdict at the end. */
static enum verify_result feed(const char *stream, size_t size, uint64_t expected, uint64_t *ret_events)
{
    struct verify verify = {0};
    enum verify_result result = VERIFY_OK;
    struct str rest = str_from(stream);
    verify_begin(&verify);
    *ret_events = 0;
    while (rest.len > 0 && result == VERIFY_OK) {
        struct str data = {rest.ptr, MIN(size, rest.len)};
        rest = str_from_offset(rest, data.len);
        while (data.len > 0 && result == VERIFY_OK) {
            struct verify_event event;
            bool has_event = false;
            result = verify_stream(&verify, &data, 9, &event, &has_event);
            if (has_event) {
                assert_int_equal(event.stamp, 5);
                assert_int_equal(event.before, *ret_events == 0 ? 0 : 9);
                ++*ret_events;
            }
        }
    }
    if (result == VERIFY_OK)
        result = verify_whole(&verify, true, expected, NULL);
    verify_end(&verify);
    return result;
}

static void test_streams(void **state)
{
    static const struct {
        const char *stream;
        enum verify_result result;
        uint64_t expected;
    } rows[] = {
        {HEAD WORD("0") WORD("1") DONE, VERIFY_OK, 2},
        {HEAD WORD("0") WORD("1") DONE, VERIFY_OK, 0},
        {HEAD WORD("0") WORD("1") DONE, VERIFY_NO_DONE, 3},
        {HEAD WORD("0") WORD("1"), VERIFY_NO_DONE, 2},
        {HEAD WORD("0") WORD("2") DONE, VERIFY_ORDER, 2},
        {HEAD WORD("0") WORD("0") DONE, VERIFY_ORDER, 2},
        {HEAD WORD("1") WORD("0") DONE, VERIFY_ORDER, 2},
        {HEAD WORD("0") DONE WORD("1"), VERIFY_ORDER, 0},
        {HEAD "data: {\"error\":{}}\n\n" DONE, VERIFY_CONTENT, 0},
        {HEAD "junk\n\n" DONE, VERIFY_ORDER, 0},
        {HEAD WORD("0") DONE "data: half", VERIFY_NO_DONE, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t size = 1; size <= strlen(rows[i].stream); size++) {
            uint64_t events = 0;
            assert_int_equal(feed(rows[i].stream, size, rows[i].expected, &events), rows[i].result);
            if (rows[i].result == VERIFY_OK)
                assert_int_equal(events, 2);
        }
    }
}

static enum verify_result document(struct buf *reference, bool is_complete, const char *a, const char *b)
{
    struct verify verify = {0};
    verify_begin(&verify);
    enum verify_result result = verify_document(&verify, str_from(a), reference, is_complete);
    if (result == VERIFY_OK)
        result = verify_document(&verify, str_from(b), reference, is_complete);
    if (result == VERIFY_OK)
        result = verify_whole(&verify, false, 0, reference);
    verify_end(&verify);
    return result;
}

static void test_documents(void **state)
{
    struct buf reference;
    (void)state;
    buf_init(&reference, 100);
    assert_int_equal(document(&reference, false, "{\"a\":", "1}"), VERIFY_OK);
    assert_int_equal(document(&reference, true, "{", "\"a\":1}"), VERIFY_OK);
    assert_int_equal(document(&reference, false, "{\"a\"", ":1}"),
                     VERIFY_OK); /* two first answers at a time */
    assert_int_equal(document(&reference, true, "{\"a\":", "2}"), VERIFY_CONTENT);
    assert_int_equal(document(&reference, true, "{\"a\":", "1"), VERIFY_CONTENT);
    assert_int_equal(document(&reference, true, "{\"a\":1}", "}"), VERIFY_CONTENT);
    buf_clear(&reference);
    assert_int_equal(document(&reference, false, "no ", "object"), VERIFY_CONTENT);
    buf_free(&reference);
}

static void test_reference(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        {"{\"content\":\"tok0 tok1 tok2 \",\"x\":1}", true},
        {"{\"content\":\"tok0 tok1 ...\",\"x\":1}", true},
        {"{\"content\":\"tok0 ...tok1 \",\"x\":1}", false},
        {"{\"content\":\"tok0 tok2 \",\"x\":1}", false},
        {"{\"content\":\"tok0 tok1\",\"x\":1}", false},
        {"{\"content\":\"\",\"x\":1}", false},
        {"{\"content\":\"tok0 ", false},
        {"{}", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(verify_reference(str_from(rows[i].text)), rows[i].is_good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
