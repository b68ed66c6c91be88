/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/assert.c src/base/str.c src/wire/http1_fields.c */
/* clang-format on */
/* Any bytes as the head of a request or response: how it comes in pieces never changes what is made of it,
 * the quick way over common lines reads as the careful one does, and all that is handed out lies within the
 * head. */
#include "../../src/wire/http1.c"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

/* What the first byte of the input chooses. */
struct kind {
    bool is_response, to_head;
    struct http_limits limits;
};

static struct kind choose_kind(uint8_t byte)
{
    static const struct http_limits limits[] = {
        {8192, 32768, 100}, {60, 300, 8}, {300, 60, 2}, {20, 100, 1000}};
    return (struct kind){byte & 1, byte & 2, limits[byte >> 2 & 3]};
}

static enum http_parse parse(const struct kind *kind, struct str in, size_t scanned, struct http_head *head,
                             size_t *length)
{
    return kind->is_response ? http_parse_response(in, scanned, kind->to_head, &kind->limits, head, length)
                             : http_parse_request(in, scanned, &kind->limits, head, length);
}

static bool is_within(struct str view, struct str bytes)
{
    return view.len == 0 || (view.ptr >= bytes.ptr && view.ptr + view.len <= bytes.ptr + bytes.len);
}

static void check_head(const struct kind *kind, const struct http_head *head, struct str bytes)
{
    CHECK(head->field_count <= MIN(kind->limits.field_count, (size_t)HTTP_FIELDS_MAX));
    CHECK(bytes.len <= kind->limits.head_bytes);
    CHECK(is_within(head->method, bytes) && is_within(head->target, bytes) && is_within(head->reason, bytes));
    CHECK(kind->is_response
              ? head->status >= 100 && head->status <= 599
              : head->method.len > 0 && (head->target.ptr[0] == '/' || head->target.ptr[0] == '*'));
    CHECK(head->framing != HTTP_BODY_TO_CLOSE || (kind->is_response && !head->keep_alive));
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        CHECK(field->name.len > 0 && is_within(field->name, bytes) && is_within(field->value, bytes));
        CHECK(http_head_find(head, field->name) <= field);
        CHECK(!memchr(field->value.ptr, '\n', field->value.len));
        (void)http_field_is_hop_by_hop(head, field);
    }
}

static bool are_equal(const struct http_head *a, const struct http_head *b)
{
    bool equal = a->field_count == b->field_count && a->framing == b->framing && a->status == b->status &&
                 a->content_length == b->content_length && a->keep_alive == b->keep_alive &&
                 str_eq(a->method, b->method) && str_eq(a->target, b->target);
    for (size_t i = 0; equal && i < a->field_count; i++)
        equal =
            str_eq(a->fields[i].name, b->fields[i].name) && str_eq(a->fields[i].value, b->fields[i].value);
    return equal;
}

/* Prefixes answer MORE until the one that decides, and none decides otherwise than the whole. */
static void check_prefixes(const struct kind *kind, struct str in, enum http_parse expected,
                           const struct http_head *expected_head, size_t expected_length)
{
    size_t step = in.len > 400 ? in.len / 200 : 1, scanned = 0;
    for (size_t len = 0; len < in.len; len += step) {
        static struct http_head head;
        size_t length = 0;
        char *exact = malloc(len > 0 ? len : 1);
        CHECK(exact);
        memcpy(exact, in.ptr, len);
        enum http_parse fresh = parse(kind, (struct str){exact, len}, 0, &head, &length);
        enum http_parse resumed = parse(kind, (struct str){exact, len}, scanned, &head, &length);
        CHECK(fresh == resumed && (fresh == HTTP_PARSE_MORE || fresh == expected));
        CHECK(expected != HTTP_PARSE_DONE || (fresh == HTTP_PARSE_DONE) == (len >= expected_length));
        CHECK(fresh != HTTP_PARSE_DONE || (length == expected_length && are_equal(&head, expected_head)));
        free(exact);
        if (fresh != HTTP_PARSE_MORE)
            return;
        scanned = len;
    }
}

/* Both ways over the fields, from the start of a line. */
static void check_common_fields(struct str in, const struct http_limits *limits)
{
    static struct http_field quick[HTTP_FIELDS_MAX], field;
    struct cursor quick_cursor = cursor_over(in, limits), careful_cursor = quick_cursor;
    if (in.len == 0)
        return;
    size_t count = take_common_fields(&quick_cursor, quick, HTTP_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        CHECK(take_field(&careful_cursor, &field) == HTTP_PARSE_DONE);
        CHECK(str_eq(field.name, quick[i].name) && str_eq(field.value, quick[i].value));
    }
    CHECK(careful_cursor.line == quick_cursor.line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    size_t length = 0;
    if (size == 0)
        return 0;
    struct kind kind = choose_kind(data[0]);
    struct str in = {(const char *)data + 1, size - 1};
    enum http_parse result = parse(&kind, in, 0, &head, &length);
    CHECK(result != HTTP_PARSE_MORE || in.len < kind.limits.head_bytes);
    if (result == HTTP_PARSE_DONE) {
        CHECK(length > 0 && length <= in.len);
        check_head(&kind, &head, (struct str){in.ptr, length});
    }
    check_prefixes(&kind, in, result, &head, length);
    check_common_fields(in, &kind.limits);
    return 0;
}
