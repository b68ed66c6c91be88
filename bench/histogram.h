/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of microsecond values in buckets that grow with the value: exact below 128, within 1 % above. */
#pragma once

#include "base/clock.h"

#define HISTOGRAM_SHIFT 7
#define HISTOGRAM_BUCKETS ((size_t)(64 - HISTOGRAM_SHIFT + 1) << HISTOGRAM_SHIFT)

struct histogram {
    uint64_t count, sum, max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, usec_t value);

/* The least value that `share` (0..1) of all values do not exceed, to the bucket's precision; 0 when empty.
 */
usec_t histogram_at(const struct histogram *histogram, double share);
