/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load_hostgroups.c src/conf/load_listeners.c src/conf/load_rules.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/document.c"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct str write_all(struct buf *out)
{
    buf_init(out, 1 << 20);
    document_configuration(out);
    assert_true(buf_ok(out));
    return buf_str(out);
}

static void assert_has(struct str text, const char *part)
{
    if (str_find(text, str_from(part)) < 0)
        fail_msg("not in the manual: %s", part);
}

/* Every key, provider and setting of the tables has its row. */
static void test_is_complete(void **state)
{
    (void)state;
    struct buf out;
    struct str text = write_all(&out);
    char row[128];
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        snprintf(row, sizeof(row), "\n## %s\n", sections[i]->name);
        assert_has(text, row);
        for (size_t j = 0; j < sections[i]->field_count; j++) {
            snprintf(row, sizeof(row), "\n| `" STR_FMT "` | ", STR_ARG(sections[i]->fields[j].name));
            assert_has(text, row);
        }
    }
    for (size_t i = 0; i < provider_count; i++) {
        snprintf(row, sizeof(row), "\n| `" STR_FMT "` |", STR_ARG(providers[i].name));
        assert_has(text, row);
    }
    for (size_t i = 0; i < settings_count; i++) {
        snprintf(row, sizeof(row), "\n| `" STR_FMT "` | `", STR_ARG(settings_table[i].name));
        assert_has(text, row);
    }
    buf_free(&out);
}

static void test_rows(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "| `weight` | whole number, 1 to 1000 | `1` |",
        "| `name` | name | required | Unique name. |",
        "| `strategy` | one of `weighted_round_robin`, `least_connections`, `latency`, `latency_based`, `random`, `default` | "
        "`default` |",
        "| `auth` | one of `none`, `master`, `optional`, `keys` | `none` |",
        "| `groq` | `https://api.groq.com` | `GROQ_API_KEY` | `/openai/v1` | |",
        "| `ollama` | `http://127.0.0.1:11434` | | `/v1` | `/api/version` |",
        "### Retries\n\n| Setting | Default | Values | Change by | Meaning |\n| --- | --- | --- | --- | --- "
        "|\n"
        "| `max_retries` | `3` | 0 to 20 retries | reload |",
        "| `retry_multiplier` | `2` | 1 to 10 | reload |",
        "| `workers` | `0` | 0 to 256 threads | restart |",
        "| `log_level` | `info` | `debug`, `info`, `warn`, `error` | reload |",
        "| `config_watch` | `false` | `true`, `false` | restart |",
    };
    struct buf out;
    struct str text = write_all(&out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_has(text, rows[i]);
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
        cells += text.ptr[i] == '|';
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
        cmocka_unit_test(test_is_complete),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_tables_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
