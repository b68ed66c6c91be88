/* SPDX-License-Identifier: Apache-2.0 */
/* Two at random, the one with less to do for its weight: nearly as even as looking at all, without anything
 * to remember (power of two choices; Mitzenmacher 2001). */
#include "route/strategy.h"

static struct candidate *random_pick(const struct strategy_choice *choice)
{
    if (choice->ready_count == 1)
        return choice->ready[0];
    size_t one = (size_t)rng_below(choice->rng, choice->ready_count);
    size_t two = (size_t)rng_below(choice->rng, choice->ready_count - 1);
    if (two >= one)
        two++;
    struct candidate *a = choice->ready[one], *b = choice->ready[two];
    return candidate_is_lighter(b, a) ? b : a;
}

const struct strategy_vtable strategy_random = {
    .name = {"random", 6},
    .pick = random_pick,
};
