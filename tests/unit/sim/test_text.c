/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/buf.c src/base/str.c */
#include "../../../src/sim/text.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* However a text is cut into pieces, they are the text. */
static void test_pieces_join(void **state)
{
    (void)state;
    for (uint64_t piece = 1; piece < 30; piece++) {
        struct buf whole;
        struct buf joined;
        buf_init(&whole, 4096);
        buf_init(&joined, 4096);
        text_add(&whole, 0, 120);
        for (uint64_t first = 0; first < 120; first += piece)
            text_add(&joined, first, MIN(piece, 120 - first));
        assert_true(str_eq(buf_str(&whole), buf_str(&joined)));
        buf_free(&whole);
        buf_free(&joined);
    }
}

static void test_words(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    text_add(&text, 9, 2);
    assert_true(str_eq(buf_str(&text), STR("tok9 tok10 ")));
    buf_free(&text);
}

static void test_vector(void **state)
{
    bool differs = false;
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        float value = text_vector_item(42, i);
        assert_true(value >= -1.0F && value < 1.0F);
        assert_true(value * 128.0F == (float)(int)(value * 128.0F)); /* exact */
        assert_true(value == text_vector_item(42, i));
        differs = differs || value != text_vector_item(43, i);
    }
    assert_true(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_join),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
