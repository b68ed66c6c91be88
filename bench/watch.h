/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time and memory of another process, from /proc. Zeroes when it is gone. */
#pragma once

#include "base/clock.h"

struct watch {
    uint64_t pid;
    uint64_t cpu_start, cpu_end; /* nanoseconds, all threads */
    uint64_t rss_before, rss_plateau;
    uint64_t pss_before, pss_plateau; /* bytes */
};

/* User and system time of all threads so far, nanoseconds. */
uint64_t watch_cpu(uint64_t pid);

void watch_memory(uint64_t pid, uint64_t *ret_rss, uint64_t *ret_pss);
