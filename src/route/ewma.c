/* SPDX-License-Identifier: Apache-2.0 */
#include "route/ewma.h"

#include <math.h>

/* Share of the old estimate that is left at `now`. */
static double fade(const struct ewma *ewma, usec_t now)
{
    usec_t passed = now > ewma->at ? now - ewma->at : 0;
    return exp(-(double)passed / (double)EWMA_TAU);
}

double ewma_value(const struct ewma *ewma, usec_t now)
{
    return ewma->estimate * fade(ewma, now);
}

void ewma_observe(struct ewma *ewma, usec_t sample, usec_t now)
{
    double value = (double)sample;
    if (ewma->measured && value < ewma->estimate) {
        double kept = fade(ewma, now);
        value = ewma->estimate * kept + value * (1 - kept);
    }
    *ewma = (struct ewma){.estimate = value, .at = MAX(now, ewma->at), .measured = true};
}

void ewma_punish(struct ewma *ewma, usec_t now)
{
    double value = ewma_value(ewma, now);
    *ewma =
        (struct ewma){.estimate = MAX(value, (double)EWMA_GUESS), .at = MAX(now, ewma->at), .measured = true};
}

double ewma_cost(const struct ewma *ewma, usec_t now, unsigned in_flight, unsigned weight)
{
    if (!ewma->measured && in_flight == 0)
        return 0;
    double estimate = ewma->measured ? ewma_value(ewma, now) : (double)EWMA_GUESS;
    return estimate * ((double)in_flight + 1) / (double)weight;
}
