/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/format_csv.c"

#include "sheets.h"

static const struct given given = {
    .columns = {{.name = STR("id")}, {.name = STR("a,b")}},
    .column_count = 2,
    .values = (const char *const[]){"1", "plain", "2", "with \"quotes\"", NULL, "", "4", "a\nb\tc\\d", "x\ry",
                                    NULL},
    .row_count = 5,
};

static void test_csv(void **state)
{
    (void)state;
    check_sheet(&format_csv, &given,
                "id,\"a,b\"\r\n"
                "1,plain\r\n"
                "2,\"with \"\"quotes\"\"\"\r\n"
                ",\"\"\r\n"
                "4,\"a\nb\tc\\d\"\r\n"
                "\"x\ry\",\r\n");
}

static void test_tabs(void **state)
{
    (void)state;
    check_sheet(&format_tabs, &given,
                "id\ta,b\n"
                "1\tplain\n"
                "2\twith \"quotes\"\n"
                "NULL\t\n"
                "4\ta\\nb\\tc\\\\d\n"
                "x\ry\tNULL\n");
}

static void test_names(void **state)
{
    (void)state;
    struct given some = given;
    some.skip_names = true;
    some.row_count = 1;
    check_sheet(&format_csv, &some, "1,plain\r\n");
    check_sheet(&format_tabs, &some, "1\tplain\n");
    some.row_count = 0;
    check_sheet(&format_tabs, &some, "");
    check_sheet(&format_csv, &some, "");
    some.skip_names = false;
    check_sheet(&format_tabs, &some, "");
    check_sheet(&format_csv, &some, "id,\"a,b\"\r\n");
}

static void test_zero_byte(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 64);
    tabs_field(&out, STR("a\0b"));
    check_text(buf_str(&out), "a\\0b");
    buf_clear(&out);
    csv_field(&out, STR("a\0b"));
    assert_int_equal(out.len, 3);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_csv), cmocka_unit_test(test_tabs),
                                       cmocka_unit_test(test_names), cmocka_unit_test(test_zero_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
