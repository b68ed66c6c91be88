/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1_fields.h"

/* Eight or four bytes at once, letters in lower case. */
static inline uint64_t lower_8(const char *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof(bytes));
    return bytes | 0x2020202020202020;
}

static inline uint32_t lower_4(const char *at)
{
    uint32_t bytes;
    memcpy(&bytes, at, sizeof(bytes));
    return bytes | 0x20202020;
}

/* `lower` in lower case, of a constant length. Exact because heads hold no control characters: setting bit 5
 * joins no other two but the cases of a letter. The last step overlaps the one before. */
static inline bool word_is(struct str word, const char *lower, size_t len)
{
    uint64_t difference = 0;
    if (word.len != len)
        return false;
    for (size_t i = 0; i + 8 < len; i += 8)
        difference |= lower_8(word.ptr + i) ^ lower_8(lower + i);
    if (len >= 8)
        return (difference | (lower_8(word.ptr + len - 8) ^ lower_8(lower + len - 8))) == 0;
    if (len >= 4)
        return lower_4(word.ptr) == lower_4(lower) && lower_4(word.ptr + len - 4) == lower_4(lower + len - 4);
    return (word.ptr[0] | 0x20) == lower[0] && (word.ptr[len - 1] | 0x20) == lower[len - 1];
}

#define WORD_IS(word, lower) word_is(word, lower, sizeof(lower) - 1)

/* The fields that decide about framing and the connection. */
struct framing_fields {
    const struct http_field *host, *content_length, *transfer_encoding, *expect;
    bool has_doubled_host, has_doubled_framing;
    bool says_close, says_keep_alive, names_hop_by_hop;
};

/* Cuts the next element off a comma-separated list; false at its end. Elements may be empty. */
static bool list_next(struct str *io_list, struct str *ret_element)
{
    if (!io_list->ptr)
        return false;
    const char *comma = memchr(io_list->ptr, ',', io_list->len);
    size_t len = comma ? (size_t)(comma - io_list->ptr) : io_list->len;
    *ret_element = str_trim((struct str){io_list->ptr, len});
    *io_list = comma ? str_from_offset(*io_list, len + 1) : STR_NONE;
    return true;
}

static void note_connection(struct framing_fields *found, struct str options)
{
    struct str option;
    while (list_next(&options, &option)) {
        if (WORD_IS(option, "close"))
            found->says_close = true;
        else if (WORD_IS(option, "keep-alive"))
            found->says_keep_alive = true;
        else if (option.len > 0)
            found->names_hop_by_hop = true;
    }
}

static void note_once(const struct http_field **first, const struct http_field *field, bool *is_doubled)
{
    if (*first)
        *is_doubled = true;
    *first = field;
}

/* Told apart by length first: most fields of a head are none of these, and cost one jump. */
static void note_field(struct framing_fields *found, const struct http_field *field)
{
    switch (field->name.len) {
    case 4:
        if (WORD_IS(field->name, "host"))
            note_once(&found->host, field, &found->has_doubled_host);
        break;
    case 6:
        if (WORD_IS(field->name, "expect"))
            found->expect = field;
        break;
    case 10:
        if (WORD_IS(field->name, "connection"))
            note_connection(found, field->value);
        break;
    case 14:
        if (WORD_IS(field->name, "content-length"))
            note_once(&found->content_length, field, &found->has_doubled_framing);
        break;
    case 17:
        if (WORD_IS(field->name, "transfer-encoding"))
            note_once(&found->transfer_encoding, field, &found->has_doubled_framing);
        break;
    default:
        break;
    }
}

static struct framing_fields find_framing_fields(const struct http_head *head)
{
    struct framing_fields found = {0};
    for (size_t i = 0; i < head->field_count; i++)
        note_field(&found, &head->fields[i]);
    return found;
}

/* A host with or without a port (RFC 3986 section 3.2), without user information; may be empty. */
static bool has_host_form(struct str value)
{
    static const bool allowed[256] = {
        ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true,
        ['_'] = true,         ['~'] = true,         ['!'] = true,         ['$'] = true, ['&'] = true,
        ['\''] = true,        ['('] = true,         [')'] = true,         ['*'] = true, ['+'] = true,
        [','] = true,         [';'] = true,         ['='] = true,         ['%'] = true, [':'] = true,
        ['['] = true,         [']'] = true,
    };
    bool is_fine = true;
    for (size_t i = 0; i < value.len; i++)
        is_fine &= allowed[(unsigned char)value.ptr[i]];
    return is_fine;
}

/* A coding that is not ours to undo is told from a list that cannot be right: "chunked" twice, or not last.
 */
static enum http_parse read_transfer_encoding(struct str codings)
{
    bool is_chunked = false, has_other = false;
    struct str coding;
    while (list_next(&codings, &coding)) {
        if (coding.len == 0 || is_chunked)
            return HTTP_PARSE_BAD;
        is_chunked = WORD_IS(coding, "chunked");
        has_other |= !is_chunked;
    }
    return has_other ? HTTP_PARSE_UNSUPPORTED : HTTP_PARSE_DONE;
}

/* Without either field, framing is left to the caller. */
static enum http_parse apply_framing(struct http_head *head, const struct framing_fields *found,
                                     enum http_framing otherwise)
{
    head->framing = otherwise;
    head->content_length = 0;
    if (found->has_doubled_framing || (found->content_length && found->transfer_encoding))
        return HTTP_PARSE_BAD;
    if (found->content_length) {
        head->framing = HTTP_BODY_LENGTH;
        return str_to_u64(found->content_length->value, &head->content_length) ? HTTP_PARSE_DONE
                                                                               : HTTP_PARSE_BAD;
    }
    if (found->transfer_encoding) {
        head->framing = HTTP_BODY_CHUNKED;
        return head->minor_version == 0 ? HTTP_PARSE_BAD
                                        : read_transfer_encoding(found->transfer_encoding->value);
    }
    return HTTP_PARSE_DONE;
}

static void apply_connection(struct http_head *head, const struct framing_fields *found)
{
    head->keep_alive = !found->says_close && (head->minor_version == 1 || found->says_keep_alive);
    head->names_hop_by_hop = found->names_hop_by_hop;
}

/* HTTP/1.0 knows no expectations and its clients wait for none (RFC 9110 section 10.1.1). */
static bool expects_continue(const struct http_head *head, const struct framing_fields *found)
{
    return found->expect && head->minor_version == 1 && WORD_IS(found->expect->value, "100-continue");
}

static bool host_is_sane(const struct http_head *head, const struct framing_fields *found,
                         struct str authority)
{
    if (!found->host)
        return head->minor_version == 0 && has_host_form(authority);
    return !found->has_doubled_host && has_host_form(found->host->value) &&
           (!authority.ptr || str_eq_nocase(authority, found->host->value));
}

enum http_parse http_request_fields_apply(struct http_head *head, struct str authority)
{
    struct framing_fields found = find_framing_fields(head);
    if (!host_is_sane(head, &found, authority))
        return HTTP_PARSE_BAD;
    apply_connection(head, &found);
    head->expect_continue = expects_continue(head, &found);
    return apply_framing(head, &found, HTTP_BODY_NONE);
}

enum http_parse http_response_fields_apply(struct http_head *head, bool to_head)
{
    struct framing_fields found = find_framing_fields(head);
    apply_connection(head, &found);
    head->expect_continue = false;
    enum http_parse result = apply_framing(head, &found, HTTP_BODY_TO_CLOSE);
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304) {
        head->framing = HTTP_BODY_NONE;
        head->content_length = 0;
    }
    head->keep_alive &= head->framing != HTTP_BODY_TO_CLOSE;
    return result;
}

const struct http_field *http_head_find(const struct http_head *head, struct str name)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].name.len == name.len && str_eq_nocase(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

struct str http_head_value(const struct http_head *head, struct str name)
{
    const struct http_field *field = http_head_find(head, name);
    return field ? field->value : STR_NONE;
}

static bool is_always_hop_by_hop(struct str name)
{
    switch (name.len) {
    case 2:
        return WORD_IS(name, "te");
    case 7:
        return WORD_IS(name, "trailer") || WORD_IS(name, "upgrade");
    case 10:
        return WORD_IS(name, "connection") || WORD_IS(name, "keep-alive");
    case 17:
        return WORD_IS(name, "transfer-encoding");
    default:
        return false;
    }
}

static bool is_listed(const struct http_head *head, struct str name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct str option, options = head->fields[i].value;
        if (!WORD_IS(head->fields[i].name, "connection"))
            continue;
        while (list_next(&options, &option))
            if (str_eq_nocase(option, name))
                return true;
    }
    return false;
}

bool http_field_is_hop_by_hop(const struct http_head *head, const struct http_field *field)
{
    struct str prefix = {field->name.ptr, MIN(field->name.len, sizeof("proxy-") - 1)};
    return is_always_hop_by_hop(field->name) || WORD_IS(prefix, "proxy-") ||
           (head->names_hop_by_hop && is_listed(head, field->name));
}

const char *http_status_text(int status)
{
    switch (status) {
#define STATUS(code, text)                                                                                   \
    case code:                                                                                               \
        return text;
#include "wire/http1_status.def"
#undef STATUS
    default:
        return "Unknown";
    }
}
