/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sse.h"

#include "wire/bytes.h"

enum sse_state {
    SSE_LINE_START, /* first: a zeroed splitter begins here */
    SSE_IN_LINE,
    SSE_AFTER_CR, /* of a line: an LF still belongs to its end */
};

/* Steps over the line end at `at`. */
static inline const char *skip_line_end(const char *at, const char *end)
{
    bool is_pair = *at == '\r' && at + 1 < end && at[1] == '\n';
    return at + (is_pair ? 2 : 1);
}

/* From within a line to the start of the next; NULL when `end` comes first. */
static inline const char *skip_line(struct sse_splitter *s, const char *at, const char *end)
{
    at = bytes_find_line_end(at, end);
    s->state = SSE_IN_LINE;
    if (at == end)
        return NULL;
    s->state = *at == '\r' && at + 1 == end ? SSE_AFTER_CR : SSE_LINE_START;
    return skip_line_end(at, end);
}

size_t sse_split(struct sse_splitter *s, struct str in)
{
    const char *at = in.ptr, *end = in.len > 0 ? at + in.len : at;
    if (at == end)
        return 0;
    if (s->state == SSE_AFTER_CR) {
        s->state = SSE_LINE_START;
        at += *at == '\n';
    } else if (s->state == SSE_IN_LINE) {
        at = skip_line(s, at, end);
    }
    while (at && at < end && !byte_is_line_end((unsigned char)*at))
        at = skip_line(s, at, end);
    if (!at || at == end)
        return 0;
    /* When this is a CR that an LF in the next piece completes, that LF will read as one more empty line,
     * which is what the contract says of it. */
    s->state = SSE_LINE_START;
    return (size_t)(skip_line_end(at, end) - in.ptr);
}

/* What follows the colon, and the one space behind it. */
static struct str field_value(struct str line, size_t name_len)
{
    struct str value = str_from_offset(line, name_len + 1);
    return value.len > 0 && value.ptr[0] == ' ' ? str_from_offset(value, 1) : value;
}

/* A line without a colon is a field with an empty value. */
static bool line_is_field(struct str line, struct str name)
{
    return str_starts(line, name) && (line.len == name.len || line.ptr[name.len] == ':');
}

static inline void read_line(struct str line, struct sse_event *event)
{
    if (line_is_field(line, STR("data"))) {
        if (!event->has_data)
            event->data = field_value(line, 4);
        event->more_data = event->has_data;
        event->has_data = true;
    } else if (line_is_field(line, STR("event"))) {
        event->name = field_value(line, 5);
    }
}

void sse_event_read(struct str bytes, struct sse_event *ret_event)
{
    const char *at = bytes.ptr, *end = bytes.len > 0 ? at + bytes.len : at;
    *ret_event = (struct sse_event){0};
    while (at < end) {
        const char *line_end = bytes_find_line_end(at, end);
        read_line((struct str){at, (size_t)(line_end - at)}, ret_event);
        at = line_end == end ? end : line_end + 1; /* an LF behind a CR reads as an empty line */
    }
}
