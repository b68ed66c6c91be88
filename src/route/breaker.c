/* SPDX-License-Identifier: Apache-2.0 */
#include "route/breaker.h"

static void breaker_change(struct breaker *breaker, enum breaker_state state)
{
    *breaker = (struct breaker){.state = state, .epoch = breaker->epoch + 1, .opened_at = breaker->opened_at};
}

static void breaker_open(struct breaker *breaker, usec_t now)
{
    breaker_change(breaker, BREAKER_OPEN);
    breaker->opened_at = now;
}

usec_t breaker_trial_time(const struct breaker *breaker, const struct breaker_limits *limits)
{
    return breaker->opened_at + limits->open_timeout;
}

enum breaker_answer breaker_look(const struct breaker *breaker, usec_t now,
                                 const struct breaker_limits *limits)
{
    if (breaker->state == BREAKER_OPEN)
        return now >= breaker_trial_time(breaker, limits) ? BREAKER_PASSES : BREAKER_BLOCKS;
    if (breaker->state == BREAKER_HALF_OPEN && breaker->trial_runs)
        return BREAKER_TRIAL_RUNS;
    return BREAKER_PASSES;
}

struct breaker_ticket breaker_admit(struct breaker *breaker, usec_t now, const struct breaker_limits *limits)
{
    ASSERT(breaker_look(breaker, now, limits) == BREAKER_PASSES);
    if (breaker->state == BREAKER_OPEN)
        breaker_change(breaker, BREAKER_HALF_OPEN);
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->trial_runs = true;
    return (struct breaker_ticket){breaker->epoch, breaker->trial_runs};
}

/* Whether the result still says something about the present state; takes the trial back if it was it. */
static bool breaker_settle(struct breaker *breaker, struct breaker_ticket ticket)
{
    if (ticket.epoch != breaker->epoch)
        return false;
    ASSERT(ticket.trial == (breaker->state == BREAKER_HALF_OPEN));
    ASSERT(!ticket.trial || breaker->trial_runs);
    breaker->trial_runs = false;
    return true;
}

void breaker_success(struct breaker *breaker, struct breaker_ticket ticket,
                     const struct breaker_limits *limits)
{
    if (!breaker_settle(breaker, ticket))
        return;
    breaker->failures = 0;
    if (ticket.trial && ++breaker->successes >= limits->success_threshold)
        breaker_change(breaker, BREAKER_CLOSED);
}

void breaker_failure(struct breaker *breaker, struct breaker_ticket ticket, usec_t now,
                     const struct breaker_limits *limits)
{
    if (!breaker_settle(breaker, ticket))
        return;
    if (ticket.trial || ++breaker->failures >= limits->failure_threshold)
        breaker_open(breaker, now);
}

void breaker_cancel(struct breaker *breaker, struct breaker_ticket ticket)
{
    (void)breaker_settle(breaker, ticket);
}
