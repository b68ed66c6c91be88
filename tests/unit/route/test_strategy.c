/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c -lm */
#include "../../../src/route/strategy.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_names(void **state)
{
    static const char *const names[STRATEGY_COUNT_] = {
        [STRATEGY_WEIGHTED_ROUND_ROBIN] = "weighted_round_robin",
        [STRATEGY_LEAST_CONNECTIONS] = "least_connections",
        [STRATEGY_LATENCY] = "latency",
        [STRATEGY_RANDOM] = "random",
    };
    (void)state;
    for (unsigned i = 0; i < STRATEGY_COUNT_; i++)
        assert_true(str_eq(strategy_get(i)->name, str_from(names[i])));
}

static void test_turn(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){1, 1, 1, 1}, 4);
    struct candidate *members = pool.set->members;
    struct candidate *ready[] = {&members[0], &members[2]};
    struct strategy_choice choice = {.set = pool.set, .ready = ready, .ready_count = 2};
    static const size_t expected[] = {0, 1, 1, 0};
    for (size_t turn = 0; turn < 4; turn++) {
        pool.set->turn = turn;
        assert_int_equal(strategy_turn_position(&choice), expected[turn]);
    }
    strategy_turn_pass(&choice, &members[3]);
    assert_int_equal(pool.set->turn, 0);
    strategy_turn_pass(&choice, &members[0]);
    assert_int_equal(pool.set->turn, 1);
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
