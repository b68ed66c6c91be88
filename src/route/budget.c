/* SPDX-License-Identifier: Apache-2.0 */
#include "route/budget.h"

/* Forgets what is older than the window. Time that goes back stays in the running second. */
static void budget_advance(struct budget *budget, usec_t now)
{
    uint64_t second = now / USEC_PER_SEC;
    if (second <= budget->second)
        return;
    uint64_t steps = MIN(second - budget->second, BUDGET_SECONDS);
    for (uint64_t i = 1; i <= steps; i++) {
        uint64_t slot = (budget->second + i) % BUDGET_SECONDS;
        budget->request_total -= budget->requests[slot];
        budget->retry_total -= budget->retries[slot];
        budget->requests[slot] = budget->retries[slot] = 0;
    }
    budget->second = second;
}

void budget_deposit(struct budget *budget, usec_t now)
{
    budget_advance(budget, now);
    budget->requests[budget->second % BUDGET_SECONDS]++;
    budget->request_total++;
}

bool budget_withdraw(struct budget *budget, usec_t now, const struct budget_limits *limits)
{
    budget_advance(budget, now);
    uint64_t allowed =
        limits->percent * budget->request_total + (uint64_t)limits->min_per_second * BUDGET_SECONDS * 100;
    if ((budget->retry_total + 1) * 100 > allowed)
        return false;
    budget->retries[budget->second % BUDGET_SECONDS]++;
    budget->retry_total++;
    return true;
}
