/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c -lm */
#include "../../../src/route/ewma.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-6 * MAX(fabs(a), fabs(b)))
        fail_msg("%f is not %f", a, b);
}

static void test_peak_counts_whole(void **state)
{
    (void)state;
    struct ewma ewma = {0};
    ewma_observe(&ewma, 1000, 5);
    assert_near(ewma_value(&ewma, 5), 1000);
    ewma_observe(&ewma, 9000, 6);
    assert_near(ewma_value(&ewma, 6), 9000);
}

static void test_fast_answers_win_back_slowly(void **state)
{
    (void)state;
    struct ewma ewma = {0};
    ewma_observe(&ewma, 9000, 0);
    ewma_observe(&ewma, 1000, EWMA_TAU);
    assert_near(ewma_value(&ewma, EWMA_TAU), 9000 * exp(-1) + 1000 * (1 - exp(-1)));
    for (usec_t i = 2; i < 100; i++)
        ewma_observe(&ewma, 1000, i * EWMA_TAU);
    assert_near(ewma.estimate, 1000);
}

static void test_silence_fades(void **state)
{
    (void)state;
    struct ewma ewma = {0};
    ewma_observe(&ewma, 8000, 100);
    assert_near(ewma_value(&ewma, 100 + EWMA_TAU), 8000 * exp(-1));
    assert_true(ewma_value(&ewma, 100 + 50 * EWMA_TAU) < 0.001);
    assert_near(ewma_value(&ewma, 0), 8000); /* time that goes back */
}

static void test_cost(void **state)
{
    static const struct {
        bool measured;
        unsigned in_flight, weight;
        double expected;
    } rows[] = {
        {false, 0, 1, 0},
        {false, 0, 100, 0},
        {false, 1, 1, 2.0 * EWMA_GUESS},
        {false, 3, 4, 1.0 * EWMA_GUESS},
        {true, 0, 1, 5000},
        {true, 2, 1, 15000},
        {true, 2, 3, 5000},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ewma ewma = {0};
        if (rows[i].measured)
            ewma_observe(&ewma, 5000, 7);
        assert_near(ewma_cost(&ewma, 7, rows[i].in_flight, rows[i].weight), rows[i].expected);
    }
}

static void test_failure_is_not_fast(void **state)
{
    (void)state;
    struct ewma ewma = {0};
    ewma_punish(&ewma, 3);
    assert_true(ewma.measured);
    assert_near(ewma_value(&ewma, 3), (double)EWMA_GUESS);
    ewma_observe(&ewma, 5 * EWMA_GUESS, 3);
    ewma_punish(&ewma, 3);
    assert_near(ewma_value(&ewma, 3), 5.0 * EWMA_GUESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peak_counts_whole),   cmocka_unit_test(test_fast_answers_win_back_slowly),
        cmocka_unit_test(test_silence_fades),       cmocka_unit_test(test_cost),
        cmocka_unit_test(test_failure_is_not_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
