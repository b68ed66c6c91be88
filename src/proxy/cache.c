/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kept answers, its bounds and its numbers. */
#include "proxy/cache_internal.h"

#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#define CHAINS_MIN ((uint64_t)64)
#define CHAINS_MAX ((uint64_t)65536) /* of one shard; beyond a million answers chains grow longer */
#define CHAINS_AT_ONCE ((size_t)64)
#define DROPS_AT_ONCE 64

/* ---- life ---- */

static size_t chains_for(uint64_t max_items)
{
    uint64_t chains = CHAINS_MIN;
    while (chains < CHAINS_MAX && chains < max_items / CACHE_SHARDS)
        chains *= 2;
    return (size_t)chains;
}

static void set_limits(struct cache *cache, const struct cache_limits *limits)
{
    atomic_store(&cache->max_bytes, limits->max_bytes);
    atomic_store(&cache->max_items, limits->max_items);
    atomic_store(&cache->max_item_bytes, limits->max_item_bytes);
}

static enum err init_shard(struct cache_shard *shard, size_t chains)
{
    pthread_mutex_init(&shard->lock, NULL);
    list_init(&shard->recent);
    shard->mask = chains - 1;
    shard->chains = calloc(chains, sizeof(struct cache_entry *));
    return shard->chains ? ERR_OK : ERR_NO_MEMORY;
}

enum err cache_init(struct cache *cache, const struct cache_limits *limits)
{
    *cache = (struct cache){0};
    set_limits(cache, limits);
    enum err err = ERR_OK;
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        enum err shard_err = init_shard(&cache->shards[i], chains_for(limits->max_items));
        err = err == ERR_OK ? shard_err : err;
    }
    if (err == ERR_OK && getrandom(cache->secret, sizeof(cache->secret), 0) != (ssize_t)sizeof(cache->secret))
        err = ERR_SYSTEM;
    if (err != ERR_OK)
        cache_fini(cache);
    return err;
}

void cache_fini(struct cache *cache)
{
    cache_clear(cache);
    ASSERT(cache->size_bytes == 0 && cache->item_count == 0);
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        free(cache->shards[i].chains);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
}

/* Each part is hashed by itself and, with its length, chained to those before it. */
struct cache_key cache_key_make(const struct cache *cache, const struct str *parts, size_t count)
{
    XXH128_hash_t hash = {0};
    for (size_t i = 0; i < count; i++) {
        XXH128_hash_t part =
            XXH3_128bits_withSecret(parts[i].ptr, parts[i].len, cache->secret, CACHE_SECRET_SIZE);
        uint64_t link[] = {hash.high64, hash.low64, part.high64, part.low64, parts[i].len};
        hash = XXH3_128bits_withSecret(link, sizeof(link), cache->secret, CACHE_SECRET_SIZE);
    }
    return (struct cache_key){hash.high64, hash.low64};
}

/* ---- one shard; all with its lock ---- */

static size_t shard_index(struct cache_key key)
{
    return key.high % CACHE_SHARDS;
}

static struct cache_shard *shard_of(const struct cache_entry *entry)
{
    return &entry->cache->shards[shard_index(entry->key)];
}

static struct cache_entry *shard_find(const struct cache_shard *shard, struct cache_key key)
{
    struct cache_entry *entry = shard->chains[key.low & shard->mask];
    while (entry && (entry->key.low != key.low || entry->key.high != key.high))
        entry = entry->next;
    return entry;
}

static void shard_add(struct cache_shard *shard, struct cache_entry *entry)
{
    struct cache_entry **chain = &shard->chains[entry->key.low & shard->mask];
    entry->next = *chain;
    *chain = entry;
    list_push_front(&shard->recent, &entry->recent);
    entry->charged = CACHE_ENTRY_COST;
    atomic_store_explicit(&entry->is_kept, true, memory_order_release);
}

/* The table's reference is the caller's, who gives it back after the lock. */
static void shard_remove(struct cache_shard *shard, struct cache_entry *entry)
{
    struct cache_entry **link = &shard->chains[entry->key.low & shard->mask];
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    list_remove(&entry->recent);
    atomic_store_explicit(&entry->is_kept, false, memory_order_release);
    atomic_fetch_sub(&entry->cache->size_bytes, entry->charged);
    atomic_fetch_sub(&entry->cache->item_count, 1);
}

/* ---- bounds ---- */

/* Adds to `total` unless it would pass `max`, which may be lowered meanwhile. */
static bool add_within(_Atomic uint64_t *total, uint64_t more, const _Atomic uint64_t *max)
{
    uint64_t before = atomic_load(total);
    do {
        uint64_t bound = atomic_load(max);
        if (more > bound || before > bound - more)
            return false;
    } while (!atomic_compare_exchange_weak(total, &before, before + more));
    if (before + more <= atomic_load(max)) /* lowered after this: then who lowers it sees the sum */
        return true;
    atomic_fetch_sub(total, more);
    return false;
}

static bool try_reserve(struct cache *cache, uint64_t bytes, uint64_t items)
{
    if (!add_within(&cache->item_count, items, &cache->max_items))
        return false;
    if (add_within(&cache->size_bytes, bytes, &cache->max_bytes))
        return true;
    atomic_fetch_sub(&cache->item_count, items);
    return false;
}

/* The least recently used but `spared`; NULL: there is none. */
static struct cache_entry *shard_evict(struct cache_shard *shard, const struct cache_entry *spared)
{
    struct cache_entry *victim = NULL;
    pthread_mutex_lock(&shard->lock);
    struct list *node = shard->recent.prev;
    if (spared && node == &spared->recent)
        node = node->prev;
    if (node != &shard->recent) {
        victim = LIST_ITEM(node, struct cache_entry, recent);
        shard_remove(shard, victim);
        counter_add(&shard->evictions, 1);
    }
    pthread_mutex_unlock(&shard->lock);
    return victim;
}

/* False: nothing is left to evict. */
static bool evict_one(struct cache *cache, size_t first_shard, const struct cache_entry *spared)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct cache_entry *victim = shard_evict(&cache->shards[(first_shard + i) % CACHE_SHARDS], spared);
        if (victim) {
            cache_entry_unref(victim);
            return true;
        }
    }
    return false;
}

/* Nothing is evicted for what cannot fit anyway. */
static bool reserve(struct cache *cache, size_t first_shard, const struct cache_entry *spared, uint64_t bytes,
                    uint64_t items)
{
    if (bytes > atomic_load(&cache->max_bytes) || items > atomic_load(&cache->max_items))
        return false;
    while (!try_reserve(cache, bytes, items))
        if (!evict_one(cache, first_shard, spared))
            return false;
    return true;
}

static void unreserve(struct cache *cache, uint64_t bytes, uint64_t items)
{
    atomic_fetch_sub(&cache->size_bytes, bytes);
    atomic_fetch_sub(&cache->item_count, items);
}

bool cache_charge(struct cache_entry *entry, uint64_t cost)
{
    struct cache *cache = entry->cache;
    struct cache_shard *shard = shard_of(entry);
    if (!atomic_load_explicit(&entry->is_kept, memory_order_acquire))
        return true;
    if (!reserve(cache, shard_index(entry->key), entry, cost, 0))
        return false;
    pthread_mutex_lock(&shard->lock);
    bool is_kept = atomic_load_explicit(&entry->is_kept, memory_order_relaxed);
    if (is_kept)
        entry->charged += cost;
    pthread_mutex_unlock(&shard->lock);
    if (!is_kept)
        unreserve(cache, cost, 0);
    return true;
}

void cache_unkeep(struct cache_entry *entry)
{
    struct cache_shard *shard = shard_of(entry);
    pthread_mutex_lock(&shard->lock);
    bool was_kept = atomic_load_explicit(&entry->is_kept, memory_order_relaxed);
    if (was_kept)
        shard_remove(shard, entry);
    pthread_mutex_unlock(&shard->lock);
    if (was_kept)
        cache_entry_unref(entry);
}

/* ---- lookup ---- */

static bool is_expired(const struct cache_entry *entry, usec_t ttl, usec_t now)
{
    if (cache_state_of(entry) != CACHE_STATE_COMPLETE)
        return false;
    return now >= entry->stored_at && now - entry->stored_at >= MIN(ttl, entry->ttl);
}

/* With the lock. CACHE_OFF: nothing to read. *ret_stale is what stood in the way, to be given back after the lock. */
static enum cache_answer shard_look(struct cache *cache, struct cache_shard *shard, struct cache_key key,
                                    usec_t ttl, usec_t now, struct cache_reader *reader,
                                    struct cache_entry **ret_stale)
{
    struct cache_entry *entry = shard_find(shard, key);
    if (!entry)
        return CACHE_OFF;
    bool is_old = entry->epoch != atomic_load_explicit(&cache->epoch, memory_order_relaxed);
    if (is_old || is_expired(entry, ttl, now)) {
        shard_remove(shard, entry);
        counter_add(&shard->expirations, !is_old);
        *ret_stale = entry;
        return CACHE_OFF;
    }
    bool is_follower = cache_state_of(entry) == CACHE_STATE_FILLING;
    cache_reader_open(reader, entry, is_follower);
    list_remove(&entry->recent);
    list_push_front(&shard->recent, &entry->recent);
    counter_add(is_follower ? &shard->follows : &shard->hits, 1);
    return is_follower ? CACHE_FOLLOW : CACHE_HIT;
}

/* Room for `fresh` is reserved. */
static enum cache_answer look_or_add(struct cache *cache, struct cache_entry *fresh, usec_t now,
                                     struct cache_reader *reader)
{
    struct cache_shard *shard = shard_of(fresh);
    struct cache_entry *stale = NULL;
    pthread_mutex_lock(&shard->lock);
    enum cache_answer answer = shard_look(cache, shard, fresh->key, fresh->ttl, now, reader, &stale);
    if (answer == CACHE_OFF) {
        answer = CACHE_FILL;
        fresh->epoch = atomic_load_explicit(&cache->epoch, memory_order_relaxed);
        cache_entry_ref(fresh); /* the table's */
        shard_add(shard, fresh);
        counter_add(&shard->misses, 1);
    }
    pthread_mutex_unlock(&shard->lock);
    cache_entry_unref(stale);
    return answer;
}

static void count_miss(struct cache_shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    counter_add(&shard->misses, 1);
    pthread_mutex_unlock(&shard->lock);
}

/* Nobody has had it. What it takes is got without the lock, and somebody may be faster. */
static enum cache_answer begin_fill(struct cache *cache, struct cache_key key, usec_t ttl, usec_t now,
                                    struct cache_reader *reader, struct cache_entry **ret_fill)
{
    size_t index = shard_index(key);
    struct cache_entry *fresh = cache_entry_new(cache, key, ttl);
    if (!fresh || !reserve(cache, index, NULL, CACHE_ENTRY_COST, 1)) {
        cache_entry_unref(fresh);
        count_miss(&cache->shards[index]);
        return CACHE_OFF;
    }
    enum cache_answer answer = look_or_add(cache, fresh, now, reader);
    if (answer == CACHE_FILL) {
        *ret_fill = fresh;
    } else {
        unreserve(cache, CACHE_ENTRY_COST, 1);
        cache_entry_unref(fresh);
    }
    return answer;
}

enum cache_answer cache_lookup(struct cache *cache, struct cache_key key, usec_t ttl, usec_t now,
                               struct cache_reader *reader, struct cache_entry **ret_fill)
{
    struct cache_shard *shard = &cache->shards[shard_index(key)];
    struct cache_entry *stale = NULL;
    ASSERT(!reader->entry);
    if (ttl == 0)
        return CACHE_OFF;
    pthread_mutex_lock(&shard->lock);
    enum cache_answer answer = shard_look(cache, shard, key, ttl, now, reader, &stale);
    pthread_mutex_unlock(&shard->lock);
    cache_entry_unref(stale);
    return answer == CACHE_OFF ? begin_fill(cache, key, ttl, now, reader, ret_fill) : answer;
}

/* ---- administration ---- */

static void drop_all(struct cache_entry **entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cache_entry_unref(entries[i]);
}

/* Those of an older epoch are all at the end: lookups remove them instead of bringing them to the front. */
static bool drop_some_old(struct cache *cache, struct cache_shard *shard)
{
    struct cache_entry *old[DROPS_AT_ONCE];
    size_t count = 0;
    uint64_t epoch = atomic_load(&cache->epoch);
    pthread_mutex_lock(&shard->lock);
    while (count < DROPS_AT_ONCE && !list_is_empty(&shard->recent)) {
        struct cache_entry *entry = LIST_ITEM(shard->recent.prev, struct cache_entry, recent);
        if (entry->epoch >= epoch)
            break;
        shard_remove(shard, entry);
        old[count++] = entry;
    }
    pthread_mutex_unlock(&shard->lock);
    drop_all(old, count);
    return count == DROPS_AT_ONCE;
}

void cache_clear(struct cache *cache)
{
    atomic_fetch_add(&cache->epoch, 1); /* from here on nothing older is found, in any shard */
    for (size_t i = 0; i < CACHE_SHARDS; i++)
        while (drop_some_old(cache, &cache->shards[i]))
            continue;
}

/* From chain *at on, which moves on. False: that was the last. */
static bool drop_some_expired(struct cache_shard *shard, size_t *at, usec_t now)
{
    struct cache_entry *expired[DROPS_AT_ONCE];
    size_t count = 0;
    pthread_mutex_lock(&shard->lock);
    size_t end = MIN(*at + CHAINS_AT_ONCE, shard->mask + 1);
    while (*at < end && count < DROPS_AT_ONCE) {
        struct cache_entry *entry = shard->chains[*at];
        while (entry && !is_expired(entry, entry->ttl, now))
            entry = entry->next;
        if (!entry) {
            (*at)++;
            continue;
        }
        shard_remove(shard, entry);
        counter_add(&shard->expirations, 1);
        expired[count++] = entry;
    }
    bool is_last = *at > shard->mask;
    pthread_mutex_unlock(&shard->lock);
    drop_all(expired, count);
    return !is_last;
}

void cache_drop_expired(struct cache *cache, usec_t now)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++)
        for (size_t at = 0; drop_some_expired(&cache->shards[i], &at, now);)
            continue;
}

static void rehash(struct cache_shard *shard, struct cache_entry **chains, size_t mask)
{
    LIST_EACH (node, &shard->recent) {
        struct cache_entry *entry = LIST_ITEM(node, struct cache_entry, recent);
        struct cache_entry **chain = &chains[entry->key.low & mask];
        entry->next = *chain;
        *chain = entry;
    }
    shard->chains = chains;
    shard->mask = mask;
}

/* Short of memory, the chains get longer instead. */
static void grow_chains(struct cache_shard *shard, size_t count)
{
    if (count <= shard->mask + 1)
        return;
    struct cache_entry **chains = calloc(count, sizeof(*chains));
    if (!chains)
        return;
    struct cache_entry **before = shard->chains;
    pthread_mutex_lock(&shard->lock);
    rehash(shard, chains, count - 1);
    pthread_mutex_unlock(&shard->lock);
    free(before);
}

void cache_configure(struct cache *cache, const struct cache_limits *limits)
{
    set_limits(cache, limits);
    for (size_t i = 0; i < CACHE_SHARDS; i++)
        grow_chains(&cache->shards[i], chains_for(limits->max_items));
    for (size_t i = 0; atomic_load(&cache->size_bytes) > limits->max_bytes ||
                       atomic_load(&cache->item_count) > limits->max_items;
         i++)
        evict_one(cache, i % CACHE_SHARDS, NULL);
}

struct cache_stats cache_stats(const struct cache *cache)
{
    struct cache_stats stats = {.size_bytes = atomic_load(&cache->size_bytes),
                                .item_count = atomic_load(&cache->item_count)};
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        const struct cache_shard *shard = &cache->shards[i];
        stats.hits += counter_get(&shard->hits);
        stats.misses += counter_get(&shard->misses);
        stats.follows += counter_get(&shard->follows);
        stats.evictions += counter_get(&shard->evictions);
        stats.expirations += counter_get(&shard->expirations);
    }
    uint64_t lookups = stats.hits + stats.misses + stats.follows;
    stats.hit_rate = lookups > 0 ? (double)stats.hits / (double)lookups : 0;
    return stats;
}
