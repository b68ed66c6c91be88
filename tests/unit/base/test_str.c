/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/base/str.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_str(struct str s, const char *text)
{
    if (!str_eq(s, str_from(text)))
        fail_msg("\"" STR_FMT "\" is not \"%s\"", STR_ARG(s), text);
}

static void test_eq_and_starts(void **state)
{
    (void)state;
    assert_true(str_eq(STR(""), STR_NONE));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("")));
    assert_true(str_starts(STR("abc"), STR("abc")));
    assert_false(str_starts(STR("abc"), STR("abcd")));
    assert_false(str_starts(STR_NONE, STR("a")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_true(str_eq(str_from(NULL), STR_NONE));
}

/* All 65536 pairs of bytes: equal when the same byte, or the same ASCII letter. */
static void test_eq_nocase_of_every_pair(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            char one = (char)a, other = (char)b;
            unsigned low = a | 0x20;
            bool is_letter = low >= 'a' && low <= 'z';
            bool expected = a == b || (is_letter && low == (b | 0x20));
            assert_int_equal(str_eq_nocase((struct str){&one, 1}, (struct str){&other, 1}), expected);
        }
    }
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_eq_nocase(STR("Content"), STR("Content-")));
    assert_true(str_eq_nocase(STR_NONE, STR("")));
}

static void test_find(void **state)
{
    static const struct {
        struct str s, needle;
        ssize_t at;
    } rows[] = {
        {{"abcabc", 6}, {"abc", 3}, 0}, {{"abcabc", 6}, {"cab", 3}, 2}, {{"abcabc", 6}, {"c", 1}, 2},
        {{"abcabc", 6}, {"x", 1}, -1},  {{"ab", 2}, {"abc", 3}, -1},    {{NULL, 0}, {"a", 1}, -1},
        {{"a\0b", 3}, {"\0b", 2}, 1},   {{"abcd", 3}, {"cd", 2}, -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(str_find(rows[i].s, rows[i].needle), rows[i].at);
}

static void test_from_offset_and_trim(void **state)
{
    (void)state;
    assert_str(str_from_offset(STR("abc"), 0), "abc");
    assert_str(str_from_offset(STR("abc"), 2), "c");
    assert_str(str_from_offset(STR("abc"), 3), "");
    assert_str(str_from_offset(STR("abc"), 100), "");
    assert_str(str_trim(STR(" \t a b\t ")), "a b");
    assert_str(str_trim(STR(" \t ")), "");
    assert_str(str_trim(STR("")), "");
    assert_str(str_trim(STR("\na\r")), "\na\r"); /* line ends are no blanks */
}

static void test_to_u64(void **state)
{
    static const struct {
        const char *text;
        bool is_number;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"0000000000000000000018446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
        {"1/", false, 0},
        {"1:", false, 0},
        {"\xb1", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 4711;
        assert_int_equal(str_to_u64(str_from(rows[i].text), &value), rows[i].is_number);
        assert_int_equal(value, rows[i].is_number ? rows[i].value : 4711); /* untouched on failure */
    }
    uint64_t value;
    assert_false(str_to_u64(STR("1\0002"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eq_and_starts), cmocka_unit_test(test_eq_nocase_of_every_pair),
        cmocka_unit_test(test_find),          cmocka_unit_test(test_from_offset_and_trim),
        cmocka_unit_test(test_to_u64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
