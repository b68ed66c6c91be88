/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/conf/rows.c"

#include "load_check.h"

#define BASE                                                                                                 \
    "settings: {max_retries: 7}\n"                                                                           \
    "hostgroups: [{id: 1, name: one}]\n"                                                                     \
    "servers: [{name: base, provider: vllm, hostgroup: 2, api_key: sk-base}]\n"                              \
    "rules: [{match_model: first, hostgroup: 1, priority: 50}, {match_model: last, hostgroup: 2}]\n"

#define LINES_MAX 16
#define CELLS_MAX 8

/* Rows out of a text: a line each, "kind|where|column=text|column=text". */
struct script {
    char text[4096];
    struct cell cells[LINES_MAX][CELLS_MAX];
    struct row rows[LINES_MAX]; /* by kind, so that each list is a piece of it */
    struct config_rows lists;
};

static struct row_list *list_of(struct script *script, const char *kind)
{
    static const struct {
        const char *name;
        size_t offset;
    } names[] = {
        {"server", offsetof(struct config_rows, servers)},
        {"group", offsetof(struct config_rows, hostgroups)},
        {"rule", offsetof(struct config_rows, rules)},
        {"user", offsetof(struct config_rows, users)},
        {"key", offsetof(struct config_rows, api_keys)},
        {"price", offsetof(struct config_rows, prices)},
        {"alias", offsetof(struct config_rows, aliases)},
        {"variable", offsetof(struct config_rows, variables)},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].name, kind) == 0)
            return (void *)((char *)&script->lists + names[i].offset);
    fail_msg("no kind %s", kind);
    return NULL;
}

static void parse_row(struct script *script, size_t index, char *line)
{
    char *at = line;
    struct row *row = &script->rows[index];
    struct row_list *list = list_of(script, strsep(&at, "|"));
    row->where = str_from(strsep(&at, "|"));
    row->cells = script->cells[index];
    for (char *cell = strsep(&at, "|"); cell; cell = strsep(&at, "|")) {
        char *column = strsep(&cell, "=");
        script->cells[index][row->cell_count++] = (struct cell){str_from(column), str_from(cell)};
    }
    if (list->count++ == 0)
        list->items = row;
}

/* Rows of one kind have to stand together. */
static void parse_script(struct script *script, const char *text)
{
    size_t count = 0;
    memset(script, 0, sizeof(*script));
    snprintf(script->text, sizeof(script->text), "%s", text);
    char *at = script->text;
    for (char *line = strsep(&at, "\n"); line; line = strsep(&at, "\n"))
        if (*line)
            parse_row(script, count++, line);
}

/* NULL when they are refused. */
static struct config *derive_text(struct config *base, const char *text, char *printed)
{
    static struct script script;
    struct config *config = NULL;
    struct diagnostics diagnostics;
    struct buf out;
    parse_script(&script, text);
    buf_init_fixed(&out, printed, 8191);
    diagnostics_init(&diagnostics);
    enum err err = config_from_rows(base, &script.lists, &fake_env, &config, &diagnostics);
    diagnostics_print(&diagnostics, STR("f"), &out);
    printed[out.len] = '\0';
    assert_int_equal(err, out.len == 0 ? ERR_OK : ERR_INVALID);
    diagnostics_fini(&diagnostics);
    return config;
}

static struct config *derive_good(struct config *base, const char *text)
{
    char printed[8192];
    struct config *config = derive_text(base, text, printed);
    assert_string_equal(printed, "");
    return config;
}

static void no_rows_give_the_base(void **state)
{
    struct config *base = load_good(BASE);
    struct config *config = derive_good(base, "");
    (void)state;
    config_free(base);
    assert_int_equal(config->settings.max_retries, 7);
    assert_int_equal(config->server_count, 1);
    assert_str(config->servers[0].api_key, "sk-base");
    assert_int_equal(config->hostgroup_count, 2);
    assert_str(config->hostgroups[0].name, "one");
    assert_true(config->hostgroups[1].is_implied);
    assert_int_equal(config->rule_count, 2);
    assert_int_equal(config->listener_count, 4);
    config_free(config);
}

static void a_base_outlives_its_derivations(void **state)
{
    struct config *base = load_good(BASE);
    struct config *first = derive_good(base, "server|row|name=a|provider_type=vllm|api_key_encrypted=sk-row\n"
                                             "variable|row|variable_name=admin_password|variable_value=pass");
    (void)state;
    assert_str(first->servers[1].api_key, "sk-row");
    config_free(first);
    assert_str(base->servers[0].api_key, "sk-base"); /* not wiped with the first */
    struct config *second = derive_good(base, "");
    config_free(base);
    assert_str(second->servers[0].api_key, "sk-base");
    config_free(config_ref(second));
    assert_str(second->servers[0].name, "base");
    config_free(second);
}

static void rows_stand_behind_the_base(void **state)
{
    struct config *base = load_good(BASE);
    struct config *config = derive_good(
        base,
        "server|s1|id=1|name=a|provider_type=openai|endpoint=http://h:1/"
        "v1|api_key_encrypted=sk-a|hostgroup=5|"
        "weight=3|max_connections=9\n"
        "server|s2|name=b|provider_type=openai|status=DRAINING|models=m-1, g-*,x|tls_verify=1|comment=any\n"
        "group|g1|hostgroup_id=2|name=two|strategy=random\n"
        "group|g2|hostgroup_id=0|name=\n"
        "rule|r1|priority=50|match_model=regex:a.*|destination_hostgroup=5|rewrite_model=z|active=1\n"
        "rule|r2|priority=1|match_pattern=hello|match_user=|destination_hostgroup=0|mirror_hostgroup=\n"
        "rule|r3|priority=0|destination_hostgroup=4711|active=0\n");
    (void)state;
    config_free(base);
    const struct server_config *a = &config->servers[1], *b = &config->servers[2];
    assert_int_equal(config->server_count, 3);
    assert_str(a->name, "a");
    assert_str(a->api_key, "sk-a");
    assert_str(a->endpoint.base_path, "/v1");
    assert_int_equal(a->endpoint.port, 1);
    assert_int_equal(a->hostgroup, 5);
    assert_int_equal(a->weight, 3);
    assert_int_equal(a->max_concurrent, 9);
    assert_true(a->tls_verify);
    assert_str(b->api_key, "sk-environment");
    assert_int_equal(b->status, SERVER_DRAINING);
    assert_int_equal(b->model_count, 3);
    assert_str(b->models[1], "g-*");
    assert_int_equal(b->weight, 1);

    static const unsigned ids[] = {0, 1, 2, 5};
    assert_int_equal(config->hostgroup_count, ARRAY_LEN(ids));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_int_equal(config->hostgroups[i].id, ids[i]);
    assert_str(config->hostgroups[2].name, "two");
    assert_int_equal(config->hostgroups[2].strategy, STRATEGY_RANDOM);
    assert_false(config->hostgroups[2].is_implied);

    assert_int_equal(config->rule_count, 4);
    assert_int_equal(config->rules[0].text.kind, MATCH_REGEX);
    assert_str(config->rules[1].model.pattern, "first");
    assert_str(config->rules[2].model.pattern, "a.*");
    assert_int_equal(config->rules[2].model.kind, MATCH_REGEX);
    assert_str(config->rules[3].model.pattern, "last");
    config_free(config);
}

static void users_keys_prices_and_aliases(void **state)
{
    struct config *base = load_good(BASE);
    struct config *config = derive_good(
        base,
        "user|u1|username=J\xc3\xb6rg M|max_requests_per_minute=0|max_tokens_per_minute=1000000000000\n"
        "user|u2|username=bob|active=0|default_hostgroup=2|max_requests_per_minute=60\n"
        "key|k1|name=laptop|username=bob|active=0|key_digest="
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
        "price|p1|model=gpt-4o|input_price=2.5|output_price=10.0|cache_read_price=|cache_write_price=0.0375\n"
        "price|p2|model=gpt-4o|input_price=1.0e-03|output_price=0|cache_read_price=0|valid_from=2024-02-29\n"
        "alias|a1|alias=fast|model=gpt-4o\n"
        "variable|v1|variable_name=max_retries|variable_value=2\n");
    (void)state;
    config_free(base);
    assert_int_equal(config->user_count, 2);
    assert_str(config->users[0].name, "J\xc3\xb6rg M");
    assert_true(config->users[0].is_active);
    assert_int_equal(config->users[0].tokens_per_minute, 1000000000000);
    assert_false(config->users[1].is_active);
    assert_int_equal(config->users[1].default_hostgroup, 2);
    assert_int_equal(config->users[1].requests_per_minute, 60);
    assert_int_equal(config->api_key_count, 1);
    assert_int_equal(config->api_keys[0].user, 1);
    assert_false(config->api_keys[0].is_active);
    assert_int_equal(config->api_keys[0].digest[31], 0xff);
    assert_int_equal(config->api_keys[0].digest[1], 0x11);
    const struct price_config *first = &config->prices[0], *second = &config->prices[1];
    assert_int_equal(first->input, 2500);
    assert_int_equal(first->output, 10000);
    assert_int_equal(first->cache_read, 2500);
    assert_int_equal(first->cache_write, 38);
    assert_int_equal(first->valid_from, 0);
    assert_int_equal(second->input, 1);
    assert_int_equal(second->cache_read, 0);
    assert_int_equal(second->cache_write, 1);
    assert_int_equal(second->valid_from, 19782);
    assert_str(config->aliases[0].model, "gpt-4o");
    assert_int_equal(config->settings.max_retries, 2);
    config_free(config);
}

static const struct {
    const char *rows;
    const char *printed;
} refused[] = {
    {"server|ai_servers, name 'a'|name=a|provider_type=vllm|weight=0|max_connections=-1|hostgroup=1.5",
     "f: hostgroup in ai_servers, name 'a': '1.5' is not a whole number from 0 to 65535\n"
     "f: weight in ai_servers, name 'a': '0' is not a whole number from 1 to 1000\n"
     "f: max_connections in ai_servers, name 'a': '-1' is not a whole number from 0 to 1000000\n"},
    {"server|row|name=a b|provider_type=vllm",
     "f: name in row: 'a b' is not a name of 1 to 64 letters, digits, '.', '_', '-'\n"},
    {"server|row|name=a|provider_type=", "f: missing column 'provider_type' in row\n"},
    {"server|row|name=a|provider_type=anthropic", "f: provider_type in row: unknown provider 'anthropic', "
                                                  "known are openai, groq, vllm, sglang, llamacpp, lmstudio, "
                                                  "ollama, custom\n"},
    {"server|row|name=a|provider_type=opena", "f: provider_type in row: unknown provider 'opena', known are "
                                              "openai, groq, vllm, sglang, llamacpp, lmstudio, "
                                              "ollama, custom; did you mean 'openai'?\n"},
    {"server|row|name=a|provider_type=custom",
     "f: missing column 'endpoint' in row: provider custom has none of its own\n"},
    {"server|row|name=a|provider_type=vllm|api_key_encrypted=two words",
     "f: api_key_encrypted in row has spaces, control characters or bytes beyond ASCII, which no header can "
     "carry, or is "
     "longer than 16384 bytes\n"},
    {"server|row|name=a|provider_type=vllm|status=online",
     "f: unknown status 'online' in row; did you mean 'ONLINE'?\n"},
    {"server|row|name=a|provider_type=vllm|models=a,,b", "f: models in row has to have 1 to 4096 bytes\n"},
    {"server|row|name=a|provider_type=vllm|tls_verify=0",
     "f: tls_verify in row has no effect: the endpoint is not https\n"},
    {"server|row|name=a|provider_type=openai|tls_verify=2",
     "f: tls_verify in row: '2' is neither true nor false\n"},
    {"server|row|name=base|provider_type=vllm",
     "f: name in row is taken already, by the configuration file\n"},
    {"server|row 1|name=a|provider_type=vllm\nserver|row 2|name=a|provider_type=vllm",
     "f: name in row 2 is taken already, by row 1\n"},
    {"group|row|hostgroup_id=1", "f: hostgroup_id in row is taken already, by the configuration file\n"},
    {"group|row|hostgroup_id=70000",
     "f: hostgroup_id in row: '70000' is not a whole number from 0 to 65535\n"},
    {"group|row|hostgroup_id=9|strategy=fastest", "f: unknown strategy 'fastest' in row\n"},
    {"group|row|hostgroup_id=9|name=one", "f: name in row is taken already, by the configuration file\n"},
    {"rule|row|destination_hostgroup=", "f: missing column 'destination_hostgroup' in row\n"},
    {"rule|row|destination_hostgroup=1|mirror_hostgroup=2",
     "f: mirror_hostgroup in row: mirroring is not built\n"},
    {"rule|row|destination_hostgroup=1|active=2", "f: active in row: '2' is neither 0 nor 1\n"},
    {"rule|row|destination_hostgroup=1|match_model=regex:", "f: an empty expression after 'regex:' in row\n"},
    {"user|row|username=", "f: missing column 'username' in row\n"},
    {"user|row|username=a|max_requests_per_minute=1000000001",
     "f: max_requests_per_minute in row: '1000000001' is not a whole number from 0 to 1000000000\n"},
    {"user|row|username=0123456789012345678901234567890123456789012345678901234567890123456789",
     "f: username in row has more than 64 bytes\n"},
    {"key|row|name=k|username=nobody|key_digest="
     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
     "f: username in row: there is no user 'nobody'\n"},
    {"user|u|username=a\nkey|row|name=k|username=a|key_digest=12",
     "f: key_digest in row is written by Fairlead, from api_key\n"},
    {"price|row|model=m|input_price=-1|output_price=1e9",
     "f: input_price in row: '-1' is no price from 0 to 1000000 USD per million tokens\n"
     "f: output_price in row: '1e9' is no price from 0 to 1000000 USD per million tokens\n"},
    {"price|row|model=m|input_price=1x|output_price=nan",
     "f: input_price in row: '1x' is no price from 0 to 1000000 USD per million tokens\n"
     "f: output_price in row: 'nan' is no price from 0 to 1000000 USD per million tokens\n"},
    {"price|row|model=m|input_price=1|output_price=1|valid_from=2023-02-29",
     "f: valid_from in row: '2023-02-29' is no date from 1970-01-01 on, as YYYY-MM-DD\n"},
    {"price|row|model=m|input_price=1|output_price=1|valid_from=1969-12-31",
     "f: valid_from in row: '1969-12-31' is no date from 1970-01-01 on, as YYYY-MM-DD\n"},
    {"price|row|model=m|input_price=1|output_price=1|valid_from=2024-1-01",
     "f: valid_from in row: '2024-1-01' is no date from 1970-01-01 on, as YYYY-MM-DD\n"},
    {"alias|row|alias=a|model=a", "f: model in row is the alias itself\n"},
    {"alias|row 1|alias=a|model=b\nalias|row 2|alias=b|model=c",
     "f: model in row 1: 'b' is an alias, it has to be a model\n"},
    {"alias|row|alias=a|model=", "f: missing column 'model' in row\n"},
    {"variable|row|variable_name=max_retrys|variable_value=1",
     "f: unknown variable 'max_retrys'; did you mean 'max_retries'?\n"},
    {"variable|row|variable_name=max_retries|variable_value=100",
     "f: max_retries: '100' is not a whole number from 0 to 20\n"},
    {"variable|row|variable_name=workers|variable_value=2",
     "f: workers is read at the start only: set it under `settings` in the configuration file, and "
     "restart\n"},
};

static void wrong_rows_are_refused_by_name(void **state)
{
    struct config *base = load_good(BASE);
    char printed[8192];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        assert_null(derive_text(base, refused[i].rows, printed));
        assert_string_equal(printed, refused[i].printed);
    }
    config_free(base);
}

static void days_count_from_1970(void **state)
{
    unsigned days;
    (void)state;
    assert_true(parse_date(STR("1970-01-01"), &days) && days == 0);
    assert_true(parse_date(STR("1970-03-01"), &days) && days == 59);
    assert_true(parse_date(STR("2000-02-29"), &days) && days == 11016);
    assert_true(parse_date(STR("2000-12-31"), &days) && days == 11322);
    assert_true(parse_date(STR("2026-11-21"), &days) && days == 20778);
    assert_false(parse_date(STR("1900-02-29"), &days));
    assert_false(parse_date(STR("2100-02-29"), &days));
    assert_false(parse_date(STR("2024-13-01"), &days));
    assert_false(parse_date(STR("2024-00-01"), &days));
    assert_false(parse_date(STR("2024-04-31"), &days));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rows_give_the_base),          cmocka_unit_test(a_base_outlives_its_derivations),
        cmocka_unit_test(rows_stand_behind_the_base),     cmocka_unit_test(users_keys_prices_and_aliases),
        cmocka_unit_test(wrong_rows_are_refused_by_name), cmocka_unit_test(days_count_from_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
