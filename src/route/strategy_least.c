/* SPDX-License-Identifier: Apache-2.0 */
/* Least outstanding requests for the weight; equal ones take turns. */
#include "route/strategy.h"

static struct candidate *least_pick(const struct strategy_choice *choice)
{
    size_t first = strategy_turn_position(choice);
    struct candidate *chosen = choice->ready[first];
    for (size_t i = 1; i < choice->ready_count; i++) {
        struct candidate *other = choice->ready[(first + i) % choice->ready_count];
        if (candidate_is_lighter(other, chosen))
            chosen = other;
    }
    strategy_turn_pass(choice, chosen);
    return chosen;
}

const struct strategy_vtable strategy_least = {
    .name = {"least_connections", 17},
    .pick = least_pick,
};
