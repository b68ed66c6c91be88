/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1.h"

#include "wire/bytes.h"
#include "wire/http1_fields.h"

#define VERSION_LEN (sizeof("HTTP/1.1") - 1)

/* start .. line -- taken / line .. end -- to be read, at most head_bytes from start */
struct cursor {
    const char *start, *line, *end;
    size_t line_bytes;
    bool is_cut;               /* the input goes on behind `end` */
    enum http_parse long_line; /* what a line of more than line_bytes is answered with */
};

static struct cursor cursor_over(struct str in, const struct http_limits *limits)
{
    return (struct cursor){
        .start = in.ptr,
        .line = in.ptr,
        .end = in.len > 0 ? in.ptr + MIN(in.len, limits->head_bytes) : in.ptr,
        .line_bytes = limits->line_bytes,
        .is_cut = in.len >= limits->head_bytes,
        .long_line = HTTP_PARSE_HEAD_TOO_LARGE,
    };
}

/* Where to stop looking in the present line: at the end of the input, or one byte past what a line may have.
 * So the answer to an overlong line does not depend on how much of it has come. */
static const char *line_window(const struct cursor *c)
{
    return (size_t)(c->end - c->line) > c->line_bytes ? c->line + c->line_bytes + 1 : c->end;
}

/* The window held no fault and no line end. */
static enum http_parse line_is_open(const struct cursor *c, const char *window)
{
    if ((size_t)(window - c->line) > c->line_bytes)
        return c->long_line;
    return c->is_cut ? HTTP_PARSE_HEAD_TOO_LARGE : HTTP_PARSE_MORE;
}

/* What a line comes to whose first control character is `stop`, if it is not a whole line end. */
static enum http_parse line_end_fault(const struct cursor *c, const char *stop, const char *window)
{
    if (stop == window)
        return line_is_open(c, window);
    if (*stop != '\r' || stop + 1 != c->end)
        return HTTP_PARSE_BAD;
    return c->is_cut ? HTTP_PARSE_HEAD_TOO_LARGE : HTTP_PARSE_MORE;
}

/* Steps over the line end at `stop`, which is the first control character of the line. */
static enum http_parse take_line_end(struct cursor *c, const char *stop, const char *window)
{
    if (UNLIKELY(c->end - stop < 2 || stop == window || stop[0] != '\r' || stop[1] != '\n'))
        return line_end_fault(c, stop, window);
    c->line = stop + 2;
    return HTTP_PARSE_DONE;
}

static enum http_parse take_line(struct cursor *c, struct str *ret_line)
{
    const char *line = c->line, *window = line_window(c);
    const char *stop = bytes_find_control(line, window);
    enum http_parse result = take_line_end(c, stop, window);
    if (result == HTTP_PARSE_DONE)
        *ret_line = (struct str){line, (size_t)(stop - line)};
    return result;
}

static inline const char *find_name_end(const char *at, const char *end)
{
    at = bytes_find_plain_name_end(at, end);
    while (at < end && byte_is_token((unsigned char)*at))
        at++;
    return at;
}

/* Walks over the bytes of a head that may end a name or a value, found 64 bytes at a time without waiting for
 * what the bytes before mean. */
struct stops {
    const char *block, *end;
    uint64_t left; /* bit i: byte i of the block is one, and still to come */
};

/* Not inlined into the loop below, which would cost it its registers. */
__attribute__((noinline)) static uint64_t find_stops(const char *at, const char *end)
{
    return bytes_head_stops(at, end);
}

__attribute__((always_inline)) static inline const char *next_stop(struct stops *stops)
{
    while (UNLIKELY(stops->left == 0)) {
        if (stops->end - stops->block <= 64)
            return stops->end;
        stops->block += 64;
        stops->left = find_stops(stops->block, stops->end);
    }
    const char *stop = stops->block + __builtin_ctzll(stops->left);
    stops->left &= stops->left - 1;
    return stop;
}

/* Most lines are "Name: value" in plain characters, and much cheaper to take when nothing else need be
 * thought of. Takes lines up to the first that is not. */
static size_t take_common_fields(struct cursor *c, struct http_field *fields, size_t room)
{
    struct stops stops = {c->line, c->end, find_stops(c->line, c->end)};
    for (size_t count = 0; count < room; count++) {
        const char *line = c->line, *colon = next_stop(&stops), *stop;
        do
            stop = next_stop(&stops);
        while (stop < c->end && *stop == ':');
        if (c->end - stop < 2 || memcmp(colon, ": ", 2) != 0 || memcmp(stop, "\r\n", 2) != 0 ||
            colon == line || colon[2] == ' ' || stop[-1] == ' ' || (size_t)(stop - line) > c->line_bytes ||
            !bytes_are_plain_name(line, colon, c->end))
            return count;
        fields[count].name = (struct str){line, (size_t)(colon - line)};
        fields[count].value = (struct str){colon + 2, (size_t)(stop - colon - 2)};
        c->line = next_stop(&stops) + 1;
    }
    return room;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A line that begins with white space (obs-fold) has no name, and so is refused. */
static enum http_parse take_field(struct cursor *c, struct http_field *field)
{
    const char *line = c->line, *window = line_window(c);
    const char *colon = find_name_end(line, window);
    if (UNLIKELY(colon == window))
        return line_is_open(c, window);
    if (UNLIKELY(*colon != ':' || colon == line))
        return HTTP_PARSE_BAD;
    const char *value = colon + 1;
    while (value < window && is_blank(*value))
        value++;
    const char *stop = bytes_find_control(value, window), *value_end = stop;
    while (value_end > value && is_blank(value_end[-1]))
        value_end--;
    field->name = (struct str){line, (size_t)(colon - line)};
    field->value = (struct str){value, (size_t)(value_end - value)};
    return take_line_end(c, stop, window);
}

/* Reads fields up to and with the empty line. Those past `room` are checked and counted only. */
static enum http_parse take_fields(struct cursor *c, struct http_field *fields, size_t room,
                                   size_t *ret_count)
{
    struct http_field spare;
    size_t count = take_common_fields(c, fields, room);
    while (c->line == c->end || *c->line != '\r') {
        enum http_parse result = take_field(c, count < room ? &fields[count] : &spare);
        if (result != HTTP_PARSE_DONE)
            return result;
        count++;
        if (count < room)
            count += take_common_fields(c, fields + count, room - count);
    }
    *ret_count = count;
    return take_line_end(c, c->line, c->end);
}

/* Bytes of a head that did not come in one piece are not read again and again: until its end has come, only
 * the lines that an earlier call had not seen whole are checked. */
static enum http_parse check_new_lines(const struct cursor *c, size_t scanned)
{
    if (scanned <= (size_t)(c->line - c->start))
        return HTTP_PARSE_DONE;
    struct cursor fresh = *c;
    scanned = MIN(scanned, (size_t)(c->end - c->start));
    const char *newline = memrchr(c->line, '\n', (size_t)(c->start + scanned - c->line));
    if (newline)
        fresh.line = newline + 1;
    size_t count;
    return take_fields(&fresh, NULL, 0, &count);
}

static enum http_parse take_head_fields(struct cursor *c, size_t scanned, const struct http_limits *limits,
                                        struct http_head *head)
{
    size_t room = MIN(limits->field_count, HTTP_FIELDS_MAX);
    enum http_parse result = check_new_lines(c, scanned);
    if (result == HTTP_PARSE_DONE)
        result = take_fields(c, head->fields, room, &head->field_count);
    if (result == HTTP_PARSE_DONE && head->field_count > room)
        result = HTTP_PARSE_HEAD_TOO_LARGE;
    return result;
}

/* `version` has VERSION_LEN bytes. */
static enum http_parse read_version(const char *version, int *ret_minor)
{
    if (memcmp(version, "HTTP/1.", VERSION_LEN - 1) == 0 && (version[7] == '0' || version[7] == '1')) {
        *ret_minor = version[7] - '0';
        return HTTP_PARSE_DONE;
    }
    bool well_formed = memcmp(version, "HTTP/", 5) == 0 && version[5] >= '0' && version[5] <= '9' &&
                       version[6] == '.' && version[7] >= '0' && version[7] <= '9';
    return well_formed ? HTTP_PARSE_VERSION : HTTP_PARSE_BAD;
}

/* Bytes of "http://" or "https://" in any case; 0 when `target` begins with neither. */
static size_t scheme_length(struct str target)
{
    static const struct str schemes[] = {STR("http://"), STR("https://")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_eq_nocase((struct str){target.ptr, MIN(target.len, schemes[i].len)}, schemes[i]))
            return schemes[i].len;
    return 0;
}

/* "http://host/path" gives the authority and "/path". An empty path is "/" (RFC 9110 section 4.2.3): any
 * slash at hand will do for the view. */
static bool split_absolute_form(struct str target, struct str *ret_authority, struct str *ret_origin)
{
    size_t scheme = scheme_length(target);
    if (scheme == 0 || scheme == target.len)
        return false;
    struct str rest = str_from_offset(target, scheme);
    const char *slash = memchr(rest.ptr, '/', rest.len);
    struct str authority = {rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
    if (authority.len == 0)
        return false;
    *ret_authority = authority;
    *ret_origin = slash ? str_from_offset(rest, authority.len) : (struct str){rest.ptr - 1, 1};
    return true;
}

static enum http_parse read_target(struct str target, struct http_head *head, struct str *ret_authority)
{
    head->target = target;
    if (target.len > 0 && target.ptr[0] == '/')
        return HTTP_PARSE_DONE;
    if (str_eq(target, STR("*")) && str_eq(head->method, STR("OPTIONS")))
        return HTTP_PARSE_DONE;
    return split_absolute_form(target, ret_authority, &head->target) ? HTTP_PARSE_DONE : HTTP_PARSE_BAD;
}

static enum http_parse read_request_line(struct str line, struct http_head *head, struct str *ret_authority)
{
    const char *end = line.ptr + line.len;
    const char *method_end = find_name_end(line.ptr, end);
    if (method_end == line.ptr || method_end == end || *method_end != ' ')
        return HTTP_PARSE_BAD;
    const char *target = method_end + 1;
    const char *target_end = bytes_find_target_end(target, end);
    if (target_end == end || *target_end != ' ' || (size_t)(end - target_end) != VERSION_LEN + 1)
        return HTTP_PARSE_BAD;
    head->method = (struct str){line.ptr, (size_t)(method_end - line.ptr)};
    enum http_parse result = read_version(target_end + 1, &head->minor_version);
    if (result != HTTP_PARSE_DONE)
        return result;
    return read_target((struct str){target, (size_t)(target_end - target)}, head, ret_authority);
}

/* As take_common_field: "METHOD /path HTTP/1.1". */
static bool take_common_request_line(struct cursor *c, struct http_head *head)
{
    static const char ending[] = {' ', 'H', 'T', 'T', 'P', '/', '1', '.', '1', '\r', '\n'};
    const char *line = c->line, *method_end = bytes_find_plain_name_end(line, c->end);
    if (c->end - method_end < 2 || memcmp(method_end, " /", 2) != 0 || method_end == line)
        return false;
    const char *target = method_end + 1, *target_end = bytes_find_target_end(target, c->end);
    if ((size_t)(c->end - target_end) < sizeof(ending) || memcmp(target_end, ending, sizeof(ending)) != 0 ||
        (size_t)(target_end - line) + VERSION_LEN + 1 > c->line_bytes)
        return false;
    head->method = (struct str){line, (size_t)(method_end - line)};
    head->target = (struct str){target, (size_t)(target_end - target)};
    head->minor_version = 1;
    c->line = target_end + sizeof(ending);
    return true;
}

static enum http_parse take_request_line(struct cursor *c, struct http_head *head, struct str *ret_authority)
{
    struct str line = STR_NONE;
    enum http_parse result = HTTP_PARSE_DONE;
    *ret_authority = STR_NONE;
    if (LIKELY(take_common_request_line(c, head)))
        return HTTP_PARSE_DONE;
    c->long_line = HTTP_PARSE_URI_TOO_LONG;
    while (result == HTTP_PARSE_DONE && line.len == 0)
        result = take_line(c, &line);
    c->long_line = HTTP_PARSE_HEAD_TOO_LARGE;
    return result == HTTP_PARSE_DONE ? read_request_line(line, head, ret_authority) : result;
}

/* The phrase may be missing, and its space with it, as many servers send it. */
static enum http_parse take_status_line(struct cursor *c, struct http_head *head)
{
    struct str line;
    enum http_parse result = take_line(c, &line);
    if (result != HTTP_PARSE_DONE)
        return result;
    const size_t status_at = VERSION_LEN + 1, status_end = status_at + 3;
    uint64_t status;
    if (line.len < status_end || line.ptr[VERSION_LEN] != ' ' ||
        !str_to_u64((struct str){line.ptr + status_at, 3}, &status) || status < 100 || status > 599 ||
        (line.len > status_end && line.ptr[status_end] != ' '))
        return HTTP_PARSE_BAD;
    head->status = (int)status;
    head->reason = str_from_offset(line, status_end + 1);
    return read_version(line.ptr, &head->minor_version);
}

/* Heads are read into a local one, since the caller's has to stay untouched until all is known to be well. */
static void hand_over(const struct cursor *c, const struct http_head *head, struct http_head *ret_head,
                      size_t *ret_length)
{
    memcpy(ret_head, head, offsetof(struct http_head, fields) + head->field_count * sizeof(head->fields[0]));
    *ret_length = (size_t)(c->line - c->start);
}

enum http_parse http_parse_request(struct str in, size_t scanned, const struct http_limits *limits,
                                   struct http_head *ret_head, size_t *ret_length)
{
    struct cursor c = cursor_over(in, limits);
    struct http_head head;
    struct str authority;
    head.status = 0;
    head.reason = STR_NONE;
    enum http_parse result = take_request_line(&c, &head, &authority);
    if (result == HTTP_PARSE_DONE)
        result = take_head_fields(&c, scanned, limits, &head);
    if (result == HTTP_PARSE_DONE)
        result = http_request_fields_apply(&head, authority);
    if (result == HTTP_PARSE_DONE)
        hand_over(&c, &head, ret_head, ret_length);
    return result;
}

enum http_parse http_parse_response(struct str in, size_t scanned, bool to_head,
                                    const struct http_limits *limits, struct http_head *ret_head,
                                    size_t *ret_length)
{
    struct cursor c = cursor_over(in, limits);
    struct http_head head;
    head.method = head.target = STR_NONE;
    enum http_parse result = take_status_line(&c, &head);
    if (result == HTTP_PARSE_DONE)
        result = take_head_fields(&c, scanned, limits, &head);
    if (result == HTTP_PARSE_DONE)
        result = http_response_fields_apply(&head, to_head);
    if (result == HTTP_PARSE_DONE)
        hand_over(&c, &head, ret_head, ret_length);
    return result;
}
