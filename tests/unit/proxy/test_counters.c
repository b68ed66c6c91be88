/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/proxy/counters.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_bounds_rise(void **state)
{
    (void)state;
    assert_int_equal(histogram_bound(0), 50);
    assert_int_equal(histogram_bound(HISTOGRAM_BUCKETS - 1), 600 * USEC_PER_SEC);
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
        assert_true(histogram_bound(i) > histogram_bound(i - 1));
}

/* A bound belongs to its own bucket ("le"), one more to the next. */
static void test_edges_of_every_bucket(void **state)
{
    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        struct histogram histogram;
        memset(&histogram, 0, sizeof(histogram));
        histogram_add(&histogram, histogram_bound(i));
        histogram_add(&histogram, histogram_bound(i) + 1);
        for (size_t bucket = 0; bucket <= HISTOGRAM_BUCKETS; bucket++)
            assert_int_equal(counter_get(&histogram.buckets[bucket]), bucket == i || bucket == i + 1);
        assert_int_equal(counter_get(&histogram.sum), 2 * histogram_bound(i) + 1);
    }
}

static void test_smallest_and_largest(void **state)
{
    struct histogram histogram;
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, 0);
    histogram_add(&histogram, USEC_PER_SEC * 3600 * 24);
    assert_int_equal(counter_get(&histogram.buckets[0]), 1);
    assert_int_equal(counter_get(&histogram.buckets[HISTOGRAM_BUCKETS]), 1);
}

static void test_code_classes(void **state)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {200, "2xx"}, {204, "2xx"}, {299, "2xx"}, {300, "3xx"}, {304, "3xx"}, {400, "4xx"},
        {429, "4xx"}, {498, "4xx"}, {499, "499"}, {500, "5xx"}, {503, "5xx"}, {599, "5xx"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(code_class_text(code_class_of(rows[i].status)), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_rise),
        cmocka_unit_test(test_edges_of_every_bucket),
        cmocka_unit_test(test_smallest_and_largest),
        cmocka_unit_test(test_code_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
