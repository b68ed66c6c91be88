/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/format_json.c"

#include "sheets.h"

static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0", "-0", "12", "-1.5", "0.10", "1e5", "1E+05", "2.5e-3", "18446744073709551616"};
    static const char *const bad[] = {"",   "-",  "+1",  "01",  "1.",   ".5",   "1e",  "1e+",
                                      " 1", "1 ", "0x1", "nan", "-inf", "1.e1", "1,5", "--1"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(json_is_number(str_from(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(json_is_number(str_from(bad[i])));
}

static void test_rows(void **state)
{
    (void)state;
    struct given given = {
        .columns = {{.name = STR("id"), .is_numeric = true}, {.name = STR("text")}},
        .column_count = 2,
        .values = (const char *const[]){"1", "12", "abc", "a\"b\n", NULL, NULL},
        .row_count = 3,
    };
    check_sheet(&format_json, &given,
                "[\n"
                "{\"id\":1,\"text\":\"12\"},\n"
                "{\"id\":\"abc\",\"text\":\"a\\\"b\\n\"},\n"
                "{\"id\":null,\"text\":null}\n"
                "]\n");
    given.row_count = 0;
    check_sheet(&format_json, &given, "[]\n");
}

static void test_equal_names(void **state)
{
    (void)state;
    struct given given = {
        .columns = {{.name = STR("a")}, {.name = STR("a")}, {.name = STR("b")}, {.name = STR("a")}},
        .column_count = 4,
        .values = (const char *const[]){"1", "2", "3", "4"},
        .row_count = 1,
    };
    check_sheet(&format_json, &given, "[\n{\"a\":\"1\",\"a_2\":\"2\",\"b\":\"3\",\"a_3\":\"4\"}\n]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_equal_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
