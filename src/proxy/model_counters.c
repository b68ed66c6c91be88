/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/model_counters.h"

#include <stdlib.h>
#include <xxhash.h>

#define INDEX_SLOTS (2 * MODEL_ROWS_MAX) /* a power of two, and never more than half full */

const usec_t model_bucket_bounds[MODEL_BUCKETS] = {
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 120000000,
};

static uint64_t hash_of(struct str server, struct str model)
{
    return XXH3_64bits_withSeed(model.ptr, model.len, XXH3_64bits(server.ptr, server.len));
}

/* The slot that has the pair, or the free one where it belongs. */
static struct model_row **find_slot(const struct model_counters *counters, uint64_t hash, struct str server,
                                    struct str model)
{
    size_t at = hash % INDEX_SLOTS;
    for (; counters->index[at]; at = (at + 1) % INDEX_SLOTS) {
        const struct model_row *row = counters->index[at];
        if (row->hash == hash && str_eq(row->server, server) && str_eq(row->model, model))
            break;
    }
    return &counters->index[at];
}

static struct str copy_to(char **io_at, struct str text)
{
    char *copy = *io_at;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    *io_at += text.len;
    return (struct str){copy, text.len};
}

static struct model_row *add_row(struct model_counters *counters, struct str server, struct str model,
                                 struct str provider)
{
    struct model_row *row = calloc(1, sizeof(*row) + server.len + model.len + provider.len);
    if (!row)
        return NULL;
    char *at = (char *)(row + 1);
    row->hash = hash_of(server, model);
    row->server = copy_to(&at, server);
    row->model = copy_to(&at, model);
    row->provider = copy_to(&at, provider);
    row->next = atomic_load_explicit(&counters->newest, memory_order_relaxed);
    *find_slot(counters, row->hash, server, model) = row;
    counters->count++;
    atomic_store_explicit(&counters->newest, row, memory_order_release);
    return row;
}

enum err model_counters_init(struct model_counters *counters)
{
    *counters = (struct model_counters){.index = calloc(INDEX_SLOTS, sizeof(counters->index[0]))};
    if (!counters->index)
        return ERR_NO_MEMORY;
    return add_row(counters, STR_NONE, STR("other"), STR_NONE) ? ERR_OK : ERR_NO_MEMORY;
}

void model_counters_fini(struct model_counters *counters)
{
    struct model_row *row = atomic_load(&counters->newest);
    while (row) {
        struct model_row *next = row->next;
        free(row);
        row = next;
    }
    free(counters->index);
    *counters = (struct model_counters){0};
}

/* When there is no room for the pair. */
static struct model_row *other_row(struct model_counters *counters)
{
    return *find_slot(counters, hash_of(STR_NONE, STR("other")), STR_NONE, STR("other"));
}

struct model_row *model_counters_row(struct model_counters *counters, struct str server, struct str model,
                                     struct str provider)
{
    struct model_row *row = *find_slot(counters, hash_of(server, model), server, model);
    if (!row && counters->count < MODEL_ROWS_MAX)
        row = add_row(counters, server, model, provider);
    return row ? row : other_row(counters);
}

void model_row_add_duration(struct model_row *row, usec_t duration)
{
    size_t i = 0;
    while (i < MODEL_BUCKETS && duration > model_bucket_bounds[i])
        i++;
    counter_add(&row->buckets[i], 1);
    counter_add(&row->duration, duration);
}
