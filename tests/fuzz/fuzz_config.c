/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load.c src/conf/load_hostgroups.c src/conf/load_listeners.c src/conf/load_rules.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
/* Any bytes as a configuration: what is accepted is sound, what is refused says why, and a comment in front
 * moves every message down by one line and changes nothing else. No file and no variable of this machine is
 * touched. */
#include "conf/endpoint.h"
#include "conf/load.h"
#include "conf/settings.h"

#include <stdlib.h>

static const char *variable(void *context, const char *name)
{
    (void)context;
    static const char *const values[] = {"1", "", "sk-key", "a b"};
    return strlen(name) == 1 ? values[(unsigned char)name[0] % ARRAY_LEN(values)] : NULL;
}

static enum err read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    buf_add(out, path);
    buf_add(out, STR("\n"));
    return path.len % 5 == 0 ? ERR_NOT_FOUND : buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static bool is_readable(void *context, struct str path)
{
    (void)context;
    return path.len % 3 != 0;
}

static const struct config_env env = {variable, read_file, is_readable, NULL, NULL};

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static bool has_hostgroup(const struct config *config, unsigned id)
{
    for (size_t i = 0; i < config->hostgroup_count; i++)
        if (config->hostgroups[i].id == id)
            return true;
    return false;
}

static void check_endpoint(const struct server_config *server, struct arena *arena)
{
    struct endpoint again;
    const char *reason;
    const struct endpoint *endpoint = &server->endpoint;
    CHECK(endpoint->host.len > 0 && endpoint->port > 0 && endpoint->authority.len >= endpoint->host.len);
    CHECK(endpoint->base_path.ptr[0] == '/' && endpoint->base_path.ptr[endpoint->base_path.len - 1] != '/');
    CHECK(str_starts(endpoint->base_path, endpoint->prefix));
    struct buf text;
    buf_init(&text, 8192);
    buf_printf(&text, "%s://" STR_FMT STR_FMT, endpoint->tls ? "https" : "http", STR_ARG(endpoint->authority),
               STR_ARG(endpoint->base_path));
    CHECK(endpoint_parse(buf_str(&text), server->provider->base_path, arena, &again, &reason) == ERR_OK);
    CHECK(str_eq(again.base_path, endpoint->base_path) && str_eq(again.authority, endpoint->authority));
    buf_free(&text);
}

static void check_servers(struct config *config)
{
    for (size_t i = 0; i < config->server_count; i++) {
        const struct server_config *server = &config->servers[i];
        CHECK(server->name.len > 0 && server->provider);
        CHECK(server->weight >= 1 && server->weight <= SERVER_WEIGHT_MAX);
        CHECK(server->status < SERVER_STATUS_COUNT_);
        CHECK(has_hostgroup(config, server->hostgroup));
        CHECK(server->endpoint.tls || (server->tls_verify && server->tls_ca_file.len == 0));
        for (size_t j = 0; j < i; j++)
            CHECK(!str_eq(server->name, config->servers[j].name));
        for (size_t j = 0; j < server->api_key.len; j++)
            CHECK(server->api_key.ptr[j] > ' ' && server->api_key.ptr[j] < 0x7f);
        for (size_t j = 0; j < server->model_count; j++)
            CHECK(server->models[j].len > 0);
        check_endpoint(server, &config->arena);
    }
}

static void check_config(struct config *config)
{
    CHECK(config->listener_count > 0 && config->data_dir.len > 0);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *listener = &config->listeners[i];
        CHECK(listener->serves != 0 && listener->host.len > 0);
        CHECK((listener->auth == AUTH_MASTER) == (listener->master_key.len > 0));
        CHECK((listener->tls_cert_file.len > 0) == (listener->tls_key_file.len > 0));
    }
    for (size_t i = 1; i < config->hostgroup_count; i++)
        CHECK(config->hostgroups[i - 1].id < config->hostgroups[i].id);
    check_servers(config);
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct rule_config *rule = &config->rules[i];
        CHECK(i == 0 || config->rules[i - 1].priority <= rule->priority);
        CHECK(has_hostgroup(config, rule->hostgroup));
        CHECK((rule->model.kind == MATCH_ANY) == (rule->model.pattern.len == 0));
        CHECK(rule->text.kind != MATCH_GLOB);
    }
}

/* Every setting reads back from its text to itself. */
static void check_settings(struct config *config)
{
    struct settings copy = {0};
    for (size_t i = 0; i < settings_count; i++) {
        struct buf text, message;
        buf_init(&text, 8192);
        buf_init(&message, 8192);
        setting_get(&settings_table[i], &config->settings, &text);
        CHECK(setting_set(&settings_table[i], buf_str(&text), &config->arena, &copy, &message) == ERR_OK);
        CHECK(setting_is_equal(&settings_table[i], &config->settings, &copy));
        buf_free(&text);
        buf_free(&message);
    }
}

static bool load(struct str text, struct diagnostics *diagnostics)
{
    struct config *config = NULL;
    diagnostics_init(diagnostics);
    enum err err = config_load(text, STR("f"), &env, &config, diagnostics);
    CHECK(err == ERR_OK || err == ERR_INVALID);
    CHECK((err == ERR_OK) == (config != NULL));
    CHECK((err == ERR_OK) == (diagnostics_total(diagnostics) == 0));
    if (config) {
        check_config(config);
        check_settings(config);
    }
    config_free(config);
    return err == ERR_OK;
}

/* True when the two say the same, the second one `lines` further down. "as in line 3" in a text may differ.
 */
static void check_shifted(const struct diagnostics *a, const struct diagnostics *b, unsigned lines)
{
    CHECK(diagnostics_total(a) == diagnostics_total(b));
    for (size_t i = 0; i < a->count; i++) {
        const struct diagnostic *left = &a->items[i], *right = &b->items[i];
        CHECK(left->mark.line + (left->mark.line > 0 ? lines : 0) == right->mark.line);
        CHECK(left->mark.column == right->mark.column);
        CHECK(str_eq(left->suggestion, right->suggestion));
        CHECK(str_find(left->message, STR("as in line")) >= 0 || str_eq(left->message, right->message));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct diagnostics first, second;
    bool is_good = load(text, &first);
    if (str_starts(text, STR("\xef\xbb\xbf"))) { /* a byte order mark has to stay in front */
        diagnostics_fini(&first);
        return 0;
    }
    struct buf shifted;
    buf_init(&shifted, size + 16);
    buf_add(&shifted, STR("# moved\n"));
    buf_add(&shifted, text);
    CHECK(load(buf_str(&shifted), &second) == is_good);
    check_shifted(&first, &second, 1);
    buf_free(&shifted);
    diagnostics_fini(&first);
    diagnostics_fini(&second);
    return 0;
}
