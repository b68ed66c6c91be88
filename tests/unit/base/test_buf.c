/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/base/buf.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_holds(const struct buf *b, const char *text)
{
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(b->ptr, text, b->len);
}

static void test_grows_to_its_cap(void **state)
{
    static const size_t caps[] = {0, 1, 7, 255, 256, 257, 1000, 4096};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        struct buf b;
        buf_init(&b, caps[i]);
        for (size_t n = 0; n < caps[i]; n++) {
            buf_add_char(&b, (char)('a' + n % 26));
            assert_true(buf_ok(&b) && b.cap <= caps[i]);
        }
        buf_add_char(&b, '!');
        assert_false(buf_ok(&b));
        assert_int_equal(b.len, caps[i]);
        for (size_t n = 0; n < caps[i]; n++)
            assert_int_equal(b.ptr[n], 'a' + n % 26);
        buf_free(&b);
    }
}

static void test_a_write_that_does_not_fit_writes_nothing(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    buf_add(&b, STR("12345678"));
    buf_add(&b, STR("abc"));
    assert_false(buf_ok(&b));
    assert_holds(&b, "12345678");
    buf_add(&b, STR("9"));
    assert_false(buf_ok(&b)); /* once failed, failed until cleared */
    buf_clear(&b);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 0);
    buf_add(&b, STR("0123456789"));
    assert_true(buf_ok(&b));
    assert_false(buf_reserve(&b, 1));
    assert_false(buf_ok(&b));
    buf_free(&b);
    buf_add(&b, STR("again"));
    assert_true(buf_ok(&b));
    assert_holds(&b, "again");
    buf_free(&b);
}

static void test_fixed(void **state)
{
    char memory[8];
    struct buf b;
    (void)state;
    buf_init_fixed(&b, memory, sizeof(memory));
    buf_add(&b, STR("12345678"));
    assert_true(buf_ok(&b));
    assert_ptr_equal(b.ptr, memory);
    buf_add_char(&b, '9');
    assert_false(buf_ok(&b));
    assert_holds(&b, "12345678");
    buf_free(&b); /* must not free the caller's memory */
    assert_null(b.ptr);
}

static void test_numbers(void **state)
{
    static const struct {
        uint64_t value;
        const char *text;
    } rows[] = {
        {0, "0"}, {9, "9"}, {10, "10"}, {1234567890, "1234567890"}, {UINT64_MAX, "18446744073709551615"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char memory[20];
        struct buf b;
        buf_init_fixed(&b, memory, sizeof(memory));
        buf_add_u64(&b, rows[i].value);
        assert_true(buf_ok(&b));
        assert_holds(&b, rows[i].text);
    }
}

/* Both ways through printf, at the edge between them and behind text that is there already. */
static void test_printf(void **state)
{
    static char text[3000];
    (void)state;
    memset(text, 'x', sizeof(text));
    for (int len = 0; len < 3000; len += len < 505 || len > 520 ? 97 : 1) {
        struct buf b;
        buf_init(&b, 4000);
        buf_add(&b, STR("<"));
        buf_printf(&b, "%.*s%d", len, text, 42);
        buf_add(&b, STR(">"));
        assert_true(buf_ok(&b));
        assert_int_equal(b.len, len + 4);
        assert_memory_equal(b.ptr + 1, text, (size_t)len);
        assert_memory_equal(b.ptr + len + 1, "42>", 3);
        buf_free(&b);
    }
}

static void test_printf_over_the_cap(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 600);
    buf_printf(&b, "%0700d", 1);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_printf(&b, "%0300d", 1);
    buf_printf(&b, "%0301d", 1);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 300);
    buf_free(&b);
}

static void test_consume(void **state)
{
    static const struct {
        size_t n;
        const char *left;
    } rows[] = {{0, "abcdef"}, {1, "bcdef"}, {5, "f"}, {6, ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 100);
        buf_add(&b, STR("abcdef"));
        buf_consume(&b, rows[i].n);
        assert_holds(&b, rows[i].left);
        buf_free(&b);
    }
    struct buf empty = {0};
    buf_consume(&empty, 0);
    assert_int_equal(empty.len, 0);
    buf_free(&empty);
}

static void test_adding_nothing_takes_no_memory(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    buf_add(&b, STR_NONE);
    buf_add(&b, STR(""));
    assert_true(buf_ok(&b));
    assert_null(b.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_to_its_cap),
        cmocka_unit_test(test_a_write_that_does_not_fit_writes_nothing),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_printf_over_the_cap),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_adding_nothing_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
