/* SPDX-License-Identifier: Apache-2.0 */
/* Ended requests added up by hour, user, server and model, in memory, so that the store sees one row for many of them. */
#pragma once

#include "base/arena.h"
#include "proxy/ledger_record.h"
#include "store/db.h"

#define LEDGER_SUMS_MAX 2048u

struct ledger_sum {
    uint64_t hash;
    usec_t hour; /* its start */
    struct str user, server, model;
    uint64_t requests, errors, cache_hits, cost;
    struct usage_split tokens;
};

struct ledger_sums {
    struct ledger_sum rows[LEDGER_SUMS_MAX];
    size_t count;
    uint16_t slots[2 * LEDGER_SUMS_MAX]; /* index of a row and one, by its hash; 0: free */
    struct arena memory;                 /* of the texts */
};

void ledger_sums_init(struct ledger_sums *sums);
void ledger_sums_clear(struct ledger_sums *sums);
void ledger_sums_fini(struct ledger_sums *sums);

/* False: another row would be needed and there is no room, or no memory. */
MUST_USE bool ledger_sums_add(struct ledger_sums *sums, const struct ledger_end *end);

/* Adds row `index` to the table; `upsert` is LEDGER_SUMS_UPSERT, prepared. */
#define LEDGER_SUMS_UPSERT                                                                                   \
    "INSERT INTO usage_ledger (hour, username, server, model, requests, errors, cache_hits, input_tokens,"   \
    " cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd)"                \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"                                       \
    " ON CONFLICT (hour, username, server, model) DO UPDATE SET requests = requests + excluded.requests,"    \
    " errors = errors + excluded.errors, cache_hits = cache_hits + excluded.cache_hits,"                     \
    " input_tokens = input_tokens + excluded.input_tokens,"                                                  \
    " cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,"                                   \
    " cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,"                                \
    " output_tokens = output_tokens + excluded.output_tokens,"                                               \
    " reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,"                                      \
    " cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd"
MUST_USE enum err ledger_sums_write(const struct ledger_sums *sums, size_t index, struct db *db,
                                    sqlite3_stmt *upsert, char *why);
