/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/format_table.c"

#include "sheets.h"

#include <locale.h>

static const struct given servers = {
    .columns = {{.name = STR("id"), .is_numeric = true},
                {.name = STR("name")},
                {.name = STR("n"), .is_numeric = true, .is_nullable = true}},
    .column_count = 3,
    .values = (const char *const[]){"1", "ollama", "1.50", "20", "b\xc3\xbc \xe6\x97\xa5", NULL, "300",
                                    "a\nb", "7"},
    .row_count = 3,
};

static void test_table(void **state)
{
    (void)state;
    check_sheet(&format_table, &servers,
                "+-----+--------+------+\n"
                "| id  | name   | n    |\n"
                "+-----+--------+------+\n"
                "|   1 | ollama | 1.50 |\n"
                "|  20 | b\xc3\xbc \xe6\x97\xa5  | NULL |\n"
                "| 300 | a\\nb   |    7 |\n"
                "+-----+--------+------+\n");
}

static void test_without_names(void **state)
{
    (void)state;
    struct given given = servers;
    given.skip_names = true;
    given.row_count = 1;
    check_sheet(&format_table, &given,
                "+---+--------+------+\n"
                "| 1 | ollama | 1.50 |\n"
                "+---+--------+------+\n");
}

/* A column that could be NULL has the room, also where none is. */
static void test_room_for_null(void **state)
{
    (void)state;
    struct given given = {
        .columns = {{.name = STR("a"), .is_nullable = true}, {.name = STR("b")}},
        .column_count = 2,
        .values = (const char *const[]){"x", ""},
        .row_count = 1,
    };
    check_sheet(&format_table, &given,
                "+------+---+\n"
                "| a    | b |\n"
                "+------+---+\n"
                "| x    |   |\n"
                "+------+---+\n");
}

static void test_empty(void **state)
{
    (void)state;
    struct given given = servers;
    given.row_count = 0;
    check_sheet(&format_table, &given, "");
    check_sheet(&format_vertical, &given, "");
}

static void test_vertical(void **state)
{
    (void)state;
    struct given given = servers;
    given.values += 3;
    given.row_count = 2;
    check_sheet(&format_vertical, &given,
                "*************************** 1. row ***************************\n"
                "  id: 20\n"
                "name: b\xc3\xbc \xe6\x97\xa5\n"
                "   n: NULL\n"
                "*************************** 2. row ***************************\n"
                "  id: 300\n"
                "name: a\nb\n"
                "   n: 7\n");
    given.skip_names = true;
    given.row_count = 1;
    check_sheet(
        &format_vertical, &given,
        "*************************** 1. row ***************************\n20\nb\xc3\xbc \xe6\x97\xa5\nNULL\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_room_for_null), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_vertical),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
