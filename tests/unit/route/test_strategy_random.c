/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/strategy.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c -lm */
#include "../../../src/route/strategy_random.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t pick(struct pool *pool, struct rng *rng, size_t ready_count)
{
    for (size_t i = 0; i < ready_count; i++)
        pool->set->ready[i] = &pool->set->members[i];
    struct strategy_choice choice = {
        .set = pool->set, .ready = pool->set->ready, .ready_count = ready_count, .rng = rng};
    return candidate_index(pool->set, strategy_random.pick(&choice));
}

static void test_even_when_idle(void **state)
{
    (void)state;
    struct pool pool;
    struct rng rng;
    unsigned counts[4] = {0};
    rng_init(&rng, 5);
    pool_init(&pool, (unsigned[]){1, 1, 1, 1}, 4);
    for (unsigned i = 0; i < 40000; i++)
        counts[pick(&pool, &rng, 4)]++;
    for (size_t i = 0; i < 4; i++)
        assert_in_range(counts[i], 9700, 10300);
    assert_int_equal(pick(&pool, &rng, 1), 0);
    pool_fini(&pool);
}

/* The busiest loses every comparison, the idlest wins each. */
static void test_lighter_one_of_two(void **state)
{
    (void)state;
    struct pool pool;
    struct rng rng;
    unsigned counts[3] = {0};
    rng_init(&rng, 6);
    pool_init(&pool, (unsigned[]){1, 1, 10}, 3);
    pool.servers[0]->in_flight = 5;
    pool.servers[1]->in_flight = 4;
    pool.servers[2]->in_flight = 20;
    for (unsigned i = 0; i < 30000; i++)
        counts[pick(&pool, &rng, 3)]++;
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[1], 9700, 10300);
    assert_in_range(counts[2], 19700, 20300);
    for (size_t i = 0; i < 3; i++)
        pool.servers[i]->in_flight = 0;
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even_when_idle),
        cmocka_unit_test(test_lighter_one_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
