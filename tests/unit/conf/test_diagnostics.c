/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c */
#include "../../../src/conf/diagnostics.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct str print(const struct diagnostics *diagnostics, char *memory, size_t size)
{
    struct buf out;
    buf_init_fixed(&out, memory, size);
    diagnostics_print(diagnostics, STR("f.yaml"), &out);
    assert_true(buf_ok(&out));
    return buf_str(&out);
}

static void test_print_in_order(void **state)
{
    (void)state;
    struct diagnostics diagnostics;
    char memory[512];
    diagnostics_init(&diagnostics);
    diagnostic_add(&diagnostics, (struct mark){12, 5}, STR("endpoint"), "unknown key '%s'", "endpont");
    diagnostic_add(&diagnostics, (struct mark){3, 9}, STR_NONE, "second of its place's line");
    diagnostic_add(&diagnostics, (struct mark){3, 1}, STR_NONE, "first");
    diagnostic_add(&diagnostics, (struct mark){12, 5}, STR_NONE, "same place, later");
    diagnostic_add(&diagnostics, (struct mark){0, 0}, STR_NONE, "whole file");
    diagnostics_sort(&diagnostics);
    assert_true(str_eq(print(&diagnostics, memory, sizeof(memory)),
                       STR("f.yaml: whole file\n"
                           "f.yaml:3:1: first\n"
                           "f.yaml:3:9: second of its place's line\n"
                           "f.yaml:12:5: unknown key 'endpont'; did you mean 'endpoint'?\n"
                           "f.yaml:12:5: same place, later\n")));
    assert_int_equal(diagnostics_total(&diagnostics), 5);
    diagnostics_fini(&diagnostics);
}

static void test_texts_are_cleaned_copies(void **state)
{
    (void)state;
    struct diagnostics diagnostics;
    char memory[512], word[] = "a\x1b[2Jb\n";
    diagnostics_init(&diagnostics);
    diagnostic_add(&diagnostics, (struct mark){1, 1}, str_from(word), "%s\x7f", word);
    memset(word, 'x', sizeof(word) - 1);
    assert_true(str_eq(print(&diagnostics, memory, sizeof(memory)),
                       STR("f.yaml:1:1: a?[2Jb??; did you mean 'a?[2Jb?'?\n")));
    diagnostics_fini(&diagnostics);
}

static void test_bounds(void **state)
{
    (void)state;
    struct diagnostics diagnostics;
    static char memory[65536], text[MESSAGE_MAX * 2];
    memset(text, 'm', sizeof(text) - 1);
    diagnostics_init(&diagnostics);
    for (unsigned i = 0; i < DIAGNOSTICS_MAX + 3; i++)
        diagnostic_add(&diagnostics, (struct mark){i + 1, 1}, STR_NONE, "%s", i == 0 ? text : "x");
    assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX);
    assert_int_equal(diagnostics_total(&diagnostics), DIAGNOSTICS_MAX + 3);
    assert_int_equal(diagnostics.items[0].message.len, MESSAGE_MAX - 1);
    struct str printed = print(&diagnostics, memory, sizeof(memory));
    struct str last = STR("f.yaml:100:1: x\nf.yaml: and 3 more\n");
    assert_true(str_eq(str_from_offset(printed, printed.len - last.len), last));
    diagnostics_fini(&diagnostics);
}

static void test_notices_are_no_faults(void **state)
{
    (void)state;
    struct diagnostics diagnostics;
    char memory[512];
    diagnostics_init(&diagnostics);
    diagnostic_notice(&diagnostics, (struct mark){2, 1}, "good to %s", "know");
    assert_int_equal(diagnostics_total(&diagnostics), 0);
    diagnostic_add(&diagnostics, (struct mark){1, 1}, STR_NONE, "bad");
    diagnostics_sort(&diagnostics);
    assert_int_equal(diagnostics_total(&diagnostics), 1);
    assert_true(str_eq(print(&diagnostics, memory, sizeof(memory)),
                       STR("f.yaml:1:1: bad\nf.yaml:2:1: notice: good to know\n")));
    for (unsigned i = 0; i < DIAGNOSTICS_MAX; i++)
        diagnostic_notice(&diagnostics, (struct mark){i + 3, 1}, "x");
    assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX);
    assert_int_equal(diagnostics_total(&diagnostics), 1); /* notices that do not fit are not missed */
    diagnostics_fini(&diagnostics);
    assert_int_equal(diagnostics_total(&diagnostics), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_in_order),
        cmocka_unit_test(test_texts_are_cleaned_copies),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_notices_are_no_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
