/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include "base/clock.h"

#include <sys/random.h>

void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

void rng_init_random(struct rng *rng)
{
    if (getrandom(&rng->state, sizeof(rng->state), 0) != (ssize_t)sizeof(rng->state))
        rng->state = clock_monotonic() ^ (uint64_t)(uintptr_t)rng;
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}
