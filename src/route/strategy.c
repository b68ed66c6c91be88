/* SPDX-License-Identifier: Apache-2.0 */
#include "route/strategy.h"

static const struct strategy_vtable *const strategies[STRATEGY_COUNT_] = {
    [STRATEGY_WEIGHTED_ROUND_ROBIN] = &strategy_round_robin,
    [STRATEGY_LEAST_CONNECTIONS] = &strategy_least,
    [STRATEGY_LATENCY] = &strategy_latency,
    [STRATEGY_RANDOM] = &strategy_random,
};

const struct strategy_vtable *strategy_get(enum strategy strategy)
{
    ASSERT(strategy < STRATEGY_COUNT_);
    return strategies[strategy];
}

size_t strategy_turn_position(const struct strategy_choice *choice)
{
    for (size_t i = 0; i < choice->ready_count; i++)
        if (candidate_index(choice->set, choice->ready[i]) >= choice->set->turn)
            return i;
    return 0;
}

void strategy_turn_pass(const struct strategy_choice *choice, const struct candidate *chosen)
{
    choice->set->turn = (candidate_index(choice->set, chosen) + 1) % choice->set->count;
}
