/* SPDX-License-Identifier: Apache-2.0 */
#include "route/health.h"

bool health_note(struct health *health, const struct probe_result *result, const struct health_limits *limits)
{
    enum health_state told = result->good ? HEALTH_GOOD : HEALTH_BAD;
    unsigned needed = health->state == HEALTH_UNKNOWN ? 1 : result->good ? limits->rise : limits->fall;
    health->probes++;
    health->last = *result;
    health->against = told == health->state ? 0 : health->against + 1;
    if (health->against < needed || told == health->state)
        return false;
    health->state = told;
    health->against = 0;
    return true;
}
