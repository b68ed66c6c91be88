/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/glob.c src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c -lpcre2-8 */
#include "../../../src/route/match.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct match_scratch scratch;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    arena_init(&fixture->arena, NULL);
    *state = fixture;
    return match_scratch_init(&fixture->scratch) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    match_scratch_fini(&fixture->scratch);
    arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static enum match_verdict test_once(struct fixture *fixture, enum match_kind kind, enum match_scope scope,
                                    const char *pattern, struct str text)
{
    struct match match;
    struct match_config config = {kind, str_from(pattern)};
    assert_int_equal(match_compile(&fixture->arena, &config, scope, NULL, &match), ERR_OK);
    enum match_verdict verdict = match_test(&match, text, &fixture->scratch);
    match_fini(&match);
    return verdict;
}

static void test_verdicts(void **state)
{
    static const struct {
        enum match_kind kind;
        enum match_scope scope;
        const char *pattern, *text;
        bool expected;
    } rows[] = {
        {MATCH_ANY, MATCH_WHOLE, "", "", true},
        {MATCH_ANY, MATCH_WHOLE, "", "x", true},
        {MATCH_GLOB, MATCH_WHOLE, "gpt-4", "gpt-4", true},
        {MATCH_GLOB, MATCH_WHOLE, "gpt-4", "gpt-4o", false},
        {MATCH_GLOB, MATCH_WHOLE, "gpt-4*", "gpt-4o", true},
        {MATCH_GLOB, MATCH_WHOLE, "gpt-4*", "gpt-3.5", false},
        {MATCH_GLOB, MATCH_WHOLE, "gpt.4", "gptx4", false},
        {MATCH_REGEX, MATCH_WHOLE, "gpt-4", "gpt-4o", false},
        {MATCH_REGEX, MATCH_WHOLE, "gpt-4", "a gpt-4", false},
        {MATCH_REGEX, MATCH_WHOLE, "gpt-oss:20b-(64|128)k.*", "gpt-oss:20b-64k-x", true},
        {MATCH_REGEX, MATCH_WHOLE, "gpt-oss:20b-(64|128)k.*", "gpt-oss:20b-32k", false},
        {MATCH_REGEX, MATCH_WHOLE, "a|ab", "ab", true},
        {MATCH_REGEX, MATCH_WHOLE, "a$", "a\n", false},
        {MATCH_REGEX, MATCH_WHOLE, "", "", true},
        {MATCH_REGEX, MATCH_WHOLE, "Jos.", "Jos\xc3\xa9", true},
        {MATCH_REGEX, MATCH_WHOLE, "abc", "abc\xff", false},
        {MATCH_REGEX, MATCH_WHOLE, "abc",
         "\xff"
         "abc",
         false},
        {MATCH_REGEX, MATCH_SEARCH, "python", "some python code", true},
        {MATCH_REGEX, MATCH_SEARCH, "python", "some Python code", false},
        {MATCH_REGEX, MATCH_SEARCH, "(?i)python", "some Python code", true},
        {MATCH_REGEX, MATCH_SEARCH, "a|b", "xxb", true},
        {MATCH_REGEX, MATCH_SEARCH, "^some", "some text", true},
        {MATCH_REGEX, MATCH_SEARCH, "^text", "some text", false},
        {MATCH_REGEX, MATCH_SEARCH, "(?m)^text", "some\ntext", true},
        {MATCH_REGEX, MATCH_SEARCH, "text$", "some text", true},
        {MATCH_REGEX, MATCH_SEARCH, "text$", "text some", false},
        {MATCH_REGEX, MATCH_SEARCH, "code", "two lines\nof code", true},
        {MATCH_REGEX, MATCH_SEARCH, "lines.of", "two lines\nof code", false},
        {MATCH_REGEX, MATCH_SEARCH, "(.)\\1", "abccd", true},
        {MATCH_REGEX, MATCH_SEARCH, "(.)\\1", "abcd", false},
        {MATCH_REGEX, MATCH_SEARCH, "\\Qa(b", "xa(bx", true},
        {MATCH_REGEX, MATCH_SEARCH, "", "", true},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum match_verdict got =
            test_once(fixture, rows[i].kind, rows[i].scope, rows[i].pattern, str_from(rows[i].text));
        if (got != (rows[i].expected ? VERDICT_YES : VERDICT_NO))
            fail_msg("row %zu, '%s' and '%s': %d", i, rows[i].pattern, rows[i].text, (int)got);
    }
    assert_int_equal(fixture->scratch.limit_hits, 0);
}

static void test_empty_text_may_have_no_address(void **state)
{
    assert_int_equal(test_once(*state, MATCH_REGEX, MATCH_WHOLE, "a*", STR_NONE), VERDICT_YES);
    assert_int_equal(test_once(*state, MATCH_REGEX, MATCH_SEARCH, "a", STR_NONE), VERDICT_NO);
    assert_int_equal(test_once(*state, MATCH_GLOB, MATCH_WHOLE, "*", STR_NONE), VERDICT_YES);
}

static void test_errors_have_offsets(void **state)
{
    static const struct {
        enum match_kind kind;
        enum match_scope scope;
        const char *pattern, *expected;
    } rows[] = {
        {MATCH_GLOB, MATCH_WHOLE, "qw[en", "bracket is never closed at offset 2"},
        {MATCH_REGEX, MATCH_WHOLE, "a(b", "missing closing parenthesis at offset 3"},
        {MATCH_REGEX, MATCH_SEARCH, "a(b", "missing closing parenthesis at offset 3"},
        {MATCH_REGEX, MATCH_WHOLE, "x*+?*", "quantifier does not follow a repeatable item at offset 3"},
        {MATCH_REGEX, MATCH_WHOLE, "a\\C", "using \\C is disabled by the application at offset 3"},
        {MATCH_REGEX, MATCH_SEARCH, "(?x)a # open",
         "a leading verb or an open comment cannot be searched for, at offset 0"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char memory[256];
        struct buf error;
        buf_init_fixed(&error, memory, sizeof(memory));
        struct match match = {.kind = MATCH_ANY};
        struct match_config config = {rows[i].kind, str_from(rows[i].pattern)};
        assert_int_equal(match_compile(&fixture->arena, &config, rows[i].scope, &error, &match), ERR_INVALID);
        assert_int_equal(match.kind, MATCH_ANY); /* untouched */
        buf_add_char(&error, '\0');
        assert_string_equal(error.ptr, rows[i].expected);
    }
}

static void test_cost_is_bounded(void **state)
{
    static const char *const evil[] = {
        "(a+)+[bc]",         "(?:a|a)*[bc]",   "a.*a.*a.*[cd]",    "(\\w+\\s?)+[!?]",
        "\\w.{1,60000}[cd]", "[ab](?=.*[cd])", "(?:a?){40}a{40}b",
    };
    struct fixture *fixture = *state;
    size_t size = 2 * MATCH_SEARCH_BYTES_MAX;
    char *text = malloc(size);
    memset(text, 'a', size);
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        uint64_t before = fixture->scratch.limit_hits;
        enum match_verdict verdict =
            test_once(fixture, MATCH_REGEX, MATCH_SEARCH, evil[i], (struct str){text, size});
        assert_int_not_equal(verdict, VERDICT_YES);
        assert_int_equal(fixture->scratch.limit_hits - before, verdict == VERDICT_LIMIT ? 1 : 0);
    }
    assert_true(fixture->scratch.limit_hits >= 5);
    free(text);
}

static void test_search_ends_at_the_limit(void **state)
{
    size_t size = MATCH_SEARCH_BYTES_MAX + 10;
    char *text = malloc(size);
    memset(text, ' ', size);
    memcpy(text + MATCH_SEARCH_BYTES_MAX - 3, "abcdef", 6);
    assert_int_equal(test_once(*state, MATCH_REGEX, MATCH_SEARCH, "abc", (struct str){text, size}),
                     VERDICT_YES);
    assert_int_equal(test_once(*state, MATCH_REGEX, MATCH_SEARCH, "abcd", (struct str){text, size}),
                     VERDICT_NO);
    free(text);
}

/* A long way back within the limit has to be found: this is what patterns on pasted text look like. */
static void test_long_match_is_found(void **state)
{
    size_t size = 30000;
    char *text = malloc(size);
    memset(text, 'x', size);
    memcpy(text, "foo", 3);
    memcpy(text + 15000, "bar", 3);
    struct str subject = {text, size};
    assert_int_equal(test_once(*state, MATCH_REGEX, MATCH_SEARCH, "foo.*bar", subject), VERDICT_YES);
    free(text);
}

static void test_pattern_too_long(void **state)
{
    struct fixture *fixture = *state;
    char *pattern = malloc(REGEX_PATTERN_BYTES_MAX + 1);
    memset(pattern, 'a', REGEX_PATTERN_BYTES_MAX + 1);
    struct match match;
    struct match_config config = {MATCH_REGEX, {pattern, REGEX_PATTERN_BYTES_MAX + 1}};
    assert_int_equal(match_compile(&fixture->arena, &config, MATCH_SEARCH, NULL, &match), ERR_INVALID);
    config.pattern.len--;
    assert_int_equal(match_compile(&fixture->arena, &config, MATCH_SEARCH, NULL, &match), ERR_OK);
    match_fini(&match);
    free(pattern);
}

static void test_fini_is_harmless_on_zeroes(void **state)
{
    (void)state;
    struct match match = {0};
    struct match_scratch scratch = {0};
    match_fini(&match);
    match_scratch_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_text_may_have_no_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_have_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cost_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_ends_at_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_match_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pattern_too_long, setup, teardown),
        cmocka_unit_test(test_fini_is_harmless_on_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
