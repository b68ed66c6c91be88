/* SPDX-License-Identifier: Apache-2.0 */
/* What a request cost in tokens, as the server counted it. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>

struct usage {
    bool is_known;
    uint64_t input_tokens;     /* the whole prompt, cached part included */
    uint64_t cached_tokens;    /* of input_tokens */
    uint64_t output_tokens;    /* reasoning included */
    uint64_t reasoning_tokens; /* of output_tokens */
};
