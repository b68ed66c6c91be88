/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchical timing wheel (Varghese and Lauck 1987): start and stop are O(1), whatever the number of
 * timers. Resolution 1 ms, never early, at most one tick late. Pure: the caller brings the time. */
#pragma once

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_TICK USEC_PER_MSEC
#define WHEEL_BITS 6
#define WHEEL_SLOTS (1u << WHEEL_BITS)
#define WHEEL_LEVELS 5 /* 2^30 ticks: 12 days; later deadlines are re-filed on the way */

struct wheel {
    uint64_t now; /* ticks */
    uint64_t occupied[WHEEL_LEVELS];
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* Belongs to the object it is a member of; zeroed is not enough: wheel_timer_init. */
struct wheel_timer {
    struct list node;
    uint64_t deadline; /* ticks */
    void (*on_due)(struct wheel_timer *timer);
};

void wheel_init(struct wheel *wheel, usec_t now);
void wheel_timer_init(struct wheel_timer *timer, void (*on_due)(struct wheel_timer *timer));

/* (Re)starts `timer` to be due at `deadline` or within one tick after it. */
void wheel_start(struct wheel *wheel, struct wheel_timer *timer, usec_t deadline);

/* Harmless on a timer that is not running. */
void wheel_stop(struct wheel *wheel, struct wheel_timer *timer);

static inline bool wheel_timer_is_running(const struct wheel_timer *timer)
{
    return list_is_linked(&timer->node);
}

/* Runs what is due up to `now`. A callback may start and stop any timer, its own included; a timer that it
 * starts with a past deadline runs in the next turn, so no callback can starve the loop. */
void wheel_advance(struct wheel *wheel, usec_t now);

/* Time at which wheel_advance next has something to do; USEC_FOREVER with no timer. It may be earlier than the
 * first deadline (a slot of a coarse level has to be re-filed), never later. */
usec_t wheel_next(const struct wheel *wheel);
