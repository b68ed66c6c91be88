/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/strategy.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/buf.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c -lm */
#include "../../../src/route/pick.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* State of a server: r ready, f full, c cooling down until 500, o circuit open until 1000, x offline, t trial
 * runs. The pick happens at 400. */
static void server_prepare(struct server *server, char kind, const struct server_limits *limits)
{
    if (kind == 'f') {
        server->max_concurrent = 1;
        server->in_flight = 1;
    } else if (kind == 'c') {
        server_cool_down(server, 500);
    } else if (kind == 'x') {
        server->status = SERVER_OFFLINE;
    } else if (kind == 'o' || kind == 't') {
        for (unsigned i = 0; i < limits->breaker.failure_threshold; i++)
            breaker_failure(&server->breaker, breaker_admit(&server->breaker, 0, &limits->breaker), 0,
                            &limits->breaker);
        if (kind == 't')
            (void)breaker_admit(&server->breaker, 1000, &limits->breaker);
    }
}

static const struct {
    const char *kinds; /* capital: tried */
    bool allow_tried;
    enum pick_verdict verdict;
    size_t server; /* PICK_SERVER: index of it; else of the blocker */
    usec_t back_at;
} verdict_rows[] = {
    {"r", false, PICK_SERVER, 0, 0},
    {"xr", false, PICK_SERVER, 1, 0},
    {"xcofrx", false, PICK_SERVER, 4, 0},
    {"Rr", true, PICK_SERVER, 1, 0},
    {"rR", true, PICK_SERVER, 0, 0},
    {"Rx", true, PICK_SERVER, 0, 0},
    {"Rf", true, PICK_SERVER, 0, 0},
    {"Rx", false, PICK_ONLY_TRIED, 1, USEC_FOREVER},
    {"Ro", false, PICK_ONLY_TRIED, 1, 1000},
    {"Fx", false, PICK_ONLY_TRIED, 0, USEC_FOREVER},
    {"R", false, PICK_ONLY_TRIED, SIZE_MAX, USEC_FOREVER},
    {"Rf", false, PICK_WAIT, 1, USEC_FOREVER},
    {"f", false, PICK_WAIT, 0, USEC_FOREVER},
    {"t", false, PICK_WAIT, 0, USEC_FOREVER},
    {"of", false, PICK_WAIT, 1, 1000},
    {"xF", true, PICK_WAIT, 1, USEC_FOREVER},
    {"x", false, PICK_NONE, 0, USEC_FOREVER},
    {"xc", false, PICK_NONE, 1, 500},
    {"oc", false, PICK_NONE, 1, 500},
    {"ox", false, PICK_NONE, 0, 1000},
    {"X", false, PICK_NONE, 0, USEC_FOREVER},
    {"Co", false, PICK_NONE, 0, 500},
    {"Co", true, PICK_NONE, 0, 500},
};

static void test_verdicts(void **state)
{
    (void)state;
    struct server_limits limits = fixture_limits();
    for (size_t row = 0; row < ARRAY_LEN(verdict_rows); row++) {
        struct pool pool;
        struct tried_servers tried = {0};
        size_t count = strlen(verdict_rows[row].kinds);
        pool_init(&pool, (unsigned[]){1, 1, 1, 1, 1, 1}, count);
        for (size_t i = 0; i < count; i++) {
            char kind = verdict_rows[row].kinds[i];
            if (kind < 'a')
                tried_add(&tried, pool.servers[i]);
            server_prepare(pool.servers[i], (char)(kind | 32), &limits);
        }
        struct pick_question question = {
            .candidates = {.set = pool.set},
            .strategy = &strategy_least,
            .tried = &tried,
            .allow_tried = verdict_rows[row].allow_tried,
            .now = 400,
            .limits = &limits,
        };
        struct pick_answer answer;
        enum pick_verdict verdict = pick_choose(&question, &answer);
        if (verdict != verdict_rows[row].verdict)
            fail_msg("row %zu %s: %d", row, verdict_rows[row].kinds, (int)verdict);
        assert_non_null(answer.reason);
        if (verdict == PICK_SERVER) {
            assert_ptr_equal(answer.grant.server, pool.servers[verdict_rows[row].server]);
            assert_int_equal(answer.grant.server->in_flight, 1);
            server_release(&answer.grant, OUTCOME_GOOD, 400, &limits);
        } else {
            const struct server *blocker =
                verdict_rows[row].server < count ? pool.servers[verdict_rows[row].server] : NULL;
            assert_ptr_equal(answer.blocker, blocker);
            assert_int_equal(answer.back_at, verdict_rows[row].back_at);
            assert_null(answer.grant.server);
        }
        for (size_t i = 0; i < count; i++)
            pool.servers[i]->in_flight = 0;
        pool_fini(&pool);
    }
}

static void test_mask_hides_members(void **state)
{
    (void)state;
    struct pool pool;
    struct tried_servers tried = {0};
    struct server_limits limits = fixture_limits();
    pool_init(&pool, (unsigned[]){1, 1, 1}, 3);
    uint64_t mask[1] = {(uint64_t)1 << pool.servers[1]->slot};
    struct pick_question question = {
        .candidates = {pool.set, mask}, .strategy = &strategy_least, .tried = &tried, .limits = &limits};
    struct pick_answer answer;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(pick_choose(&question, &answer), PICK_SERVER);
        assert_ptr_equal(answer.grant.server, pool.servers[1]);
        server_release(&answer.grant, OUTCOME_GOOD, 0, &limits);
    }
    mask[0] = 0;
    assert_int_equal(pick_choose(&question, &answer), PICK_NONE);
    assert_null(answer.blocker);
    assert_string_equal(answer.reason, "no server");
    pool_fini(&pool);
}

static void test_takes_the_trial(void **state)
{
    (void)state;
    struct pool pool;
    struct tried_servers tried = {0};
    struct server_limits limits = fixture_limits();
    pool_init(&pool, (unsigned[]){1}, 1);
    server_prepare(pool.servers[0], 'o', &limits);
    struct pick_question question = {
        .candidates = {.set = pool.set}, .strategy = &strategy_least, .tried = &tried, .limits = &limits};
    struct pick_answer first, second;
    question.now = 999;
    assert_int_equal(pick_choose(&question, &first), PICK_NONE);
    assert_int_equal(pool.servers[0]->breaker.state, BREAKER_OPEN);
    question.now = 1000;
    assert_int_equal(pick_choose(&question, &first), PICK_SERVER);
    assert_int_equal(pick_choose(&question, &second), PICK_WAIT);
    server_release(&first.grant, OUTCOME_NEUTRAL, 1000, &limits);
    assert_int_equal(pick_choose(&question, &second), PICK_SERVER);
    server_release(&second.grant, OUTCOME_BAD, 1000, &limits);
    assert_int_equal(pick_choose(&question, &second), PICK_NONE);
    assert_int_equal(second.back_at, 2000);
    pool_fini(&pool);
}

static void test_tried_set(void **state)
{
    (void)state;
    struct server servers[TRIED_MAX + 1];
    struct tried_servers tried = {0};
    for (size_t i = 0; i <= TRIED_MAX; i++) {
        assert_false(tried_has(&tried, &servers[i]));
        tried_add(&tried, &servers[i]);
        tried_add(&tried, &servers[i]);
        assert_int_equal(tried_has(&tried, &servers[i]), i < TRIED_MAX);
    }
    assert_int_equal(tried.count, TRIED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_mask_hides_members),
        cmocka_unit_test(test_takes_the_trial),
        cmocka_unit_test(test_tried_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
