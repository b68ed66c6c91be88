/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/assert.c src/base/str.c src/wire/sse.c */
/* clang-format on */
/* Any bytes as an event stream: nothing is lost between events, and cut into pieces it holds the same ones.
 * The events are also those that reading line by line gives. */
#include "wire/sse.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

/* The events of a stream, with what they say copied out: length, bytes and flags of each field. */
struct reading {
    char *said;
    size_t said_len, open_len;
    char *open; /* the event under way */
};

static void say(struct reading *reading, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(reading->said + reading->said_len, bytes, len);
    reading->said_len += len;
}

static void say_event(struct reading *reading, const struct sse_event *event)
{
    if (!event->has_data && event->name.len == 0)
        return;
    say(reading, &(char){(char)(event->has_data + 2 * event->more_data)}, 1);
    say(reading, &event->name.len, sizeof(size_t));
    say(reading, event->name.ptr, event->name.len);
    say(reading, &event->data.len, sizeof(size_t));
    say(reading, event->data.ptr, event->data.len);
}

static struct reading reading_of(struct str in)
{
    struct reading reading = {.said = malloc(20 * (in.len + 1)), .open = malloc(in.len + 1)};
    CHECK(reading.said && reading.open);
    return reading;
}

static void reading_free(struct reading *reading)
{
    free(reading->said);
    free(reading->open);
}

static void read_piece(struct sse_splitter *splitter, struct str rest, struct reading *reading)
{
    while (rest.len > 0) {
        size_t len = sse_split(splitter, rest), taken = len > 0 ? len : rest.len;
        CHECK(len <= rest.len);
        memcpy(reading->open + reading->open_len, rest.ptr, taken);
        reading->open_len += taken;
        rest = str_from_offset(rest, taken);
        if (len > 0) {
            struct sse_event event;
            sse_event_read((struct str){reading->open, reading->open_len}, &event);
            say_event(reading, &event);
            reading->open_len = 0;
        }
    }
}

/* In pieces of `piece` bytes, each in memory of its own. */
static struct reading read_pieces(struct str in, size_t piece)
{
    struct sse_splitter splitter = {0};
    struct reading reading = reading_of(in);
    for (size_t at = 0; at < in.len; at += piece) {
        size_t len = MIN(piece, in.len - at);
        char *exact = malloc(len);
        CHECK(exact);
        memcpy(exact, in.ptr + at, len);
        read_piece(&splitter, (struct str){exact, len}, &reading);
        free(exact);
    }
    return reading;
}

/* Cuts the next line off, without its end; false when none is whole. */
static bool next_line(struct str *io_in, struct str *ret_line)
{
    for (size_t i = 0; i < io_in->len; i++) {
        if (io_in->ptr[i] != '\r' && io_in->ptr[i] != '\n')
            continue;
        bool is_pair = io_in->ptr[i] == '\r' && i + 1 < io_in->len && io_in->ptr[i + 1] == '\n';
        *ret_line = (struct str){io_in->ptr, i};
        *io_in = str_from_offset(*io_in, i + (is_pair ? 2 : 1));
        return true;
    }
    return false;
}

static bool read_field(struct str line, struct str name, struct str *ret_value)
{
    if (!str_starts(line, name) || (line.len > name.len && line.ptr[name.len] != ':'))
        return false;
    struct str value = str_from_offset(line, name.len + 1);
    *ret_value = str_starts(value, STR(" ")) ? str_from_offset(value, 1) : value;
    return true;
}

/* The same by the words of the standard, line by line. */
static struct reading read_lines(struct str in)
{
    struct reading reading = reading_of(in);
    struct sse_event event = {0};
    struct str line, value;
    while (next_line(&in, &line)) {
        if (line.len == 0) {
            say_event(&reading, &event);
            event = (struct sse_event){0};
        } else if (read_field(line, STR("event"), &value)) {
            event.name = value;
        } else if (read_field(line, STR("data"), &value)) {
            event.data = event.has_data ? event.data : value;
            event.more_data = event.has_data;
            event.has_data = true;
        }
    }
    return reading;
}

static void check_same(struct reading *reading, const struct reading *expected)
{
    CHECK(reading->said_len == expected->said_len);
    CHECK(memcmp(reading->said, expected->said, reading->said_len) == 0);
    reading_free(reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 7, 16, 61};
    if (size < 2)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    struct reading whole = read_pieces(in, in.len), lines = read_lines(in);
    check_same(&lines, &whole);
    CHECK(whole.open_len <= in.len &&
          memcmp(whole.open, in.ptr + in.len - whole.open_len, whole.open_len) == 0);
    for (size_t i = 0; i <= ARRAY_LEN(pieces); i++) {
        struct reading cut = read_pieces(in, i < ARRAY_LEN(pieces) ? pieces[i] : (size_t)data[0] + 1);
        check_same(&cut, &whole);
    }
    reading_free(&whole);
    return 0;
}
