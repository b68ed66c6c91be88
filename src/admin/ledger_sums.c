/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ledger_sums.h"

#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#define HOUR (3600 * USEC_PER_SEC)
#define SLOTS ARRAY_LEN(((struct ledger_sums *)0)->slots)
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "a mask finds the slot");

void ledger_sums_init(struct ledger_sums *sums)
{
    arena_init(&sums->memory, NULL);
    ledger_sums_clear(sums);
}

void ledger_sums_clear(struct ledger_sums *sums)
{
    arena_fini(&sums->memory);
    sums->count = 0;
    memset(sums->slots, 0, sizeof(sums->slots));
}

void ledger_sums_fini(struct ledger_sums *sums)
{
    arena_fini(&sums->memory);
}

static uint64_t hash_text(struct str text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.ptr, text.len, seed);
}

/* The row's key without its memory: views of `end`. */
static struct ledger_sum key_of(const struct ledger_end *end)
{
    const struct access_record *access = &end->access;
    bool is_cached = end->cache == LEDGER_CACHE_HIT || end->cache == LEDGER_CACHE_FOLLOW;
    struct ledger_sum key = {
        .hour = access->realtime - access->realtime % HOUR,
        .user = access->user,
        .server = access->server,
        /* Whoever asks for models that do not exist makes no rows with it. */
        .model = access->server.len > 0 || is_cached ? access->model : STR(""),
    };
    key.hash = hash_text(key.model, hash_text(key.server, hash_text(key.user, key.hour)));
    return key;
}

static bool has_key(const struct ledger_sum *sum, const struct ledger_sum *key)
{
    return sum->hash == key->hash && sum->hour == key->hour && str_eq(sum->model, key->model) &&
           str_eq(sum->user, key->user) && str_eq(sum->server, key->server);
}

static struct ledger_sum *insert(struct ledger_sums *sums, const struct ledger_sum *key, size_t slot)
{
    struct arena *memory = &sums->memory;
    struct ledger_sum row = *key;
    if (sums->count == LEDGER_SUMS_MAX)
        return NULL;
    row.user = arena_dup(memory, key->user);
    row.server = arena_dup(memory, key->server);
    row.model = arena_dup(memory, key->model);
    if (!row.user.ptr || !row.server.ptr || !row.model.ptr)
        return NULL;
    sums->rows[sums->count] = row;
    sums->slots[slot] = (uint16_t)++sums->count;
    return &sums->rows[sums->count - 1];
}

/* NULL: no room. */
static struct ledger_sum *find_or_insert(struct ledger_sums *sums, const struct ledger_sum *key)
{
    size_t slot = key->hash & (SLOTS - 1);
    for (; sums->slots[slot] != 0; slot = (slot + 1) & (SLOTS - 1))
        if (has_key(&sums->rows[sums->slots[slot] - 1], key))
            return &sums->rows[sums->slots[slot] - 1];
    return insert(sums, key, slot);
}

static bool is_error(enum ledger_state state)
{
    return state == LEDGER_ERROR || state == LEDGER_CUT || state == LEDGER_ABORTED;
}

bool ledger_sums_add(struct ledger_sums *sums, const struct ledger_end *end)
{
    struct ledger_sum key = key_of(end);
    struct ledger_sum *sum = find_or_insert(sums, &key);
    if (!sum)
        return false;
    sum->requests++;
    sum->errors += is_error(end->state);
    sum->cache_hits += end->cache == LEDGER_CACHE_HIT || end->cache == LEDGER_CACHE_FOLLOW;
    sum->cost += end->cost;
    sum->tokens.fresh_input += end->tokens.fresh_input;
    sum->tokens.cache_read += end->tokens.cache_read;
    sum->tokens.cache_write += end->tokens.cache_write;
    sum->tokens.output += end->tokens.output;
    sum->tokens.reasoning += end->tokens.reasoning;
    return true;
}

/* As SQLite's functions of time write it. */
static struct str hour_text(usec_t hour, char *out, size_t size)
{
    time_t second = (time_t)(hour / USEC_PER_SEC);
    struct tm tm;
    gmtime_r(&second, &tm);
    return (struct str){out, strftime(out, size, "%Y-%m-%d %H:00:00", &tm)};
}

enum err ledger_sums_write(const struct ledger_sums *sums, size_t index, struct db *db, sqlite3_stmt *upsert,
                           char *why)
{
    const struct ledger_sum *sum = &sums->rows[index];
    char hour[32];
    const uint64_t values[] = {sum->requests,
                               sum->errors,
                               sum->cache_hits,
                               sum->tokens.fresh_input,
                               sum->tokens.cache_read,
                               sum->tokens.cache_write,
                               sum->tokens.output,
                               sum->tokens.reasoning,
                               sum->cost};
    db_bind_str(upsert, 1, hour_text(sum->hour, hour, sizeof(hour)));
    db_bind_str(upsert, 2, sum->user);
    db_bind_str(upsert, 3, sum->server);
    db_bind_str(upsert, 4, sum->model);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        sqlite3_bind_int64(upsert, (int)i + 5, (sqlite3_int64)values[i]);
    return db_run(db, upsert, why);
}
