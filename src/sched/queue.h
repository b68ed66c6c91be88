/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one hostgroup that wait for room on a server, in the order of their arrival. What may run
 * where is asked of the caller. Pure; the caller holds the gate. */
#pragma once

#include "base/clock.h"
#include "base/list.h"

/* WAITING is the same as being linked in a queue. */
enum waiter_state { WAITER_IDLE, WAITER_WAITING, WAITER_GRANTED, WAITER_GONE, WAITER_STATE_COUNT_ };

struct queue {
    struct list waiters;
    size_t length;
};

/* Member of the request that waits. Lifetime: request. */
struct waiter {
    struct list node;
    struct queue *queue; /* borrowed, while WAITING */
    enum waiter_state state;
    usec_t since; /* of the last push */
};

/* Whether `waiter` may run on what has become free. Must not change the queue. */
typedef bool waiter_fits(const struct waiter *waiter, void *context);

void queue_init(struct queue *queue);
void waiter_init(struct waiter *waiter);

/* At the end; the waiter is in no queue. False, and nothing changed, when `max_length` wait already. A waiter
 * that was granted or gone may wait again. */
MUST_USE bool queue_push(struct queue *queue, struct waiter *waiter, usec_t now, size_t max_length);

/* The one who waits longest among those that fit; it stays in the queue. NULL: nobody fits. */
struct waiter *queue_next_for(const struct queue *queue, waiter_fits *fits, void *context);

/* Leaves its queue with what it waited for. */
void waiter_grant(struct waiter *waiter);

/* Leaves its queue without: hung up or waited too long. False when it does not wait: then, if it was granted,
 * its holder has something to give back. */
bool waiter_leave(struct waiter *waiter);

/* 1 is the one who waits longest; 0 when it does not wait. Walks the queue. */
size_t waiter_position(const struct waiter *waiter);

static inline size_t queue_length(const struct queue *queue)
{
    return queue->length;
}
