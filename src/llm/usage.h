/* SPDX-License-Identifier: Apache-2.0 */
/* What a request cost in tokens, as the server counted it. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>

struct usage {
    bool is_known;
    uint64_t input_tokens;       /* the whole prompt, cached parts included */
    uint64_t cached_tokens;      /* of input_tokens: read from the provider's cache */
    uint64_t output_tokens;      /* reasoning included */
    uint64_t reasoning_tokens;   /* of output_tokens */
    uint64_t cache_write_tokens; /* of input_tokens: written to the provider's cache */
};

/* The same tokens in parts that do not overlap. */
struct usage_split {
    uint64_t fresh_input, cache_read, cache_write; /* together: input_tokens */
    uint64_t output, reasoning; /* together: output_tokens; `output` is without reasoning */
};

/* A server may claim more cached or reasoning tokens than it counted at all: the totals are what is believed. */
static inline struct usage_split usage_split(const struct usage *usage)
{
    struct usage_split split = {
        .cache_read = MIN(usage->cached_tokens, usage->input_tokens),
        .reasoning = MIN(usage->reasoning_tokens, usage->output_tokens),
    };
    split.cache_write = MIN(usage->cache_write_tokens, usage->input_tokens - split.cache_read);
    split.fresh_input = usage->input_tokens - split.cache_read - split.cache_write;
    split.output = usage->output_tokens - split.reasoning;
    return split;
}
