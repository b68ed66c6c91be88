/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/assert.c */
#include "../../../src/route/glob.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    const char *pattern, *text;
    bool expected;
} match_rows[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"gpt-4o", "gpt-4o", true},
    {"gpt-4o", "gpt-4o-mini", false},
    {"gpt-4o", "GPT-4O", false},
    {"gpt-4*", "gpt-4o", true},
    {"gpt-4*", "gpt-4", true},
    {"gpt-4*", "gpt-3.5-turbo", false},
    {"gpt-4*", "my-gpt-4o", false},
    {"*", "", true},
    {"*", "anything at all", true},
    {"**", "", true},
    {"***a***", "xxaxx", true},
    {"*mini", "gpt-4o-mini", true},
    {"*mini", "gpt-4o-minimal", false},
    {"*a*b*c*", "xaxbxcx", true},
    {"*a*b*c*", "xaxcxbx", false},
    {"a*b", "ab", true},
    {"a*b", "aab", true},
    {"a*b", "abb", true},
    {"a*b", "abc", false},
    {"*ab", "aab", true},
    {"*aab", "aaaab", true},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"??*", "a", false},
    {"??*", "ab", true},
    {"*??", "a", false},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a-c]", "d", true},
    {"[!a-c]", "b", false},
    {"[^a]", "b", true},
    {"[^a]", "a", false},
    {"[]]", "]", true},
    {"[]]", "a", false},
    {"[!]]", "]", false},
    {"[!]]", "a", true},
    {"[]-a]", "^", true},
    {"[a-]", "-", true},
    {"[a-]", "b", false},
    {"[-a]", "-", true},
    {"[*]", "*", true},
    {"[*]", "a", false},
    {"[?]", "?", true},
    {"[c-a]", "b", false},
    {"*[0-9]b", "llama-70b", true},
    {"*[0-9]b", "llama-xb", false},
    {"qwen*[0-9]b*", "qwen2.5-7b-instruct", true},
    {"[\x80-\xff]", "\xe9", true},
    {"[a-z]", "\xe9", false},
    {"a\\*", "a\\b", true},
    {"a\\*", "a*", false},
};

static void test_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_rows); i++) {
        bool got = glob_match(str_from(match_rows[i].pattern), str_from(match_rows[i].text));
        if (got != match_rows[i].expected)
            fail_msg("'%s' and '%s': %d", match_rows[i].pattern, match_rows[i].text, got);
    }
}

static void test_nul_byte_is_a_byte(void **state)
{
    (void)state;
    assert_true(glob_match(STR("a?b"), STR("a\0b")));
    assert_false(glob_match(STR("a"), STR("a\0")));
}

static void test_specials(void **state)
{
    (void)state;
    assert_false(glob_has_specials(STR("")));
    assert_false(glob_has_specials(STR("a.b-c]:d!^")));
    assert_true(glob_has_specials(STR("a*")));
    assert_true(glob_has_specials(STR("?a")));
    assert_true(glob_has_specials(STR("a[")));
}

static void test_fault(void **state)
{
    static const struct {
        const char *pattern;
        ssize_t expected;
    } rows[] = {
        {"", -1},  {"a]b", -1}, {"[a]", -1}, {"[", 0},     {"a[", 1},     {"[]", 0},
        {"[!", 0}, {"[!]", 0},  {"[]]", -1}, {"[!]]", -1}, {"[a]b[c", 4}, {"[[]", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(glob_find_fault(str_from(rows[i].pattern)), rows[i].expected);
}

/* With a naive matcher this takes longer than the universe lasts. */
static void test_cost_is_bounded(void **state)
{
    (void)state;
    char pattern[202], text[10001];
    for (size_t i = 0; i < 200; i += 2)
        memcpy(pattern + i, "*a", 2);
    memset(text, 'a', sizeof(text));
    pattern[200] = '*';
    pattern[201] = 'b';
    assert_false(glob_match((struct str){pattern, 202}, (struct str){text, sizeof(text)}));
    text[sizeof(text) - 1] = 'b';
    assert_true(glob_match((struct str){pattern, 202}, (struct str){text, sizeof(text)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),           cmocka_unit_test(test_nul_byte_is_a_byte),
        cmocka_unit_test(test_specials),        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_cost_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
