/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/sql_document.c"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct str write_all(struct buf *out)
{
    char why[DB_WHY_MAX] = "";
    buf_init(out, (size_t)1 << 20);
    if (sql_document(out, why) != ERR_OK)
        fail_msg("%s", why);
    assert_true(buf_ok(out));
    return buf_str(out);
}

static void assert_has(struct str text, const char *part)
{
    if (str_find(text, str_from(part)) < 0)
        fail_msg("not in the manual: %s", part);
}

static void test_rows(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\n### ai_servers\n\nServers that requests may go to.\n\n| Column | Type | Default | Meaning |\n",
        "\n| `id` | INTEGER | next number | |\n| `name` | VARCHAR(64) | required | |\n",
        "\n| `max_connections` | INTEGER | `100` | requests at a time; 0 is no limit |\n",
        "\n| `rule_id` | INTEGER | `NULL` | left out: as id |\n",
        "\n| `model` | VARCHAR(128) | required | exact name or prefix; the longest that fits counts |\n",
        "\n### usage_ledger\n\nWhat was used, by hour, user, server and model.\n\nOnly Fairlead writes it.\n",
        "\n| `sql_sessions` | `id` INTEGER, `user` VARCHAR(64), `host` VARCHAR(64), `state` VARCHAR(16), "
        "`in_transaction` "
        "BOOLEAN |\n",
        "\n| `stats_ai_requests` | `timestamp` DATETIME, `server` VARCHAR(64),",
        "\n`ROUTINES` (always empty),\n",
        "\n| `SHOW COLLATION ~` | Collations. |\n",
        "\n| `SHOW WARNINGS\\|ERRORS [LIMIT ...]` | Always empty: what is wrong is an error. |\n",
        "\n`autocommit`,\n",
    };
    struct buf out;
    struct str text = write_all(&out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_has(text, rows[i]);
    buf_free(&out);
}

/* Every view and command of the tables is there. */
static void test_is_complete(void **state)
{
    (void)state;
    struct buf out;
    struct str text = write_all(&out);
    char row[128];
    for (size_t i = 0; i < sql_view_count; i++) {
        snprintf(row, sizeof(row), is_ours(&sql_views[i]) ? "\n| `%s` | `" : "\n`%s`", sql_views[i].name);
        assert_has(text, row);
    }
    for (size_t i = 0; i < sql_named_view_count; i++) {
        snprintf(row, sizeof(row), "\n| `%s` | `", sql_named_views[i].name);
        assert_has(text, row);
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        assert_has(text, commands[i].help);
    buf_free(&out);
}

/* Each line of a table has as many cells as its head. */
static void test_tables_are_even(void **state)
{
    (void)state;
    struct buf out;
    struct str text = write_all(&out);
    size_t cells = 0, expected = 0;
    char last = '\n';
    for (size_t i = 0; i < text.len; last = text.ptr[i++]) {
        if (last == '\n' && text.ptr[i] != '|')
            expected = 0; /* outside of a table */
        bool is_bar = text.ptr[i] == '|' && last != '\\';
        cells += is_bar && (expected > 0 || last == '\n' || cells > 0);
        if (text.ptr[i] != '\n')
            continue;
        if (expected == 0)
            expected = cells;
        assert_int_equal(cells, expected);
        cells = 0;
    }
    assert_int_equal(last, '\n');
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_is_complete),
        cmocka_unit_test(test_tables_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
