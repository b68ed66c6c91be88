/* SPDX-License-Identifier: Apache-2.0 */
/* links: */
#include "../../../bench/histogram.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct histogram histogram;

static void test_buckets_hold_their_values(void **state)
{
    (void)state;
    size_t before = 0;
    for (uint64_t value = 0; value < 3000000; value = value < 5000 ? value + 1 : value + value / 300) {
        size_t bucket = bucket_of(value);
        assert_true(bucket >= before && bucket < HISTOGRAM_BUCKETS);
        assert_true(bucket_top(bucket) >= value);
        assert_true(bucket_top(bucket) - value <= value / 100);
        assert_true(bucket == 0 || bucket_top(bucket - 1) < value);
        before = bucket;
    }
    assert_true(bucket_of(UINT64_MAX) < HISTOGRAM_BUCKETS);
}

static void test_shares(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    assert_int_equal(histogram_at(&histogram, 0.5), 0);
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_at(&histogram, 0.5), 50);
    assert_int_equal(histogram_at(&histogram, 0.99), 99);
    assert_int_equal(histogram_at(&histogram, 1.0), 100);
    assert_int_equal(histogram.max, 100);
    assert_int_equal(histogram.sum, 5050);
    histogram_add(&histogram, 1000000);
    assert_int_equal(histogram_at(&histogram, 1.0), 1000000); /* never above the largest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_hold_their_values),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
