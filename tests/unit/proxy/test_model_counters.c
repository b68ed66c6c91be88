/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/model_counters.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t count_rows(const struct model_counters *counters)
{
    size_t count = 0;
    for (const struct model_row *row = atomic_load(&counters->newest); row; row = row->next)
        count++;
    return count;
}

static void test_pairs_are_told_apart(void **state)
{
    struct model_counters counters;
    (void)state;
    assert_int_equal(model_counters_init(&counters), ERR_OK);
    struct model_row *ab = model_counters_row(&counters, STR("a"), STR("b"), STR("openai"));
    struct model_row *ba = model_counters_row(&counters, STR("b"), STR("a"), STR("openai"));
    struct model_row *joined = model_counters_row(&counters, STR(""), STR("ab"), STR(""));
    assert_ptr_not_equal(ab, ba);
    assert_ptr_not_equal(ab, joined);
    assert_ptr_equal(model_counters_row(&counters, STR("a"), STR("b"), STR("openai")), ab);
    assert_true(str_eq(ab->server, STR("a")) && str_eq(ab->model, STR("b")) && str_eq(ab->provider, STR("openai")));
    assert_int_equal(count_rows(&counters), 4); /* with that of all others */
    model_counters_fini(&counters);
}

/* Whoever invents names gets no memory for them without end. */
static void test_rows_are_bounded(void **state)
{
    struct model_counters counters;
    char name[32];
    (void)state;
    assert_int_equal(model_counters_init(&counters), ERR_OK);
    for (size_t i = 0; i < 3 * MODEL_ROWS_MAX; i++) {
        snprintf(name, sizeof(name), "model-%zu", i);
        counter_add(&model_counters_row(&counters, STR("s"), str_from(name), STR(""))->succeeded, 1);
    }
    assert_int_equal(count_rows(&counters), MODEL_ROWS_MAX);
    uint64_t total = 0;
    for (const struct model_row *row = atomic_load(&counters.newest); row; row = row->next)
        total += counter_get(&row->succeeded);
    assert_int_equal(total, 3 * MODEL_ROWS_MAX);
    assert_true(str_eq(other_row(&counters)->model, STR("other")));
    assert_int_equal(counter_get(&other_row(&counters)->succeeded), 2 * MODEL_ROWS_MAX + 1);
    model_counters_fini(&counters);
}

static void test_durations(void **state)
{
    struct model_counters counters;
    (void)state;
    assert_int_equal(model_counters_init(&counters), ERR_OK);
    struct model_row *row = model_counters_row(&counters, STR("s"), STR("m"), STR(""));
    model_row_add_duration(row, 1);
    model_row_add_duration(row, 100000); /* a bound belongs to its bucket */
    model_row_add_duration(row, 100001);
    model_row_add_duration(row, 3600 * USEC_PER_SEC);
    assert_int_equal(counter_get(&row->buckets[0]), 2);
    assert_int_equal(counter_get(&row->buckets[1]), 1);
    assert_int_equal(counter_get(&row->buckets[MODEL_BUCKETS]), 1);
    assert_int_equal(counter_get(&row->duration), 3600 * USEC_PER_SEC + 200002);
    model_counters_fini(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_told_apart),
        cmocka_unit_test(test_rows_are_bounded),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
