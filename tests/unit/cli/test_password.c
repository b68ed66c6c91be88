/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/password.c"

#include "pieces.h"

static enum err read_given(struct str given, char *io_text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], given.ptr, given.len), given.len);
    close(ends[1]);
    enum err err = read_line(ends[0], NULL, io_text, size);
    close(ends[0]);
    return err;
}

static void test_lines(void **state)
{
    char text[5];
    (void)state;
    assert_int_equal(read_given(STR("abcd\nrest"), text, sizeof(text)), ERR_OK);
    assert_string_equal(text, "abcd");
    assert_int_equal(read_given(STR("\n"), text, sizeof(text)), ERR_OK);
    assert_string_equal(text, "");
    assert_int_equal(read_given(STR("abcde\n"), text, sizeof(text)), ERR_LIMIT);
    assert_int_equal(read_given(STR("abcdefgh\n"), text, sizeof(text)), ERR_LIMIT);
    assert_int_equal(read_given(STR("abc"), text, sizeof(text)), ERR_CLOSED);
    assert_int_equal(read_given(STR(""), text, sizeof(text)), ERR_CLOSED);
}

/* A pipe is no terminal: nothing is read from it. */
static void test_not_a_terminal(void **state)
{
    char text[5];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(read_hidden(ends[0], NULL, text, sizeof(text)), ERR_SYSTEM);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_not_a_terminal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
