/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 heads (RFC 9110, RFC 9112), strictly: what two parsers could read differently is refused, not
 * guessed. Pure: bytes in, views into the same bytes out. */
#pragma once

#include "base/str.h"

#define HTTP_FIELDS_MAX 128

struct http_limits {
    size_t line_bytes;  /* request line or one field line */
    size_t head_bytes;  /* whole head, the empty line included */
    size_t field_count; /* at most HTTP_FIELDS_MAX */
};

struct http_field {
    struct str name;  /* as sent */
    struct str value; /* without the white space around it */
};

/* How the body of a message is delimited (RFC 9112 section 6.3). */
enum http_framing {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /* content_length, may be 0 */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_TO_CLOSE, /* responses only */
};

/* All views point into the parsed bytes and live as long as they do. */
struct http_head {
    struct str method, target; /* requests: target "/..." or "*"; absolute-form is cut to it */
    int status;                /* responses: 100..599 */
    struct str reason;         /* responses: may be empty */
    int minor_version;         /* HTTP/1.minor: 0 or 1 */
    enum http_framing framing;
    uint64_t content_length; /* HTTP_BODY_LENGTH */
    bool keep_alive;         /* the connection may carry another message */
    bool expect_continue;    /* "Expect: 100-continue" */
    bool names_hop_by_hop;   /* a Connection field names other fields: spares most heads a search */
    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

enum http_parse {
    HTTP_PARSE_DONE,
    HTTP_PARSE_MORE,           /* no fault so far, the head is not complete */
    HTTP_PARSE_BAD,            /* 400 */
    HTTP_PARSE_URI_TOO_LONG,   /* 414 */
    HTTP_PARSE_HEAD_TOO_LARGE, /* 431 */
    HTTP_PARSE_VERSION,        /* 505 */
    HTTP_PARSE_UNSUPPORTED,    /* 501: a transfer coding other than chunked */
};

/* The head at the start of `in`. On DONE *ret_length is the head's length, empty line included, and *ret_head
 * is filled; otherwise both are untouched. Empty lines before a request line are skipped (RFC 9112
 * section 2.2).
 *
 * Refused as BAD: bare CR or LF, obs-fold, space before a field's colon, a field name that is no token,
 * control characters in values, Content-Length doubled (also with equal values), listed, signed or not
 * decimal, Content-Length beside Transfer-Encoding, Transfer-Encoding in HTTP/1.0 or given twice, HTTP/1.1
 * without exactly one Host, a Host that is no host (user information, spaces, bytes outside of ASCII), a
 * target in absolute-form whose authority is not Host, a target in any other form or with bytes outside of
 * ASCII or '#', white space runs in the request line. Versions other than 1.0 and 1.1 are VERSION.
 *
 * `scanned` is how many bytes at the start of `in` earlier calls that answered MORE have already seen; it
 * only saves work. Limits are checked while incomplete: a peer cannot make us buffer more than head_bytes.
 * Faults within one line are found as soon as it has come, those between fields when the head is complete. */
MUST_USE enum http_parse http_parse_request(struct str in, size_t scanned, const struct http_limits *limits,
                                            struct http_head *ret_head, size_t *ret_length);

/* As above for a response. `to_head`: it answers a HEAD request, so it has no body whatever its fields say.
 * 1xx, 204 and 304 have none either; neither length nor coding means HTTP_BODY_TO_CLOSE. */
MUST_USE enum http_parse http_parse_response(struct str in, size_t scanned, bool to_head,
                                             const struct http_limits *limits, struct http_head *ret_head,
                                             size_t *ret_length);

/* First field of that name (any case), or NULL. */
const struct http_field *http_head_find(const struct http_head *head, struct str name);

/* Its value, or an empty view. */
struct str http_head_value(const struct http_head *head, struct str name);

/* Fields that belong to one connection and are never relayed (RFC 9110 section 7.6.1): Connection,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, and those that a Connection field of `head`
 * lists. */
bool http_field_is_hop_by_hop(const struct http_head *head, const struct http_field *field);

/* Standard reason phrase; "Unknown" for a status without one. */
const char *http_status_text(int status);
