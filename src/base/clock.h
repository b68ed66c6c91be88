/* SPDX-License-Identifier: Apache-2.0 */
/* Time. usec_t is microseconds everywhere; only names that say otherwise carry another unit. */
#pragma once

#include "base/macros.h"

typedef uint64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)
#define USEC_FOREVER UINT64_MAX

/* CLOCK_MONOTONIC: for every duration and deadline. */
usec_t clock_monotonic(void);

/* CLOCK_REALTIME since the Unix epoch: for timestamps that people read. */
usec_t clock_realtime(void);

#define CLOCK_TEXT_MAX 32

/* "2026-01-31T23:59:59.123Z" (RFC 3339, UTC). `out` holds at least CLOCK_TEXT_MAX bytes; returns the length. */
size_t clock_format(usec_t realtime, char *out);
