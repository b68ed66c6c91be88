/* SPDX-License-Identifier: Apache-2.0 */
/* One answer: it grows by its filler's thread, is read by any, and lives until the last of them lets go. */
#include "proxy/cache_internal.h"

#include <stdlib.h>

#define CHUNK_MIN ((uint64_t)512)
#define CHUNK_MAX ((uint64_t)65536) /* of spare room; more at once gets a chunk of its size */

/* ---- life ---- */

struct cache_entry *cache_entry_new(struct cache *cache, struct cache_key key, usec_t ttl)
{
    struct cache_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->cache = cache;
    entry->key = key;
    entry->ttl = ttl;
    entry->refs = 1;
    list_init(&entry->recent);
    list_init(&entry->waiting);
    pthread_mutex_init(&entry->lock, NULL);
    return entry;
}

void cache_entry_ref(struct cache_entry *entry)
{
    atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
}

static void free_chunks(struct cache_entry *entry)
{
    for (struct cache_chunk *chunk = entry->first, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    entry->first = entry->last = NULL;
}

void cache_entry_unref(struct cache_entry *entry)
{
    if (!entry || atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) > 1)
        return;
    ASSERT(list_is_empty(&entry->waiting) && !entry->is_kept);
    free_chunks(entry);
    pthread_mutex_destroy(&entry->lock);
    free(entry);
}

/* ---- filling ---- */

/* With the lock. */
static void wake_readers(struct cache_entry *entry)
{
    for (struct list *node; (node = list_pop_front(&entry->waiting));) {
        struct cache_reader *reader = LIST_ITEM(node, struct cache_reader, node);
        reader->is_posted = true;
        loop_post(reader->loop, &reader->message);
    }
}

static void set_state(struct cache_entry *entry, enum cache_state state)
{
    atomic_store_explicit(&entry->state, (int)state, memory_order_release);
}

/* No more for anybody. What nobody reads, and nobody can come to read, is freed here. */
static void give_up(struct cache_entry *entry)
{
    cache_unkeep(entry);
    pthread_mutex_lock(&entry->lock);
    if (cache_state_of(entry) == CACHE_STATE_FILLING) {
        set_state(entry, CACHE_STATE_FAILED);
        if (!cache_fill_has_followers(entry))
            free_chunks(entry);
        wake_readers(entry);
    }
    pthread_mutex_unlock(&entry->lock);
}

void cache_fill_begin(struct cache_entry *entry, struct str content_type, bool is_stream)
{
    ASSERT(!entry->is_begun);
    entry->is_begun = true;
    if (content_type.len > sizeof(entry->content_type)) {
        give_up(entry);
        return;
    }
    if (content_type.len > 0)
        memcpy(entry->content_type, content_type.ptr, content_type.len);
    entry->content_type_len = content_type.len;
    entry->is_stream = is_stream;
}

/* Whether `more` bytes are still worth holding. */
static bool may_grow(struct cache_entry *entry, size_t more)
{
    uint64_t length = entry->length + more;
    if (length > atomic_load_explicit(&entry->cache->max_item_bytes, memory_order_relaxed))
        cache_unkeep(entry);
    if (atomic_load_explicit(&entry->is_kept, memory_order_acquire))
        return true;
    return cache_fill_has_followers(entry) && length <= CACHE_FOLLOW_MAX;
}

/* A chunk as large as all before it, so that there are few, and at most half of the room is spare. */
static struct cache_chunk *new_chunk(struct cache_entry *entry, size_t need)
{
    uint64_t spare = MIN(entry->length, CHUNK_MAX);
    if (entry->first)
        spare = MAX(spare, CHUNK_MIN);
    size_t room = MAX(need, (size_t)spare);
    if (!cache_charge(entry, sizeof(struct cache_chunk) + room + CACHE_ALLOCATION_COST)) {
        cache_unkeep(entry);
        if (!cache_fill_has_followers(entry))
            return NULL;
    }
    struct cache_chunk *chunk = malloc(sizeof(*chunk) + room);
    if (chunk)
        *chunk = (struct cache_chunk){.room = room};
    return chunk;
}

/* Makes what was copied visible. */
static void publish(struct cache_entry *entry, size_t into_last, struct cache_chunk *chunk)
{
    pthread_mutex_lock(&entry->lock);
    if (into_last > 0)
        entry->last->len += into_last;
    entry->length += into_last;
    if (chunk) {
        *(entry->last ? &entry->last->next : &entry->first) = chunk;
        entry->last = chunk;
        entry->length += chunk->len;
    }
    wake_readers(entry);
    pthread_mutex_unlock(&entry->lock);
}

void cache_fill_add(struct cache_entry *entry, struct str bytes)
{
    ASSERT(entry->is_begun);
    if (bytes.len == 0 || cache_state_of(entry) != CACHE_STATE_FILLING)
        return;
    struct cache_chunk *last = entry->last, *chunk = NULL;
    size_t into_last = last ? MIN(bytes.len, last->room - last->len) : 0;
    struct str rest = str_from_offset(bytes, into_last);
    bool is_held = may_grow(entry, bytes.len);
    if (is_held && rest.len > 0) {
        chunk = new_chunk(entry, rest.len);
        is_held = chunk != NULL;
    }
    if (!is_held) {
        give_up(entry);
        return;
    }
    if (into_last > 0)
        memcpy(last->bytes + last->len, bytes.ptr, into_last);
    if (chunk) {
        memcpy(chunk->bytes, rest.ptr, rest.len);
        chunk->len = rest.len;
    }
    publish(entry, into_last, chunk);
}

void cache_fill_end(struct cache_entry *entry, usec_t now)
{
    pthread_mutex_lock(&entry->lock);
    if (cache_state_of(entry) == CACHE_STATE_FILLING) {
        ASSERT(entry->is_begun);
        entry->stored_at = now;
        set_state(entry, CACHE_STATE_COMPLETE);
        wake_readers(entry);
    }
    pthread_mutex_unlock(&entry->lock);
    cache_entry_unref(entry);
}

void cache_fill_fail(struct cache_entry *entry)
{
    give_up(entry);
    cache_entry_unref(entry);
}

bool cache_fill_has_followers(const struct cache_entry *entry)
{
    return atomic_load_explicit(&entry->followers, memory_order_acquire) > 0;
}

/* ---- reading ---- */

static void on_message(struct message *message)
{
    struct cache_reader *reader = CONTAINER_OF(message, struct cache_reader, message);
    reader->is_posted = false;
    reader->on_ready(reader);
}

void cache_reader_init(struct cache_reader *reader, struct loop *loop,
                       void (*on_ready)(struct cache_reader *reader))
{
    *reader = (struct cache_reader){.loop = loop, .on_ready = on_ready, .message.on_delivery = on_message};
    list_init(&reader->node);
    list_init(&reader->message.node);
}

void cache_reader_open(struct cache_reader *reader, struct cache_entry *entry, bool is_follower)
{
    cache_entry_ref(entry);
    if (is_follower)
        atomic_fetch_add_explicit(&entry->followers, 1, memory_order_relaxed);
    reader->entry = entry;
    reader->chunk = NULL;
    reader->offset = 0;
    reader->is_follower = is_follower;
    reader->has_read = reader->has_waited = false;
}

/* With the lock, or complete. False: it has had all there is so far. */
static bool take(struct cache_reader *reader, struct str *ret_bytes)
{
    if (!reader->chunk)
        reader->chunk = reader->entry->first;
    struct cache_chunk *chunk = reader->chunk;
    if (!chunk)
        return false;
    if (reader->offset == chunk->len && chunk->next) {
        reader->chunk = chunk = chunk->next;
        reader->offset = 0;
    }
    if (reader->offset == chunk->len)
        return false;
    *ret_bytes = (struct str){chunk->bytes + reader->offset, chunk->len - reader->offset};
    reader->offset = chunk->len;
    reader->has_read = true;
    return true;
}

/* With the lock. */
static enum cache_next next_of_growing(struct cache_reader *reader, struct str *ret_bytes)
{
    enum cache_state state = cache_state_of(reader->entry);
    if (state == CACHE_STATE_FAILED && !reader->has_read)
        return CACHE_FAILED_CLEAN;
    if (take(reader, ret_bytes))
        return CACHE_DATA;
    if (state == CACHE_STATE_FAILED)
        return CACHE_FAILED_CUT;
    if (state == CACHE_STATE_COMPLETE)
        return CACHE_END;
    /* While its message is under way it will ask again anyway; a second post of it would break the mailbox. */
    if (!reader->is_posted && !list_is_linked(&reader->node))
        list_push_back(&reader->entry->waiting, &reader->node);
    reader->has_waited = true;
    return CACHE_WAIT;
}

enum cache_next cache_reader_next(struct cache_reader *reader, struct str *ret_bytes)
{
    struct cache_entry *entry = reader->entry;
    if (cache_state_of(entry) == CACHE_STATE_COMPLETE) /* nothing changes any more */
        return take(reader, ret_bytes) ? CACHE_DATA : CACHE_END;
    pthread_mutex_lock(&entry->lock);
    enum cache_next next = next_of_growing(reader, ret_bytes);
    pthread_mutex_unlock(&entry->lock);
    return next;
}

struct cache_head cache_reader_head(const struct cache_reader *reader)
{
    const struct cache_entry *entry = reader->entry;
    bool is_complete = cache_state_of(entry) == CACHE_STATE_COMPLETE;
    return (struct cache_head){
        .content_type = {entry->content_type, entry->content_type_len},
        .is_stream = entry->is_stream,
        .is_complete = is_complete,
        .length = is_complete ? entry->length : 0,
    };
}

/* Afterwards no filler knows the reader, and no message of it is under way. */
static void stop_waiting(struct cache_reader *reader)
{
    pthread_mutex_lock(&reader->entry->lock);
    list_remove(&reader->node);
    pthread_mutex_unlock(&reader->entry->lock);
    if (reader->is_posted)
        loop_unpost(reader->loop, &reader->message);
    reader->is_posted = false;
}

void cache_reader_close(struct cache_reader *reader)
{
    struct cache_entry *entry = reader->entry;
    if (!entry)
        return;
    if (reader->has_waited)
        stop_waiting(reader);
    if (reader->is_follower)
        atomic_fetch_sub_explicit(&entry->followers, 1, memory_order_acq_rel);
    reader->entry = NULL;
    reader->chunk = NULL;
    cache_entry_unref(entry);
}
