/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/counters.h"

static const usec_t bounds[HISTOGRAM_BUCKETS] = {
    50,     100,    250,     500,     1000,    2500,     5000,     10000,    25000,     50000,     100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 120000000, 300000000, 600000000,
};

usec_t histogram_bound(size_t i)
{
    ASSERT(i < HISTOGRAM_BUCKETS);
    return bounds[i];
}

void histogram_add(struct histogram *histogram, usec_t value)
{
    size_t i = 0;
    while (i < HISTOGRAM_BUCKETS && value > bounds[i])
        i++;
    counter_add(&histogram->buckets[i], 1);
    counter_add(&histogram->sum, value);
}

enum code_class code_class_of(int status)
{
    if (status == 499)
        return CODE_CLIENT_GONE;
    if (status < 300)
        return CODE_2XX;
    if (status < 400)
        return CODE_3XX;
    return status < 500 ? CODE_4XX : CODE_5XX;
}

const char *code_class_text(enum code_class code)
{
    static const char *const texts[CODE_CLASS_COUNT_] = {"2xx", "3xx", "4xx", "5xx", "499"};
    return texts[code];
}
