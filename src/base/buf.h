/* SPDX-License-Identifier: Apache-2.0 */
/* A byte buffer that grows up to a cap it is born with.
 *
 * Writers chain freely: a write that does not fit writes nothing and marks the buffer as failed, and the
 * caller asks buf_ok() once at the end. A buffer over caller's memory never grows and needs no buf_free. */
#pragma once

#include "base/str.h"

struct buf {
    char *ptr;
    size_t len, cap;
    size_t max;    /* cap never exceeds it, bytes */
    bool borrowed; /* ptr is the caller's: never reallocated, never freed */
    bool failed;
};

/* Empty, no memory yet; grows to at most `max` bytes. */
void buf_init(struct buf *b, size_t max);

/* Over `size` bytes of the caller's memory. */
void buf_init_fixed(struct buf *b, void *memory, size_t size);

/* Releases the memory; the buffer can be used again. Harmless on a zeroed one. */
void buf_free(struct buf *b);

/* Length 0, failure forgotten, memory kept. */
void buf_clear(struct buf *b);

/* Room for `more` bytes behind len; false (and failed) when the cap or memory forbids it. */
bool buf_reserve(struct buf *b, size_t more);

static inline void buf_add(struct buf *b, struct str s)
{
    if (s.len == 0 || (UNLIKELY(s.len > b->cap - b->len) && !buf_reserve(b, s.len)))
        return;
    memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
}

static inline void buf_add_char(struct buf *b, char c)
{
    if (LIKELY(b->len < b->cap) || buf_reserve(b, 1))
        b->ptr[b->len++] = c;
}

void buf_add_u64(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops the first `n` bytes, moving the rest to the front. */
void buf_consume(struct buf *b, size_t n);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}
