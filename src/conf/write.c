/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/write.h"

#include "conf/settings.h"

#define VARIABLE_MAX 256
#define VARIABLE_PREFIX "FAIRLEAD_"

struct writer {
    const struct config *config;
    const struct config_env *env;
    struct buf *out;
};

/* ---- scalars ---- */

/* Characters that YAML takes for line breaks, or refuses when they are not escaped: by their first bytes in UTF-8. */
static const struct {
    struct str bytes;
    const char *escape;
} special[] = {
    {{"\"", 1}, "\\\""},
    {{"\\", 1}, "\\\\"},
    {{"$", 1}, "$$"}, /* of expand.h, not of YAML */
    {{"\xe2\x80\xa8", 3}, "\\u2028"},
    {{"\xe2\x80\xa9", 3}, "\\u2029"},
    {{"\xef\xbb\xbf", 3}, "\\uFEFF"},
    {{"\xef\xbf\xbe", 3}, "\\uFFFE"},
    {{"\xef\xbf\xbf", 3}, "\\uFFFF"},
};

/* Writes what stands at the front of `text`; the result is how many bytes that was. */
static size_t write_character(struct buf *out, struct str text)
{
    unsigned char c = (unsigned char)text.ptr[0];
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (str_starts(text, special[i].bytes)) {
            buf_add(out, str_from(special[i].escape));
            return special[i].bytes.len;
        }
    }
    if (c == 0xc2 && text.len > 1 && (unsigned char)text.ptr[1] < 0xa0) { /* U+0080 to U+009F */
        buf_printf(out, "\\x%02X", (unsigned char)text.ptr[1]);
        return 2;
    }
    buf_add_char(out, text.ptr[0]);
    return 1;
}

/* In double quotes, so that nothing in it means anything to YAML. Text of a configuration is UTF-8 without ASCII's control
 * characters. */
static void write_text(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    while (text.len > 0)
        text = str_from_offset(text, write_character(out, text));
    buf_add_char(out, '"');
}

/* "FAIRLEAD_" and the name in capitals; what no variable's name can hold becomes '_'. */
static void name_variable(struct buf *out, struct str name)
{
    buf_add(out, STR(VARIABLE_PREFIX));
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i], low = (char)(c | 0x20);
        bool is_letter = low >= 'a' && low <= 'z';
        buf_add_char(out, is_letter ? (char)(c & ~0x20) : c >= '0' && c <= '9' ? c : '_');
    }
}

static void write_variable(struct writer *writer, struct str variable, bool is_there)
{
    buf_printf(writer->out, "\"${" STR_FMT "}\"%s\n", STR_ARG(variable),
               is_there ? "" : " # set this variable to the secret");
}

static void write_field(struct writer *writer, const char *key, struct str value)
{
    if (value.len == 0)
        return;
    buf_printf(writer->out, "    %s: ", key);
    write_text(writer->out, value);
    buf_add_char(writer->out, '\n');
}

/* ---- settings ---- */

static void write_setting(struct writer *writer, const struct setting *setting)
{
    struct buf *out = writer->out;
    char memory[VARIABLE_MAX];
    struct buf variable;
    buf_printf(out, "  " STR_FMT ": ", STR_ARG(setting->name));
    switch (setting->kind) {
    case SETTING_KIND_SECRET:
        buf_init_fixed(&variable, memory, sizeof(memory));
        name_variable(&variable, setting->name);
        write_variable(writer, buf_str(&variable), false);
        return;
    case SETTING_KIND_TEXT:
        write_text(out, *(const struct str *)((const char *)&writer->config->settings + setting->offset));
        break;
    default:
        setting_get(setting, &writer->config->settings, out);
        break;
    }
    buf_add_char(out, '\n');
}

static void write_settings(struct writer *writer)
{
    struct settings defaults;
    bool has_title = false;
    settings_init(&defaults);
    for (size_t i = 0; i < settings_count; i++) {
        if (setting_is_equal(&settings_table[i], &writer->config->settings, &defaults))
            continue;
        if (!has_title)
            buf_add(writer->out, STR("settings:\n"));
        has_title = true;
        write_setting(writer, &settings_table[i]);
    }
}

/* ---- listeners ---- */

static void write_serves(struct buf *out, unsigned serves)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{SERVES_INFERENCE, "inference"},
                 {SERVES_ADMIN, "admin"},
                 {SERVES_METRICS, "metrics"},
                 {SERVES_SQL, "sql"}};
    const char *separator = "";
    buf_add(out, STR("    serves: ["));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!(serves & words[i].bit))
            continue;
        buf_printf(out, "%s%s", separator, words[i].word);
        separator = ", ";
    }
    buf_add(out, STR("]\n"));
}

static void write_listener(struct writer *writer, const struct listener_config *listener)
{
    static const char *const auth[] = {
        [AUTH_NONE] = "none", [AUTH_OPTIONAL] = "optional", [AUTH_KEYS] = "keys", [AUTH_MASTER] = "master"};
    struct buf *out = writer->out;
    bool is_ipv6 = str_find(listener->host, STR(":")) >= 0;
    buf_add(out, STR("  - name: "));
    write_text(out, listener->name);
    buf_printf(out, "\n    address: \"%s" STR_FMT "%s:%u\"\n", is_ipv6 ? "[" : "", STR_ARG(listener->host),
               is_ipv6 ? "]" : "", listener->port);
    write_serves(out, listener->serves);
    if (listener->auth != AUTH_NONE)
        buf_printf(out, "    auth: %s\n", auth[listener->auth]);
    if (listener->auth == AUTH_MASTER) {
        char memory[VARIABLE_MAX];
        struct buf variable;
        buf_init_fixed(&variable, memory, sizeof(memory));
        name_variable(&variable, listener->name);
        buf_add(&variable, STR("_MASTER_KEY"));
        buf_add(out, STR("    master_key: "));
        write_variable(writer, buf_str(&variable), false);
    }
    write_field(writer, "tls_cert_file", listener->tls_cert_file);
    write_field(writer, "tls_key_file", listener->tls_key_file);
}

/* ---- servers ---- */

static void name_key_variable(struct buf *out, const struct server_config *server)
{
    name_variable(out, server->name);
    buf_add(out, STR("_API_KEY"));
}

/* Whether an earlier server's name comes to the same variable: "a-b" and "a.b". */
static bool is_variable_taken(const struct config *config, size_t index)
{
    char memory[2][VARIABLE_MAX];
    struct buf mine, other;
    buf_init_fixed(&mine, memory[0], VARIABLE_MAX);
    name_key_variable(&mine, &config->servers[index]);
    for (size_t i = 0; i < index; i++) {
        buf_init_fixed(&other, memory[1], VARIABLE_MAX);
        name_key_variable(&other, &config->servers[i]);
        if (str_eq(buf_str(&mine), buf_str(&other)))
            return true;
    }
    return false;
}

/* An empty key is written where the loader would take the provider's variable instead. */
static void write_api_key(struct writer *writer, size_t index)
{
    const struct server_config *server = &writer->config->servers[index];
    struct str usual = server->provider->key_variable;
    const char *value = usual.len > 0 ? writer->env->variable(writer->env->context, usual.ptr) : NULL;
    char memory[VARIABLE_MAX];
    struct buf variable;
    if (server->api_key.len == 0 && usual.len == 0)
        return;
    buf_add(writer->out, STR("    api_key: "));
    if (server->api_key.len == 0) {
        buf_add(writer->out, STR("\"\"\n"));
        return;
    }
    if (value && str_eq(str_from(value), server->api_key)) {
        write_variable(writer, usual, true);
        return;
    }
    buf_init_fixed(&variable, memory, sizeof(memory));
    name_key_variable(&variable, server);
    if (is_variable_taken(writer->config, index))
        buf_printf(&variable, "_%zu", index);
    write_variable(writer, buf_str(&variable), false);
}

static void write_models(struct buf *out, const struct server_config *server)
{
    if (server->model_count == 0)
        return;
    buf_add(out, STR("    models:\n"));
    for (size_t i = 0; i < server->model_count; i++) {
        buf_add(out, STR("      - "));
        write_text(out, server->models[i]);
        buf_add_char(out, '\n');
    }
}

static void write_server(struct writer *writer, size_t index)
{
    static const char *const status[] = {[SERVER_ONLINE] = "ONLINE",
                                         [SERVER_OFFLINE] = "OFFLINE",
                                         [SERVER_SHUNNED] = "SHUNNED",
                                         [SERVER_DRAINING] = "DRAINING"};
    const struct server_config *server = &writer->config->servers[index];
    struct buf *out = writer->out;
    buf_add(out, STR("  - name: "));
    write_text(out, server->name);
    buf_printf(out, "\n    provider: " STR_FMT "\n", STR_ARG(server->provider->name));
    write_field(writer, "endpoint", server->endpoint_text);
    write_api_key(writer, index);
    buf_printf(out, "    hostgroup: %u\n    weight: %u\n    max_concurrent: %u\n    status: %s\n",
               server->hostgroup, server->weight, server->max_concurrent, status[server->status]);
    write_models(out, server);
    if (!server->tls_verify)
        buf_add(out, STR("    tls_verify: false\n"));
    write_field(writer, "tls_ca_file", server->tls_ca_file);
}

/* ---- hostgroups, rules ---- */

static void write_hostgroup(struct writer *writer, const struct hostgroup_config *group)
{
    static const char *const strategies[] = {[STRATEGY_WEIGHTED_ROUND_ROBIN] = "weighted_round_robin",
                                             [STRATEGY_LEAST_CONNECTIONS] = "least_connections",
                                             [STRATEGY_LATENCY] = "latency",
                                             [STRATEGY_RANDOM] = "random",
                                             [STRATEGY_LATENCY_BASED] = "latency",
                                             [STRATEGY_DEFAULT] = "default"};
    buf_printf(writer->out, "  - id: %u\n", group->id);
    write_field(writer, "name", group->name);
    buf_printf(writer->out, "    strategy: %s\n", strategies[group->strategy]);
}

/* `bare`: what a pattern without prefix is. */
static void write_match(struct writer *writer, const char *key, const struct match_config *match,
                        enum match_kind bare)
{
    if (match->kind == MATCH_ANY)
        return;
    bool needs_prefix = match->kind != bare || str_starts(match->pattern, STR("regex:"));
    buf_printf(writer->out, "    %s: ", key);
    if (needs_prefix) {
        char memory[4200]; /* more than FIELD_TEXT_MAX */
        struct buf text;
        buf_init_fixed(&text, memory, sizeof(memory));
        buf_add(&text, STR("regex:"));
        buf_add(&text, match->pattern);
        write_text(writer->out, buf_str(&text));
        writer->out->failed |= text.failed;
    } else {
        write_text(writer->out, match->pattern);
    }
    buf_add_char(writer->out, '\n');
}

static void write_rule(struct writer *writer, const struct rule_config *rule)
{
    buf_printf(writer->out, "  - priority: %u\n", rule->priority);
    write_match(writer, "match_model", &rule->model, MATCH_GLOB);
    write_match(writer, "match_user", &rule->user, MATCH_GLOB);
    write_match(writer, "match_pattern", &rule->text, MATCH_REGEX);
    buf_printf(writer->out, "    hostgroup: %u\n", rule->hostgroup);
    write_field(writer, "rewrite_model", rule->rewrite_model);
    write_field(writer, "comment", rule->comment);
}

void config_write(const struct config *config, const struct config_env *env, struct buf *out)
{
    struct writer writer = {config, env, out};
    buf_add(out, STR("data_dir: "));
    write_text(out, config->data_dir);
    buf_add_char(out, '\n');
    write_settings(&writer);
    buf_add(out, STR("listeners:\n"));
    for (size_t i = 0; i < config->listener_count; i++)
        write_listener(&writer, &config->listeners[i]);
    if (config->hostgroup_count > 0)
        buf_add(out, STR("hostgroups:\n"));
    for (size_t i = 0; i < config->hostgroup_count; i++)
        write_hostgroup(&writer, &config->hostgroups[i]);
    if (config->server_count > 0)
        buf_add(out, STR("servers:\n"));
    for (size_t i = 0; i < config->server_count; i++)
        write_server(&writer, i);
    if (config->rule_count > 0)
        buf_add(out, STR("rules:\n"));
    for (size_t i = 0; i < config->rule_count; i++)
        write_rule(&writer, &config->rules[i]);
}
