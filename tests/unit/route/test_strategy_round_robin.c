/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/strategy.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c -lm */
#include "../../../src/route/strategy_round_robin.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct candidate *turn(struct pool *pool, size_t ready_count)
{
    struct strategy_choice choice = {.set = pool->set, .ready = pool->set->ready, .ready_count = ready_count};
    return strategy_round_robin.pick(&choice);
}

static size_t all_ready(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        pool->set->ready[i] = &pool->set->members[i];
    return pool->count;
}

static void test_sequences(void **state)
{
    static const struct {
        unsigned weights[4];
        size_t count;
        const char *expected;
    } rows[] = {
        {{1}, 1, "aaa"},
        {{1, 1}, 2, "abababab"},
        {{1, 1, 1}, 3, "abcabcabc"},
        {{3, 1}, 2, "aabaaabaaaba"},
        {{1, 3}, 2, "babbbabbbabb"},
        {{5, 1, 1}, 3, "aabaacaaabaaca"},
        {{1, 1, 1, 1}, 4, "abcdabcd"},
    };
    (void)state;
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct pool pool;
        pool_init(&pool, rows[row].weights, rows[row].count);
        char got[32] = "";
        for (size_t i = 0; rows[row].expected[i]; i++)
            got[i] = (char)('a' + candidate_index(pool.set, turn(&pool, all_ready(&pool))));
        assert_string_equal(got, rows[row].expected);
        pool_fini(&pool);
    }
}

/* Nobody is ever a whole request away from its share: |count x total - turns x weight| < total. */
static void check_shares(struct pool *pool, unsigned turns)
{
    int64_t counts[POOL_MAX] = {0}, total = 0;
    for (size_t i = 0; i < pool->count; i++)
        total += pool->set->members[i].weight;
    for (int64_t t = 1; t <= turns; t++) {
        counts[candidate_index(pool->set, turn(pool, all_ready(pool)))]++;
        for (size_t i = 0; i < pool->count; i++) {
            int64_t off = counts[i] * total - t * (int64_t)pool->set->members[i].weight;
            if (off >= total || -off >= total)
                fail_msg("member %zu of %zu after %d turns", i, pool->count, (int)t);
        }
    }
}

static void test_shares_hold_at_every_turn(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    for (unsigned round = 0; round < 2000; round++) {
        struct pool pool;
        unsigned weights[POOL_MAX];
        size_t count = 1 + rng_below(&rng, 14);
        uint64_t spread = 1 + rng_below(&rng, SERVER_WEIGHT_MAX);
        for (size_t i = 0; i < count; i++)
            weights[i] = 1 + (unsigned)rng_below(&rng, 1 + rng_below(&rng, spread));
        pool_init(&pool, weights, count);
        check_shares(&pool, 120);
        pool_fini(&pool);
    }
}

/* Weights with which largest-lag-first leaves its bound. */
static void test_mixed_sizes(void **state)
{
    (void)state;
    struct pool pool;
    unsigned weights[12] = {1000, 600, 400, 300, 240, 200, 171, 150, 133, 120, 109, 100};
    pool_init(&pool, weights, 12);
    check_shares(&pool, 4000);
    pool_fini(&pool);
}

/* What was not ready gets no debt and no credit beyond its last turn. */
static void test_changing_ready_sets(void **state)
{
    (void)state;
    struct pool pool;
    struct rng rng;
    rng_init(&rng, 4);
    pool_init(&pool, (unsigned[]){5, 3, 2, 1}, 4);
    for (unsigned i = 0; i < 20000; i++) {
        size_t ready = 0;
        uint64_t mask = 1 + rng_below(&rng, 15);
        for (size_t member = 0; member < 4; member++)
            if (mask >> member & 1)
                pool.set->ready[ready++] = &pool.set->members[member];
        struct candidate *chosen = turn(&pool, ready);
        assert_true(mask >> candidate_index(pool.set, chosen) & 1);
        int64_t sum = 0;
        for (size_t member = 0; member < 4; member++) {
            assert_in_range(pool.set->members[member].lag + 100, 0, 200);
            sum += pool.set->members[member].lag;
        }
        assert_int_equal(sum, 0);
    }
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_shares_hold_at_every_turn),
        cmocka_unit_test(test_mixed_sizes),
        cmocka_unit_test(test_changing_ready_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
