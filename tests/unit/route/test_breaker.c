/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/route/breaker.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct breaker_limits limits = {3, 1000, 2};

static void fail_times(struct breaker *breaker, unsigned times, usec_t now)
{
    for (unsigned i = 0; i < times; i++)
        breaker_failure(breaker, breaker_admit(breaker, now, &limits), now, &limits);
}

static void succeed(struct breaker *breaker, usec_t now)
{
    breaker_success(breaker, breaker_admit(breaker, now, &limits), &limits);
}

/* One letter a step: f failure, s success, c cancelled, each of a request admitted then; L: 1000 later. */
static void test_lives(void **state)
{
    static const struct {
        const char *steps;
        enum breaker_state expected;
    } rows[] = {
        {"", BREAKER_CLOSED},         {"ff", BREAKER_CLOSED},
        {"fff", BREAKER_OPEN},        {"ffsff", BREAKER_CLOSED},
        {"ffsfff", BREAKER_OPEN},     {"ffcf", BREAKER_OPEN},
        {"fffL", BREAKER_OPEN},       {"fffLs", BREAKER_HALF_OPEN},
        {"fffLss", BREAKER_CLOSED},   {"fffLf", BREAKER_OPEN},
        {"fffLsf", BREAKER_OPEN},     {"fffLc", BREAKER_HALF_OPEN},
        {"fffLcss", BREAKER_CLOSED},  {"fffLscs", BREAKER_CLOSED},
        {"fffLfLss", BREAKER_CLOSED}, {"fffLsfLs", BREAKER_HALF_OPEN},
        {"fffLssff", BREAKER_CLOSED}, {"fffLssfff", BREAKER_OPEN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker breaker = {0};
        usec_t now = 50;
        for (const char *step = rows[i].steps; *step; step++) {
            if (*step == 'f')
                fail_times(&breaker, 1, now);
            else if (*step == 's')
                succeed(&breaker, now);
            else if (*step == 'c')
                breaker_cancel(&breaker, breaker_admit(&breaker, now, &limits));
            else
                now += 1000;
        }
        if (breaker.state != rows[i].expected)
            fail_msg("%s: %d", rows[i].steps, (int)breaker.state);
    }
}

static void test_looking_changes_nothing(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    fail_times(&breaker, 3, 500);
    struct breaker before = breaker;
    assert_int_equal(breaker_look(&breaker, 500, &limits), BREAKER_BLOCKS);
    assert_int_equal(breaker_look(&breaker, 1499, &limits), BREAKER_BLOCKS);
    assert_int_equal(breaker_look(&breaker, 1500, &limits), BREAKER_PASSES);
    assert_int_equal(breaker_look(&breaker, 99999, &limits), BREAKER_PASSES);
    assert_memory_equal(&breaker, &before, sizeof(before));
    assert_int_equal(breaker_trial_time(&breaker, &limits), 1500);
}

static void test_one_trial_at_a_time(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    fail_times(&breaker, 3, 0);
    struct breaker_ticket trial = breaker_admit(&breaker, 1000, &limits);
    assert_true(trial.trial);
    assert_int_equal(breaker_look(&breaker, 99999, &limits), BREAKER_TRIAL_RUNS);
    breaker_cancel(&breaker, trial);
    assert_int_equal(breaker_look(&breaker, 1000, &limits), BREAKER_PASSES);
    trial = breaker_admit(&breaker, 1000, &limits);
    assert_int_equal(breaker_look(&breaker, 1000, &limits), BREAKER_TRIAL_RUNS);
    breaker_success(&breaker, trial, &limits);
    assert_int_equal(breaker_look(&breaker, 1000, &limits), BREAKER_PASSES);
}

static void test_reopening_restarts_the_clock(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    fail_times(&breaker, 3, 0);
    fail_times(&breaker, 1, 5000);
    assert_int_equal(breaker_look(&breaker, 5999, &limits), BREAKER_BLOCKS);
    assert_int_equal(breaker_look(&breaker, 6000, &limits), BREAKER_PASSES);
}

static void test_late_results_are_not_trials(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    struct breaker_ticket early[4];
    for (size_t i = 0; i < 4; i++)
        early[i] = breaker_admit(&breaker, 0, &limits);
    fail_times(&breaker, 3, 10);
    breaker_failure(&breaker, early[0], 500, &limits); /* does not prolong it */
    assert_int_equal(breaker_trial_time(&breaker, &limits), 1010);
    struct breaker_ticket trial = breaker_admit(&breaker, 1010, &limits);
    breaker_success(&breaker, early[1], &limits);
    breaker_failure(&breaker, early[2], 1011, &limits);
    breaker_cancel(&breaker, early[3]);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker.successes, 0);
    assert_int_equal(breaker_look(&breaker, 1011, &limits), BREAKER_TRIAL_RUNS);
    breaker_success(&breaker, trial, &limits);
    assert_int_equal(breaker.successes, 1);
}

static void test_limits_act_at_once(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    fail_times(&breaker, 2, 0);
    struct breaker_limits lower = {1, 10, 1};
    breaker_failure(&breaker, breaker_admit(&breaker, 0, &lower), 0, &lower);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker_look(&breaker, 10, &limits), BREAKER_BLOCKS);
    assert_int_equal(breaker_look(&breaker, 10, &lower), BREAKER_PASSES);
    breaker_success(&breaker, breaker_admit(&breaker, 10, &lower), &lower);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_one_trial_at_a_time),
        cmocka_unit_test(test_reopening_restarts_the_clock),
        cmocka_unit_test(test_late_results_are_not_trials),
        cmocka_unit_test(test_limits_act_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
