/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/lexeme.c"

#include "pieces.h"

static const struct {
    struct str text;
    enum lexeme kind;
    size_t len;
    bool is_closed;
} firsts[] = {
    {STR("  \n\tx"), LEXEME_SPACE, 4, true},
    {STR("abc_1$;"), LEXEME_CODE, 6, true},
    {STR("b\xc3\xbc;"), LEXEME_CODE, 3, true},
    {STR("(a"), LEXEME_CODE, 1, true},
    {STR(";x"), LEXEME_SEMICOLON, 1, true},
    {STR("\\Gx"), LEXEME_BACKSLASH, 2, true},
    {STR("\\"), LEXEME_BACKSLASH, 1, true},
    {STR("'a;b' c"), LEXEME_QUOTED, 5, true},
    {STR("'it\\'s' c"), LEXEME_QUOTED, 7, true},
    {STR("'it''s' c"), LEXEME_QUOTED, 4, true}, /* two that touch: the same to us */
    {STR("\"a'\\\"\" c"), LEXEME_QUOTED, 6, true},
    {STR("`a\\` c"), LEXEME_QUOTED, 4, true}, /* no escapes in names */
    {STR("'open"), LEXEME_QUOTED, 5, false},
    {STR("'open\\"), LEXEME_QUOTED, 5, false},
    {STR("/* a; */ b"), LEXEME_BLOCK_COMMENT, 8, true},
    {STR("/*/ x"), LEXEME_BLOCK_COMMENT, 5, false},
    {STR("/**/x"), LEXEME_BLOCK_COMMENT, 4, true},
    {STR("/* *"), LEXEME_BLOCK_COMMENT, 3, false},
    {STR("/*"), LEXEME_BLOCK_COMMENT, 2, false},
    {STR("-- a; b\nc"), LEXEME_LINE_COMMENT, 7, true},
    {STR("--\nc"), LEXEME_LINE_COMMENT, 2, true},
    {STR("--"), LEXEME_LINE_COMMENT, 2, true},
    {STR("--1"), LEXEME_CODE, 1, true}, /* minus minus one */
    {STR("# a"), LEXEME_LINE_COMMENT, 3, true},
    {STR("/ 2"), LEXEME_CODE, 1, true},
};

static void test_firsts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
        struct lexeme_span span = lexeme_read(firsts[i].text, 0, 0);
        if (span.kind != firsts[i].kind || span.len != firsts[i].len || span.is_closed != firsts[i].is_closed)
            fail_msg("\"" STR_FMT "\": kind %d, %zu bytes, closed %d", STR_ARG(firsts[i].text),
                     (int)span.kind, span.len, span.is_closed);
    }
}

/* Cut anywhere, going on where the first reading stopped gives what reading at once gives. */
static void test_goes_on(void **state)
{
    (void)state;
    static const struct str texts[] = {STR("'a\\'b\\\\' x"), STR("/* * ** */ x"), STR("`a\\` x"),
                                       STR("\"\\\"\" x")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lexeme_span whole = lexeme_read(texts[i], 0, 0);
        assert_true(whole.is_closed);
        for (size_t cut = 2; cut < whole.len; cut++) {
            struct lexeme_span first = lexeme_read((struct str){texts[i].ptr, cut}, 0, 0);
            assert_false(first.is_closed);
            struct lexeme_span second = lexeme_read(texts[i], 0, first.len);
            assert_true(second.is_closed);
            assert_int_equal(second.len, whole.len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_firsts), cmocka_unit_test(test_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
