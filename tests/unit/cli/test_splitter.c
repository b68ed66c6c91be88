/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/splitter.c"

#include "pieces.h"

/* Pieces as text, each in brackets: its kind's letter, its line, its text. */
static void note(struct buf *out, enum piece piece, struct str text, size_t line)
{
    static const char letters[] = "-;GQHCSR.?";
    buf_printf(out, "[%c%zu " STR_FMT "]", letters[piece], line, STR_ARG(text));
}

static void take_all(struct splitter *splitter, bool is_last, struct buf *out)
{
    struct str text = STR("");
    size_t line = 0;
    enum piece piece;
    while ((piece = splitter_next(splitter, is_last, &text, &line)) != PIECE_NONE)
        note(out, piece, text.ptr ? text : STR(""), line);
}

/* `by_lines`: as a terminal gives it. */
static void split(struct str text, bool by_lines, struct buf *out)
{
    struct splitter splitter;
    splitter_init(&splitter, 4096);
    buf_clear(out);
    while (text.len > 0) {
        const char *end = by_lines ? memchr(text.ptr, '\n', text.len) : NULL;
        struct str line = {text.ptr, end ? (size_t)(end - text.ptr) + 1 : text.len};
        assert_int_equal(splitter_feed(&splitter, line), ERR_OK);
        take_all(&splitter, false, out);
        text = str_from_offset(text, line.len);
    }
    take_all(&splitter, true, out);
    splitter_fini(&splitter);
}

static const struct {
    const char *text, *pieces;
} cases[] = {
    {"", ""},
    {"SELECT 1", "[;1 SELECT 1]"},
    {"SELECT 1;", "[;1 SELECT 1]"},
    {" SELECT 1 ; SELECT 2;\n", "[;1 SELECT 1][;1 SELECT 2]"},
    {"SELECT\n 1\n;\n\nSELECT 2", "[;1 SELECT\n 1][;5 SELECT 2]"},
    {"SELECT 1\\G SELECT 2\\g", "[G1 SELECT 1][;1 SELECT 2]"},
    {";;; \n;", ""},
    {"SELECT ';', \"a;\\\"b\", `c;`;", "[;1 SELECT ';', \"a;\\\"b\", `c;`]"},
    {"SELECT 'a\nb;\nc';\nx", "[;1 SELECT 'a\nb;\nc'][;4 x]"},
    {"SELECT 1 -- no; end\n, 2;", "[;1 SELECT 1 -- no; end\n, 2]"},
    {"SELECT 1 /* no;\n end */;", "[;1 SELECT 1 /* no;\n end */]"},
    {"-- only\n# comments\n/* here; */", ""},
    {"/* one; */; SELECT 1", "[;1 SELECT 1]"},
    {"/*!40101 SET x = 1 */;", "[;1 /*!40101 SET x = 1 */]"},
    {"SELECT 'open", "[;1 SELECT 'open]"},
    {"/* open", ""},
    {"SELECT '\\c' \\c SELECT 2;", "[C1 ][;1 SELECT 2]"},
    {"\\q", "[Q1 ]"},
    {"quit\n", "[Q1 ]"},
    {" Exit ;\n", "[Q1 ]"},
    {"help; SELECT 1", "[H1 ][;1 SELECT 1]"},
    {"?\n", "[H1 ]"},
    {"status\n\\s\n", "[S1 ][S2 ]"},
    {"\\#\nrefresh\n", "[R1 ][R2 ]"},
    {"SELECT \\s 1;", "[S1 ][;1 SELECT  1]"},
    {"source a b.sql\nSELECT 1;", "[.1 a b.sql][;2 SELECT 1]"},
    {"source f.sql; SELECT 1;", "[.1 f.sql][;1 SELECT 1]"},
    {"\\. /f.sql\n", "[.1 /f.sql]"},
    {"\\.\n", "[.1 ]"},
    {"source\n;", "[;1 source]"},
    {"SELECT 1,\nstatus\n;", "[;1 SELECT 1,\nstatus]"}, /* in a statement they are words */
    {"quit now;", "[;1 quit now]"},
    {"helpful;", "[;1 helpful]"},
    {"CACHE CLEAR;\nclear\n", "[;1 CACHE CLEAR][C2 ]"},
    {"SELECT \\z 1;", "[?1 \\z][;1 1]"},
    {"SELECT \\", "[?1 \\]"},
};

static void test_cases(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        split(str_from(cases[i].text), false, &out);
        check_text(buf_str(&out), cases[i].pieces);
        split(str_from(cases[i].text), true, &out);
        check_text(buf_str(&out), cases[i].pieces);
    }
    buf_free(&out);
}

static bool is_open_after(const char *text)
{
    struct splitter splitter;
    struct buf out;
    splitter_init(&splitter, 4096);
    buf_init(&out, 4096);
    assert_int_equal(splitter_feed(&splitter, str_from(text)), ERR_OK);
    take_all(&splitter, false, &out);
    bool is_open = splitter_is_open(&splitter);
    splitter_fini(&splitter);
    buf_free(&out);
    return is_open;
}

static void test_is_open(void **state)
{
    (void)state;
    assert_false(is_open_after("\n"));
    assert_false(is_open_after("SELECT 1;\n"));
    assert_false(is_open_after("SELECT 1; -- x\n"));
    assert_false(is_open_after("SELECT 1\n\\c\n"));
    assert_true(is_open_after("SELECT 1\n"));
    assert_true(is_open_after("/* a\n"));
    assert_true(is_open_after("'a\n"));
    assert_true(is_open_after("SELECT 1; SELECT 2\n"));
}

static void test_bound_and_clear(void **state)
{
    (void)state;
    struct splitter splitter;
    struct str text;
    size_t line;
    splitter_init(&splitter, 16);
    assert_int_equal(splitter_feed(&splitter, STR("SELECT 12345;\n")), ERR_OK);
    assert_int_equal(splitter_next(&splitter, false, &text, &line), PIECE_STATEMENT);
    assert_int_equal(splitter_feed(&splitter, STR("SELECT 12345\n")), ERR_OK); /* the first made room */
    assert_int_equal(splitter_feed(&splitter, STR("6789;\n")), ERR_LIMIT);
    splitter_clear(&splitter);
    assert_int_equal(splitter_feed(&splitter, STR("SELECT 2;\n")), ERR_OK);
    assert_int_equal(splitter_next(&splitter, false, &text, &line), PIECE_STATEMENT);
    check_text(text, "SELECT 2");
    assert_int_equal(line, 1);
    splitter_fini(&splitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_is_open),
        cmocka_unit_test(test_bound_and_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
