/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load.c src/conf/load_listeners.c src/conf/load_rules.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/load_hostgroups.c"
#include "load_check.h"

static const struct load_row rows[] = {
    {"hostgroups: []", ""},
    {"hostgroups: [{id: 65535}]", ""},
    {"hostgroups: [{id: 65536}]",
     "f:1:19: id in hostgroups[0]: '65536' is not a whole number from 0 to 65535\n"},
    {"hostgroups: [{name: a}]", "f:1:14: missing key 'id' in hostgroups[0]\n"},
    {"hostgroups: [{id: x}, {id: y}]", /* no false duplicate */
     "f:1:19: id in hostgroups[0]: 'x' is not a whole number from 0 to 65535\n"
     "f:1:28: id in hostgroups[1]: 'y' is not a whole number from 0 to 65535\n"},
    {"hostgroups: [{id: 1}, {id: 2}, {id: 01}]", "f:1:37: duplicate id 1 in hostgroups\n"},
    {"hostgroups:\n- {id: 1, name: a}\n- {id: 2, name: a}\n",
     "f:3:17: duplicate name 'a' in hostgroups, as in line 2\n"},
    {"hostgroups: [{id: 1, strategy: latncy}]",
     "f:1:32: unknown strategy 'latncy' in hostgroups[0]; did you mean 'latency'?\n"},
    {"hostgroups: [{id: 1, strategy: hash}]", "f:1:32: unknown strategy 'hash' in hostgroups[0]\n"},
};

static void test_rows(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_implied_groups(void **state)
{
    (void)state;
    struct config *config = load_good("hostgroups: [{id: 9, name: nine, strategy: latency}, {id: 2}]\n"
                                      "servers:\n"
                                      "  - {name: a, provider: vllm, hostgroup: 5}\n"
                                      "  - {name: b, provider: vllm, hostgroup: 9}\n"
                                      "  - {name: c, provider: vllm}\n"
                                      "  - {name: d, provider: vllm, hostgroup: 5}\n");
    static const unsigned ids[] = {0, 2, 5, 9};
    assert_int_equal(config->hostgroup_count, ARRAY_LEN(ids));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(config->hostgroups[i].id, ids[i]);
        assert_int_equal(config->hostgroups[i].strategy,
                         ids[i] == 9 ? STRATEGY_LATENCY : STRATEGY_DEFAULT);
        assert_str(config->hostgroups[i].name, ids[i] == 9 ? "nine" : "");
        assert_ptr_equal(hostgroup_find(config, ids[i]), &config->hostgroups[i]);
    }
    assert_null(hostgroup_find(config, 1));
    assert_null(hostgroup_find(config, 10));
    config_free(config);
}

static void test_ensure(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(config_defaults(&config), ERR_OK);
    assert_null(hostgroup_find(config, 0));
    assert_int_equal(hostgroup_ensure(config, 7), ERR_OK);
    assert_int_equal(hostgroup_ensure(config, 3), ERR_OK);
    assert_int_equal(hostgroup_ensure(config, 7), ERR_OK);
    assert_int_equal(config->hostgroup_count, 2);
    assert_int_equal(config->hostgroups[0].id, 3);
    assert_int_equal(config->hostgroups[1].id, 7);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_implied_groups),
        cmocka_unit_test(test_ensure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
