/* SPDX-License-Identifier: Apache-2.0 */
/* Retry budget: over the last BUDGET_SECONDS, retries <= percent of the requests + min_per_second x
 * BUDGET_SECONDS. Keeps a fleet in trouble from being finished off by retries. Time counts in whole seconds,
 * the running one included. Pure; the caller's lock. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

#define BUDGET_SECONDS 10u

/* Given at each call, so that a reload takes effect at once. */
struct budget_limits {
    unsigned percent;
    unsigned min_per_second;
};

/* Zeroed is empty. */
struct budget {
    uint64_t second;                                            /* the running one */
    uint64_t requests[BUDGET_SECONDS], retries[BUDGET_SECONDS]; /* at second % BUDGET_SECONDS */
    uint64_t request_total, retry_total;
};

/* A first attempt. */
void budget_deposit(struct budget *budget, usec_t now);

/* A retry: counted and true, or not counted and false when the budget is spent. */
MUST_USE bool budget_withdraw(struct budget *budget, usec_t now, const struct budget_limits *limits);
