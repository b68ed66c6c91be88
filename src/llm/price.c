/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/price.h"

#define TABLE_DAY 20670 /* 2026-08-05 */

/* USD per million tokens are thousands of nano-dollars per token. The half makes up for what binary fractions lose. */
#define NANO(usd_per_million) ((uint64_t)((usd_per_million)*1000 + 0.5))

static const struct price_config table[] = {
#define PRICE(model_, input_, cache_read_, cache_write_, output_)                                            \
    {.model = {model_, sizeof(model_) - 1},                                                                  \
     .input = NANO(input_),                                                                                  \
     .cache_read = NANO(cache_read_),                                                                        \
     .cache_write = NANO(cache_write_),                                                                      \
     .output = NANO(output_),                                                                                \
     .valid_from = TABLE_DAY},
#include "llm/price.def"
};

/* Whether `row` stands above `best`, which may be NULL. */
static bool is_better(const struct price_config *row, const struct price_config *best)
{
    if (!best || row->model.len != best->model.len)
        return !best || row->model.len > best->model.len;
    return row->valid_from > best->valid_from;
}

static bool fits_table_row(struct str model, struct str name)
{
    return str_starts(model, name) && (model.len == name.len || model.ptr[name.len] == '-');
}

const struct price_config *price_find(const struct price_config *local, size_t count, struct str model,
                                      unsigned today)
{
    const struct price_config *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (local[i].valid_from <= today && str_starts(model, local[i].model) && is_better(&local[i], best))
            best = &local[i];
    if (best)
        return best;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (fits_table_row(model, table[i].model) && is_better(&table[i], best))
            best = &table[i];
    return best;
}

static uint64_t add_part(uint64_t sum, uint64_t tokens, uint64_t price)
{
    uint64_t part;
    if (__builtin_mul_overflow(tokens, price, &part) || __builtin_add_overflow(sum, part, &sum))
        return UINT64_MAX;
    return sum;
}

uint64_t price_cost(const struct price_config *row, const struct usage *usage)
{
    if (!row)
        return 0;
    struct usage_split split = usage_split(usage);
    uint64_t cost = add_part(0, split.fresh_input, row->input);
    cost = add_part(cost, split.cache_read, row->cache_read);
    cost = add_part(cost, split.cache_write, row->cache_write);
    cost = add_part(cost, split.output, row->output);
    return add_part(cost, split.reasoning, row->output);
}

unsigned price_table_day(void)
{
    return TABLE_DAY;
}
