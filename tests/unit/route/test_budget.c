/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/rng.c src/base/clock.c src/base/assert.c */
#include "../../../src/route/budget.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned withdraw_all(struct budget *budget, usec_t now, const struct budget_limits *limits)
{
    unsigned count = 0;
    while (count < 100000 && budget_withdraw(budget, now, limits))
        count++;
    return count;
}

static void test_bound_is_exact(void **state)
{
    static const struct {
        unsigned requests, percent, min_per_second, expected;
    } rows[] = {
        {0, 20, 0, 0},  {4, 20, 0, 0},    {5, 20, 0, 1},      {9, 20, 0, 1}, {10, 20, 0, 2},
        {0, 20, 1, 10}, {5, 20, 10, 101}, {7, 100, 0, 7},     {99, 1, 0, 0}, {100, 1, 0, 1},
        {50, 0, 0, 0},  {50, 0, 2, 20},   {1000, 33, 0, 330},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct budget budget = {0};
        struct budget_limits limits = {rows[i].percent, rows[i].min_per_second};
        for (unsigned request = 0; request < rows[i].requests; request++)
            budget_deposit(&budget, 3 * USEC_PER_SEC);
        assert_int_equal(withdraw_all(&budget, 3 * USEC_PER_SEC, &limits), rows[i].expected);
    }
}

static void test_window_slides(void **state)
{
    (void)state;
    struct budget budget = {0};
    struct budget_limits limits = {10, 0};
    for (unsigned second = 0; second < 10; second++)
        for (unsigned i = 0; i < 100; i++)
            budget_deposit(&budget, second * USEC_PER_SEC + i);
    assert_int_equal(withdraw_all(&budget, 9 * USEC_PER_SEC, &limits), 100);
    /* Second 0 leaves with its 100 requests: 900 x 10 % are spent already. */
    assert_int_equal(withdraw_all(&budget, 10 * USEC_PER_SEC, &limits), 0);
    assert_int_equal(budget.request_total, 900);
    /* The retries of second 9 leave at 19. */
    assert_int_equal(withdraw_all(&budget, 18 * USEC_PER_SEC, &limits), 0);
    for (unsigned i = 0; i < 10; i++)
        budget_deposit(&budget, 19 * USEC_PER_SEC);
    assert_int_equal(withdraw_all(&budget, 19 * USEC_PER_SEC, &limits), 1);
}

static void test_long_silence_and_time_going_back(void **state)
{
    (void)state;
    struct budget budget = {0};
    struct budget_limits limits = {100, 0};
    budget_deposit(&budget, 5 * USEC_PER_SEC);
    assert_false(budget_withdraw(&budget, 1000000 * USEC_PER_SEC, &limits));
    assert_int_equal(budget.request_total, 0);
    budget_deposit(&budget, 5 * USEC_PER_SEC);
    assert_true(budget_withdraw(&budget, 1000000 * USEC_PER_SEC, &limits));
}

/* Against a plain list of all that happened. */
static void test_against_a_list(void **state)
{
    enum { EVENTS = 20000 };
    static struct {
        uint64_t second;
        bool retry;
    } events[EVENTS];
    (void)state;
    struct budget budget = {0};
    struct budget_limits limits = {20, 1};
    struct rng rng;
    rng_init(&rng, 7);
    size_t count = 0, oldest = 0, granted = 0, refused = 0;
    usec_t now = 0;
    while (count < EVENTS) {
        now += rng_below(&rng, rng_below(&rng, 500) == 0 ? 20 * USEC_PER_SEC : 100000);
        uint64_t second = now / USEC_PER_SEC, requests = 0, retries = 0;
        while (oldest < count && events[oldest].second + BUDGET_SECONDS <= second)
            oldest++;
        for (size_t i = oldest; i < count; i++)
            *(events[i].retry ? &retries : &requests) += 1;
        if (rng_below(&rng, 2)) {
            budget_deposit(&budget, now);
            events[count].retry = false;
            events[count++].second = second;
            continue;
        }
        bool expected = (retries + 1) * 100 <= 20 * requests + 1000;
        assert_int_equal(budget_withdraw(&budget, now, &limits), expected);
        if (expected) {
            events[count].retry = true;
            events[count++].second = second;
        }
        *(expected ? &granted : &refused) += 1;
    }
    assert_true(granted > 1000 && refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_is_exact),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_long_silence_and_time_going_back),
        cmocka_unit_test(test_against_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
