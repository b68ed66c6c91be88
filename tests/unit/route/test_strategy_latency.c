/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/strategy.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_random.c -lm */
#include "../../../src/route/strategy_latency.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t pick(struct pool *pool, usec_t now)
{
    for (size_t i = 0; i < pool->count; i++)
        pool->set->ready[i] = &pool->set->members[i];
    struct strategy_choice choice = {
        .set = pool->set, .ready = pool->set->ready, .ready_count = pool->count, .now = now};
    return candidate_index(pool->set, strategy_latency.pick(&choice));
}

static void test_each_is_tried(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){1, 1, 1}, 3);
    ewma_observe(&pool.servers[1]->first_byte, 1, 0); /* as fast as can be */
    for (size_t expected = 0; expected < 3; expected += 2) {
        assert_int_equal(pick(&pool, 0), expected);
        pool.servers[expected]->in_flight++;
    }
    assert_int_equal(pick(&pool, 0), 1); /* the new ones are not flooded before they answer */
    for (size_t i = 0; i < 3; i++)
        pool.servers[i]->in_flight = 0;
    pool_fini(&pool);
}

static void test_least_cost(void **state)
{
    static const struct {
        unsigned weights[2], in_flight[2];
        usec_t first_byte[2];
        size_t expected;
    } rows[] = {
        {{1, 1}, {0, 0}, {20000, 200000}, 0}, {{1, 1}, {0, 0}, {200000, 20000}, 1},
        {{1, 1}, {8, 0}, {20000, 200000}, 0}, {{1, 1}, {10, 0}, {20000, 200000}, 1},
        {{1, 4}, {0, 0}, {30000, 100000}, 1},
    };
    (void)state;
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct pool pool;
        pool_init(&pool, rows[row].weights, 2);
        for (size_t i = 0; i < 2; i++) {
            pool.servers[i]->in_flight = rows[row].in_flight[i];
            ewma_observe(&pool.servers[i]->first_byte, rows[row].first_byte[i], 9);
        }
        assert_int_equal(pick(&pool, 9), rows[row].expected);
        for (size_t i = 0; i < 2; i++)
            pool.servers[i]->in_flight = 0;
        pool_fini(&pool);
    }
}

/* 20 ms against 200 ms: more than 90 % go to the fast one, and the slow one is not forgotten for ever. */
static void test_fast_one_gets_the_traffic(void **state)
{
    (void)state;
    struct pool pool;
    unsigned counts[2] = {0};
    usec_t first_byte[2] = {200000, 20000};
    pool_init(&pool, (unsigned[]){1, 1}, 2);
    for (usec_t now = 0; now < 600 * USEC_PER_SEC; now += 300000) {
        size_t chosen = pick(&pool, now);
        counts[chosen]++;
        ewma_observe(&pool.servers[chosen]->first_byte, first_byte[chosen], now + first_byte[chosen]);
    }
    assert_true(counts[1] * 10 > (counts[0] + counts[1]) * 9);
    assert_true(counts[0] > 3);
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_tried),
        cmocka_unit_test(test_least_cost),
        cmocka_unit_test(test_fast_one_gets_the_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
