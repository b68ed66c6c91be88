/* SPDX-License-Identifier: Apache-2.0 */
/* How one server is chosen among those that could take a request: a vtable of one function, a file for each.
 */
#pragma once

#include "base/rng.h"
#include "route/candidates.h"

/* What a strategy sees: members of `set` that are ready and that the rules of pick.h admit, in the order of
 * the set. */
struct strategy_choice {
    struct candidate_set *set;
    struct candidate *const *ready;
    size_t ready_count; /* at least 1 */
    usec_t now;
    struct rng *rng;
};

/* `pick` MUST return one of choice->ready, and the request is then sent there: so it may move `lag` and
 * `turn` on. It MUST NOT look at members that are not in choice->ready, and MUST NOT change a server. The
 * caller holds the gate. */
struct strategy_vtable {
    struct str name; /* as in the configuration */
    struct candidate *(*pick)(const struct strategy_choice *choice);
};

extern const struct strategy_vtable strategy_round_robin, strategy_least, strategy_latency, strategy_random;

const struct strategy_vtable *strategy_get(enum strategy strategy);

/* Index in the set. */
static inline size_t candidate_index(const struct candidate_set *set, const struct candidate *candidate)
{
    return (size_t)(candidate - set->members);
}

/* Whether `a` has less to do for its weight: (in_flight + 1) / weight, compared without division. */
static inline bool candidate_is_lighter(const struct candidate *a, const struct candidate *b)
{
    return (uint64_t)(a->server->in_flight + 1) * b->weight <
           (uint64_t)(b->server->in_flight + 1) * a->weight;
}

/* Position in `ready` at which ties are to be broken now: the first that is not before set->turn. */
size_t strategy_turn_position(const struct strategy_choice *choice);

/* `chosen` had its turn. */
void strategy_turn_pass(const struct strategy_choice *choice, const struct candidate *chosen);
