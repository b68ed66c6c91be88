/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t size; /* whole block, this header included */
    max_align_t memory[];
};

#define ALIGNMENT _Alignof(max_align_t)

void block_cache_init(struct block_cache *cache, size_t max_kept)
{
    *cache = (struct block_cache){.max_kept = max_kept};
}

void block_cache_fini(struct block_cache *cache)
{
    while (cache->free) {
        struct arena_block *block = cache->free;
        cache->free = block->next;
        free(block);
    }
    cache->kept = 0;
}

static struct arena_block *block_get(struct block_cache *cache, size_t size)
{
    struct arena_block *block;
    if (cache && cache->free && size == ARENA_BLOCK_SIZE) {
        block = cache->free;
        cache->free = block->next;
        cache->kept--;
        return block;
    }
    block = malloc(size);
    if (block)
        block->size = size;
    return block;
}

static void block_put(struct block_cache *cache, struct arena_block *block)
{
    if (!cache || block->size != ARENA_BLOCK_SIZE || cache->kept == cache->max_kept) {
        free(block);
        return;
    }
    block->next = cache->free;
    cache->free = block;
    cache->kept++;
}

void arena_init(struct arena *arena, struct block_cache *cache)
{
    *arena = (struct arena){.cache = cache};
}

void arena_fini(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        block_put(arena->cache, block);
    }
    arena->at = arena->end = NULL;
}

void *arena_take(struct arena *arena, size_t size)
{
#ifdef ARENA_EMULATE
    size_t left = 0;
#else
    size_t left = (size_t)(arena->end - arena->at);
#endif
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > left) {
        size_t needed = sizeof(struct arena_block) + size;
#ifndef ARENA_EMULATE
        needed = MAX(needed, ARENA_BLOCK_SIZE);
#endif
        struct arena_block *block = block_get(arena->cache, needed);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        char *memory = (char *)block->memory;
        if (needed - sizeof(*block) - size < left)
            return memory; /* a large one of its own: the newest range stays the one with more room */
        arena->at = memory;
        arena->end = (char *)block + needed;
    }
    void *taken = arena->at;
    arena->at += size;
    return taken;
}

void *arena_zero(struct arena *arena, size_t size)
{
    void *memory = arena_take(arena, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

struct str arena_dup(struct arena *arena, struct str s)
{
    char *copy = arena_take(arena, s.len + 1);
    if (!copy)
        return STR_NONE;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}
