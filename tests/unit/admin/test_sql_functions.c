/* SPDX-License-Identifier: Apache-2.0 */
/* What the statements of test_sql_session.c do not reach. */
#include "../../../src/admin/sql_functions.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_like(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},          {"", "a", false},        {"%", "", true},         {"%", "anything", true},
        {"_", "", false},        {"_", "a", true},        {"_", "\xc3\xa4", true}, {"__", "\xc3\xa4", false},
        {"a%c", "abc", true},    {"a%c", "ac", true},     {"a%c", "abcd", false},  {"%b%d%", "abcde", true},
        {"%aab", "aaaab", true}, {"ABC", "abc", true},    {"a\\%", "a%", true},    {"a\\%", "ab", false},
        {"a\\_b", "a_b", true},  {"a\\_b", "axb", false}, {"\\", "\\", true},      {"%%%x", "yyx", true},
        {"%_", "", false},       {"%_", "a", true},       {"a\\", "a\\", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (sql_like(str_from(cases[i].pattern), str_from(cases[i].text), '\\') != cases[i].fits)
            fail_msg("'%s' LIKE '%s'", cases[i].text, cases[i].pattern);
    assert_true(sql_like(STR("a!%"), STR("a%"), '!'));
    assert_false(sql_like(STR("a!%"), STR("ab"), '!'));
}

/* Time grows with the product of both lengths, not beyond. */
static void test_like_is_bounded(void **state)
{
    (void)state;
    char pattern[512], text[512];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '%' : 'a';
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(sql_like((struct str){pattern, sizeof(pattern)}, (struct str){text, sizeof(text)}, '\\'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_like), cmocka_unit_test(test_like_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
