/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_write.h"

#include "wire/bytes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_write_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

/* Depth 0 is like an array without brackets that may hold one value. */
static void begin_value(struct json_writer *w)
{
    bool *has_items = &w->has_items[w->depth];
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    ASSERT(!w->is_object[w->depth] && (w->depth > 0 || !*has_items));
    if (*has_items)
        buf_add_char(w->out, ',');
    *has_items = true;
}

static void begin_container(struct json_writer *w, bool is_object)
{
    begin_value(w);
    ASSERT(w->depth + 1 < JSON_WRITE_DEPTH);
    w->depth++;
    w->is_object[w->depth] = is_object;
    w->has_items[w->depth] = false;
    buf_add_char(w->out, is_object ? '{' : '[');
}

static void end_container(struct json_writer *w, bool is_object)
{
    ASSERT(w->depth > 0 && w->is_object[w->depth] == is_object && !w->after_key);
    w->depth--;
    buf_add_char(w->out, is_object ? '}' : ']');
}

void json_object_begin(struct json_writer *w)
{
    begin_container(w, true);
}

void json_object_end(struct json_writer *w)
{
    end_container(w, true);
}

void json_array_begin(struct json_writer *w)
{
    begin_container(w, false);
}

void json_array_end(struct json_writer *w)
{
    end_container(w, false);
}

void json_key(struct json_writer *w, struct str key)
{
    ASSERT(w->is_object[w->depth] && !w->after_key);
    if (w->has_items[w->depth])
        buf_add_char(w->out, ',');
    w->has_items[w->depth] = true;
    json_append_string(w->out, key);
    buf_add_char(w->out, ':');
    w->after_key = true;
}

void json_string(struct json_writer *w, struct str value)
{
    begin_value(w);
    json_append_string(w->out, value);
}

void json_u64(struct json_writer *w, uint64_t value)
{
    begin_value(w);
    buf_add_u64(w->out, value);
}

void json_i64(struct json_writer *w, int64_t value)
{
    begin_value(w);
    if (value < 0)
        buf_add_char(w->out, '-');
    buf_add_u64(w->out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* With the fewest of 15 to 17 digits that read back as the same value. The decimal point is the locale's. */
static void append_double(struct buf *out, double value)
{
    char text[32];
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = memchr(text, ',', (size_t)len);
    if (comma)
        *comma = '.';
    buf_add(out, (struct str){text, (size_t)len});
}

void json_double(struct json_writer *w, double value)
{
    if (!isfinite(value)) {
        json_null(w);
        return;
    }
    begin_value(w);
    append_double(w->out, value);
}

void json_bool(struct json_writer *w, bool value)
{
    begin_value(w);
    buf_add(w->out, value ? STR("true") : STR("false"));
}

void json_null(struct json_writer *w)
{
    begin_value(w);
    buf_add(w->out, STR("null"));
}

void json_raw(struct json_writer *w, struct str json)
{
    begin_value(w);
    buf_add(w->out, json);
}

static bool is_continuation(const unsigned char *at, const unsigned char *end)
{
    return at < end && (*at & 0xc0) == 0x80;
}

/* Length of the well-formed UTF-8 sequence at `at`, which is no ASCII, or 0 (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    if (*at < 0xc2 || *at > 0xf4 || !is_continuation(at + 1, end))
        return 0;
    if (*at < 0xe0)
        return 2;
    unsigned char low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
    unsigned char high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high || !is_continuation(at + 2, end))
        return 0;
    if (*at < 0xf0)
        return 3;
    return is_continuation(at + 3, end) ? 4 : 0;
}

static void append_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    };
    char short_form = c < 0x20 ? short_forms[c] : (char)c;
    if (short_form)
        buf_add(out, (struct str){(char[]){'\\', short_form}, 2});
    else
        buf_add(out, (struct str){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
}

/* Steps over bytes that can be copied as they are. */
static const char *find_run_end(const char *at, const char *end)
{
    while ((at = bytes_find_json_care(at, end)) < end && (unsigned char)*at >= 0x80) {
        size_t len = utf8_sequence((const unsigned char *)at, (const unsigned char *)end);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

void json_append_string(struct buf *out, struct str value)
{
    buf_add_char(out, '"');
    const char *at = value.ptr, *end = value.len > 0 ? at + value.len : at;
    while (at < end) {
        const char *run_end = find_run_end(at, end);
        buf_add(out, (struct str){at, (size_t)(run_end - at)});
        if (run_end < end && (unsigned char)*run_end >= 0x80)
            buf_add(out, STR("\xef\xbf\xbd"));
        else if (run_end < end)
            append_escape(out, (unsigned char)*run_end);
        at = run_end + (run_end < end);
    }
    buf_add_char(out, '"');
}
