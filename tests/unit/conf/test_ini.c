/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/conf/ini.c"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Reads `text`; entries come as "section|key|value\n", what is said as diagnostics_print does. */
static void check(const char *text, const char *entries_expected, const char *said_expected)
{
    char entries_memory[1024], said_memory[1024];
    struct buf entries_text, said;
    struct arena arena;
    struct diagnostics diagnostics;
    struct ini_entry *entries;
    size_t count;
    arena_init(&arena, NULL);
    diagnostics_init(&diagnostics);
    buf_init_fixed(&entries_text, entries_memory, sizeof(entries_memory) - 1);
    buf_init_fixed(&said, said_memory, sizeof(said_memory) - 1);
    assert_int_equal(ini_read(str_from(text), &arena, &diagnostics, &entries, &count), ERR_OK);
    for (size_t i = 0; i < count; i++)
        buf_printf(&entries_text, STR_FMT "|" STR_FMT "|" STR_FMT "%s\n", STR_ARG(entries[i].section),
                   STR_ARG(entries[i].key), STR_ARG(entries[i].value),
                   entries[i].is_broken ? " (broken)" : "");
    diagnostics_print(&diagnostics, STR("f"), &said);
    entries_memory[entries_text.len] = said_memory[said.len] = '\0';
    assert_string_equal(entries_memory, entries_expected);
    assert_string_equal(said_memory, said_expected);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void test_entries(void **state)
{
    (void)state;
    check("", "", "");
    check("a=1\n[s]\nb = 2 \n\n[ t ] # comment\n c\t=\t3", "|a|1\ns|b|2\nt|c|3\n", "");
    check("\xef\xbb\xbf[s]\r\na = 1\r\n", "s|a|1\n", "");
    check("a =\nb = \"\"\nc=''\n", "|a|\n|b|\n|c|\n", "");
    check("a = x = y\n", "|a|x = y\n", "");
    check("a = gr\xc3\xbc\xc3\x9f\n", "|a|gr\xc3\xbc\xc3\x9f\n", "");
}

static void test_comments(void **state)
{
    (void)state;
    check("# a = 1\n  ; b = 2\n", "", "");
    check("a = 1 # one\nb = 2\t; two\nc = # nothing\nd = ; nothing\n", "|a|1\n|b|2\n|c|\n|d|\n", "");
    check("a = \"1 # one\" # one\nb = '; \"' ; two\n", "|a|1 # one\n|b|; \"\n", "");
}

static void test_faults(void **state)
{
    (void)state;
    check("a\n = 1\n", "",
          "f:1:1: not 'key = value', a [section] or a # comment: 'a'\n"
          "f:2:2: not 'key = value', a [section] or a # comment: '= 1'\n");
    check("[s\n[s] t\n", "",
          "f:1:1: not a section's name in brackets\nf:2:1: not a section's name in brackets\n");
    check("a = \"1\nb = '1' 2\n", "|a| (broken)\n|b|1 (broken)\n",
          "f:1:5: the quote is not closed in this line\nf:2:9: text behind a value in quotes\n");
    check("a = x#y\n", "|a|x (broken)\n",
          "f:1:6: a '#' or ';' inside of a value: put the value in quotes, or a blank before a comment\n");
    check("a = \x01\nb = \x7f\n", "", "f:1:5: a control character\nf:2:5: a control character\n");
}

static void test_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xc3",         "\xc0\x80",         "\xc3\x28",         "\xe0\x80\x80",
        "\xed\xa0\x80", "\xe2\x82\x28", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[16];
        snprintf(text, sizeof(text), "a=%s", bad[i]);
        check(text, "", "f:1:3: bytes that are not UTF-8\n");
    }
    check("a=\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
          "|a|\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\n", "");
}

static void test_places(void **state)
{
    (void)state;
    struct arena arena;
    struct diagnostics diagnostics;
    struct ini_entry *entries;
    size_t count;
    arena_init(&arena, NULL);
    diagnostics_init(&diagnostics);
    assert_int_equal(
        ini_read(STR("\n  [s]\n  key =  value\nempty =\n"), &arena, &diagnostics, &entries, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].section_mark.line, 2);
    assert_int_equal(entries[0].section_mark.column, 3);
    assert_int_equal(entries[0].key_mark.line, 3);
    assert_int_equal(entries[0].key_mark.column, 3);
    assert_int_equal(entries[0].mark.column, 10);
    assert_int_equal(entries[1].mark.line, 4);
    assert_int_equal(entries[1].mark.column, 8);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void test_too_many_lines(void **state)
{
    (void)state;
    static char text[INI_LINES_MAX * 4 + 1];
    for (size_t i = 0; i < INI_LINES_MAX; i++)
        memcpy(text + i * 4, "a=1\n", 5);
    check(text, "", "f: more than 10000 lines\n");
}

static void check_first(const char *text, const char *expected)
{
    struct str name = ini_first_section(str_from(text));
    assert_true(str_eq(name, str_from(expected)));
}

static void test_first_section(void **state)
{
    (void)state;
    check_first("[a]\n[b]\n", "a");
    check_first("\xef\xbb\xbf# comment\n\n ; more\n [a] # x", "a");
    check_first("a = 1\n[a]\n", "");
    check_first("[a]: b\n", "");
    check_first("", "");
    check_first("\n\n", "");
    check_first("[a", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),       cmocka_unit_test(test_comments),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_places),        cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_first_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
