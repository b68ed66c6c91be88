/* SPDX-License-Identifier: Apache-2.0 */
/* Fast pseudo-random numbers for jitter, choices and ids; not for secrets. One generator a thread. */
#pragma once

#include "base/macros.h"

struct rng {
    uint64_t state;
};

/* Seeded by the caller: the same seed gives the same sequence (tests, simulation). */
void rng_init(struct rng *rng, uint64_t seed);

/* Seeded by the kernel's entropy. */
void rng_init_random(struct rng *rng);

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
