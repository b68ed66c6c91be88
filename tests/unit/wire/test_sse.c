/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c */
#include "../../../src/wire/sse.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Events of a stream, written "[name|data]", "+" for more data; those without fields are left out. */
struct reading {
    char events[1024];
    size_t events_len;
    char open[1024]; /* the event under way */
    size_t open_len;
    size_t total; /* bytes of all events */
};

static void note_event(struct reading *reading)
{
    struct sse_event event;
    struct str bytes = exact_copy((struct str){reading->open, reading->open_len});
    sse_event_read(bytes, &event);
    reading->total += reading->open_len;
    reading->open_len = 0;
    if (event.name.len > 0 || event.has_data)
        reading->events_len +=
            (size_t)sprintf(reading->events + reading->events_len, "[" STR_FMT "|" STR_FMT "%s]",
                            STR_ARG(event.name), STR_ARG(event.data), event.more_data ? "+" : "");
    exact_free(bytes);
}

static void read_piece(struct sse_splitter *splitter, struct str piece, struct reading *reading)
{
    struct str in = exact_copy(piece), rest = in;
    while (rest.len > 0) {
        size_t len = sse_split(splitter, rest), taken = len > 0 ? len : rest.len;
        assert_true(len <= rest.len);
        memcpy(reading->open + reading->open_len, rest.ptr, taken);
        reading->open_len += taken;
        rest = str_from_offset(rest, taken);
        if (len > 0)
            note_event(reading);
    }
    assert_int_equal(sse_split(splitter, STR_NONE), 0);
    exact_free(in);
}

static struct reading read_cut(struct str stream, size_t first, size_t second)
{
    struct sse_splitter splitter = {0};
    struct reading reading = {0};
    size_t cuts[] = {0, first, second, stream.len};
    for (size_t i = 0; i + 1 < ARRAY_LEN(cuts); i++)
        read_piece(&splitter, (struct str){stream.ptr + cuts[i], cuts[i + 1] - cuts[i]}, &reading);
    return reading;
}

static const struct {
    struct str stream;
    const char *events, *open;
} streams[] = {
    {STR("data: a\n\n"), "[|a]", ""},
    {STR("data: a\r\n\r\n"), "[|a]", ""},
    {STR("data: a\r\r"), "[|a]", ""},
    {STR("data: a\n\r\n"), "[|a]", ""},
    {STR("data: a\r\n\n"), "[|a]", ""},
    {STR("data: a\r\n\rdata: b\n\n"), "[|a][|b]", ""},
    {STR("data: a\n\ndata: b\n\n"), "[|a][|b]", ""},
    {STR("data: a\r\n\r\ndata: b\r\n\r\n"), "[|a][|b]", ""},
    {STR("data: a\r\rdata: b\r\r"), "[|a][|b]", ""},
    {STR("\n\n\ndata: a\n\n"), "[|a]", ""},
    {STR("\r\n\r\ndata: a\r\n\r\n\r\n"), "[|a]", ""},
    {STR("event: e\ndata: {\"a\":1}\n\n"), "[e|{\"a\":1}]", ""},
    {STR("data: d\nevent: e\n\n"), "[e|d]", ""},
    {STR("event: e\r\ndata: d\r\n\r\nevent: f\r\n\r\n"), "[e|d][f|]", ""},
    {STR("data:a\n\n"), "[|a]", ""},
    {STR("data:  a\n\n"), "[| a]", ""},
    {STR("data\n\n"), "[|]", ""},
    {STR("data:\n\n"), "[|]", ""},
    {STR("data: \n\n"), "[|]", ""},
    {STR("data: a: b\n\n"), "[|a: b]", ""},
    {STR("data: a\ndata: b\n\n"), "[|a+]", ""},
    {STR("data\ndata: b\ndata: c\n\n"), "[|+]", ""},
    {STR(": comment\n\n"), "", ""},
    {STR(": ping\ndata: a\n: pong\n\n"), "[|a]", ""},
    {STR("id: 1\nretry: 5\ndatum: x\nDATA: y\n data: z\ndata: a\n\n"), "[|a]", ""},
    {STR("event: one\nevent: two\ndata: a\n\n"), "[two|a]", ""},
    {STR("data: [DONE]\n\n"), "[|[DONE]]", ""},
    {STR("data: \xe2\x82\xac\n\n"), "[|\xe2\x82\xac]", ""},
    {STR("data: a\n"), "", "data: a\n"},
    {STR("data: a\n\ndata: b"), "[|a]", "data: b"},
    {STR("data: a\n\ndata: b\n"), "[|a]", "data: b\n"},
};

/* Whole, and cut at all pairs of places. */
static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        struct str stream = streams[i].stream;
        for (size_t first = 0; first <= stream.len; first++) {
            for (size_t second = first; second <= stream.len; second++) {
                struct reading reading = read_cut(stream, first, second);
                assert_string_equal(reading.events, streams[i].events);
                assert_true(str_eq((struct str){reading.open, reading.open_len}, str_from(streams[i].open)));
                assert_int_equal(reading.total + reading.open_len, stream.len);
            }
        }
    }
}

/* Longer than the widest step, with the line ends at every place. */
static void test_line_ends_anywhere(void **state)
{
    (void)state;
    for (size_t at = 6; at < 150; at++) {
        char text[160], expected[200];
        memset(text, 'x', sizeof(text));
        memcpy(text, "data: ", 6);
        memcpy(text + at, "\r\n\r\n", 4);
        snprintf(expected, sizeof(expected), "[|%.*s]", (int)at - 6, text + 6);
        struct reading reading = read_cut((struct str){text, sizeof(text)}, 0, 0);
        assert_string_equal(reading.events, expected);
        assert_int_equal(reading.total, at + 4);
    }
}

static void test_split_lf_is_a_piece_of_its_own(void **state)
{
    (void)state;
    struct sse_splitter splitter = {0};
    struct sse_event event;
    assert_int_equal(sse_split(&splitter, STR("data: a\r\n\r")), 10);
    assert_int_equal(sse_split(&splitter, STR("\ndata: b\r\n")), 1);
    assert_int_equal(sse_split(&splitter, STR("data: b\r\n")), 0);
    assert_int_equal(sse_split(&splitter, STR("\r\nrest")), 2);
    sse_event_read(STR("\n"), &event);
    assert_false(event.has_data);
    assert_int_equal(event.name.len, 0);
    assert_int_equal(event.data.len, 0);
}

static void test_views_point_into_the_event(void **state)
{
    (void)state;
    struct sse_event event;
    struct str bytes = STR("event: name\ndata: value\n\n");
    sse_event_read(bytes, &event);
    assert_ptr_equal(event.name.ptr, bytes.ptr + 7);
    assert_ptr_equal(event.data.ptr, bytes.ptr + 18);
    sse_event_read(STR_NONE, &event);
    assert_false(event.has_data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_line_ends_anywhere),
        cmocka_unit_test(test_split_lf_is_a_piece_of_its_own),
        cmocka_unit_test(test_views_point_into_the_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
