/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies in one piece, received straight into place. Freed buffers are kept by size class, because fresh
 * memory of 512 KB costs 9 us of page faults. One pool a loop. */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Readable bytes behind a body, for SIMD readers. */
#define BODY_PADDING ((size_t)64)

#define BODY_CLASS_MIN_SHIFT 12 /* 4 KiB */
#define BODY_CLASSES 11         /* to 4 MiB; larger ones are never kept */

struct body_pool {
    void *free[BODY_CLASSES];
    size_t kept_bytes, max_kept_bytes;
};

struct body {
    char *ptr; /* NULL: no body */
    size_t len;
    size_t room; /* usable bytes, padding not counted */
};

void body_pool_init(struct body_pool *pool, size_t max_kept_bytes);
void body_pool_fini(struct body_pool *pool);

/* Room for at least `room` bytes in all; what is there stays. */
MUST_USE enum err body_reserve(struct body_pool *pool, struct body *body, size_t room);

/* Leaves `body` empty; harmless when it is. */
void body_free(struct body_pool *pool, struct body *body);

static inline struct str body_str(const struct body *body)
{
    return (struct str){body->ptr, body->len};
}
