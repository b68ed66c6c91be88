/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/endpoint.h"
#include "conf/providers.h"
#include "conf/sections.h"

#include <stdio.h>

#define MODEL_MAX 256 /* bytes of a model's name */

static const struct choice status_choices[] = {
    {.word = {"ONLINE", 6}, .value = SERVER_ONLINE},
    {.word = {"OFFLINE", 7}, .value = SERVER_OFFLINE},
    {.word = {"SHUNNED", 7}, .value = SERVER_SHUNNED},
    {.word = {"DRAINING", 8}, .value = SERVER_DRAINING},
};

static void read_provider(struct loader *loader, const struct field *field, const struct yaml_node *node,
                          void *target)
{
    if (!loader_check_text(loader, field, node))
        return;
    const struct provider *provider = provider_find(node->text);
    if (provider)
        *(const struct provider **)target = provider;
    else
        loader_report_unknown(loader, node->mark, "provider", node->written, provider_suggest(node->text));
}

/* Reads `models` and its count: the target is the whole server. */
static void read_models(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        void *target)
{
    struct server_config *server = target;
    size_t count = 0;
    if (node->kind != YAML_KIND_SEQUENCE || !node->first) {
        loader_report(loader, node->mark,
                      "models in %s has to be a list of at least one name; left out, the server is asked",
                      loader->place);
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next)
        count++;
    server->models = ARENA_NEW_ARRAY(&loader->config->arena, struct str, count);
    if (!server->models) {
        loader->no_memory = true;
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        if (item->is_broken || !loader_check_text(loader, field, item))
            continue;
        if (item->text.len > MODEL_MAX)
            loader_report(loader, item->mark, "models in %s has a name of more than %d bytes", loader->place,
                          MODEL_MAX);
        server->models[server->model_count++] = loader_copy(loader, item->text);
    }
}

static const struct field_type provider_type = {"name of a provider", read_provider};
static const struct field_type models_type = {"list of names and globs", read_models};

static const struct field server_fields[] = {
    {.name = {"name", 4},
     .type = &field_name,
     .offset = offsetof(struct server_config, name),
     .is_required = true,
     .help = "Unique name."},
    {.name = {"provider", 8},
     .type = &provider_type,
     .offset = offsetof(struct server_config, provider),
     .is_required = true,
     .help = "What runs there; `openai` or `custom` for anything compatible. See Providers."},
    {.name = {"endpoint", 8},
     .type = &field_text,
     .offset = offsetof(struct server_config, endpoint_text),
     .help = "URL, with or without the `/v1`. Left out: the provider's."},
    {.name = {"api_key", 7},
     .type = &field_secret,
     .offset = offsetof(struct server_config, api_key),
     .help = "Key that is sent to the server. Left out: the provider's variable, if the endpoint is the "
             "provider's "
             "own."},
    {.name = {"hostgroup", 9},
     .type = &field_unsigned,
     .offset = offsetof(struct server_config, hostgroup),
     .default_text = "0",
     .max = HOSTGROUP_MAX,
     .help = "Group that the server belongs to."},
    {.name = {"weight", 6},
     .type = &field_unsigned,
     .offset = offsetof(struct server_config, weight),
     .default_text = "1",
     .min = 1,
     .max = SERVER_WEIGHT_MAX,
     .help = "Share of the requests, relative to its group."},
    {.name = {"max_concurrent", 14},
     .type = &field_unsigned,
     .offset = offsetof(struct server_config, max_concurrent),
     .default_text = "0",
     .max = 1000000,
     .help = "Most requests at a time; 0 is no limit."},
    {.name = {"status", 6},
     .type = &field_choice,
     .offset = offsetof(struct server_config, status),
     .default_text = "ONLINE",
     .choices = status_choices,
     .choice_count = ARRAY_LEN(status_choices),
     .help = "Status at the start."},
    {.name = {"models", 6},
     .type = &models_type,
     .help = "Models that the server has; globs are allowed. Left out: the server is asked."},
    {.name = {"tls_verify", 10},
     .type = &field_bool,
     .offset = offsetof(struct server_config, tls_verify),
     .default_text = "true",
     .help = "Whether the server's certificate is checked. Only for https."},
    {.name = {"tls_ca_file", 11},
     .type = &field_file,
     .offset = offsetof(struct server_config, tls_ca_file),
     .help = "Certificate authorities in PEM form, in place of the system's. Only for https."},
};

/* True when server->endpoint is good. */
static bool read_endpoint(struct loader *loader, const struct yaml_node *node, struct server_config *server)
{
    const struct yaml_node *written = yaml_get(node, STR("endpoint"));
    const char *reason = "";
    if (written && server->endpoint_text.len == 0)
        return false; /* reported */
    if (!written)
        server->endpoint_text = server->provider->default_endpoint;
    if (server->endpoint_text.len == 0) {
        loader_report(loader, node->mark,
                      "missing %s 'endpoint' in %s: provider " STR_FMT " has none of its own", loader_term(loader),
                      loader->place, STR_ARG(server->provider->name));
        return false;
    }
    enum err err = endpoint_parse(server->endpoint_text, server->provider->base_path, &loader->config->arena,
                                  &server->endpoint, &reason);
    if (err == ERR_INVALID)
        loader_report(loader, written ? written->mark : node->mark, "endpoint in %s %s", loader->place,
                      reason);
    loader->no_memory = loader->no_memory || err == ERR_NO_MEMORY;
    return err == ERR_OK;
}

/* A key from the environment goes only where its provider lives: it must not leak to somebody else's host. */
static bool is_own_host(const struct server_config *server, struct arena *arena)
{
    struct endpoint own;
    const char *reason;
    enum err err =
        endpoint_parse(server->provider->default_endpoint, server->provider->base_path, arena, &own, &reason);
    return err == ERR_OK && own.tls == server->endpoint.tls &&
           str_eq(own.authority, server->endpoint.authority);
}

static void default_key(struct loader *loader, const struct yaml_node *node, struct server_config *server)
{
    struct str variable = server->provider->key_variable;
    if (variable.len == 0 || server->api_key.len > 0 || yaml_get(node, STR("api_key")) ||
        !is_own_host(server, &loader->config->arena))
        return;
    struct str key = str_from(loader->env->variable(loader->env->context, variable.ptr));
    if (key.len == 0)
        return;
    if (loader_is_header_safe(key))
        server->api_key = loader_copy(loader, key);
    else
        loader_report(loader, node->mark,
                      "environment variable " STR_FMT ", the api_key of %s, has characters that no "
                      "header can carry",
                      STR_ARG(variable), loader->place);
}

static void check_tls(struct loader *loader, const struct yaml_node *node, const struct server_config *server)
{
    static const struct str only_https[] = {{"tls_verify", 10}, {"tls_ca_file", 11}};
    for (size_t i = 0; !server->endpoint.tls && i < ARRAY_LEN(only_https); i++) {
        const struct yaml_node *value = yaml_get(node, only_https[i]);
        if (value)
            loader_report(loader, value->key_mark, STR_FMT " in %s has no effect: the endpoint is not https",
                          STR_ARG(only_https[i]), loader->place);
    }
    const struct yaml_node *verify = yaml_get(node, STR("tls_verify"));
    const struct yaml_node *file = yaml_get(node, STR("tls_ca_file"));
    if (server->endpoint.tls && file && verify && !verify->is_broken && !server->tls_verify &&
        str_eq(verify->text, STR("false")))
        loader_report(loader, file->key_mark, "tls_ca_file in %s has no effect with tls_verify: false",
                      loader->place);
}

static void check_server(struct loader *loader, const struct yaml_node *node, void *object)
{
    struct server_config *server = object;
    if (!server->provider || !read_endpoint(loader, node, server))
        return;
    default_key(loader, node, server);
    check_tls(loader, node, server);
}

const struct section servers_section = {
    .name = "servers",
    .help = "Inference servers and services that answer requests.",
    .fields = server_fields,
    .field_count = ARRAY_LEN(server_fields),
    .object_size = sizeof(struct server_config),
    .check = check_server,
};

void servers_load(struct loader *loader, const struct yaml_node *list)
{
    struct config *config = loader->config;
    config->servers = section_read_list(loader, &servers_section, list, &config->server_count);
    if (config->server_count > 0)
        section_check_names(loader, &servers_section, list);
    hostgroups_complete(loader);
}
