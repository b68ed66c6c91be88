/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/conf/mindbalancer.c"
#include "load_check.h"

#define HEADER "[mindbalancer]\n"
#define NO_METRICS "prometheus_enabled = no\n"

/* Loads a text that may have notices only; they are in `printed`. */
static struct config *load_noticed(const char *text, char *printed)
{
    struct config *config = NULL;
    struct diagnostics diagnostics;
    struct buf out;
    buf_init_fixed(&out, printed, 8191);
    diagnostics_init(&diagnostics);
    enum err err = config_load(str_from(text), STR("f"), &fake_env, &config, &diagnostics);
    diagnostics_print(&diagnostics, STR("f"), &out);
    printed[out.len] = '\0';
    diagnostics_fini(&diagnostics);
    if (err)
        fail_msg("%s", printed);
    return config;
}

static void check_listener(const struct listener_config *listener, const char *name, const char *host,
                           unsigned port, unsigned serves)
{
    assert_str(listener->name, name);
    assert_str(listener->host, host);
    assert_int_equal(listener->port, port);
    assert_int_equal(listener->serves, serves);
    assert_int_equal(listener->auth, AUTH_NONE);
}

static void test_recognised(void **state)
{
    (void)state;
    assert_true(mindbalancer_is(STR("/etc/x/mindbalancer.cnf"), STR("")));
    assert_true(mindbalancer_is(STR("a.conf"), STR("# comment\n[mindbalancer]\n")));
    assert_false(mindbalancer_is(STR("a.yaml"), STR("servers: [mindbalancer]\n")));
    assert_false(mindbalancer_is(STR("cnf"), STR("[other]\n")));
}

/* What the file does not say is as MindBalancer would do it. */
static void test_defaults(void **state)
{
    (void)state;
    struct config *config = load_good(HEADER);
    struct settings expected;
    settings_init(&expected);
    expected.load_balancing_algorithm = STRATEGY_WEIGHTED_ROUND_ROBIN;
    expected.default_requests_per_minute = 1000;
    expected.default_tokens_per_minute = 100000;
    for (size_t i = 0; i < settings_count; i++)
        assert_true(setting_is_equal(&settings_table[i], &config->settings, &expected));
    assert_str(config->data_dir, "/var/lib/mindbalancer");
    assert_int_equal(config->listener_count, 4);
    check_listener(&config->listeners[0], "api", "0.0.0.0", 6034, SERVES_INFERENCE);
    check_listener(&config->listeners[1], "admin", "127.0.0.1", 6033, SERVES_ADMIN | SERVES_METRICS);
    check_listener(&config->listeners[2], "sql", "127.0.0.1", 6032, SERVES_SQL);
    check_listener(&config->listeners[3], "metrics", "0.0.0.0", 9090, SERVES_METRICS);
    assert_int_equal(config->server_count + config->rule_count + config->hostgroup_count, 0);
    config_free(config);
}

static void test_every_setting_key(void **state)
{
    (void)state;
    struct config *config = load_good(HEADER "log_level = debug # loud\n"
                                             "log_format = text\n"
                                             "log_file = /var/log/x.log\n"
                                             "max_retries = 1\n"
                                             "retry_delay_ms = 200\n"
                                             "retry_max_delay_ms = 300\n"
                                             "retry_multiplier = 1.5\n"
                                             "circuit_breaker_enabled = True\n"
                                             "circuit_breaker_threshold = 4\n"
                                             "circuit_breaker_timeout_ms = 5000\n"
                                             "circuit_breaker_success_threshold = 6\n"
                                             "health_check_enabled = ON\n"
                                             "health_check_interval_ms = 700\n"
                                             "health_check_timeout_ms = 80\n"
                                             "load_balancing_algorithm = latency_based\n"
                                             "max_connections_per_server = 100\n"
                                             "connection_timeout_ms = 90\n"
                                             "idle_timeout_ms = 1000\n"
                                             "request_timeout_ms = 1100\n"
                                             "max_request_body_size = 1200000\n"
                                             "rate_limit_enabled = 0\n"
                                             "default_requests_per_minute = 13\n"
                                             "default_tokens_per_minute = 14\n"
                                             "cache_enabled = FALSE\n"
                                             "cache_ttl_seconds = 15\n"
                                             "cache_embeddings_ttl_hours = 2\n"
                                             "cache_max_size = 16\n"
                                             "cache_max_memory_mb = 17\n"
                                             "cache_max_item_size_kb = 18\n"
                                             "cache_compression_enabled = no\n"
                                             "admin_username = root\n"
                                             "admin_password = \"a # b\"\n"
                                             "admin_password_hash = $2a$10$abc\n"
                                             "api_key_encryption_key = 1234567890123456\n"
                                             "referee_enabled = false\n"
                                             "referee_min_responses = 7\n"
                                             "cluster_enabled = false\n"
                                             "cluster_name = c\n"
                                             "cluster_peers = [a]\n"
                                             "prometheus_path = /metrics\n");
    const struct settings *settings = &config->settings;
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->access_log_format, ACCESS_LOG_TEXT);
    assert_str(settings->access_log, "/var/log/x.log");
    assert_int_equal(settings->max_retries, 1);
    assert_int_equal(settings->retry_initial_delay_ms, 200);
    assert_int_equal(settings->retry_max_delay_ms, 300);
    assert_true(settings->retry_multiplier == 1.5);
    assert_int_equal(settings->circuit_breaker_threshold, 4);
    assert_int_equal(settings->circuit_breaker_timeout_ms, 5000);
    assert_int_equal(settings->circuit_breaker_success_threshold, 6);
    assert_int_equal(settings->health_check_interval_ms, 700);
    assert_int_equal(settings->health_check_timeout_ms, 80);
    assert_int_equal(settings->load_balancing_algorithm, STRATEGY_LATENCY_BASED);
    assert_int_equal(settings->connect_timeout_ms, 90);
    assert_int_equal(settings->upstream_idle_timeout_ms, 1000);
    assert_int_equal(settings->total_timeout_ms, 1100);
    assert_int_equal(settings->first_byte_timeout_ms, 1100);
    assert_int_equal(settings->max_body_bytes, 1200000);
    assert_false(settings->rate_limit_enabled);
    assert_int_equal(settings->default_requests_per_minute, 13);
    assert_int_equal(settings->default_tokens_per_minute, 14);
    assert_false(settings->cache_enabled);
    assert_int_equal(settings->cache_ttl_ms, 15000);
    assert_int_equal(settings->cache_embeddings_ttl_ms, 7200000);
    assert_int_equal(settings->cache_max_size, 16);
    assert_int_equal(settings->cache_max_memory_mb, 17);
    assert_int_equal(settings->cache_max_item_size_kb, 18);
    assert_str(settings->admin_username, "root");
    assert_str(settings->admin_password, "a # b");
    assert_str(settings->admin_password_hash, "$2a$10$abc");
    assert_str(settings->api_key_encryption_key, "1234567890123456");
    config_free(config);
}

/* Both spellings of what has two. */
static void test_spellings(void **state)
{
    (void)state;
    struct config *config = load_good(HEADER "cache_ttl_ms = 15000\nretry_initial_delay_ms = 200\n");
    assert_int_equal(config->settings.cache_ttl_ms, 15000);
    assert_int_equal(config->settings.retry_initial_delay_ms, 200);
    config_free(config);
}

static void test_empty_is_absent(void **state)
{
    (void)state;
    struct config *config =
        load_good(HEADER "log_file =\nadmin_password_hash = \"\"  # none\nproxy_port =\nmax_retries = ''\n"
                         "api_key_encryption_key = \"\"\ntls_cert_file =\ndata_dir = \"\"\n");
    assert_str(config->settings.access_log, "stdout");
    assert_int_equal(config->settings.max_retries, 3);
    assert_int_equal(config->listeners[0].port, 6034);
    assert_str(config->data_dir, "/var/lib/mindbalancer");
    config_free(config);
}

static void test_listeners(void **state)
{
    (void)state;
    struct config *config = load_good(
        HEADER "proxy_bind_address = ::1\nproxy_port = 0\nadmin_bind_address = localhost\nadmin_port = 11\n"
               "admin_http_port = 12\n" NO_METRICS "data_dir = ./here\n");
    assert_int_equal(config->listener_count, 3);
    check_listener(&config->listeners[0], "api", "::1", 0, SERVES_INFERENCE);
    check_listener(&config->listeners[1], "admin", "127.0.0.1", 12, SERVES_ADMIN | SERVES_METRICS);
    check_listener(&config->listeners[2], "sql", "127.0.0.1", 11, SERVES_SQL);
    assert_str(config->data_dir, "./here");
    config_free(config);
    config = load_good(HEADER
                       "proxy_bind_address = [::]\nprometheus_port = 9091\nadmin_bind_address = 10.1.2.3\n");
    check_listener(&config->listeners[0], "api", "::", 6034, SERVES_INFERENCE);
    check_listener(&config->listeners[1], "admin", "10.1.2.3", 6033, SERVES_ADMIN | SERVES_METRICS);
    check_listener(&config->listeners[3], "metrics", "0.0.0.0", 9091, SERVES_METRICS);
    config_free(config);
}

static void test_tls(void **state)
{
    (void)state;
    static const char *const on[] = {HEADER "tls_cert_file = /cert\ntls_key_file = /key\n", HEADER
                                     "tls_enabled = yes\ntls_cert_file = /cert\ntls_key_file = /key\n"};
    for (size_t i = 0; i < ARRAY_LEN(on); i++) {
        struct config *config = load_good(on[i]);
        for (size_t j = 0; j < config->listener_count; j++) {
            bool is_tls = j < 2; /* proxy and administration */
            assert_str(config->listeners[j].tls_cert_file, is_tls ? "/cert" : "");
            assert_str(config->listeners[j].tls_key_file, is_tls ? "/key" : "");
        }
        config_free(config);
    }
    struct config *config =
        load_good(HEADER "tls_enabled = false\ntls_cert_file = /none\ntls_key_file = /none\n");
    assert_str(config->listeners[0].tls_cert_file, "");
    config_free(config);
}

static const char *home_variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "HOME") == 0 ? "/home/mind" : NULL;
}

static void test_home(void **state)
{
    (void)state;
    struct config_env env = fake_env;
    struct config *config = NULL;
    struct diagnostics diagnostics;
    env.variable = home_variable;
    diagnostics_init(&diagnostics);
    assert_int_equal(
        config_load(STR(HEADER "data_dir = ~/.mindbalancer/data\n"), STR("f"), &env, &config, &diagnostics),
        ERR_OK);
    assert_str(config->data_dir, "/home/mind/.mindbalancer/data");
    config_free(config);
    diagnostics_fini(&diagnostics);
}

static void test_notices(void **state)
{
    (void)state;
    char printed[8192];
    struct config *config = load_noticed(
        HEADER "cache_compression_enabled = true\nreferee_enabled = true\nreferee_min_responses = 2\n"
               "max_retries = 2\nfailover_enabled = false\nproxy_port = 6033\nadmin_bind_address = 0.0.0.0\n",
        printed);
    assert_string_equal(
        printed,
        "f:2:1: notice: cache_compression_enabled: the cache keeps answers as they are; cache_max_memory_mb "
        "limits it "
        "all the same\n"
        "f:3:1: notice: referee_enabled: this version has no referee mode\n"
        "f:6:1: notice: failover_enabled = false: max_retries is 0\n"
        "f:7:1: notice: proxy_port takes the usual admin_http_port, 6033: administration is at port 6034\n");
    assert_int_equal(config->settings.max_retries, 0);
    assert_int_equal(config->listeners[1].port, 6034);
    config_free(config);
}

static const struct load_row rows[] = {
    {HEADER "proxy_prt = 1\n", "f:2:1: unknown key 'proxy_prt'; did you mean 'proxy_port'?\n"},
    {HEADER "queue_max_length = 1\n", "f:2:1: unknown key 'queue_max_length'; it is a setting of "
                                      "fairlead.yaml, into which fairlead import turns this file\n"},
    {HEADER "[other]\na = 1\nb = 2\n", "f:2:1: unknown section 'other'; there is only [mindbalancer]\n"},
    {HEADER "max_retries = 1\nmax_retries = 1\n",
     "f:3:1: max_retries is set already by max_retries, as in line 2\n"},
    {HEADER "cache_ttl_ms = 1\ncache_ttl_seconds = 1\n",
     "f:3:1: cache_ttl_seconds is set already by cache_ttl_ms, as in line 2\n"},
    {HEADER "proxy_port = 1\nproxy_port = 1\n",
     "f:3:1: proxy_port is set already by proxy_port, as in line 2\n"},
    {HEADER "max_retries = -1\n", "f:2:15: max_retries: '-1' is not a whole number from 0 to 20\n"},
    {HEADER "retry_delay_ms = x\n",
     "f:2:18: retry_delay_ms, here retry_initial_delay_ms: 'x' is not a whole number from 0 to 60000\n"},
    {HEADER "request_timeout_ms = x\n",
     "f:2:22: request_timeout_ms, here total_timeout_ms: 'x' is not a whole number from 0 to 86400000\n"},
    {HEADER "cache_ttl_seconds = 1.5\n",
     "f:2:21: cache_ttl_seconds: '1.5' is not a whole number, or too large\n"},
    {HEADER "cache_ttl_seconds = 18446744073709551615\n",
     "f:2:21: cache_ttl_seconds: '18446744073709551615' is not a whole number, or too large\n"},
    {HEADER "cache_ttl_seconds = 100000\n",
     "f:2:21: cache_ttl_seconds, here cache_ttl_ms: '100000000' is not a whole number from 1 to 86400000\n"},
    {HEADER "cache_enabled = maybe\n", "f:2:17: cache_enabled: 'maybe' is neither true nor false\n"},
    {HEADER "prometheus_enabled = 2\n", "f:2:22: prometheus_enabled: '2' is neither true nor false\n"},
    {HEADER "prometheus_path = /m\n",
     "f:2:19: prometheus_path: '/m' is refused: metrics are at /metrics; change the path in Prometheus\n"},
    {HEADER "cluster_enabled = true\n",
     "f:2:19: cluster_enabled: 'true' is refused: there are no clusters, in MindBalancer neither\n"},
    {HEADER "circuit_breaker_enabled = false\n",
     "f:2:27: circuit_breaker_enabled: 'false' is refused: the circuit breaker cannot be switched off; a "
     "circuit_breaker_threshold of 10000 is near to it\n"},
    {HEADER "referee_max_providers = 3\n",
     "f:2:25: referee_max_providers: '3' is refused: this version has no referee mode; "
     "remove the key, or set referee_enabled = false\n"},
    {HEADER "api_key_encryption_key = 123456789012345\n",
     "f:2:26: api_key_encryption_key: shorter than 16 bytes\n"}, /* and the value is not shown */
    {HEADER "proxy_port = 65536\n",
     "f:2:14: proxy_port: '65536' is not a port: a whole number from 0 to 65535\n"},
    {HEADER "proxy_bind_address = example.com\n",
     "f:2:22: proxy_bind_address: 'example.com' is not a numeric address, as 0.0.0.0 or ::1\n"},
    {HEADER "admin_http_port = 6032\n", "f:2:19: listeners admin and sql share port 6032\n"},
    {HEADER "proxy_port = 6032\n", "f:2:14: listeners api and sql share port 6032\n"},
    {HEADER "prometheus_port = 6034\n", "f:2:19: listeners api and metrics share port 6034\n"},
    {HEADER "tls_enabled = true\ntls_cert_file = /cert\n", "f:2:1: tls_enabled needs tls_key_file as well\n"},
    {HEADER "tls_key_file = /key\n", "f:2:1: tls_key_file needs tls_cert_file as well\n"},
    {HEADER "tls_cert_file = /none\ntls_key_file = /key\n",
     "f:2:17: tls_cert_file: '/none' is no readable file\n"},
    {HEADER "data_dir = ~/x\n", "f:2:12: data_dir: '~/x' needs the environment variable HOME\n"},
    {HEADER "max_retries = a#b\n",
     "f:2:16: a '#' or ';' inside of a value: put the value in quotes, or a blank before a comment\n"},
};

static void test_faults(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

/* By its name alone. */
static void test_stray_key(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    assert_int_equal(config_load(STR("a = 1\n"), STR("x.cnf"), &fake_env, &config, &diagnostics),
                     ERR_INVALID);
    assert_int_equal(diagnostics.count, 1);
    assert_str(diagnostics.items[0].message, "'a' stands before the section [mindbalancer]");
    diagnostics_fini(&diagnostics);
}

/* A row whose setting is gone would only be noticed by the one who uses it. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].role != ROLE_SETTING)
            continue;
        const struct setting *setting = setting_find(keys[i].target);
        assert_non_null(setting);
        assert_true(keys[i].factor == 1 || setting->kind == SETTING_KIND_U64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recognised),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_setting_key),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_empty_is_absent),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_stray_key),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
