/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/strategy.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c src/route/strategy_round_robin.c src/route/strategy_latency.c src/route/strategy_random.c -lm */
#include "../../../src/route/strategy_least.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* Members whose bit is in `mask` are ready. */
static size_t pick(struct pool *pool, unsigned mask)
{
    size_t ready = 0;
    for (size_t i = 0; i < pool->count; i++)
        if (mask >> i & 1)
            pool->set->ready[ready++] = &pool->set->members[i];
    struct strategy_choice choice = {.set = pool->set, .ready = pool->set->ready, .ready_count = ready};
    return candidate_index(pool->set, strategy_least.pick(&choice));
}

static void test_least(void **state)
{
    static const struct {
        unsigned weights[3], in_flight[3], mask;
        size_t expected;
    } rows[] = {
        {{1, 1, 1}, {2, 1, 3}, 7, 1},
        {{1, 1, 1}, {2, 1, 3}, 5, 0},
        {{1, 1, 1}, {2, 1, 3}, 4, 2},
        {{10, 1, 1}, {8, 0, 0}, 7, 0},     /* 9/10 < 1 */
        {{10, 1, 1}, {9, 0, 1}, 7, 0},     /* 1 = 1: the first in turn */
        {{10, 1, 1}, {10, 0, 1}, 7, 1},    /* 11/10 > 1 */
        {{3, 2, 1000}, {0, 0, 999}, 7, 0}, /* 1/3 < 1/2 < 1 */
        {{1000, 999, 1}, {4294967294u, 4294967294u, 4294967294u}, 7, 0},
    };
    (void)state;
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct pool pool;
        pool_init(&pool, rows[row].weights, 3);
        for (size_t i = 0; i < 3; i++)
            pool.servers[i]->in_flight = rows[row].in_flight[i];
        assert_int_equal(pick(&pool, rows[row].mask), rows[row].expected);
        for (size_t i = 0; i < 3; i++)
            pool.servers[i]->in_flight = 0;
        pool_fini(&pool);
    }
}

static void test_ties_take_turns(void **state)
{
    static const struct {
        unsigned mask;
        size_t expected;
    } steps[] = {{7, 0}, {7, 1}, {7, 2}, {7, 0}, {5, 2}, {5, 0}, {5, 2},
                 {3, 0}, {3, 1}, {3, 0}, {7, 1}, {4, 2}, {7, 0}};
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){2, 2, 2}, 3);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        assert_int_equal(pick(&pool, steps[i].mask), steps[i].expected);
    pool_fini(&pool);
}

/* Requests that stay: the numbers follow the weights. */
static void test_fills_by_weight(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){1, 2, 5}, 3);
    for (unsigned i = 0; i < 800; i++)
        pool.servers[pick(&pool, 7)]->in_flight++;
    assert_in_range(pool.servers[0]->in_flight, 99, 101);
    assert_in_range(pool.servers[1]->in_flight, 199, 201);
    assert_in_range(pool.servers[2]->in_flight, 499, 501);
    for (size_t i = 0; i < 3; i++)
        pool.servers[i]->in_flight = 0;
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_ties_take_turns),
        cmocka_unit_test(test_fills_by_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
