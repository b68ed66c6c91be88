/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/wire/mysql_packet.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BIG ((size_t)64 << 20)

static void assert_bytes(const struct buf *out, struct str expected)
{
    assert_true(buf_ok(out));
    assert_int_equal(out->len, expected.len);
    assert_memory_equal(out->ptr, expected.ptr, expected.len);
}

/* ---- reading frames ---- */

/* Two packets, in pieces of every size. */
static void test_packets_in_pieces(void **state)
{
    (void)state;
    static const struct str stream = STR("\x03\0\0\0abc\x00\x00\x00\x01\x01\x00\x00\x02z");
    static const struct str packets[] = {STR("abc"), STR(""), STR("z")};
    for (size_t piece = 1; piece <= stream.len; piece++) {
        struct mysql_inbound in;
        size_t found = 0;
        mysql_inbound_init(&in);
        for (size_t at = 0; at < stream.len; at += piece) {
            struct str exact = exact_copy((struct str){stream.ptr + at, MIN(piece, stream.len - at)});
            struct str rest = exact, payload;
            enum mysql_read read;
            while ((read = mysql_inbound_next(&in, &rest, 10, &payload)) == MYSQL_READ_PACKET) {
                assert_true(found < ARRAY_LEN(packets));
                assert_true(str_eq(payload, packets[found]));
                found++;
            }
            assert_int_equal(read, MYSQL_READ_MORE);
            assert_int_equal(rest.len, 0);
            exact_free(exact);
        }
        assert_int_equal(found, ARRAY_LEN(packets));
        assert_int_equal(in.sequence, 3);
        mysql_inbound_fini(&in);
    }
}

/* Who reads only what is missing stops at the end of the packet. */
static void test_missing(void **state)
{
    (void)state;
    struct mysql_inbound in;
    struct str bytes = STR("\x02\0\0\0ab"), payload;
    mysql_inbound_init(&in);
    assert_int_equal(mysql_inbound_missing(&in), 4);
    struct str piece = {bytes.ptr, 3};
    assert_int_equal(mysql_inbound_next(&in, &piece, 10, &payload), MYSQL_READ_MORE);
    assert_int_equal(mysql_inbound_missing(&in), 1);
    piece = (struct str){bytes.ptr + 3, 1};
    assert_int_equal(mysql_inbound_next(&in, &piece, 10, &payload), MYSQL_READ_MORE);
    assert_int_equal(mysql_inbound_missing(&in), 2);
    piece = (struct str){bytes.ptr + 4, 2};
    assert_int_equal(mysql_inbound_next(&in, &piece, 10, &payload), MYSQL_READ_PACKET);
    assert_int_equal(mysql_inbound_missing(&in), 4);
    mysql_inbound_fini(&in);
}

static void test_limit_and_order(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        enum mysql_read read;
    } cases[] = {
        {STR("\x0a\0\0\0"), MYSQL_READ_MORE},          {STR("\x0b\0\0\0"), MYSQL_READ_TOO_LARGE},
        {STR("\xff\xff\xff\0"), MYSQL_READ_TOO_LARGE}, {STR("\x01\0\0\x01x"), MYSQL_READ_OUT_OF_ORDER},
        {STR("\x00\0\0\0"), MYSQL_READ_PACKET},        {STR(""), MYSQL_READ_MORE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mysql_inbound in;
        struct str rest = cases[i].bytes, payload;
        mysql_inbound_init(&in);
        assert_int_equal(mysql_inbound_next(&in, &rest, 10, &payload), cases[i].read);
        mysql_inbound_fini(&in);
    }
}

/* What is announced is not yet reserved. */
static void test_memory_follows_the_bytes(void **state)
{
    (void)state;
    struct mysql_inbound in;
    struct str rest = STR("\xff\xff\x7f\0abc"), payload;
    mysql_inbound_init(&in);
    assert_int_equal(mysql_inbound_next(&in, &rest, BIG, &payload), MYSQL_READ_MORE);
    assert_true(in.payload.cap <= RESERVE_MAX);
    mysql_inbound_fini(&in);
}

/* ---- writing, and reading back, around the size at which a packet is split ---- */

static void check_round_trip(size_t size, unsigned frames)
{
    struct buf out;
    uint8_t sequence = 254; /* wraps */
    struct mysql_inbound in;
    struct str payload = STR_NONE;
    char *content = malloc(size + 1);
    assert_non_null(content);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i * 7 + i / 251);
    buf_init(&out, BIG);
    buf_add(&out, STR("before"));
    size_t start = mysql_packet_begin(&out);
    buf_add(&out, (struct str){content, size});
    mysql_packet_end(&out, start, &sequence);
    assert_int_equal(out.len, 6 + size + frames * 4);
    assert_int_equal(sequence, (uint8_t)(254 + frames));
    mysql_inbound_init(&in);
    in.sequence = 254;
    struct str rest = str_from_offset(buf_str(&out), 6);
    assert_int_equal(mysql_inbound_next(&in, &rest, BIG, &payload), MYSQL_READ_PACKET);
    assert_int_equal(payload.len, size);
    assert_true(size == 0 || memcmp(payload.ptr, content, size) == 0);
    assert_int_equal(rest.len, 0);
    mysql_inbound_fini(&in);
    buf_free(&out);
    free(content);
}

static void test_round_trips(void **state)
{
    (void)state;
    check_round_trip(0, 1);
    check_round_trip(1, 1);
    check_round_trip(70000, 1);
    check_round_trip(MYSQL_FRAME_MAX - 1, 1);
    check_round_trip(MYSQL_FRAME_MAX, 2); /* an empty frame ends it */
    check_round_trip(MYSQL_FRAME_MAX + 1, 2);
    check_round_trip(2 * MYSQL_FRAME_MAX, 3);
    check_round_trip(2 * MYSQL_FRAME_MAX + 12345, 3);
}

/* The limit holds for the whole packet, not for its frames. */
static void test_limit_over_frames(void **state)
{
    (void)state;
    struct mysql_inbound in;
    struct str payload;
    char *frame = calloc(1, MYSQL_HEADER_SIZE + MYSQL_FRAME_MAX);
    assert_non_null(frame);
    memset(frame, 0xff, 3);
    mysql_inbound_init(&in);
    struct str rest = {frame, MYSQL_HEADER_SIZE + MYSQL_FRAME_MAX};
    assert_int_equal(mysql_inbound_next(&in, &rest, MYSQL_FRAME_MAX + 1, &payload), MYSQL_READ_MORE);
    rest = STR("\x02\0\0\x01");
    assert_int_equal(mysql_inbound_next(&in, &rest, MYSQL_FRAME_MAX + 1, &payload), MYSQL_READ_TOO_LARGE);
    mysql_inbound_fini(&in);
    free(frame);
}

static void test_full_buffer_writes_no_packet(void **state)
{
    (void)state;
    char memory[8];
    struct buf out;
    uint8_t sequence = 3;
    buf_init_fixed(&out, memory, sizeof(memory));
    size_t start = mysql_packet_begin(&out);
    buf_add(&out, STR("too long"));
    mysql_packet_end(&out, start, &sequence);
    assert_false(buf_ok(&out));
    assert_int_equal(sequence, 3);
}

/* ---- fields ---- */

static const struct {
    uint64_t value;
    struct str bytes;
} lenencs[] = {
    {0, STR("\0")},
    {250, STR("\xfa")},
    {251, STR("\xfc\xfb\0")},
    {65535, STR("\xfc\xff\xff")},
    {65536, STR("\xfd\0\0\x01")},
    {16777215, STR("\xfd\xff\xff\xff")},
    {16777216, STR("\xfe\0\0\0\x01\0\0\0\0")},
    {UINT64_MAX, STR("\xfe\xff\xff\xff\xff\xff\xff\xff\xff")},
};

static void test_lenenc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lenencs); i++) {
        struct buf out;
        buf_init(&out, 16);
        mysql_put_lenenc(&out, lenencs[i].value);
        assert_bytes(&out, lenencs[i].bytes);
        for (size_t cut = 0; cut <= out.len; cut++) {
            struct str exact = exact_copy((struct str){out.ptr, cut});
            struct mysql_reader reader = {.rest = exact};
            uint64_t value = mysql_take_lenenc(&reader);
            assert_int_equal(reader.failed, cut < out.len);
            if (cut == out.len)
                assert_true(value == lenencs[i].value && reader.rest.len == 0);
            exact_free(exact);
        }
        buf_free(&out);
    }
    struct mysql_reader null = {.rest = STR("\xfb")}, error = {.rest = STR("\xff")};
    mysql_take_lenenc(&null);
    mysql_take_lenenc(&error);
    assert_true(null.failed && error.failed);
}

static void test_reader(void **state)
{
    (void)state;
    struct mysql_reader reader = {.rest = STR("\x01\x02\x03name\0\x03"
                                              "abcrest")};
    assert_int_equal(mysql_take_int(&reader, 3), 0x030201);
    assert_true(str_eq(mysql_take_text(&reader), STR("name")));
    assert_true(str_eq(mysql_take_lenenc_str(&reader), STR("abc")));
    assert_true(str_eq(mysql_take_rest(&reader), STR("rest")));
    assert_false(reader.failed);
    assert_int_equal(mysql_take_int(&reader, 1), 0);
    assert_true(reader.failed);
}

/* A failure is final: nothing behind it is believed. */
static void test_reader_fails_for_good(void **state)
{
    (void)state;
    struct mysql_reader unended = {.rest = STR("no end")},
                        long_str = {.rest = STR("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"
                                                "a")};
    assert_int_equal(mysql_take_text(&unended).len, 0);
    assert_true(unended.failed);
    assert_int_equal(mysql_take_int(&unended, 1), 0);
    assert_int_equal(mysql_take_rest(&unended).len, 0);
    assert_int_equal(mysql_take_lenenc_str(&long_str).len, 0);
    assert_true(long_str.failed);
}

static void test_integers(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    mysql_put_int(&out, 0x1122334455667788, 8);
    mysql_put_int(&out, 0xfffe, 1);
    mysql_put_lenenc_str(&out, STR("xy"));
    assert_bytes(&out, STR("\x88\x77\x66\x55\x44\x33\x22\x11\xfe\x02xy"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_in_pieces),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_limit_and_order),
        cmocka_unit_test(test_memory_follows_the_bytes),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_limit_over_frames),
        cmocka_unit_test(test_full_buffer_writes_no_packet),
        cmocka_unit_test(test_lenenc),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_fails_for_good),
        cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
