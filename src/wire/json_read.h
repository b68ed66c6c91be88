/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON in one pass without a tree, over simdjson on-demand. The caller's visitor is shown each value
 * in document order and says whether to go into it; what it does not ask for is passed over. Views are into the document itself, so that bytes can be spliced by their offsets.
 *
 * All of the document is checked against RFC 8259, but for the escapes in string values, which json_item_text
 * checks. */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Bytes behind the document that must be readable (their content does not matter). */
#define JSON_PADDING ((size_t)64)

/* Values within each other, the skipped ones too. */
#define JSON_DEPTH_MAX 256

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/* What the visitor wants next. */
enum json_visit {
    JSON_SKIP,  /* pass over this value (the only sensible answer for scalars) */
    JSON_ENTER, /* visit the members of this object or array */
    JSON_STOP,  /* end the walk with success */
};

struct json_item {
    unsigned depth; /* 0 is the document's root value */
    enum json_type type;
    struct str key;      /* member name, unescaped; empty in arrays and for the root */
    bool key_is_escaped; /* the document spells the name with a backslash */
    size_t index;        /* position within the parent, from 0 */
    struct str raw;      /* scalars: the token's bytes, quotes included, no white space.
                          * Containers: from the bracket to the end of the document */
    bool closing;        /* second visit of an entered container: raw ends with its closing bracket */
    void *opaque;        /* reader's own */
};

typedef enum json_visit (*json_visitor)(void *context, const struct json_item *item);

struct json_reader; /* scratch memory of a parse; one a thread, reused for every document */

/* NULL when memory is short. Documents over `max_document` bytes (4 GiB at most) are refused with ERR_LIMIT.
 * Memory grows to what the largest document needed, but is given back after one of more than 1 MiB; that of
 * its texts, which stay valid until then, when the next walk begins. */
MUST_USE struct json_reader *json_reader_new(size_t max_document);
void json_reader_free(struct json_reader *reader);

/* Walks `document`, behind which JSON_PADDING bytes are readable. ERR_INVALID: not JSON, or bytes follow the
 * value. ERR_LIMIT: also when more than JSON_DEPTH_MAX values are within each other. The
 * visitor may have been called before a fault is found. Entered containers are visited a second time with
 * `closing` set when they end; of the answers to that, only JSON_STOP counts. */
MUST_USE enum err json_walk(struct json_reader *reader, struct str document, json_visitor visitor,
                            void *context);

/* Byte offset in the document near which the last walk found it ERR_INVALID, for messages; 0 when that is not
 * known (bad UTF-8, a control character in a string). */
size_t json_error_offset(const struct json_reader *reader);

/* Within a visitor: the string value unescaped. Valid until the next json_walk with the same reader, and not
 * longer than the document, into which it is a view when nothing in it is escaped; so are keys. ERR_INVALID:
 * not a string, or a bad escape. Lone surrogates become U+FFFD. */
MUST_USE enum err json_item_text(const struct json_item *item, struct str *ret_text);

/* Within a visitor: a non-negative integer. ERR_INVALID for anything else (fractions, negatives, strings). */
MUST_USE enum err json_item_u64(const struct json_item *item, uint64_t *ret_value);

/* Within a visitor: any number. ERR_INVALID: none, or outside of double's range. */
MUST_USE enum err json_item_double(const struct json_item *item, double *ret_value);
