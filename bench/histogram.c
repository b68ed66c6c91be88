/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <string.h>

#define HALF ((uint64_t)1 << HISTOGRAM_SHIFT)

/* Below 2 * HALF a bucket is a value; above, the value's top bits. */
static size_t bucket_of(usec_t value)
{
    if (value < HALF)
        return (size_t)value;
    unsigned shift = (unsigned)(63 - __builtin_clzll(value)) - HISTOGRAM_SHIFT;
    return (size_t)((uint64_t)(shift + 1) << HISTOGRAM_SHIFT) + (size_t)((value >> shift) - HALF);
}

static usec_t bucket_top(size_t bucket)
{
    if (bucket < HALF)
        return bucket;
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_SHIFT) - 1;
    uint64_t top = HALF + (bucket & (HALF - 1)) + 1;
    return (top << shift) - 1;
}

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, usec_t value)
{
    histogram->count++;
    histogram->sum += value;
    histogram->max = MAX(histogram->max, value);
    histogram->buckets[bucket_of(value)]++;
}

usec_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count + 0.999999);
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS && histogram->count > 0; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted && seen > 0)
            return MIN(bucket_top(bucket), histogram->max);
    }
    return 0;
}
