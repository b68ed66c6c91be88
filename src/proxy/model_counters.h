/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted for each pair of server and model: the families that MindBalancer's dashboards know. One table per
 * worker, written by it alone; readers on any thread walk the rows and add up. Rows appear and never go. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "proxy/counters.h"

#define MODEL_ROWS_MAX 4096 /* pairs per worker; more are counted under the model "other" */
#define MODEL_BUCKETS 10

/* Upper bounds of the duration's buckets, in microseconds: 0.1 s to 120 s. */
extern const usec_t model_bucket_bounds[MODEL_BUCKETS];

struct price_config;

struct model_row {
    struct model_row *next; /* older; immutable */
    uint64_t hash;
    struct str server, model, provider; /* immutable; server and provider may be empty */
    /* The writer's: what the model costs, looked up once for a routing table and a day. */
    uint64_t priced_generation;
    unsigned priced_day;
    const struct price_config *price; /* of that table's configuration, or of the built-in table; NULL: not known */
    counter_t succeeded, failed;
    counter_t cache_hits, cache_misses;
    counter_t input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens; /* disjoint */
    counter_t cost; /* nano-dollars */
    counter_t unpriced; /* requests with usage and no price */
    counter_t buckets[MODEL_BUCKETS + 1]; /* of the duration; not cumulative */
    counter_t duration; /* microseconds, summed */
};

struct model_counters {
    struct model_row **index; /* open addressing; the writer's */
    size_t count;
    _Atomic(struct model_row *) newest; /* for readers */
};

MUST_USE enum err model_counters_init(struct model_counters *counters);
void model_counters_fini(struct model_counters *counters);

/* The row of that pair, made when it is new. Names are copied. Never NULL: when no further row can be had it is that of
 * all others. The writer's thread. */
struct model_row *model_counters_row(struct model_counters *counters, struct str server, struct str model,
                                     struct str provider);

void model_row_add_duration(struct model_row *row, usec_t duration);
