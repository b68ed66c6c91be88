/* SPDX-License-Identifier: Apache-2.0 */
/* Circuit breaker of one server: closed, after failures in a row open, after a while half-open with one trial
 * at a time, after good trials closed again. A failed trial opens it again.
 *
 * Looking never changes anything; only breaker_admit does. Results carry the ticket of their admission, so
 * the late result of a request that began before the circuit opened is not mistaken for a trial. Pure; the
 * caller's lock. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATE_COUNT_ };

/* Given at each call, so that a reload takes effect at once. */
struct breaker_limits {
    unsigned failure_threshold; /* failures in a row that open it, at least 1 */
    usec_t open_timeout;        /* from opening to the first trial */
    unsigned success_threshold; /* good trials in a row that close it, at least 1 */
};

/* Zeroed is closed. */
struct breaker {
    enum breaker_state state;
    uint64_t epoch;     /* counts changes of state */
    unsigned failures;  /* closed: in a row */
    unsigned successes; /* half-open: in a row */
    bool trial_runs;    /* half-open */
    usec_t opened_at;   /* open */
};

struct breaker_ticket {
    uint64_t epoch;
    bool trial;
};

enum breaker_answer {
    BREAKER_PASSES,
    BREAKER_TRIAL_RUNS, /* half-open and its one trial is out: wait for that */
    BREAKER_BLOCKS      /* open, until breaker_trial_time */
};

enum breaker_answer breaker_look(const struct breaker *breaker, usec_t now,
                                 const struct breaker_limits *limits);

/* When an open circuit lets its first trial through. */
usec_t breaker_trial_time(const struct breaker *breaker, const struct breaker_limits *limits);

/* For a request that is really sent; breaker_look has to say BREAKER_PASSES. Ends in exactly one of the three
 * below. */
struct breaker_ticket breaker_admit(struct breaker *breaker, usec_t now, const struct breaker_limits *limits);

void breaker_success(struct breaker *breaker, struct breaker_ticket ticket,
                     const struct breaker_limits *limits);
void breaker_failure(struct breaker *breaker, struct breaker_ticket ticket, usec_t now,
                     const struct breaker_limits *limits);

/* Neither good nor bad, as when the client hung up: a trial goes back. */
void breaker_cancel(struct breaker *breaker, struct breaker_ticket ticket);
