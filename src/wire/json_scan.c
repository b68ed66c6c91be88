/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_scan.h"

#include "wire/bytes.h"

/* Where in the top-level object the next byte stands. */
enum scan_state {
    SCAN_START,  /* before the opening brace */
    SCAN_MEMBER, /* before a key */
    SCAN_KEY,    /* within a key */
    SCAN_COLON,  /* behind a key */
    SCAN_VALUE,  /* behind a colon */
    SCAN_STRING, /* within a value that is a string, */
    SCAN_NESTED, /* an object or array, */
    SCAN_SCALAR, /* a number or word */
    SCAN_COMMA,  /* behind a value */
    SCAN_DONE,   /* the object is closed, or this is none */
};

/* In `matched`: the key is another. */
#define NO_MATCH UINT32_MAX

void json_scan_init(struct json_scan *scan, struct str key)
{
    scan->key = key;
    scan->depth = scan->matched = 0;
    scan->state = SCAN_START;
    scan->in_string = scan->escaped = scan->capturing = scan->found = false;
    scan->value_len = 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* From within a string to behind its closing quote; in_string stays set when the piece ends before. */
static const char *skip_string(struct json_scan *scan, const char *at, const char *end)
{
    if (scan->escaped && at < end) {
        scan->escaped = false;
        at++;
    }
    while ((at = bytes_find_json_run_end(at, end)) < end && *at == '\\') {
        scan->escaped = at + 1 == end;
        at += scan->escaped ? 1 : 2;
    }
    scan->in_string = at == end;
    return scan->in_string ? end : at + 1;
}

/* Within an object or array; ends when the nesting is back to the top-level object. */
static const char *skip_nested(struct json_scan *scan, const char *at, const char *end)
{
    while (at < end && scan->depth > 1) {
        if (scan->in_string)
            at = skip_string(scan, at, end);
        at = bytes_find_json_nesting(at, end);
        if (at == end)
            break;
        scan->in_string = *at == '"';
        scan->depth += *at == '{' || *at == '[';
        scan->depth -= *at == '}' || *at == ']';
        at++;
    }
    return at;
}

static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && !is_space(*at) && *at != ',' && *at != '}')
        at++;
    return at;
}

static void keep(struct json_scan *scan, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);
    scan->capturing = scan->capturing && len <= JSON_SCAN_VALUE_MAX - (size_t)scan->value_len;
    if (!scan->capturing)
        return;
    memcpy(scan->value + scan->value_len, from, len);
    scan->value_len = (uint16_t)(scan->value_len + len);
}

/* The rest of the value, or what the piece holds of it. */
static const char *take_value(struct json_scan *scan, const char *at, const char *end)
{
    const char *stop = scan->state == SCAN_STRING   ? skip_string(scan, at, end)
                       : scan->state == SCAN_NESTED ? skip_nested(scan, at, end)
                                                    : skip_scalar(at, end);
    bool is_open = scan->state == SCAN_STRING   ? scan->in_string
                   : scan->state == SCAN_NESTED ? scan->depth > 1
                                                : stop == end;
    keep(scan, at, stop);
    if (!is_open) {
        scan->found |= scan->capturing;
        scan->state = SCAN_COMMA;
    }
    return stop;
}

/* Takes the first byte of a value. */
static void begin_value(struct json_scan *scan, const char *at)
{
    if (scan->matched == scan->key.len) {
        scan->found = false;
        scan->value_len = 0;
    }
    scan->capturing = scan->matched == scan->key.len;
    keep(scan, at, at + 1);
    scan->in_string = *at == '"';
    scan->depth += *at == '{' || *at == '[';
    scan->state = scan->in_string ? SCAN_STRING : scan->depth > 1 ? SCAN_NESTED : SCAN_SCALAR;
}

/* An escape in a key makes it another one: the wanted one is spelled without. */
static void match_key(struct json_scan *scan, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);
    if (scan->matched == NO_MATCH)
        return;
    bool is_same = len <= scan->key.len - scan->matched &&
                   (len == 0 || memcmp(scan->key.ptr + scan->matched, from, len) == 0);
    scan->matched = is_same ? scan->matched + (uint32_t)len : NO_MATCH;
}

static const char *take_key(struct json_scan *scan, const char *at, const char *end)
{
    const char *stop = skip_string(scan, at, end);
    match_key(scan, at, scan->in_string ? stop : stop - 1);
    if (!scan->in_string)
        scan->state = SCAN_COLON;
    return stop;
}

static void begin_key(struct json_scan *scan)
{
    scan->matched = 0;
    scan->in_string = true;
    scan->state = SCAN_KEY;
}

/* One byte between keys and values. */
static void take_structure(struct json_scan *scan, const char *at)
{
    if (is_space(*at))
        return;
    if (scan->state == SCAN_VALUE && *at != ',' && *at != ':' && *at != '}' && *at != ']') {
        begin_value(scan, at);
    } else if (scan->state == SCAN_MEMBER && *at == '"') {
        begin_key(scan);
    } else if (scan->state == SCAN_COLON && *at == ':') {
        scan->state = SCAN_VALUE;
    } else if (scan->state == SCAN_COMMA && *at == ',') {
        scan->state = SCAN_MEMBER;
    } else if (scan->state == SCAN_START && *at == '{') {
        scan->state = SCAN_MEMBER;
        scan->depth = 1;
    } else {
        scan->state = SCAN_DONE;
    }
}

void json_scan_feed(struct json_scan *scan, struct str piece)
{
    const char *at = piece.ptr, *end = piece.len > 0 ? at + piece.len : at;
    while (at < end) {
        switch ((enum scan_state)scan->state) {
        case SCAN_KEY:
            at = take_key(scan, at, end);
            break;
        case SCAN_STRING:
        case SCAN_NESTED:
        case SCAN_SCALAR:
            at = take_value(scan, at, end);
            break;
        case SCAN_DONE:
            return;
        default:
            take_structure(scan, at++);
        }
    }
}

struct str json_scan_value(const struct json_scan *scan)
{
    return scan->found ? (struct str){scan->value, scan->value_len} : STR_NONE;
}
