/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load_hostgroups.c src/conf/load_listeners.c src/conf/load_rules.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/load.c"
#include "load_check.h"

#include "conf/providers.h"

static const struct load_row rows[] = {
    {"", ""},
    {"# only a comment\n", ""},
    {"{}", ""},
    {"data_dir: /var/lib/x\n", ""},
    {"settings:\nservers:\nrules:\nhostgroups:\n", ""},
    {"[]", "f:1:1: the file has to be a mapping (key: value)\n"},
    {"hello", "f:1:1: the file has to be a mapping (key: value)\n"},
    {"${NONE}", "f:1:1: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n"},
    {"server: []\nruls: []\nfoo: 1\n", "f:1:1: unknown key 'server' in the file; did you mean 'servers'?\n"
                                       "f:2:1: unknown key 'ruls' in the file; did you mean 'rules'?\n"
                                       "f:3:1: unknown key 'foo' in the file\n"},
    {"data_dir:\n", "f:1:1: data_dir has no value\n"},
    {"data_dir: ''\n", "f:1:11: data_dir in the file has to have 1 to 4096 bytes\n"},
    {"data_dir: [a]\n", "f:1:11: data_dir in the file has to be one value, not a list\n"},
    {"settings: 1\n", "f:1:11: settings has to be a mapping (name: value)\n"},
    {"settings: {worker: 1}\n", "f:1:12: unknown setting 'worker'; did you mean 'workers'?\n"},
    {"settings: {workers: x}\n", "f:1:21: workers: 'x' is not a whole number from 0 to 256\n"},
    {"settings: {workers: [1]}\n", "f:1:21: setting workers has to have one value\n"},
    {"settings: {workers: }\n", "f:1:21: setting workers has to have one value\n"},
    {"settings: {workers: '${NONE}'}\n",
     "f:1:21: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n"},
    {"settings: {workers: 1, workers: 2}\n", "f:1:24: duplicate key 'workers'\n"},
    /* everything is said in one run, in the order of the file */
    {"rules: [{}]\nservers: [{}]\nsettings: {log_level: loud}\n",
     "f:1:9: missing key 'hostgroup' in rules[0]\n"
     "f:2:11: missing key 'name' in servers[0]\n"
     "f:2:11: missing key 'provider' in servers[0]\n"
     "f:3:23: log_level: 'loud' is none of debug, info, warn, error\n"},
    {"a: [", "f:2:1: YAML syntax: did not find expected node content, while parsing a flow node\n"},
};

static void test_rows(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void check_default_listeners(const struct config *config)
{
    assert_int_equal(config->listener_count, 4);
    assert_str(config->listeners[0].name, "api");
    assert_str(config->listeners[0].host, "127.0.0.1");
    assert_int_equal(config->listeners[0].port, 6034);
    assert_int_equal(config->listeners[0].serves, SERVES_INFERENCE);
    assert_int_equal(config->listeners[1].port, 6033);
    assert_int_equal(config->listeners[1].serves, SERVES_ADMIN | SERVES_METRICS);
    assert_int_equal(config->listeners[3].port, 9090);
    assert_int_equal(config->listeners[3].serves, SERVES_METRICS);
    assert_int_equal(config->listeners[2].port, 6032);
    assert_int_equal(config->listeners[2].serves, SERVES_SQL);
    assert_int_equal(config->listeners[2].auth, AUTH_NONE);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *config = NULL, *empty = load_good("");
    struct settings defaults;
    settings_init(&defaults);
    assert_int_equal(config_defaults(&config), ERR_OK);
    check_default_listeners(config);
    check_default_listeners(empty);
    assert_str(config->data_dir, "./data");
    assert_str(empty->data_dir, "./data");
    assert_str(config->path, "");
    assert_str(empty->path, "f");
    assert_int_equal(config->server_count + config->rule_count + config->hostgroup_count, 0);
    for (size_t i = 0; i < settings_count; i++) {
        assert_true(setting_is_equal(&settings_table[i], &config->settings, &defaults));
        assert_true(setting_is_equal(&settings_table[i], &empty->settings, &defaults));
    }
    config_free(config);
    config_free(empty);
    config_free(NULL);
}

/* The example of the design has to load as it stands. */
static const char example[] =
    "data_dir: ./data\n"
    "listeners:\n"
    "  - {name: api,     address: \"127.0.0.1:6034\", serves: [inference], auth: none}   # comment\n"
    "  - {name: admin,   address: \"127.0.0.1:6033\", serves: [admin, metrics]}\n"
    "  - {name: sql,     address: \"127.0.0.1:6032\", serves: [sql]}\n"
    "  - {name: metrics, address: \"127.0.0.1:9090\", serves: [metrics]}\n"
    "settings:                       # the names of SHOW VARIABLES\n"
    "  workers: 2\n"
    "  log_level: info\n"
    "  max_retries: 3\n"
    "  retry_initial_delay_ms: 100\n"
    "  health_check_interval_ms: 5000\n"
    "  circuit_breaker_threshold: 5\n"
    "  queue_max_length: 1000\n"
    "  queue_max_wait_ms: 30000\n"
    "hostgroups:\n"
    "  - {id: 0, name: chat, strategy: least_connections}   # comment\n"
    "  - {id: 1, name: large, strategy: weighted_round_robin}\n"
    "servers:\n"
    "  - name: node-a\n"
    "    provider: vllm\n"
    "    endpoint: http://127.0.0.1:9101\n"
    "    hostgroup: 0\n"
    "    weight: 3\n"
    "    max_concurrent: 16\n"
    "  - name: node-b\n"
    "    provider: openai\n"
    "    endpoint: http://127.0.0.1:9102/v1\n"
    "    api_key: ${NODE_B_KEY:-none}\n"
    "    hostgroup: 1\n"
    "    models: [llama-3.3-70b, \"qwen*\"]\n"
    "rules:\n"
    "  - {priority: 10, match_model: \"llama*\", hostgroup: 1}\n"
    "  - {priority: 20, match_model: \"regex:gpt-oss:20b-(64|128)k.*\", hostgroup: 0, rewrite_model: "
    "gpt-oss:20b}\n";

static void test_example(void **state)
{
    (void)state;
    struct config *config = load_good(example);
    assert_int_equal(config->listener_count, 4);
    assert_int_equal(config->listeners[2].serves, SERVES_SQL);
    assert_int_equal(config->settings.workers, 2);
    assert_int_equal(config->hostgroup_count, 2);
    assert_str(config->hostgroups[1].name, "large");
    assert_int_equal(config->hostgroups[1].strategy, STRATEGY_WEIGHTED_ROUND_ROBIN);
    assert_int_equal(config->server_count, 2);
    assert_str(config->servers[0].endpoint.base_path, "/v1");
    assert_int_equal(config->servers[0].weight, 3);
    assert_int_equal(config->servers[0].max_concurrent, 16);
    assert_str(config->servers[0].api_key, "");
    assert_str(config->servers[1].endpoint_text, "http://127.0.0.1:9102/v1");
    assert_str(config->servers[1].endpoint.base_path, "/v1");
    assert_str(config->servers[1].api_key, "none");
    assert_int_equal(config->servers[1].weight, 1);
    assert_int_equal(config->servers[1].model_count, 2);
    assert_str(config->servers[1].models[1], "qwen*");
    assert_int_equal(config->rule_count, 2);
    assert_int_equal(config->rules[0].model.kind, MATCH_GLOB);
    assert_str(config->rules[0].model.pattern, "llama*");
    assert_int_equal(config->rules[1].model.kind, MATCH_REGEX);
    assert_str(config->rules[1].model.pattern, "gpt-oss:20b-(64|128)k.*");
    assert_str(config->rules[1].rewrite_model, "gpt-oss:20b");
    config_free(config);
}

static void test_file(void **state)
{
    (void)state;
    static const struct {
        const char *path, *printed;
    } files[] = {
        {"/empty", ""},
        {"/none", "f: no such file\n"},
        {"/denied", "f: not readable\n"},
        {"/key", "f:1:1: the file has to be a mapping (key: value)\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct config *config = NULL;
        struct diagnostics diagnostics;
        char printed[256];
        struct buf out;
        buf_init_fixed(&out, printed, sizeof(printed) - 1);
        diagnostics_init(&diagnostics);
        enum err err = config_load_file(str_from(files[i].path), &fake_env, &config, &diagnostics);
        diagnostics_print(&diagnostics, STR("f"), &out);
        printed[out.len] = '\0';
        assert_string_equal(printed, files[i].printed);
        assert_int_equal(err, files[i].printed[0] ? ERR_INVALID : ERR_OK);
        assert_int_equal(config != NULL, err == ERR_OK);
        if (config)
            assert_str(config->path, files[i].path);
        diagnostics_fini(&diagnostics);
        config_free(config);
    }
}

/* An earlier complaint of the caller's does not refuse a good file. */
static void test_diagnostics_are_added(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    diagnostic_add(&diagnostics, (struct mark){1, 1}, STR_NONE, "earlier");
    assert_int_equal(config_load(STR(""), STR("f"), &fake_env, &config, &diagnostics), ERR_OK);
    assert_int_equal(diagnostics.count, 1);
    config_free(config);
    diagnostics_fini(&diagnostics);
}

static void test_add_server(void **state)
{
    (void)state;
    struct config *config =
        load_good("hostgroups: [{id: 3}]\nservers: [{name: a, provider: vllm, hostgroup: 3}]\n");
    const struct provider *ollama = provider_find(STR("ollama")), *custom = provider_find(STR("custom"));
    char name[] = "found", key[] = "sk";
    assert_int_equal(config_add_server(config, STR("a"), ollama, STR(""), STR("")), ERR_BUSY);
    assert_int_equal(config_add_server(config, STR("b"), custom, STR(""), STR("")), ERR_INVALID);
    assert_int_equal(config_add_server(config, STR("b"), custom, STR("http://h"), STR("a\r\nb")),
                     ERR_INVALID);
    assert_int_equal(config->server_count, 1);
    assert_int_equal(config->hostgroup_count, 1);
    assert_int_equal(config_add_server(config, str_from(name), ollama, STR(""), str_from(key)), ERR_OK);
    memset(name, 'x', sizeof(name) - 1);
    memset(key, 'x', sizeof(key) - 1);
    assert_int_equal(config_add_server(config, STR("c"), custom, STR("http://h:1/x"), STR("")), ERR_OK);
    assert_int_equal(config->server_count, 3);
    assert_str(config->servers[0].name, "a");
    assert_str(config->servers[1].name, "found");
    assert_str(config->servers[1].api_key, "sk");
    assert_str(config->servers[1].endpoint.authority, "127.0.0.1:11434");
    assert_int_equal(config->servers[1].weight, 1);
    assert_true(config->servers[1].tls_verify);
    assert_str(config->servers[2].endpoint.base_path, "/x/v1");
    assert_int_equal(config->hostgroup_count, 2);
    assert_int_equal(config->hostgroups[0].id, 0);
    assert_int_equal(hostgroup_strategy(config, &config->hostgroups[0]), STRATEGY_LEAST_CONNECTIONS);
    assert_int_equal(config->hostgroups[1].id, 3);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_diagnostics_are_added),
        cmocka_unit_test(test_add_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
