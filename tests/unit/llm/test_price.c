/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/llm/price.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TODAY 20700

static void check_row(const char *model, const char *expected)
{
    const struct price_config *row = price_find(NULL, 0, str_from(model), TODAY);
    assert_int_equal(row != NULL, expected != NULL);
    if (row)
        assert_true(str_eq(row->model, str_from(expected)));
}

/* MB-73: 1000 tokens in and 1000 out are 0.00075 USD. */
static void test_known_sum(void **state)
{
    (void)state;
    const struct usage usage = {.is_known = true, .input_tokens = 1000, .output_tokens = 1000};
    const struct price_config *row = price_find(NULL, 0, STR("gpt-4o-mini"), TODAY);
    assert_int_equal(row->input, 150);
    assert_int_equal(row->cache_read, 75);
    assert_int_equal(row->output, 600);
    assert_int_equal(price_cost(row, &usage), 750000);
}

static void test_longest_name(void **state)
{
    (void)state;
    check_row("gpt-4o", "gpt-4o");
    check_row("gpt-4o-2024-08-06", "gpt-4o");
    check_row("gpt-4o-2024-05-13", "gpt-4o-2024-05-13");
    check_row("gpt-4o-mini-2024-07-18", "gpt-4o-mini");
    check_row("gpt-4", "gpt-4");
    check_row("gpt-4-0613", "gpt-4");
    check_row("gpt-4-turbo-2024-04-09", "gpt-4-turbo");
    check_row("gpt-4.1-mini", "gpt-4.1-mini");
    check_row("claude-opus-4-20250514", "claude-opus-4");
    check_row("claude-opus-4-5-20251101", "claude-opus-4-5");
    check_row("o3-mini", "o3-mini");
}

static void test_unknown(void **state)
{
    (void)state;
    check_row("", NULL);
    check_row("gpt", NULL);
    check_row("gpt-4omega", NULL); /* a name goes on behind a '-' only */
    check_row("gpt-4.9", NULL);
    check_row("my-gpt-4o", NULL);
    check_row("llama-3.3-70b", NULL);
    const struct usage usage = {.is_known = true, .input_tokens = 5, .output_tokens = 5};
    assert_int_equal(price_cost(NULL, &usage), 0);
}

static void test_local_rows(void **state)
{
    (void)state;
    const struct price_config local[] = {
        {.model = STR("gpt"), .input = 1},
        {.model = STR("gpt-4o"), .input = 2, .valid_from = TODAY - 10},
        {.model = STR("gpt-4o"), .input = 3, .valid_from = TODAY},
        {.model = STR("gpt-4o"), .input = 4, .valid_from = TODAY + 1},
        {.model = STR("gpt-4o"), .input = 5, .valid_from = TODAY - 20},
        {.model = STR("later"), .input = 6, .valid_from = TODAY + 1},
    };
    const size_t count = ARRAY_LEN(local);
    assert_int_equal(price_find(local, count, STR("gpt-4o"), TODAY)->input, 3);
    assert_int_equal(price_find(local, count, STR("gpt-4o-mini"), TODAY)->input, 3);
    assert_int_equal(price_find(local, count, STR("gpt-4o"), TODAY - 1)->input, 2);
    assert_int_equal(price_find(local, count, STR("gpt-4o"), TODAY - 15)->input, 5);
    assert_int_equal(price_find(local, count, STR("gpt-4o"), 0)->input, 1);      /* "gpt" was there always */
    assert_int_equal(price_find(local, count, STR("gpt-4.1"), TODAY)->input, 1); /* above the built-in row */
    assert_null(price_find(local, count, STR("later"), TODAY));
    assert_int_equal(price_find(local, count, STR("o1"), TODAY)->input, 15000);
}

/* Each part at its own price. */
static void test_parts(void **state)
{
    (void)state;
    const struct price_config row = {
        .input = 1, .cache_read = 1000, .cache_write = 1000000, .output = 1000000000};
    const struct usage usage = {.is_known = true,
                                .input_tokens = 9,
                                .cached_tokens = 2,
                                .cache_write_tokens = 3,
                                .output_tokens = 7,
                                .reasoning_tokens = 5};
    assert_int_equal(price_cost(&row, &usage), 7003002004);
}

static void test_too_much(void **state)
{
    (void)state;
    const struct price_config row = {.input = UINT64_MAX, .output = 1};
    struct usage usage = {.is_known = true, .input_tokens = 1};
    assert_true(price_cost(&row, &usage) == UINT64_MAX);
    usage.output_tokens = 1;
    assert_true(price_cost(&row, &usage) == UINT64_MAX);
    usage.input_tokens = 2;
    assert_true(price_cost(&row, &usage) == UINT64_MAX);
}

/* Totals are kept whatever the server claims about their parts. */
static void test_split(void **state)
{
    (void)state;
    static const struct {
        struct usage usage;
        struct usage_split split;
    } rows[] = {
        {{0}, {0}},
        {{.input_tokens = 10, .output_tokens = 5}, {.fresh_input = 10, .output = 5}},
        {{.input_tokens = 10,
          .cached_tokens = 4,
          .cache_write_tokens = 3,
          .output_tokens = 5,
          .reasoning_tokens = 2},
         {.fresh_input = 3, .cache_read = 4, .cache_write = 3, .output = 3, .reasoning = 2}},
        {{.input_tokens = 10,
          .cached_tokens = 12,
          .cache_write_tokens = 1,
          .output_tokens = 5,
          .reasoning_tokens = 6},
         {.cache_read = 10, .reasoning = 5}},
        {{.input_tokens = 10, .cached_tokens = 8, .cache_write_tokens = 9},
         {.cache_read = 8, .cache_write = 2}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct usage_split split = usage_split(&rows[i].usage);
        assert_memory_equal(&split, &rows[i].split, sizeof(split));
        assert_int_equal(split.fresh_input + split.cache_read + split.cache_write,
                         rows[i].usage.input_tokens);
        assert_int_equal(split.output + split.reasoning, rows[i].usage.output_tokens);
    }
}

/* Every row is found under its own name, and reading a cache never costs more than reading afresh. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_ptr_equal(price_find(NULL, 0, table[i].model, TODAY), &table[i]);
        assert_true(table[i].input > 0 && table[i].cache_read > 0 && table[i].cache_read <= table[i].input);
        assert_true(table[i].cache_write >= table[i].input);
        assert_int_equal(table[i].valid_from, price_table_day());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_sum), cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_local_rows),
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_split),     cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
