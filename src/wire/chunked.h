/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked transfer coding (RFC 9112 section 7.1), resumable at every byte. Pure. */
#pragma once

#include "base/str.h"

enum chunked_result {
    CHUNKED_DATA, /* *ret_data holds payload */
    CHUNKED_MORE, /* all input taken, the body goes on */
    CHUNKED_END,  /* last chunk and trailers read; what is left of *io_in follows the message */
    CHUNKED_BAD,
};

/* Zeroed to begin. */
struct chunked {
    uint64_t left;     /* payload bytes left in the present chunk */
    uint32_t line;     /* digits of the present size, or bytes of its extension, to bound them */
    uint32_t trailers; /* bytes of all trailers */
    uint8_t state;     /* enum in chunked.c */
};

/* Takes bytes from the front of *io_in up to the end of the next run of payload, which *ret_data then views
 * in place. Call again until MORE, END or BAD. Strict: sizes of 1 to 15 hexadecimal digits, CRLF only, chunk
 * extensions skipped up to 256 bytes, trailers, which must have the form of fields, skipped up to 8 KiB in
 * all. END and BAD are final. *ret_data is set on DATA only, and never empty. */
MUST_USE enum chunked_result chunked_next(struct chunked *c, struct str *io_in, struct str *ret_data);

/* Bytes that chunked_write_head may write. */
#define CHUNKED_HEAD_MAX 18

/* Writes "SIZE\r\n" for a chunk of `size` > 0 bytes to `out`; returns the length. "\r\n" has to follow the
 * payload. */
size_t chunked_write_head(uint64_t size, char *out);

#define CHUNKED_LAST STR("0\r\n\r\n")
