/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON in one pass without a tree, over simdjson on-demand. The caller's visitor is shown each value in
 * document order and says whether to go into it; what it does not ask for is skipped at gigabytes a second.
 * Views are into the document itself, so that bytes can be spliced by their offsets.
 *
 * What is visited is checked against RFC 8259 (grammar, UTF-8); of what is skipped only nesting and UTF-8 are. */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Bytes behind the document that must be readable (their content does not matter). */
#define JSON_PADDING ((size_t)64)

#define JSON_DEPTH_MAX 64 /* depth of values a visitor may enter; skipped values may nest to simdjson's 1024 */

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/* What the visitor wants next. */
enum json_visit {
    JSON_SKIP,  /* pass over this value (the only sensible answer for scalars) */
    JSON_ENTER, /* visit the members of this object or array */
    JSON_STOP,  /* end the walk with success */
};

struct json_item {
    unsigned depth;      /* 0 is the document's root value */
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

/* NULL when memory is short. Documents over `max_document` bytes are refused with ERR_LIMIT. Memory grows to what
 * the largest document needed, but is given back after one of more than 1 MiB. */
MUST_USE struct json_reader *json_reader_new(size_t max_document);
void json_reader_free(struct json_reader *reader);

/* Walks `document`, behind which JSON_PADDING bytes are readable. ERR_INVALID: not JSON, or bytes follow the value.
 * The visitor may have been called before a fault is found. Entered containers are visited a second time with
 * `closing` set when they end. */
MUST_USE enum err json_walk(struct json_reader *reader, struct str document, json_visitor visitor, void *context);

/* Byte offset in the document near which the last ERR_INVALID was found, for messages. */
size_t json_error_offset(const struct json_reader *reader);

/* Within a visitor: the string value unescaped. Valid until the next json_walk with the same reader.
 * ERR_INVALID: not a string, or a bad escape. Lone surrogates become U+FFFD. */
MUST_USE enum err json_item_text(const struct json_item *item, struct str *ret_text);

/* Within a visitor: a non-negative integer. ERR_INVALID for anything else (fractions, negatives, strings). */
MUST_USE enum err json_item_u64(const struct json_item *item, uint64_t *ret_value);

/* Within a visitor: any number. */
MUST_USE enum err json_item_double(const struct json_item *item, double *ret_value);
