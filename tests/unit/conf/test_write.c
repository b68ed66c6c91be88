/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/conf/write.c"
#include "load_check.h"

#define BAD_CHARACTERS "\\u0085\\u009f\\u2028\\u2029\\ufeff\\ufffe\\uffff\\u00e9\\u20ac"

/* What was asked for when the written file is loaded again. */
static const struct {
    const char *name, *value;
} secrets[] = {
    {"FAIRLEAD_ADMIN_PASSWORD", "pa${NAME}ss \"word\""},
    {"FAIRLEAD_API_KEY_ENCRYPTION_KEY", "a passphrase of some length"},
    {"FAIRLEAD_LOCKED_MASTER_KEY", "sk-master"},
    {"FAIRLEAD_NODE_A_API_KEY", "sk-a"},
    {"FAIRLEAD_NODE_A_API_KEY_2", "sk-b"},
    {"FAIRLEAD_OTHER_API_KEY", "sk-other"},
    {"OPENAI_API_KEY", "sk-environment"},
};

static const char *secret_variable(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (strcmp(secrets[i].name, name) == 0)
            return secrets[i].value;
    return NULL;
}

static struct config *load_with_secrets(struct str text)
{
    struct config_env env = fake_env;
    struct config *config = NULL;
    struct diagnostics diagnostics;
    static char printed[8192];
    struct buf out;
    env.variable = secret_variable;
    diagnostics_init(&diagnostics);
    buf_init_fixed(&out, printed, sizeof(printed) - 1);
    if (config_load(text, STR("f"), &env, &config, &diagnostics) != ERR_OK) {
        diagnostics_print(&diagnostics, STR("f"), &out);
        printed[out.len] = '\0';
        fail_msg("%s in\n%.*s", printed, STR_ARG(text));
    }
    diagnostics_fini(&diagnostics);
    return config;
}

#define assert_same(a, b) assert_true(str_eq((a), (b)))

static void assert_same_listener(const struct listener_config *a, const struct listener_config *b)
{
    assert_same(a->name, b->name);
    assert_same(a->host, b->host);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->serves, b->serves);
    assert_int_equal(a->auth, b->auth);
    assert_same(a->master_key, b->master_key);
    assert_same(a->tls_cert_file, b->tls_cert_file);
    assert_same(a->tls_key_file, b->tls_key_file);
}

static void assert_same_server(const struct server_config *a, const struct server_config *b)
{
    assert_same(a->name, b->name);
    assert_ptr_equal(a->provider, b->provider);
    assert_same(a->endpoint_text, b->endpoint_text);
    assert_same(a->endpoint.authority, b->endpoint.authority);
    assert_same(a->endpoint.base_path, b->endpoint.base_path);
    assert_same(a->api_key, b->api_key);
    assert_int_equal(a->hostgroup, b->hostgroup);
    assert_int_equal(a->weight, b->weight);
    assert_int_equal(a->max_concurrent, b->max_concurrent);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->model_count, b->model_count);
    for (size_t i = 0; i < a->model_count; i++)
        assert_same(a->models[i], b->models[i]);
    assert_int_equal(a->tls_verify, b->tls_verify);
    assert_same(a->tls_ca_file, b->tls_ca_file);
}

static void assert_same_match(const struct match_config *a, const struct match_config *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_same(a->pattern, b->pattern);
}

static void assert_same_rule(const struct rule_config *a, const struct rule_config *b)
{
    assert_int_equal(a->priority, b->priority);
    assert_same_match(&a->model, &b->model);
    assert_same_match(&a->user, &b->user);
    assert_same_match(&a->text, &b->text);
    assert_int_equal(a->hostgroup, b->hostgroup);
    assert_same(a->rewrite_model, b->rewrite_model);
    assert_same(a->comment, b->comment);
}

static void assert_same_config(const struct config *a, const struct config *b)
{
    assert_same(a->data_dir, b->data_dir);
    for (size_t i = 0; i < settings_count; i++)
        if (!setting_is_equal(&settings_table[i], &a->settings, &b->settings))
            fail_msg("%.*s differs", STR_ARG(settings_table[i].name));
    assert_int_equal(a->listener_count, b->listener_count);
    for (size_t i = 0; i < a->listener_count; i++)
        assert_same_listener(&a->listeners[i], &b->listeners[i]);
    assert_int_equal(a->hostgroup_count, b->hostgroup_count);
    for (size_t i = 0; i < a->hostgroup_count; i++) {
        assert_int_equal(a->hostgroups[i].id, b->hostgroups[i].id);
        assert_int_equal(a->hostgroups[i].strategy, b->hostgroups[i].strategy);
        assert_same(a->hostgroups[i].name, b->hostgroups[i].name);
    }
    assert_int_equal(a->server_count, b->server_count);
    for (size_t i = 0; i < a->server_count; i++)
        assert_same_server(&a->servers[i], &b->servers[i]);
    assert_int_equal(a->rule_count, b->rule_count);
    for (size_t i = 0; i < a->rule_count; i++)
        assert_same_rule(&a->rules[i], &b->rules[i]);
}

/* Written, loaded again and compared; no secret may be in what is written. */
static void check_round_trip(const char *text)
{
    struct config_env env = fake_env;
    struct buf written;
    struct config *config = load_with_secrets(str_from(text));
    env.variable = secret_variable;
    buf_init(&written, 65536);
    config_write(config, &env, &written);
    assert_true(buf_ok(&written));
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        assert_true(str_find(buf_str(&written), str_from(secrets[i].value)) < 0);
    struct config *again = load_with_secrets(buf_str(&written));
    assert_same_config(config, again);
    config_free(again);
    config_free(config);
    buf_free(&written);
}

static void test_empty(void **state)
{
    (void)state;
    check_round_trip("");
}

/* Every key that a file may have, with texts that mean something to YAML or to expand.h. */
static void test_everything(void **state)
{
    (void)state;
    check_round_trip(
        "data_dir: \"/da $$HOME {ta}: 'x' \\\"y\\\" \\\\ #\"\n"
        "settings:\n"
        "  log_level: warn\n"
        "  access_log: \"off\"\n"
        "  retry_multiplier: 1.25\n"
        "  stream_keepalive_early: true\n"
        "  cache_enabled: false\n"
        "  workers: 3\n"
        "  load_balancing_algorithm: latency_based\n"
        "  admin_username: \"null\"\n"
        "  admin_password: ${FAIRLEAD_ADMIN_PASSWORD}\n"
        "  api_key_encryption_key: a passphrase of some length\n"
        "listeners:\n"
        "  - {name: locked, address: '[::1]:0', serves: [inference], auth: master, master_key: "
        "sk-master,\n"
        "     tls_cert_file: /cert, tls_key_file: /key}\n"
        "  - {name: '8', address: '0.0.0.0:65535', serves: [sql]}\n"
        "  - {name: keys, address: '127.0.0.1:1', serves: [inference], auth: keys}\n"
        "  - {name: optional, address: '127.0.0.1:2', serves: [inference], auth: optional}\n"
        "hostgroups:\n"
        "  - {id: 4, name: four, strategy: random}\n"
        "  - {id: 5}\n"
        "servers:\n"
        "  - {name: cloud, provider: openai}\n"
        "  - {name: node-a, provider: vllm, endpoint: 'http://h:1/v1/', api_key: sk-a, hostgroup: 4, weight: "
        "7,\n"
        "     max_concurrent: 9, status: DRAINING, models: ['*', \"it's\", '$$x', 'a: b', 'on']}\n"
        "  - {name: node.a, provider: custom, endpoint: 'https://h:1/p', api_key: sk-b, tls_verify: false}\n"
        "  - {name: other, provider: openai, endpoint: 'https://other.example', api_key: sk-other,\n"
        "     tls_ca_file: /cert}\n"
        "  - {name: none, provider: openai, api_key: '', status: OFFLINE}\n"
        "rules:\n"
        "  - {priority: 9, match_model: 'gpt-*', match_user: 'regex:^a|b$$', match_pattern: 'regex:regex: "
        "x', hostgroup: 0}\n"
        "  - {priority: 1, match_pattern: '\\d+ \"q\" ${NONE:-$$}', hostgroup: 5, rewrite_model: m,\n"
        "     comment: \"" BAD_CHARACTERS "\"}\n"
        "  - {match_model: 'regex:a*', hostgroup: 4}\n");
}

static void test_mindbalancer(void **state)
{
    (void)state;
    check_round_trip(
        "[mindbalancer]\n"
        "admin_password = 'pa${NAME}ss \"word\"'\n" /* nothing is expanded in that format */
        "max_retries = 2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_mindbalancer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
