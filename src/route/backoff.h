/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before trying a server again: by our own rule, or as the server asks. Pure. */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"

#define RETRY_AFTER_MAX (24 * 3600 * USEC_PER_SEC) /* a longer wish counts as this */

struct backoff_limits {
    usec_t initial, max;
    double multiplier; /* at least 1 */
};

/* Pause before retry number `n`, from 0: initial x multiplier^n, at most max, and within 10 % of that by
 * chance, so that clients who failed together do not come back together. Never more than max, jitter
 * included. */
usec_t backoff_delay(const struct backoff_limits *limits, unsigned n, struct rng *rng);

/* Retry-After: seconds, or a date ("Sun, 06 Nov 1994 08:49:37 GMT") seen from `realtime`; 0 when it is past.
 */
MUST_USE bool retry_after_parse(struct str value, usec_t realtime, usec_t *ret_delay);

/* retry-after-ms and x-ms-retry-after-ms: milliseconds. Like the seconds above, they may have a fraction. */
MUST_USE bool retry_after_ms_parse(struct str value, usec_t *ret_delay);
