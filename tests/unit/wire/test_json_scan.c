/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c */
#include "../../../src/wire/json_scan.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void feed_exact(struct json_scan *scan, struct str piece)
{
    struct str exact = exact_copy(piece);
    json_scan_feed(scan, exact);
    exact_free(exact);
}

static void scan_cut(struct json_scan *scan, struct str document, size_t first, size_t second)
{
    json_scan_init(scan, STR("usage"));
    feed_exact(scan, (struct str){document.ptr, first});
    feed_exact(scan, (struct str){document.ptr + first, second - first});
    feed_exact(scan, str_from_offset(document, second));
}

static const struct {
    struct str document;
    const char *value; /* "": not found */
} documents[] = {
    {STR("{\"usage\":1}"), "1"},
    {STR("{\"usage\":{\"a\":[1,{\"b\":2}]}}"), "{\"a\":[1,{\"b\":2}]}"},
    {STR(" \t\r\n{ \"usage\" : -1.5e3 , \"x\":1}"), "-1.5e3"},
    {STR("{\"a\":1,\"usage\":true\n}"), "true"},
    {STR("{\"usage\":null,\"a\":1}"), "null"},
    {STR("{\"usage\":\"text\"}"), "\"text\""},
    {STR("{\"usage\":\"a\\\"b\\\\\"}"), "\"a\\\"b\\\\\""},
    {STR("{\"usage\":\"\"}"), "\"\""},
    {STR("{\"usage\": [ 1 , \"]}\" , {} ] }"), "[ 1 , \"]}\" , {} ]"},
    {STR("{\"usage\":{\"k\":\"}\\\"}\"}}"), "{\"k\":\"}\\\"}\"}"},
    {STR("{\"a\":\"usage\",\"usage\":2}"), "2"},
    {STR("{\"a\":\"\\\"usage\\\":3\",\"usage\":2}"), "2"},
    {STR("{\"a\":{\"usage\":1},\"usage\":2}"), "2"},
    {STR("{\"a\":{\"usage\":1}}"), ""},
    {STR("{\"a\":[{\"usage\":1}]}"), ""},
    {STR("{\"a\":[\"usage\",1],\"b\":{},\"c\":[],\"usage\":[]}"), "[]"},
    {STR("{\"usage\":1,\"usage\":2}"), "2"},
    {STR("{\"usage\":{\"long\":1},\"usage\":2}"), "2"},
    {STR("{\"usag\":1}"), ""},
    {STR("{\"usages\":1}"), ""},
    {STR("{\"xusage\":1}"), ""},
    {STR("{\"Usage\":1}"), ""},
    {STR("{\"\":1}"), ""},
    {STR("{\"us\\u0061ge\":1}"), ""},
    {STR("{\"usage\\\"\":1,\"usage\":2}"), "2"},
    {STR("{\"\\\\\":1,\"usage\":2}"), "2"},
    {STR("{}"), ""},
    {STR("{\"usage\":1}{\"usage\":2}"), "1"},
    {STR("{\"a\":1} \"usage\":2}"), ""},
    /* Not (yet) whole. */
    {STR(""), ""},
    {STR("{\"usage\":1"), ""},
    {STR("{\"usage\":{\"a\":1}"), "{\"a\":1}"},
    {STR("{\"usage\":{\"a\":1"), ""},
    {STR("{\"usage\":\"tex"), ""},
    {STR("{\"usage\":1,\"usage\":{"), ""},
    {STR("{\"usage\":"), ""},
    /* No objects. */
    {STR("[{\"usage\":1}]"), ""},
    {STR("\"usage\":1"), ""},
    {STR("data: {\"usage\":1}"), ""},
    {STR("{\"usage\" 1}"), ""},
    {STR("{\"usage\"::1}"), ""},
    {STR("{\"usage\":,1}"), ""},
    {STR("{\"usage\":}"), ""},
    {STR("{usage:1,\"usage\":1}"), ""},
    {STR("{\"a\":1 2,\"usage\":1}"), ""},
    {STR("]]]]"), ""},
    {STR("{\"a\":]}}}}}}"), ""},
};

/* Whole, and cut at all pairs of places. */
static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        struct str document = documents[i].document;
        for (size_t first = 0; first <= document.len; first++) {
            for (size_t second = first; second <= document.len; second++) {
                struct json_scan scan;
                scan_cut(&scan, document, first, second);
                if (!str_eq(json_scan_value(&scan), str_from(documents[i].value)))
                    fail_msg("\"" STR_FMT "\" cut at %zu and %zu gives \"" STR_FMT "\"", STR_ARG(document),
                             first, second, STR_ARG(json_scan_value(&scan)));
                assert_int_equal(scan.found, documents[i].value[0] != '\0');
            }
        }
    }
}

/* `open`, then `filler` bytes of 'x' or '7', then `close`, in pieces of `piece` bytes. */
static struct str scan_long(struct json_scan *scan, const char *open, char filler, size_t count,
                            const char *close, size_t piece)
{
    static char text[4096];
    size_t len = (size_t)sprintf(text, "%s", open);
    memset(text + len, filler, count);
    len += count;
    len += (size_t)sprintf(text + len, "%s", close);
    json_scan_init(scan, STR("usage"));
    for (size_t at = 0; at < len; at += piece)
        feed_exact(scan, (struct str){text + at, MIN(piece, len - at)});
    return json_scan_value(scan);
}

static void test_longest_value(void **state)
{
    (void)state;
    static const struct {
        const char *open, *close;
        char filler;
        size_t framing; /* bytes of the value beside the filler */
    } kinds[] = {
        {"{\"usage\":\"", "\"}", 'x', 2},
        {"{\"usage\":[\"", "\"]}", 'x', 4},
        {"{\"usage\":1", "}", '7', 1},
    };
    static const size_t pieces[] = {1, 7, 64, 4096};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
            struct json_scan scan;
            size_t fits = JSON_SCAN_VALUE_MAX - kinds[i].framing;
            struct str value =
                scan_long(&scan, kinds[i].open, kinds[i].filler, fits, kinds[i].close, pieces[p]);
            assert_int_equal(value.len, JSON_SCAN_VALUE_MAX);
            value = scan_long(&scan, kinds[i].open, kinds[i].filler, fits + 1, kinds[i].close, pieces[p]);
            assert_int_equal(value.len, 0);
            assert_false(scan.found);
        }
    }
}

/* The last one counts, so that an earlier one is not reported in place of one that did not fit. */
static void test_long_value_hides_the_one_before(void **state)
{
    (void)state;
    struct json_scan scan;
    struct str value = scan_long(&scan, "{\"usage\":1,\"usage\":\"", 'x', 2000, "\"}", 64);
    assert_int_equal(value.len, 0);
    value = scan_long(&scan, "{\"usage\":\"", 'x', 2000, "\",\"usage\":12}", 64);
    assert_true(str_eq(value, STR("12")));
}

static void test_passes_over_long_strings(void **state)
{
    (void)state;
    for (size_t len = 0; len < 200; len++) {
        struct json_scan scan;
        struct str value = scan_long(&scan, "{\"a\":\"", 'x', len, "\\\"{[\",\"usage\":{}}", 4096);
        assert_true(str_eq(value, STR("{}")));
        value = scan_long(&scan, "{\"a\":[[1,{\"usage\":\"", 'x', len, "\"}]],\"usage\":3}", 4096);
        assert_true(str_eq(value, STR("3")));
    }
}

static void test_can_begin_anew(void **state)
{
    (void)state;
    struct json_scan scan;
    json_scan_init(&scan, STR("usage"));
    feed_exact(&scan, STR("{\"usage\":{\"open\":\"\\"));
    json_scan_feed(&scan, STR_NONE);
    json_scan_init(&scan, STR("a"));
    feed_exact(&scan, STR("{\"a\":1}"));
    assert_true(str_eq(json_scan_value(&scan), STR("1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_longest_value),
        cmocka_unit_test(test_long_value_hides_the_one_before),
        cmocka_unit_test(test_passes_over_long_strings),
        cmocka_unit_test(test_can_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
