/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "wire/bytes.h"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOKENS "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void test_token_characters(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        assert_int_equal(byte_is_token((unsigned char)c), c != 0 && strchr(TOKENS, c) != NULL);
}

static void test_hex_values(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *at = c == 0 ? NULL : strchr(digits, c), *capital = c == 0 ? NULL : strchr(capitals, c);
        int expected = at ? (int)(at - digits) : capital ? (int)(capital - capitals) : -1;
        assert_int_equal(byte_hex_value((unsigned char)c), expected);
    }
}

static const struct {
    const char *(*find)(const char *, const char *);
    bool (*is)(unsigned char);
} finders[] = {
    {bytes_find_control, byte_is_control},           {bytes_find_odd_text, byte_is_odd_text},
    {bytes_find_target_end, byte_ends_target},       {bytes_find_plain_name_end, byte_ends_plain_name},
    {bytes_find_line_end, byte_is_line_end},         {bytes_find_json_run_end, byte_ends_json_run},
    {bytes_find_json_nesting, byte_is_json_nesting}, {bytes_find_json_care, byte_needs_json_care},
};

/* A byte that none of the classes holds. */
#define PLAIN 'x'

/* Every byte value at every place of runs of every length up to beyond the widest step. */
static void test_finders_agree_with_their_class(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(finders); f++) {
        for (size_t len = 0; len < 100; len++) {
            char *run = malloc(len + 1);
            memset(run, PLAIN, len + 1);
            assert_ptr_equal(finders[f].find(run, run + len), run + len);
            for (size_t at = 0; at < len; at++) {
                for (int c = 0; c < 256; c++) {
                    run[at] = (char)c;
                    const char *expected = finders[f].is((unsigned char)c) ? run + at : run + len;
                    if (finders[f].find(run, run + len) != expected)
                        fail_msg("finder %zu: byte 0x%02x at %zu of %zu", f, (unsigned)c, at, len);
                }
                run[at] = PLAIN;
            }
            free(run);
        }
    }
}

/* Each of the three behind a quotation mark at every place of every length; then the mark alone, and the byte alone. */
static void test_find_word(void **state)
{
    (void)state;
    for (size_t len = 0; len < 80; len++) {
        char *run = malloc(len + 1);
        memset(run, PLAIN, len + 1);
        run[len] = 'a'; /* behind the end */
        for (size_t at = 0; at + 1 <= len; at++) {
            for (const char *next = "abcd"; *next; next++) {
                run[at] = '"';
                if (at + 1 < len)
                    run[at + 1] = *next;
                bool is_hit = *next != 'd' && at + 1 < len;
                assert_ptr_equal(bytes_find_word(run, run + len, 'a', 'b', 'c'), run + (is_hit ? at : len));
                run[at] = PLAIN;
                assert_ptr_equal(bytes_find_word(run, run + len, 'a', 'b', 'c'), run + len);
            }
            if (at + 1 < len)
                run[at + 1] = PLAIN;
        }
        free(run);
    }
    static const char two[] = "xxxxxxxxxxxxxxxx\"d\"b xxxxxxxxxxxx \"a";
    const char *end = two + sizeof(two) - 1;
    assert_ptr_equal(bytes_find_word(two, end, 'a', 'b', 'c'), two + 18);
    assert_ptr_equal(bytes_find_word(two + 19, end, 'a', 'b', 'c'), end - 2);
}

static void test_finders_stop_at_the_first(void **state)
{
    (void)state;
    static const char hits[] = {'\n', '"', '\\', '{'};
    for (size_t f = 0; f < ARRAY_LEN(finders); f++) {
        for (size_t h = 0; h < ARRAY_LEN(hits); h++) {
            char run[90];
            if (!finders[f].is((unsigned char)hits[h]))
                continue;
            memset(run, PLAIN, sizeof(run));
            for (size_t first = sizeof(run); first-- > 0;) {
                run[first] = hits[h];
                assert_ptr_equal(finders[f].find(run, run + sizeof(run)), run + first);
            }
        }
    }
}

static void test_finders_stay_in_their_range(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(finders); f++) {
        for (size_t len = 0; len < 90; len++) {
            char exact[90];
            memset(exact, PLAIN, sizeof(exact));
            struct str run = exact_copy((struct str){exact, len});
            assert_ptr_equal(finders[f].find(run.ptr, run.ptr + len), run.ptr + len);
            exact_free(run);
        }
    }
}

static void test_head_stops(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        char bytes[64];
        memset(bytes, PLAIN, sizeof(bytes));
        struct str run = exact_copy((struct str){bytes, len});
        assert_int_equal(bytes_head_stops(run.ptr, run.ptr + len), 0);
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                bool is_stop = c == ':' || byte_is_odd_text((unsigned char)c);
                ((char *)(uintptr_t)run.ptr)[at] = (char)c;
                assert_int_equal(bytes_head_stops(run.ptr, run.ptr + len), is_stop ? (uint64_t)1 << at : 0);
            }
            ((char *)(uintptr_t)run.ptr)[at] = PLAIN;
        }
        exact_free(run);
    }
}

/* The name is looked at alone, however much may be read behind it. */
static void test_plain_names(void **state)
{
    (void)state;
    char bytes[64];
    for (size_t readable = 0; readable <= sizeof(bytes); readable++) {
        for (size_t len = 0; len <= readable; len++) {
            memset(bytes, ':', sizeof(bytes));
            memset(bytes, 'a', len);
            struct str run = exact_copy((struct str){bytes, readable});
            assert_true(bytes_are_plain_name(run.ptr, run.ptr + len, run.ptr + readable));
            for (size_t at = 0; at < len; at++) {
                ((char *)(uintptr_t)run.ptr)[at] = '_';
                assert_false(bytes_are_plain_name(run.ptr, run.ptr + len, run.ptr + readable));
                ((char *)(uintptr_t)run.ptr)[at] = '-';
            }
            exact_free(run);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_characters),
        cmocka_unit_test(test_hex_values),
        cmocka_unit_test(test_finders_agree_with_their_class),
        cmocka_unit_test(test_find_word),
        cmocka_unit_test(test_finders_stop_at_the_first),
        cmocka_unit_test(test_finders_stay_in_their_range),
        cmocka_unit_test(test_head_stops),
        cmocka_unit_test(test_plain_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
