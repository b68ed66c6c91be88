/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are kept and given again, byte for byte, shared by all workers. Only answers with status 200 belong here.
 *
 * A lookup finds an answer that is complete (HIT), one that another request is receiving right now (FOLLOW: both read the
 * same upstream answer as it grows), or nothing, and then the asker is the one who fills it (FILL). HIT and FOLLOW read
 * through a struct cache_reader; a HIT takes one shard's lock, allocates nothing and copies nothing.
 *
 * Bounds. The sum of what all kept answers cost, those that are still being filled included, never passes max_bytes, and
 * their number never max_items: room is made first, by dropping the least recently used of the key's own shard, then of the
 * others in turn (so least recent within a shard, not over all). Memory of dropped answers lives on until the last of their
 * readers closes; it is not counted, and is bounded by the readers there are: nobody new can join. The size of an answer
 * costs at most twice its bytes, as chunks grow with it.
 *
 * An answer larger than max_item_bytes is no longer kept nor joined; those who follow it read on to the end, up to
 * CACHE_FOLLOW_MAX bytes. Without followers it is forgotten at once. Whether to look up at all is the caller's decision.
 * All times are of CLOCK_MONOTONIC. */
#pragma once

#include "base/str.h"
#include "net/loop.h"
#include "proxy/counters.h"

#define CACHE_SHARDS 16
#define CACHE_SECRET_SIZE 192
#define CACHE_CONTENT_TYPE_MAX 128
#define CACHE_FOLLOW_MAX ((uint64_t)64 << 20)

struct cache_limits {
    uint64_t max_bytes, max_items;
    uint64_t max_item_bytes; /* of one answer's body */
};

struct cache_key {
    uint64_t high, low;
};

struct cache_entry; /* one answer: proxy/cache_internal.h */
struct cache_chunk;

struct cache_shard {
    pthread_mutex_t lock;
    struct cache_entry **chains;
    size_t mask;                                             /* their number less 1 */
    struct list recent;                                      /* of struct cache_entry, the last used first */
    counter_t hits, misses, follows, evictions, expirations; /* written with the lock, read without */
};

struct cache {
    struct cache_shard shards[CACHE_SHARDS];
    _Atomic uint64_t size_bytes, item_count;
    _Atomic uint64_t max_bytes, max_items, max_item_bytes;
    _Atomic uint64_t epoch; /* counts the times it was cleared; older answers are gone */
    char secret[CACHE_SECRET_SIZE];
};

MUST_USE enum err cache_init(struct cache *cache, const struct cache_limits *limits);

/* All readers are closed and all fills ended. */
void cache_fini(struct cache *cache);

/* ---- any thread ---- */

/* New bounds; they hold at the return. One thread at a time. */
void cache_configure(struct cache *cache, const struct cache_limits *limits);

/* Forgets everything. What is being filled goes on for those who read it, but is not kept. */
void cache_clear(struct cache *cache);

/* Forgets what is too old. Lookups never give such an answer anyway: this only frees its memory sooner. */
void cache_drop_expired(struct cache *cache, usec_t now);

/* Every lookup is a hit, a miss or a follow. */
struct cache_stats {
    uint64_t hits, misses;
    uint64_t follows;     /* lookups that shared a running upstream call */
    uint64_t evictions;   /* dropped for want of room */
    uint64_t expirations; /* dropped for their age */
    uint64_t size_bytes, item_count;
    double hit_rate; /* hits of all lookups, 0 to 1 */
};

struct cache_stats cache_stats(const struct cache *cache);

/* Keyed with this process's own secret, so that clients cannot aim at each other's answers. The borders between the parts
 * count: ("ab", "c") is not ("a", "bc"). */
struct cache_key cache_key_make(const struct cache *cache, const struct str *parts, size_t count);

/* ---- reading ---- */

/* Member of the request that reads. Lifetime: request. */
struct cache_reader {
    struct cache_entry *entry; /* reference; NULL: closed */
    struct cache_chunk *chunk; /* where it reads; NULL: nothing read yet */
    size_t offset;
    struct loop *loop;
    void (*on_ready)(struct cache_reader *reader);
    struct list node;       /* among those who wait for more, with the entry's lock */
    struct message message; /* brings the news to `loop` */
    bool is_posted;         /* the message is under way; the filler's while `node` is linked */
    bool is_follower, has_read, has_waited;
};

/* `on_ready` is called on `loop` after CACHE_WAIT, when there is something new; it may close the reader. */
void cache_reader_init(struct cache_reader *reader, struct loop *loop,
                       void (*on_ready)(struct cache_reader *reader));

enum cache_answer {
    CACHE_OFF,    /* no room, no memory: neither read nor fill */
    CACHE_HIT,    /* `reader` is open, on a complete answer */
    CACHE_FOLLOW, /* `reader` is open, on an answer that grows */
    CACHE_FILL    /* *ret_fill is the caller's, until cache_fill_end or cache_fill_fail */
};

/* An answer is served while it is younger than `ttl`, and than the `ttl` it was looked up with when it was filled; 0 is
 * CACHE_OFF. `reader` is closed before. */
MUST_USE enum cache_answer cache_lookup(struct cache *cache, struct cache_key key, usec_t ttl, usec_t now,
                                        struct cache_reader *reader, struct cache_entry **ret_fill);

enum cache_next {
    CACHE_DATA,         /* *ret_bytes is more of it, never empty; valid until the reader is closed */
    CACHE_WAIT,         /* on_ready will be called, unless it is closed before */
    CACHE_END,          /* that was all */
    CACHE_FAILED_CLEAN, /* the fill failed, and this reader has been given nothing: it can go its own way */
    CACHE_FAILED_CUT    /* the fill failed behind what was given */
};

/* On the reader's loop. */
MUST_USE enum cache_next cache_reader_next(struct cache_reader *reader, struct str *ret_bytes);

/* After the first CACHE_DATA or CACHE_END. */
struct cache_head {
    struct str content_type; /* valid until the reader is closed */
    bool is_stream;
    bool is_complete; /* and so `length` is known */
    uint64_t length;  /* of the body */
};

struct cache_head cache_reader_head(const struct cache_reader *reader);

/* On the reader's loop, whatever is under way; on_ready is not called any more. Harmless when it is closed. */
void cache_reader_close(struct cache_reader *reader);

/* ---- filling: one thread an entry ---- */

/* Head of the answer, once, before the first byte. A content type longer than CACHE_CONTENT_TYPE_MAX fails the fill. */
void cache_fill_begin(struct cache_entry *entry, struct str content_type, bool is_stream);

/* Bytes of the body exactly as clients get them; copied. Without memory the fill fails; its filler goes on as if not. */
void cache_fill_add(struct cache_entry *entry, struct str bytes);

/* Complete, at `now`. `entry` is no longer the caller's. */
void cache_fill_end(struct cache_entry *entry, usec_t now);

/* There will be no (more) answer. `entry` is no longer the caller's. */
void cache_fill_fail(struct cache_entry *entry);

/* Somebody else reads what is being filled: worth going on when the filler's own client has hung up. When it is false, a
 * follower may still join until cache_fill_fail, which tells it to go its own way. */
bool cache_fill_has_followers(const struct cache_entry *entry);
