/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/text.c"

#include "pieces.h"

#include <locale.h>

static const struct {
    struct str text;
    const char *shown;
    size_t width;
} cases[] = {
    {STR(""), "", 0},
    {STR("abc"), "abc", 3},
    {STR("b\xc3\xbc"), "b\xc3\xbc", 2},
    {STR("\xe6\x97\xa5\xe6\x9c\xac"), "\xe6\x97\xa5\xe6\x9c\xac", 4}, /* wide: two columns each */
    {STR("e\xcc\x81"), "e\xcc\x81", 1},                               /* combining: none */
    {STR("a\nb\tc\r"), "a\\nb\\tc\\r", 9},
    {STR("\x1b[31m"), "\\x1b[31m", 8},
    {STR("a\0b"), "a\\x00b", 6},
    {STR("\x7f"), "\\x7f", 4},
    {STR("\xc2\x9b"), "\\xc2\\x9b", 8},                    /* CSI in one character */
    {STR("\xe2\x80\xae"), "\\xe2\\x80\\xae", 12},          /* turns the direction */
    {STR("\xff\xc3"), "\\xff\\xc3", 8},                    /* no UTF-8 */
    {STR("\xc0\xaf"), "\\xc0\\xaf", 8},                    /* longer than need be */
    {STR("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", 12},          /* the same */
    {STR("\xed\xa0\x80"), "\\xed\\xa0\\x80", 12},          /* a surrogate */
    {STR("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", 16}, /* past the last character */
};

static void test_cases(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&out);
        assert_int_equal(text_show(&out, cases[i].text, false), cases[i].width);
        check_text(buf_str(&out), cases[i].shown);
        assert_int_equal(text_show(NULL, cases[i].text, false), cases[i].width);
    }
    buf_clear(&out);
    text_show(&out, STR("a\nb\tc"), true);
    check_text(buf_str(&out), "a\nb\\tc");
    buf_clear(&out);
    text_repeat(&out, '-', 3);
    text_repeat(&out, '-', 0);
    check_text(buf_str(&out), "---");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
