/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/rng.c src/base/clock.c src/base/assert.c */
#include "../../../src/sched/queue.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct client {
    struct waiter waiter;
    unsigned wants; /* bits of servers */
};

static bool client_fits(const struct waiter *waiter, void *context)
{
    const struct client *client = CONTAINER_OF(waiter, struct client, waiter);
    return client->wants >> *(unsigned *)context & 1;
}

static struct client *next_for(struct queue *queue, unsigned server)
{
    struct waiter *waiter = queue_next_for(queue, client_fits, &server);
    return waiter ? CONTAINER_OF(waiter, struct client, waiter) : NULL;
}

static void client_init(struct client *client, unsigned wants)
{
    waiter_init(&client->waiter);
    client->wants = wants;
}

static void test_order_and_membership(void **state)
{
    (void)state;
    struct queue queue;
    struct client clients[4];
    static const unsigned wants[] = {2, 1, 3, 1};
    queue_init(&queue);
    for (size_t i = 0; i < 4; i++) {
        client_init(&clients[i], wants[i]);
        assert_true(queue_push(&queue, &clients[i].waiter, 10 + i, 100));
        assert_int_equal(clients[i].waiter.since, 10 + i);
        assert_int_equal(waiter_position(&clients[i].waiter), i + 1);
    }
    assert_ptr_equal(next_for(&queue, 0), &clients[1]);
    assert_ptr_equal(next_for(&queue, 0), &clients[1]); /* asking changes nothing */
    assert_ptr_equal(next_for(&queue, 1), &clients[0]);
    assert_null(next_for(&queue, 2));
    waiter_grant(&clients[1].waiter);
    assert_ptr_equal(next_for(&queue, 0), &clients[2]);
    assert_int_equal(waiter_position(&clients[2].waiter), 2);
    assert_true(waiter_leave(&clients[2].waiter));
    assert_ptr_equal(next_for(&queue, 0), &clients[3]);
    assert_int_equal(queue_length(&queue), 2);
    waiter_grant(&clients[0].waiter);
    waiter_grant(&clients[3].waiter);
    assert_int_equal(queue_length(&queue), 0);
    assert_true(list_is_empty(&queue.waiters));
}

static void test_states(void **state)
{
    (void)state;
    struct queue queue;
    struct waiter waiter;
    queue_init(&queue);
    waiter_init(&waiter);
    assert_int_equal(waiter.state, WAITER_IDLE);
    assert_false(waiter_leave(&waiter));
    assert_int_equal(waiter.state, WAITER_IDLE);
    assert_true(queue_push(&queue, &waiter, 1, 1));
    assert_int_equal(waiter.state, WAITER_WAITING);
    waiter_grant(&waiter);
    assert_int_equal(waiter.state, WAITER_GRANTED);
    assert_false(waiter_leave(&waiter)); /* too late: it holds something */
    assert_int_equal(waiter.state, WAITER_GRANTED);
    assert_int_equal(waiter_position(&waiter), 0);
    assert_true(queue_push(&queue, &waiter, 2, 1)); /* a retry waits again */
    assert_true(waiter_leave(&waiter));
    assert_int_equal(waiter.state, WAITER_GONE);
    assert_false(waiter_leave(&waiter));
    assert_int_equal(queue_length(&queue), 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct queue queue;
    struct waiter waiters[3];
    queue_init(&queue);
    for (size_t i = 0; i < 3; i++)
        waiter_init(&waiters[i]);
    assert_false(queue_push(&queue, &waiters[0], 0, 0));
    assert_int_equal(waiters[0].state, WAITER_IDLE);
    assert_true(queue_push(&queue, &waiters[0], 0, 2));
    assert_true(queue_push(&queue, &waiters[1], 0, 2));
    assert_false(queue_push(&queue, &waiters[2], 0, 2));
    assert_false(queue_push(&queue, &waiters[2], 0, 1)); /* a limit that was lowered */
    assert_int_equal(queue_length(&queue), 2);
    assert_true(waiter_leave(&waiters[0]));
    assert_true(queue_push(&queue, &waiters[2], 0, 2));
    assert_true(waiter_leave(&waiters[1]));
    assert_true(waiter_leave(&waiters[2]));
}

/* Against an array in order of arrival. */
static void test_against_an_array(void **state)
{
    enum { CLIENTS = 40, STEPS = 50000 };
    (void)state;
    struct queue queue;
    struct client clients[CLIENTS], *order[CLIENTS];
    size_t length = 0;
    struct rng rng;
    rng_init(&rng, 11);
    queue_init(&queue);
    for (size_t i = 0; i < CLIENTS; i++)
        client_init(&clients[i], (unsigned)rng_below(&rng, 16));
    for (size_t step = 0; step < STEPS; step++) {
        struct client *client = &clients[rng_below(&rng, CLIENTS)], *taken = NULL;
        unsigned server = (unsigned)rng_below(&rng, 4);
        if (client->waiter.state != WAITER_WAITING) {
            bool fits = length < 30;
            assert_int_equal(queue_push(&queue, &client->waiter, step, 30), fits);
            if (fits)
                order[length++] = client;
        } else if (rng_below(&rng, 2)) {
            assert_true(waiter_leave(&client->waiter));
            taken = client;
        } else {
            for (size_t i = 0; i < length && !taken; i++)
                taken = order[i]->wants >> server & 1 ? order[i] : NULL;
            assert_ptr_equal(next_for(&queue, server), taken);
            if (taken)
                waiter_grant(&taken->waiter);
        }
        for (size_t i = 0; taken && i < length; i++) {
            if (order[i] == taken) {
                memmove(&order[i], &order[i + 1], (--length - i) * sizeof(*order));
                break;
            }
        }
        assert_int_equal(queue_length(&queue), length);
        if (length > 0)
            assert_int_equal(waiter_position(&order[length - 1]->waiter), length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_membership),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
