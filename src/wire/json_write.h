/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a buf: commas and nesting are kept by the writer, so its output is always well-formed.
 * Pure. A misuse (a key outside an object, closing the wrong bracket) is a broken invariant and aborts. */
#pragma once

#include "base/buf.h"

#define JSON_WRITE_DEPTH 32

struct json_writer {
    struct buf *out; /* borrowed; ask buf_ok(out) at the end */
    unsigned depth;
    bool has_items[JSON_WRITE_DEPTH];
    bool is_object[JSON_WRITE_DEPTH];
    bool after_key;
};

void json_write_init(struct json_writer *w, struct buf *out);

void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, struct str key);

/* Escapes what must be; bytes that are not UTF-8 come out as U+FFFD. */
void json_string(struct json_writer *w, struct str value);
void json_u64(struct json_writer *w, uint64_t value);
void json_i64(struct json_writer *w, int64_t value);
void json_double(struct json_writer *w, double value); /* not finite: null */
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct str json); /* one complete JSON value, trusted */

/* Appends `value` with quotes and escapes, without a writer (log lines). */
void json_append_string(struct buf *out, struct str value);
