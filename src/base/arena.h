/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed all at once: one arena a request, one a configuration snapshot.
 *
 * Blocks come from a block cache (one per worker, not shared between threads) or, without one, from malloc.
 * Built with ARENA_EMULATE, each allocation is a malloc of its own so that the address sanitizer sees overruns. */
#pragma once

#include "base/macros.h"
#include "base/str.h"

#define ARENA_BLOCK_SIZE ((size_t)2048)

struct arena_block;

/* Free list of ARENA_BLOCK_SIZE blocks; keeps at most `max_kept`. */
struct block_cache {
    struct arena_block *free;
    size_t kept, max_kept;
};

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* free range of the newest block */
    struct block_cache *cache;  /* borrowed; may be NULL */
};

void block_cache_init(struct block_cache *cache, size_t max_kept);
void block_cache_fini(struct block_cache *cache);

void arena_init(struct arena *arena, struct block_cache *cache);

/* Frees everything that was taken from it; the arena can be used again. */
void arena_fini(struct arena *arena);

/* Uninitialised, aligned for any type; NULL when memory is short. */
MUST_USE void *arena_take(struct arena *arena, size_t size);

/* As arena_take, zeroed. */
MUST_USE void *arena_zero(struct arena *arena, size_t size);

/* A copy that lives as long as the arena, with a NUL behind it; ptr is NULL when memory is short. */
MUST_USE struct str arena_dup(struct arena *arena, struct str s);

#define ARENA_NEW(arena, type) ((type *)arena_zero((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count) ((type *)arena_zero((arena), sizeof(type) * (count)))
