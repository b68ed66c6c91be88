/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load.c src/conf/load_hostgroups.c src/conf/load_listeners.c src/conf/load_rules.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/load_servers.c"
#include "load_check.h"

#define S "servers:\n- {name: a, provider: vllm"
#define OPEN "servers:\n- {name: a, provider: openai"

static const struct load_row rows[] = {
    {S "}", ""},
    {"servers: []", ""},
    {"servers: {}", "f:1:10: servers has to be a list\n"},
    {"servers: [{provider: vlm, name: a}]",
     "f:1:22: unknown provider 'vlm' in servers[0]; did you mean 'vllm'?\n"},
    {"servers: [{provider: [vllm], name: a}]",
     "f:1:22: provider in servers[0] has to be one value, not a list\n"},
    {"servers: [{provider: custom, name: a}]",
     "f:1:11: missing key 'endpoint' in servers[0]: provider custom has none of its own\n"},
    {S ", endpont: \"http://h\"}", "f:2:29: unknown key 'endpont' in servers[0]; did you mean 'endpoint'?\n"},
    {S ", endpoint: \"http://u:secret@h\"}", "f:2:39: endpoint in servers[0] has '@': user name and password "
                                             "do not belong in an endpoint, use api_key\n"},
    {S ", endpoint: ''}", "f:2:39: endpoint in servers[0] has to have 1 to 4096 bytes\n"},
    {S ", endpoint: }", "f:2:29: endpoint in servers[0] has no value\n"},
    {S ", weight: 0}", "f:2:37: weight in servers[0]: '0' is not a whole number from 1 to 1000\n"},
    {S ", weight: 1001}", "f:2:37: weight in servers[0]: '1001' is not a whole number from 1 to 1000\n"},
    {S ", weight: \"${NAME}\"}", /* a message shows what is written, not what a variable holds */
     "f:2:37: weight in servers[0]: '${NAME}' is not a whole number from 1 to 1000\n"},
    {S ", weight: \"${NUMBER}\"}", ""},
    {S ", max_concurrent: -1}",
     "f:2:45: max_concurrent in servers[0]: '-1' is not a whole number from 0 to 1000000\n"},
    {S ", status: online}", "f:2:37: unknown status 'online' in servers[0]; did you mean 'ONLINE'?\n"},
    {S ", models: llama}",
     "f:2:37: models in servers[0] has to be a list of at least one name; left out, the server is asked\n"},
    {S ", models: []}",
     "f:2:37: models in servers[0] has to be a list of at least one name; left out, the server is asked\n"},
    {S ", models: [a, '', [b], \"c\\nd\"]}", "f:2:41: models in servers[0] has to have 1 to 4096 bytes\n"
                                             "f:2:45: models in servers[0] has to be one value, not a list\n"
                                             "f:2:50: models in servers[0]: 'c?d' has control characters\n"},
    {S ", tls_verify: false, tls_ca_file: /cert}",
     "f:2:29: tls_verify in servers[0] has no effect: the endpoint is not https\n"
     "f:2:48: tls_ca_file in servers[0] has no effect: the endpoint is not https\n"},
    {OPEN ", tls_verify: false, tls_ca_file: /cert}",
     "f:2:50: tls_ca_file in servers[0] has no effect with tls_verify: false\n"},
    {OPEN ", tls_verify: no}", "f:2:43: tls_verify in servers[0]: 'no' is neither true nor false\n"},
    {OPEN ", tls_ca_file: /none}", "f:2:44: tls_ca_file in servers[0]: '/none' is no readable file\n"},
    {S ", api_key: {file: /none}}", "f:2:45: api_key in servers[0]: file '/none': no such file\n"},
    {S ", api_key: {file: /denied}}", "f:2:45: api_key in servers[0]: file '/denied': not readable\n"},
    {S ", api_key: {file: /empty}}", "f:2:45: api_key in servers[0]: file '/empty' is empty\n"},
    {S ", api_key: {path: /key}}", "f:2:38: api_key in servers[0] has to be a text or {file: PATH}\n"},
    {S ", api_key: {file: /key, x: y}}", "f:2:38: api_key in servers[0] has to be a text or {file: PATH}\n"},
    {S ", api_key: [x]}", "f:2:38: api_key in servers[0] has to be a text or {file: PATH}\n"},
    {S ", api_key: \"${NONE}\"}",
     "f:2:38: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n"},
    {S ", api_key: \"${BAD_KEY}\"}", "f:2:38: api_key in servers[0] has spaces, control characters or bytes "
                                     "beyond ASCII, which no header can "
                                     "carry, or is longer than 16384 bytes\n"},
    {"servers:\n- {name: a, provider: vllm}\n- {name: b, provider: vllm}\n- {name: a, provider: vllm}\n",
     "f:4:10: duplicate name 'a' in servers, as in line 2\n"},
};

static void test_rows(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_values(void **state)
{
    (void)state;
    struct config *config =
        load_good("servers:\n"
                  "  - {name: a.b_c-1, provider: groq, endpoint: \"https://api.groq.com/openai\",\n"
                  "     api_key: {file: /key}, hostgroup: 4, weight: 1000, max_concurrent: 1,\n"
                  "     status: DRAINING, models: [\"llama*\"], tls_ca_file: /cert}\n"
                  "  - {name: b, provider: ollama, api_key: \"${EMPTY:-}\", status: SHUNNED}\n");
    const struct server_config *a = &config->servers[0], *b = &config->servers[1];
    assert_str(a->name, "a.b_c-1");
    assert_str(a->provider->name, "groq");
    assert_str(a->endpoint.base_path, "/openai/v1");
    assert_str(a->api_key, "sk-file");
    assert_int_equal(a->hostgroup, 4);
    assert_int_equal(a->weight, 1000);
    assert_int_equal(a->max_concurrent, 1);
    assert_int_equal(a->status, SERVER_DRAINING);
    assert_int_equal(a->model_count, 1);
    assert_true(a->tls_verify);
    assert_str(a->tls_ca_file, "/cert");
    assert_str(b->endpoint_text, "http://127.0.0.1:11434");
    assert_int_equal(b->endpoint.port, 11434);
    assert_str(b->api_key, "");
    assert_int_equal(b->weight, 1);
    assert_int_equal(b->max_concurrent, 0);
    assert_int_equal(b->status, SERVER_SHUNNED);
    assert_int_equal(b->model_count, 0);
    config_free(config);
}

/* The provider's key from the environment goes to the provider's own host and nowhere else. */
static void test_default_key(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *key;
    } cases[] = {
        {"", "sk-environment"},
        {", endpoint: \"https://API.openai.com:443/v1\"", "sk-environment"},
        {", endpoint: \"http://api.openai.com\"", ""},
        {", endpoint: \"https://api.openai.com:444\"", ""},
        {", endpoint: \"https://api.openai.com.example.com\"", ""},
        {", endpoint: \"http://127.0.0.1:9102\"", ""},
        {", api_key: mine", "mine"},
        {", api_key: ''", ""}, /* said to be none */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[256];
        snprintf(yaml, sizeof(yaml), "servers: [{name: a, provider: openai%s}]", cases[i].rest);
        struct config *config = load_good(yaml);
        assert_str(config->servers[0].api_key, cases[i].key);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_default_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
