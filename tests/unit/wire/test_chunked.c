/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c */
#include "../../../src/wire/chunked.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* What a whole stream came to. */
struct outcome {
    enum chunked_result result;
    char payload[1024];
    size_t payload_len;
    size_t taken;
};

static void read_piece(struct chunked *c, struct str piece, struct outcome *outcome)
{
    struct str in = exact_copy(piece), rest = in, data;
    while ((outcome->result = chunked_next(c, &rest, &data)) == CHUNKED_DATA) {
        assert_true(data.len > 0 && data.ptr >= in.ptr && data.ptr + data.len <= in.ptr + in.len);
        assert_true(outcome->payload_len + data.len <= sizeof(outcome->payload));
        memcpy(outcome->payload + outcome->payload_len, data.ptr, data.len);
        outcome->payload_len += data.len;
    }
    if (outcome->result == CHUNKED_MORE)
        assert_int_equal(rest.len, 0);
    outcome->taken += in.len - rest.len;
    exact_free(in);
}

/* In three pieces, cut at `first` and `second`. */
static struct outcome read_cut(struct str stream, size_t first, size_t second)
{
    struct chunked c = {0};
    struct outcome outcome = {.result = CHUNKED_MORE};
    size_t cuts[] = {0, first, second, stream.len};
    for (size_t i = 0; i + 1 < ARRAY_LEN(cuts) && outcome.result == CHUNKED_MORE; i++)
        read_piece(&c, (struct str){stream.ptr + cuts[i], cuts[i + 1] - cuts[i]}, &outcome);
    return outcome;
}

static const struct {
    struct str stream;
    enum chunked_result result;
    const char *payload;
    size_t left_over; /* bytes behind the message */
} streams[] = {
    {STR("0\r\n\r\n"), CHUNKED_END, "", 0},
    {STR("5\r\nhello\r\n0\r\n\r\n"), CHUNKED_END, "hello", 0},
    {STR("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /"), CHUNKED_END, "hello world", 5},
    {STR("00000000000000a\r\n0123456789\r\n000\r\n\r\n"), CHUNKED_END, "0123456789", 0},
    {STR("B\r\n0123456789a\r\n0\r\n\r\n"), CHUNKED_END, "0123456789a", 0},
    {STR("2\r\n\r\n\r\n0\r\n\r\n"), CHUNKED_END, "\r\n", 0},
    {STR("1;name=value;q=\"a b\"\r\nx\r\n0;last\r\n\r\n"), CHUNKED_END, "x", 0},
    {STR("1;\t \r\nx\r\n0\r\n\r\n"), CHUNKED_END, "x", 0},
    {STR("1\r\nx\r\n0\r\nTrailer: value\r\nOther:\r\n\r\nrest"), CHUNKED_END, "x", 4},
    {STR("5\r\nhel"), CHUNKED_MORE, "hel", 0},
    {STR("1\r\nx\r\n0\r\nTrailer: value\r\n"), CHUNKED_MORE, "x", 0},
    {STR(""), CHUNKED_MORE, "", 0},
    /* Sizes. */
    {STR("\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR(" 5\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5 \r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5 ;a\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5\t\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("+5\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("-5\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0x5\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5g\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5_0\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5,5\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("\xef\xbc\x95\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("10000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("ffffffffffffffff\r\nhello"), CHUNKED_BAD, "", 0},
    {STR(";a\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    /* Line ends. */
    {STR("5\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5\rhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5;a\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5;a\rb\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5;a\0\r\nhello\r\n0\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("5\r\nhelloX\r\n0\r\n\r\n"), CHUNKED_BAD, "hello", 0},
    {STR("5\r\nhello\n0\r\n\r\n"), CHUNKED_BAD, "hello", 0},
    {STR("5\r\nhello\r0\r\n\r\n"), CHUNKED_BAD, "hello", 0},
    {STR("5\r\nhello0\r\n\r\n"), CHUNKED_BAD, "hello", 0},
    {STR("0\r\n\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\n\rX"), CHUNKED_BAD, "", 0},
    /* Trailers. */
    {STR("0\r\n Folded: a\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nNo colon\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nA : b\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\n: b\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nA: b\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nA: b\rc\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nA: \x01\r\n\r\n"), CHUNKED_BAD, "", 0},
    {STR("0\r\nGET / HTTP/1.1\r\n\r\n"), CHUNKED_BAD, "", 0},
};

/* Whole, and cut at all pairs of places. */
static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        struct str stream = streams[i].stream;
        for (size_t first = 0; first <= stream.len; first++) {
            for (size_t second = first; second <= stream.len; second++) {
                struct outcome outcome = read_cut(stream, first, second);
                if (outcome.result != streams[i].result)
                    fail_msg("%zu: \"" STR_FMT "\" gives %d", i, STR_ARG(stream), (int)outcome.result);
                assert_true(
                    str_eq((struct str){outcome.payload, outcome.payload_len}, str_from(streams[i].payload)));
                if (outcome.result == CHUNKED_END)
                    assert_int_equal(stream.len - outcome.taken, streams[i].left_over);
            }
        }
    }
}

static void test_nothing_is_more(void **state)
{
    (void)state;
    struct chunked c = {0};
    struct str in = STR_NONE, data;
    assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
}

static void test_result_is_final(void **state)
{
    (void)state;
    static const struct {
        struct str stream;
        enum chunked_result result;
    } cases[] = {{STR("0\r\n\r\n"), CHUNKED_END}, {STR("x"), CHUNKED_BAD}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chunked c = {0};
        struct str in = cases[i].stream, data = STR("untouched");
        assert_int_equal(chunked_next(&c, &in, &data), cases[i].result);
        in = STR("5\r\nhello\r\n");
        assert_int_equal(chunked_next(&c, &in, &data), cases[i].result);
        assert_int_equal(in.len, 10);
        assert_true(str_eq(data, STR("untouched")));
    }
}

/* `count` bytes of `filler` between `before` and `after`. */
static enum chunked_result read_filled(struct str before, size_t count, char filler, struct str after)
{
    static char stream[16384];
    struct chunked c = {0};
    struct str data;
    memcpy(stream, before.ptr, before.len);
    memset(stream + before.len, filler, count);
    memcpy(stream + before.len + count, after.ptr, after.len);
    struct str in = {stream, before.len + count + after.len};
    enum chunked_result result;
    while ((result = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
        continue;
    return result;
}

static void test_bounds(void **state)
{
    (void)state;
    static const struct str behind = STR("\r\nx\r\n0\r\n\r\n");
    assert_int_equal(read_filled(STR("1;"), 256, 'e', behind), CHUNKED_END);
    assert_int_equal(read_filled(STR("1;"), 257, 'e', behind), CHUNKED_BAD);
    assert_int_equal(read_filled(STR("0"), 14, '0', STR("\r\n\r\n")), CHUNKED_END);
    assert_int_equal(read_filled(STR("0"), 15, '0', STR("\r\n\r\n")), CHUNKED_BAD);
    /* "t:" and three line ends beside the filler */
    assert_int_equal(read_filled(STR("0\r\nt:"), 8192 - 6, 'v', STR("\r\n\r\n")), CHUNKED_END);
    assert_int_equal(read_filled(STR("0\r\nt:"), 8192 - 5, 'v', STR("\r\n\r\n")), CHUNKED_BAD);
}

/* The bound on an extension is one line's, not all lines'. */
static void test_extensions_of_many_chunks(void **state)
{
    (void)state;
    struct chunked c = {0};
    char line[220];
    memset(line, 'e', sizeof(line));
    memcpy(line, "1;", 2);
    memcpy(line + sizeof(line) - 5, "\r\nx\r\n", 5);
    for (int i = 0; i < 50; i++) {
        struct str in = {line, sizeof(line)}, data;
        assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DATA);
        assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
    }
}

static void test_writes_heads(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t off = 0; off < 3; off++) {
            uint64_t size = ((uint64_t)1 << bit) - 1 + off;
            char head[CHUNKED_HEAD_MAX], expected[32];
            if (size == 0)
                continue;
            size_t len = chunked_write_head(size, head);
            assert_int_equal(len, sprintf(expected, "%llx\r\n", (unsigned long long)size));
            assert_memory_equal(head, expected, len);
        }
    }
    char head[CHUNKED_HEAD_MAX];
    assert_int_equal(chunked_write_head(UINT64_MAX, head), CHUNKED_HEAD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_nothing_is_more),
        cmocka_unit_test(test_result_is_final),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_extensions_of_many_chunks),
        cmocka_unit_test(test_writes_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
