/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c */
#include "../../../src/wire/json_token.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_numbers(void **state)
{
    (void)state;
    static const struct str numbers[] = {
        STR("0"),       STR("-0"),
        STR("7"),       STR("10"),
        STR("-12"),     STR("1.5"),
        STR("0.0"),     STR("-0.25"),
        STR("1e5"),     STR("1E+05"),
        STR("1e-0"),    STR("0e1"),
        STR("1.5e300"), STR("123456789012345678901"),
    };
    static const struct str others[] = {
        STR(""),         STR("-"),     STR("+1"),   STR("01"),  STR("-01"), STR("00"),  STR("1."),
        STR(".5"),       STR("-.5"),   STR("1.e5"), STR("1e"),  STR("1e+"), STR("1e-"), STR("1e1.0"),
        STR("1.2.3"),    STR("0x1"),   STR("1 "),   STR(" 1"),  STR("1a"),  STR("--1"), STR("NaN"),
        STR("Infinity"), STR("1_000"), STR("1,0"),  STR("0\0"), STR("e5"),  STR("-e5"), STR("1ee5"),
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct str number = exact_copy(numbers[i]);
        assert_true(json_token_is_number(number));
        exact_free(number);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct str other = exact_copy(others[i]);
        if (json_token_is_number(other))
            fail_msg("\"" STR_FMT "\" is taken for a number", STR_ARG(other));
        exact_free(other);
    }
}

static void assert_unescapes(struct str escaped, struct str expected)
{
    struct str in = exact_copy(escaped), out = exact_copy(escaped);
    size_t len = 0;
    if (!json_token_unescape(in, (char *)(uintptr_t)out.ptr, &len))
        fail_msg("\"" STR_FMT "\" is refused", STR_ARG(in));
    assert_true(str_eq((struct str){out.ptr, len}, expected));
    exact_free(out);
    exact_free(in);
}

static void test_unescapes(void **state)
{
    (void)state;
    static const struct {
        struct str escaped, expected;
    } cases[] = {
        {STR(""), STR("")},
        {STR("plain"), STR("plain")},
        {STR("\\\"\\\\\\/\\b\\f\\n\\r\\t"), STR("\"\\/\b\f\n\r\t")},
        {STR("\\u0000"), STR("\0")},
        {STR("\\u0041\\u007f"), STR("A\x7f")},
        {STR("\\u0080\\u07FF"), STR("\xc2\x80\xdf\xbf")},
        {STR("\\u0800\\uffff"), STR("\xe0\xa0\x80\xef\xbf\xbf")},
        {STR("\\ud800\\udc00"), STR("\xf0\x90\x80\x80")},
        {STR("\\uDBFF\\uDFFF"), STR("\xf4\x8f\xbf\xbf")},
        {STR("\\ud83d\\ude00!"), STR("\xf0\x9f\x98\x80!")},
        {STR("\\ud83d"), STR("\xef\xbf\xbd")},
        {STR("\\ude00"), STR("\xef\xbf\xbd")},
        {STR("\\ud83dx"), STR("\xef\xbf\xbdx")},
        {STR("\\ud83d\\n"), STR("\xef\xbf\xbd\n")},
        {STR("\\ud83d\\u0041"), STR("\xef\xbf\xbd"
                                    "A")},
        {STR("\\ud83d\\ud83d\\ude00"), STR("\xef\xbf\xbd\xf0\x9f\x98\x80")},
        {STR("\\ude00\\ud83d"), STR("\xef\xbf\xbd\xef\xbf\xbd")},
        {STR("\xe2\x82\xac\\n\xe2\x82\xac"), STR("\xe2\x82\xac\n\xe2\x82\xac")},
        {STR("\\\\n"), STR("\\n")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_unescapes(cases[i].escaped, cases[i].expected);
}

static void test_unescapes_anywhere(void **state)
{
    (void)state;
    for (size_t before = 0; before < 150; before++) {
        char escaped[160], expected[160];
        memset(escaped, 'x', sizeof(escaped));
        memset(expected, 'x', sizeof(expected));
        memcpy(escaped + before, "\\n", 2);
        expected[before] = '\n';
        assert_unescapes((struct str){escaped, before + 5}, (struct str){expected, before + 4});
    }
}

static void test_refuses_bad_escapes(void **state)
{
    (void)state;
    static const struct str cases[] = {
        STR("\\"),
        STR("a\\"),
        STR("\\x41"),
        STR("\\U0041"),
        STR("\\'"),
        STR("\\0"),
        STR("\\u"),
        STR("\\u004"),
        STR("\\u00g1"),
        STR("\\u-041"),
        STR("\\u 041"),
        STR("\\N"),
        STR("\\u0x41"),
        STR("\\\n"),
        STR("\\\0"),
        STR("\\ud83d\\u00g"),
        STR("\\ud83d\\udc0"),
        STR("\\ud83d\\"),
        STR("\\ud83d\\u"),
        STR("a\"b"),
        STR("\\\xc3\xa9"),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str in = exact_copy(cases[i]), out = exact_copy(cases[i]);
        size_t len = 77;
        if (json_token_unescape(in, (char *)(uintptr_t)out.ptr, &len))
            fail_msg("\"" STR_FMT "\" is taken", STR_ARG(in));
        assert_int_equal(len, 77);
        exact_free(out);
        exact_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_unescapes),
        cmocka_unit_test(test_unescapes_anywhere),
        cmocka_unit_test(test_refuses_bad_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
