/* SPDX-License-Identifier: Apache-2.0 */
/* What the probes of one server add up to. The first result decides; later ones have to come in a row to turn
 * it, so one lost probe does not empty a server. Pure; the caller's lock. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

enum health_state { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD, HEALTH_STATE_COUNT_ };

struct health_limits {
    unsigned rise; /* good probes in a row that make a bad one good, at least 1 */
    unsigned fall; /* failed probes in a row that make a good one bad, at least 1 */
};

struct probe_result {
    bool good;
    usec_t latency;
    usec_t realtime; /* of the end */
};

/* Zeroed is unknown. */
struct health {
    enum health_state state;
    unsigned against;         /* results in a row that contradict the state */
    uint64_t probes;          /* results so far */
    struct probe_result last; /* when probes > 0 */
};

/* True when the state is another one than before. */
bool health_note(struct health *health, const struct probe_result *result,
                 const struct health_limits *limits);

/* A server that was never probed counts as usable. */
static inline bool health_is_usable(const struct health *health)
{
    return health->state != HEALTH_BAD;
}
