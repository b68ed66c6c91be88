/* SPDX-License-Identifier: Apache-2.0 */
/* What cache.c (the table and its bounds) and cache_entry.c (one answer, its filler and readers) share.
 *
 * Locks: the shard's guards what the table holds, the entry's what its readers wait for; no two are ever held together,
 * and a loop's mailbox lock is the only one taken inside. */
#pragma once

#include "proxy/cache.h"

#define CACHE_ALLOCATION_COST ((uint64_t)16) /* of the allocator, each piece */

enum cache_state { CACHE_STATE_FILLING, CACHE_STATE_COMPLETE, CACHE_STATE_FAILED };

/* Bytes below `len` never change nor move. `len` and `next` belong to the entry's lock until it is complete. */
struct cache_chunk {
    struct cache_chunk *next;
    size_t len, room;
    char bytes[];
};

/* References: the table's while it is kept, the filler's, and one each reader. */
struct cache_entry {
    /* with the shard's lock */
    struct cache_entry *next; /* of the same chain */
    struct list recent;
    uint64_t charged;     /* of the cache's size_bytes */
    _Atomic bool is_kept; /* in the table; false for good once false. Read without the lock too */

    struct cache *cache;
    struct cache_key key;
    uint64_t epoch;
    usec_t ttl;
    usec_t stored_at; /* complete */
    _Atomic unsigned refs;
    _Atomic unsigned followers; /* can only fall once it is not kept */
    _Atomic int state;          /* enum cache_state */

    /* the filler's */
    bool is_begun;

    /* fixed before the first byte */
    bool is_stream;
    size_t content_type_len;
    char content_type[CACHE_CONTENT_TYPE_MAX];

    /* with the entry's lock until it is complete */
    pthread_mutex_t lock;
    struct list waiting; /* of struct cache_reader */
    struct cache_chunk *first, *last;
    uint64_t length;
};

/* What an entry costs before its first byte, its share of the chains included. */
#define CACHE_ENTRY_COST (sizeof(struct cache_entry) + sizeof(struct cache_entry *) + CACHE_ALLOCATION_COST)

static inline enum cache_state cache_state_of(const struct cache_entry *entry)
{
    return (enum cache_state)atomic_load_explicit(&entry->state, memory_order_acquire);
}

/* With one reference; NULL when memory is short. */
struct cache_entry *cache_entry_new(struct cache *cache, struct cache_key key, usec_t ttl);
void cache_entry_ref(struct cache_entry *entry);

/* NULL is harmless. Without any lock: it may free a lot. */
void cache_entry_unref(struct cache_entry *entry);

/* With the shard's lock, `entry` being in the table. */
void cache_reader_open(struct cache_reader *reader, struct cache_entry *entry, bool is_follower);

/* `cost` more for `entry`, if it is still kept. False: there is no room to be made. */
MUST_USE bool cache_charge(struct cache_entry *entry, uint64_t cost);

/* Takes it out of the table, if it is in. */
void cache_unkeep(struct cache_entry *entry);
