/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/queue.h"

void queue_init(struct queue *queue)
{
    list_init(&queue->waiters);
    queue->length = 0;
}

void waiter_init(struct waiter *waiter)
{
    *waiter = (struct waiter){.state = WAITER_IDLE};
    list_init(&waiter->node);
}

/* The only door between states: state and membership change together. `queue` is the one to join, NULL
 * otherwise. */
static void waiter_change(struct waiter *waiter, enum waiter_state state, struct queue *queue)
{
    ASSERT((state == WAITER_WAITING) == (queue != NULL));
    ASSERT((waiter->state == WAITER_WAITING) == (waiter->queue != NULL));
    ASSERT(waiter->state != state);
    if (waiter->queue) {
        list_remove(&waiter->node);
        waiter->queue->length--;
    }
    waiter->state = state;
    waiter->queue = queue;
    if (queue) {
        list_push_back(&queue->waiters, &waiter->node);
        queue->length++;
    }
}

bool queue_push(struct queue *queue, struct waiter *waiter, usec_t now, size_t max_length)
{
    if (queue->length >= max_length)
        return false;
    waiter_change(waiter, WAITER_WAITING, queue);
    waiter->since = now;
    return true;
}

struct waiter *queue_next_for(const struct queue *queue, waiter_fits *fits, void *context)
{
    LIST_EACH (node, &queue->waiters) {
        struct waiter *waiter = LIST_ITEM(node, struct waiter, node);
        if (fits(waiter, context))
            return waiter;
    }
    return NULL;
}

void waiter_grant(struct waiter *waiter)
{
    ASSERT(waiter->state == WAITER_WAITING);
    waiter_change(waiter, WAITER_GRANTED, NULL);
}

bool waiter_leave(struct waiter *waiter)
{
    if (waiter->state != WAITER_WAITING)
        return false;
    waiter_change(waiter, WAITER_GONE, NULL);
    return true;
}

size_t waiter_position(const struct waiter *waiter)
{
    if (waiter->state != WAITER_WAITING)
        return 0;
    size_t position = 0;
    LIST_EACH (node, &waiter->queue->waiters) {
        position++;
        if (node == &waiter->node)
            break;
    }
    return position;
}
