/* SPDX-License-Identifier: Apache-2.0 */
/* Smooth weighted round robin. `lag` is what a candidate is owed: it grows by its weight with each turn and
 * falls by the sum of weights when chosen.
 *
 * The usual rule, largest lag first, can leave a candidate more than one request behind its share (1.14 was
 * found with weights of mixed size). Tijdeman's solution of the chairman assignment problem (1980) cannot:
 * among those that are owed at least 1 / (2n - 2) of a request, the one whose lag would first reach 1 - 1 /
 * (2n - 2) goes. So after any number of turns nobody is a whole request away from its share, as long as the
 * same candidates are ready. */
#include "route/strategy.h"

/* Everything below is multiplied by 2n - 2 to stay in whole numbers. */
struct share {
    int64_t total;   /* sum of weights */
    int64_t divisor; /* 2n - 2 */
};

static struct share share_of(const struct strategy_choice *choice)
{
    struct share share = {.divisor = 2 * (int64_t)choice->ready_count - 2};
    for (size_t i = 0; i < choice->ready_count; i++)
        share.total += choice->ready[i]->weight;
    return share;
}

/* Distance from the lag that must not be passed; divided by the weight it is the number of turns until then.
 */
static int64_t slack(const struct candidate *candidate, const struct share *share)
{
    return share->total * (share->divisor - 1) - candidate->lag * share->divisor;
}

static bool is_owed(const struct candidate *candidate, const struct share *share)
{
    return candidate->lag * share->divisor >= share->total;
}

static bool is_before(const struct candidate *a, const struct candidate *b, const struct share *share)
{
    bool a_owed = is_owed(a, share), b_owed = is_owed(b, share);
    if (a_owed != b_owed)
        return a_owed;
    /* Nobody is owed anything right after the set of ready ones has changed: then the largest lag it is. */
    if (!a_owed)
        return a->lag > b->lag;
    return slack(a, share) * b->weight < slack(b, share) * a->weight;
}

static struct candidate *round_robin_pick(const struct strategy_choice *choice)
{
    struct candidate *chosen = choice->ready[0];
    if (choice->ready_count == 1)
        return chosen; /* it gets all: nothing is owed to anybody */
    struct share share = share_of(choice);
    for (size_t i = 0; i < choice->ready_count; i++)
        choice->ready[i]->lag += choice->ready[i]->weight;
    for (size_t i = 1; i < choice->ready_count; i++)
        if (is_before(choice->ready[i], chosen, &share))
            chosen = choice->ready[i];
    chosen->lag -= share.total;
    return chosen;
}

const struct strategy_vtable strategy_round_robin = {
    .name = {"weighted_round_robin", 20},
    .pick = round_robin_pick,
};
