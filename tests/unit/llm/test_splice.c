/* SPDX-License-Identifier: Apache-2.0 */
/* Against the plainest way to do it: one change after the other on a copy. */
/* links: src/base/rng.c src/base/clock.c src/base/assert.c */
#include "../../../src/llm/splice.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define BODY_MAX 40

struct text {
    char bytes[BODY_MAX + 100];
    size_t len;
};

static void naive_change(struct text *text, size_t at, size_t cut, struct str insert)
{
    memmove(text->bytes + at + insert.len, text->bytes + at + cut, text->len - at - cut);
    memcpy(text->bytes + at, insert.ptr, insert.len);
    text->len = text->len - cut + insert.len;
}

static struct text joined(const struct splices *splices, struct str body)
{
    struct iovec pieces[SPLICE_PIECES_MAX];
    struct text text = {.len = 0};
    size_t count = splices_apply(splices, body, pieces);
    assert_true(count <= SPLICE_PIECES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(pieces[i].iov_len > 0); /* empty pieces cost a slot of the system call */
        memcpy(text.bytes + text.len, pieces[i].iov_base, pieces[i].iov_len);
        text.len += pieces[i].iov_len;
    }
    return text;
}

static void test_no_change_is_one_piece(void **state)
{
    struct splices none = {0};
    struct iovec pieces[SPLICE_PIECES_MAX];
    struct str body = STR("body");
    (void)state;
    assert_int_equal(splices_apply(&none, body, pieces), 1);
    assert_ptr_equal(pieces[0].iov_base, body.ptr);
    assert_int_equal(pieces[0].iov_len, 4);
    assert_int_equal(splices_length(&none, body), 4);
    assert_int_equal(splices_apply(&none, STR_NONE, pieces), 0);
}

static void test_table(void **state)
{
    static const struct {
        const char *body;
        size_t at, cut;
        const char *insert;
        size_t at2, cut2;
        const char *insert2, *expected;
    } rows[] = {
        {"abcdef", 0, 0, "X", 6, 0, "Y", "XabcdefY"},
        {"abcdef", 6, 0, "Y", 0, 0, "X", "XabcdefY"}, /* added in the wrong order */
        {"abcdef", 0, 3, "", 3, 3, "", ""},
        {"abcdef", 3, 3, "Z", 0, 3, "long text", "long textZ"},
        {"abcdef", 1, 1, "", 4, 1, "E", "acdEf"},
        {"abcdef", 2, 0, "1", 2, 0, "2", "ab12cdef"}, /* at one place: in the order of adding */
        {"", 0, 0, "a", 0, 0, "b", "ab"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct splices splices = {0};
        splices_add(&splices, rows[i].at, rows[i].cut, str_from(rows[i].insert));
        splices_add(&splices, rows[i].at2, rows[i].cut2, str_from(rows[i].insert2));
        struct text text = joined(&splices, str_from(rows[i].body));
        assert_true(str_eq((struct str){text.bytes, text.len}, str_from(rows[i].expected)));
        assert_int_equal(splices_length(&splices, str_from(rows[i].body)), text.len);
    }
}

static void test_random_against_naive(void **state)
{
    static const char inserted[] = "0123456789";
    struct rng rng;
    (void)state;
    rng_init(&rng, 42);
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[BODY_MAX];
        struct str body = {bytes, rng_below(&rng, BODY_MAX + 1)};
        for (size_t i = 0; i < body.len; i++)
            bytes[i] = (char)('a' + rng_below(&rng, 26));
        /* Two changes that do not overlap. */
        size_t at1 = rng_below(&rng, body.len + 1), cut1 = rng_below(&rng, body.len - at1 + 1);
        size_t at2 = at1 + cut1 + rng_below(&rng, body.len - at1 - cut1 + 1);
        size_t cut2 = rng_below(&rng, body.len - at2 + 1);
        struct str insert1 = {inserted, rng_below(&rng, 10)}, insert2 = {inserted + 1, rng_below(&rng, 9)};
        if (at1 == at2)
            continue;
        struct text expected = {.len = body.len};
        memcpy(expected.bytes, bytes, body.len);
        naive_change(&expected, at2, cut2,
                     insert2); /* the later place first: the earlier one does not move */
        naive_change(&expected, at1, cut1, insert1);

        struct splices splices = {0};
        bool swapped = rng_below(&rng, 2) == 0;
        splices_add(&splices, swapped ? at2 : at1, swapped ? cut2 : cut1, swapped ? insert2 : insert1);
        splices_add(&splices, swapped ? at1 : at2, swapped ? cut1 : cut2, swapped ? insert1 : insert2);
        struct text text = joined(&splices, body);
        assert_int_equal(text.len, expected.len);
        assert_memory_equal(text.bytes, expected.bytes, text.len);
        assert_int_equal(splices_length(&splices, body), expected.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_change_is_one_piece),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random_against_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
