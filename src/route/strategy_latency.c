/* SPDX-License-Identifier: Apache-2.0 */
/* Least expected time to the first byte: what was measured x the queue it would join / weight. Equal ones
 * take turns, so servers that nobody has measured yet are each tried. */
#include "route/strategy.h"

static double cost(const struct strategy_choice *choice, const struct candidate *candidate)
{
    const struct server *server = candidate->server;
    return ewma_cost(&server->first_byte, choice->now, server->in_flight, candidate->weight);
}

static struct candidate *latency_pick(const struct strategy_choice *choice)
{
    size_t first = strategy_turn_position(choice);
    struct candidate *chosen = choice->ready[first];
    double least = cost(choice, chosen);
    for (size_t i = 1; i < choice->ready_count; i++) {
        struct candidate *other = choice->ready[(first + i) % choice->ready_count];
        double other_cost = cost(choice, other);
        if (other_cost < least) {
            chosen = other;
            least = other_cost;
        }
    }
    strategy_turn_pass(choice, chosen);
    return chosen;
}

const struct strategy_vtable strategy_latency = {
    .name = {"latency", 7},
    .pick = latency_pick,
};
