/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the request path. Each worker writes its own copy without locks; a reader on any thread sums them. */
#pragma once

#include "base/clock.h"

#include <stdatomic.h>

/* Written by one thread, read by all. */
typedef _Atomic uint64_t counter_t;

static inline void counter_add(counter_t *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + n, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#define HISTOGRAM_BUCKETS 22

struct histogram {
    counter_t buckets[HISTOGRAM_BUCKETS + 1]; /* the last is +Inf; not cumulative */
    counter_t sum;                            /* microseconds */
};

/* Upper bound of bucket `i`, microseconds: 50 us to 600 s. */
usec_t histogram_bound(size_t i);
void histogram_add(struct histogram *histogram, usec_t value);

/* Status of an answer as a label. */
enum code_class { CODE_2XX, CODE_3XX, CODE_4XX, CODE_5XX, CODE_CLIENT_GONE, CODE_CLASS_COUNT_ };

enum code_class code_class_of(int status);
const char *code_class_text(enum code_class code);

struct server_counters {
    counter_t requests[CODE_CLASS_COUNT_]; /* by the answer that the client got */
#define COUNTER(field, ...) counter_t field;
#define HISTOGRAM(field, ...) struct histogram field;
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
};

/* Of one worker. */
struct worker_counters {
    counter_t connections; /* accepted */
    counter_t in_flight;   /* gauge: requests between head and end */
    counter_t log_buffers_dropped;
};
