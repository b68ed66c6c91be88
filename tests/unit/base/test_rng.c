/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/clock.c */
#include "../../../src/base/rng.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* First values of SplitMix64 for seed 1234567, as its authors' reference program prints them. */
static void test_known_sequence(void **state)
{
    static const uint64_t expected[] = {
        6457827717110365317u, 3203168211198807973u,  9817491932198370423u,
        4593380528125082431u, 16408922859458223821u,
    };
    struct rng rng;
    (void)state;
    rng_init(&rng, 1234567);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_true(rng_next(&rng) == expected[i]);
}

static void test_below_stays_below(void **state)
{
    static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    struct rng rng;
    (void)state;
    rng_init(&rng, 5);
    assert_true(rng_below(&rng, 0) == 0);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        for (unsigned n = 0; n < 2000; n++)
            assert_true(rng_below(&rng, bounds[i]) < bounds[i]);
}

/* 100000 draws into 10 places: each within 6 standard deviations of a tenth. */
static void test_below_is_even(void **state)
{
    unsigned counts[10] = {0};
    struct rng rng;
    (void)state;
    rng_init(&rng, 99);
    for (unsigned n = 0; n < 100000; n++)
        counts[rng_below(&rng, 10)]++;
    for (size_t i = 0; i < 10; i++)
        assert_in_range(counts[i], 10000 - 570, 10000 + 570);
}

static void test_random_seeds_differ(void **state)
{
    struct rng a, b;
    (void)state;
    rng_init_random(&a);
    rng_init_random(&b);
    assert_true(a.state != b.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_sequence),
        cmocka_unit_test(test_below_stays_below),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_random_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
