/* SPDX-License-Identifier: Apache-2.0 */
/* Peak-sensitive moving average of the time to the first byte of one server: a slow answer counts at once and
 * whole, fast ones win the estimate back over EWMA_TAU, and silence lets it fade, so a slow server is tried
 * again some day. Pure; the caller's lock. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

#define EWMA_TAU (10 * USEC_PER_SEC)
#define EWMA_GUESS USEC_PER_SEC /* of a server that has not answered yet */

/* Zeroed is never measured. */
struct ewma {
    double estimate; /* microseconds, at `at` */
    usec_t at;
    bool measured;
};

void ewma_observe(struct ewma *ewma, usec_t sample, usec_t now);

/* A failure has no time to the first byte; it counts as at least EWMA_GUESS, or failing fast would look fast.
 */
void ewma_punish(struct ewma *ewma, usec_t now);

/* Microseconds, faded to `now`; 0 when never measured. */
double ewma_value(const struct ewma *ewma, usec_t now);

/* What one more request would suffer. 0 for an idle server that was never measured: it has to be tried;
 * EWMA_GUESS stands in while its first requests are out, so it is not flooded. */
double ewma_cost(const struct ewma *ewma, usec_t now, unsigned in_flight, unsigned weight);
