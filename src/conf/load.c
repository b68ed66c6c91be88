/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/load.h"

#include "conf/endpoint.h"
#include "conf/mindbalancer.h"
#include "conf/sections.h"
#include "conf/settings.h"
#include "conf/suggest.h"

#include <stdlib.h>

#define DATA_DIR_DEFAULT "./data"

static const struct field data_dir_field = {
    .name = {"data_dir", 8},
    .type = &field_text,
};

static void load_data_dir(struct loader *loader, const struct yaml_node *node)
{
    if (!node)
        loader->config->data_dir = STR(DATA_DIR_DEFAULT);
    else if (yaml_is_null(node))
        loader_report(loader, node->key_mark, "data_dir has no value");
    else if (!node->is_broken)
        field_text.read(loader, &data_dir_field, node, &loader->config->data_dir);
}

static void report_unknown_setting(struct loader *loader, const struct yaml_node *node)
{
    struct suggestion suggestion;
    suggestion_init(&suggestion, node->key);
    for (size_t i = 0; i < settings_count; i++)
        suggestion_offer(&suggestion, settings_table[i].name);
    diagnostic_add(loader->diagnostics, node->key_mark, suggestion.best, "unknown setting '" STR_FMT "'",
                   (int)MIN(node->key.len, 64), node->key.ptr);
}

static void load_setting(struct loader *loader, const struct yaml_node *node)
{
    const struct setting *setting = setting_find(node->key);
    if (!setting) {
        report_unknown_setting(loader, node);
        return;
    }
    if (node->is_broken)
        return;
    if (node->kind != YAML_KIND_SCALAR || yaml_is_null(node)) {
        loader_report(loader, node->mark, "setting " STR_FMT " has to have one value",
                      STR_ARG(setting->name));
        return;
    }
    char memory[512];
    struct buf message;
    buf_init_fixed(&message, memory, sizeof(memory));
    enum err err =
        setting_set(setting, node->text, &loader->config->arena, &loader->config->settings, &message);
    if (err == ERR_INVALID)
        loader_report(loader, node->mark, STR_FMT, STR_ARG(buf_str(&message)));
    loader->no_memory = loader->no_memory || err == ERR_NO_MEMORY;
}

static void load_settings(struct loader *loader, const struct yaml_node *node)
{
    if (!node || yaml_is_null(node) || node->is_broken)
        return;
    if (node->kind != YAML_KIND_MAPPING) {
        loader_report(loader, node->mark, "settings has to be a mapping (name: value)");
        return;
    }
    for (const struct yaml_node *child = node->first; child; child = child->next)
        load_setting(loader, child);
}

/* The top level, in the order in which it is read. */
static const struct {
    struct str name;
    void (*load)(struct loader *loader, const struct yaml_node *value);
} top_level[] = {
    {{"data_dir", 8}, load_data_dir},   {{"settings", 8}, load_settings},
    {{"listeners", 9}, listeners_load}, {{"hostgroups", 10}, hostgroups_load},
    {{"servers", 7}, servers_load},     {{"rules", 5}, rules_load},
};

static bool is_top_level(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
        if (str_eq(top_level[i].name, key))
            return true;
    return false;
}

static void report_unknown_keys(struct loader *loader, const struct yaml_node *root)
{
    for (const struct yaml_node *child = root->first; child; child = child->next) {
        if (is_top_level(child->key))
            continue;
        struct suggestion suggestion;
        suggestion_init(&suggestion, child->key);
        for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
            suggestion_offer(&suggestion, top_level[i].name);
        loader_report_unknown(loader, child->key_mark, "key", child->key, suggestion.best);
    }
}

static void load_root(struct loader *loader, const struct yaml_node *root)
{
    if (root->kind != YAML_KIND_MAPPING && !yaml_is_null(root)) {
        if (!root->is_broken)
            loader_report(loader, root->mark, "the file has to be a mapping (key: value)");
        return;
    }
    report_unknown_keys(loader, root);
    for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
        top_level[i].load(loader, yaml_get(root, top_level[i].name));
}

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config) {
        atomic_init(&config->references, 1);
        arena_init(&config->arena, NULL);
        settings_init(&config->settings);
        config->data_dir = STR(DATA_DIR_DEFAULT);
    }
    return config;
}

static enum err load_yaml(struct config *config, struct str text, const struct config_env *env,
                          struct diagnostics *diagnostics)
{
    struct loader loader = {.config = config, .env = env, .diagnostics = diagnostics, .place = "the file"};
    struct yaml_document document;
    enum err err = yaml_load(text, env, diagnostics, &document);
    if (err)
        return err;
    load_root(&loader, document.root);
    yaml_fini(&document);
    return loader.no_memory ? ERR_NO_MEMORY : ERR_OK;
}

static enum err load_into(struct config *config, struct str text, const struct config_env *env,
                          struct diagnostics *diagnostics)
{
    size_t before = diagnostics_total(diagnostics);
    bool is_mindbalancer = mindbalancer_is(config->path, text);
    enum err err = is_mindbalancer ? mindbalancer_load(text, env, config, diagnostics)
                                   : load_yaml(config, text, env, diagnostics);
    if (err)
        return err;
    return diagnostics_total(diagnostics) > before ? ERR_INVALID : ERR_OK;
}

enum err config_load(struct str text, struct str path, const struct config_env *env,
                     struct config **ret_config, struct diagnostics *io_diagnostics)
{
    struct config *config = config_new();
    if (!config)
        return ERR_NO_MEMORY;
    config->path = arena_dup(&config->arena, path);
    enum err err = config->path.ptr ? load_into(config, text, env, io_diagnostics) : ERR_NO_MEMORY;
    diagnostics_sort(io_diagnostics);
    if (err)
        config_free(config);
    else
        *ret_config = config;
    return err;
}

enum err config_load_file(struct str path, const struct config_env *env, struct config **ret_config,
                          struct diagnostics *io_diagnostics)
{
    struct buf text;
    buf_init(&text, YAML_FILE_MAX);
    enum err err = env->read_file(env->context, path, &text);
    if (err) {
        diagnostic_add(io_diagnostics, (struct mark){0}, STR_NONE, "%s", config_env_reason(err));
        err = ERR_INVALID;
    } else {
        err = config_load(buf_str(&text), path, env, ret_config, io_diagnostics);
    }
    if (text.ptr)
        explicit_bzero(text.ptr, text.cap); /* keys may stand in it */
    buf_free(&text);
    return err;
}

enum err config_defaults(struct config **ret_config)
{
    struct config *config = config_new();
    if (!config)
        return ERR_NO_MEMORY;
    config->path = STR("");
    enum err err = listeners_default(config);
    if (err)
        config_free(config);
    else
        *ret_config = config;
    return err;
}

static bool has_server(const struct config *config, struct str name)
{
    for (size_t i = 0; i < config->server_count; i++)
        if (str_eq(config->servers[i].name, name))
            return true;
    return false;
}

static enum err append_server(struct config *config, struct server_config server)
{
    struct server_config *servers =
        ARENA_NEW_ARRAY(&config->arena, struct server_config, config->server_count + 1);
    server.name = arena_dup(&config->arena, server.name);
    server.endpoint_text = arena_dup(&config->arena, server.endpoint_text);
    server.api_key = arena_dup(&config->arena, server.api_key);
    if (!servers || !server.name.ptr || !server.endpoint_text.ptr || !server.api_key.ptr)
        return ERR_NO_MEMORY;
    enum err err = hostgroup_ensure(config, server.hostgroup);
    if (err)
        return err;
    if (config->server_count > 0)
        memcpy(servers, config->servers, sizeof(*servers) * config->server_count);
    servers[config->server_count++] = server;
    config->servers = servers;
    return ERR_OK;
}

enum err config_add_server(struct config *config, struct str name, const struct provider *provider,
                           struct str endpoint, struct str api_key)
{
    struct server_config server = {.name = name,
                                   .provider = provider,
                                   .endpoint_text = endpoint,
                                   .api_key = api_key,
                                   .weight = 1,
                                   .status = SERVER_ONLINE,
                                   .tls_verify = true};
    const char *reason;
    if (has_server(config, name))
        return ERR_BUSY;
    if (!loader_is_header_safe(api_key))
        return ERR_INVALID;
    if (endpoint.len == 0)
        server.endpoint_text = provider->default_endpoint;
    enum err err =
        endpoint_parse(server.endpoint_text, provider->base_path, &config->arena, &server.endpoint, &reason);
    return err ? err : append_server(config, server);
}

static void wipe(struct str secret)
{
    if (secret.len > 0)
        explicit_bzero((void *)(uintptr_t)secret.ptr, secret.len);
}

/* Of a derived configuration, what it shares with its base is the base's to wipe. */
static void wipe_settings(const struct config *config)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->kind != SETTING_KIND_SECRET)
            continue;
        const struct str *secret = (const void *)((const char *)&config->settings + setting->offset);
        const struct str *shared = NULL;
        if (config->base)
            shared = (const void *)((const char *)&config->base->settings + setting->offset);
        if (!shared || shared->ptr != secret->ptr)
            wipe(*secret);
    }
}

struct config *config_ref(struct config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_free(struct config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) > 1)
        return;
    struct config *base = config->base;
    for (size_t i = base ? base->server_count : 0; i < config->server_count; i++)
        wipe(config->servers[i].api_key);
    for (size_t i = 0; i < config->listener_count && !base; i++)
        wipe(config->listeners[i].master_key);
    wipe_settings(config);
    arena_fini(&config->arena);
    free(config);
    config_free(base);
}
