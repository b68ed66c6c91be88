/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load.c src/conf/load_hostgroups.c src/conf/load_listeners.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/load_rules.c"
#include "load_check.h"

#define G "hostgroups: [{id: 1}]\n"

static const struct load_row rows[] = {
    {G "rules: [{hostgroup: 1}]", ""},
    {"servers: [{name: a, provider: vllm, hostgroup: 8}]\nrules: [{hostgroup: 8}]", ""},
    {G "rules: [{hostgroup: 0}]",
     "f:2:21: unknown hostgroup 0 in rules[0]: not in hostgroups, and no server names it\n"},
    {G "rules: [{}]", "f:2:9: missing key 'hostgroup' in rules[0]\n"},
    {G "rules: [{hostgroup: x}]", /* said once */
     "f:2:21: hostgroup in rules[0]: 'x' is not a whole number from 0 to 65535\n"},
    {G "rules: [{hostgroup: 1, match_modl: x}]",
     "f:2:24: unknown key 'match_modl' in rules[0]; did you mean 'match_model'?\n"},
    {G "rules: [{hostgroup: 1, match_model: 'regex:'}]",
     "f:2:37: an empty expression after 'regex:' in rules[0]\n"},
    {G "rules: [{hostgroup: 1, match_pattern: 'regex:'}]",
     "f:2:39: an empty expression after 'regex:' in rules[0]\n"},
    {G "rules: [{hostgroup: 1, match_user: [a]}]",
     "f:2:36: match_user in rules[0] has to be one value, not a list\n"},
    {G "rules: [{hostgroup: 1, priority: 1000001}]",
     "f:2:34: priority in rules[0]: '1000001' is not a whole number from 0 to 1000000\n"},
};

static void test_rows(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_matches(void **state)
{
    (void)state;
    struct config *config = load_good(
        G "rules:\n"
          "  - {hostgroup: 1, match_model: \"regex:a$\", match_user: \"b*\", match_pattern: \"c+\",\n"
          "     rewrite_model: d, comment: \"for e\"}\n"
          "  - {hostgroup: 1, match_model: \"\", match_pattern: \"regex:regex:x\"}\n");
    const struct rule_config *first = &config->rules[0], *second = &config->rules[1];
    assert_int_equal(first->model.kind, MATCH_REGEX);
    assert_str(first->model.pattern, "a$");
    assert_int_equal(first->user.kind, MATCH_GLOB);
    assert_str(first->user.pattern, "b*");
    assert_int_equal(first->text.kind, MATCH_REGEX);
    assert_str(first->text.pattern, "c+");
    assert_str(first->rewrite_model, "d");
    assert_str(first->comment, "for e");
    assert_int_equal(second->model.kind, MATCH_ANY);
    assert_int_equal(second->user.kind, MATCH_ANY);
    assert_int_equal(second->text.kind, MATCH_REGEX);
    assert_str(second->text.pattern, "regex:x");
    config_free(config);
}

/* By priority, and in the order of the file among equals; enough rules that an unstable sort would show. */
static void test_order(void **state)
{
    (void)state;
    struct buf yaml;
    char printed[8192];
    buf_init(&yaml, 1 << 20);
    buf_add(&yaml, STR(G "rules:\n"));
    for (unsigned i = 0; i < 500; i++)
        buf_printf(&yaml, "  - {hostgroup: 1, comment: c%u, priority: %u}\n", 1000 + i, i % 7);
    struct config *config = load_text(buf_str(&yaml), printed);
    assert_string_equal(printed, "");
    for (size_t i = 1; i < config->rule_count; i++) {
        const struct rule_config *before = &config->rules[i - 1], *after = &config->rules[i];
        assert_true(before->priority <= after->priority);
        if (before->priority == after->priority)
            assert_true(memcmp(before->comment.ptr, after->comment.ptr, after->comment.len) < 0);
    }
    assert_int_equal(config->rule_count, 500);
    config_free(config);
    buf_free(&yaml);
}

static void test_default_priority(void **state)
{
    (void)state;
    struct config *config = load_good(G "rules: [{hostgroup: 1, priority: 101}, {hostgroup: 1}]");
    assert_int_equal(config->rules[0].priority, 100);
    assert_int_equal(config->rules[1].priority, 101);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_default_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
