/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/endpoint.h"
#include "conf/sections.h"

#include <stdio.h>

static const struct choice serves_choices[] = {
    {.word = {"inference", 9}, .value = SERVES_INFERENCE},
    {.word = {"admin", 5}, .value = SERVES_ADMIN},
    {.word = {"metrics", 7}, .value = SERVES_METRICS},
    {.word = {"sql", 3}, .value = SERVES_SQL},
};

static const struct choice auth_choices[] = {
    {.word = {"none", 4}, .value = AUTH_NONE},
    {.word = {"master", 6}, .value = AUTH_MASTER},
    {.word = {"optional", 8}, .value = AUTH_OPTIONAL},
    {.word = {"keys", 4}, .value = AUTH_KEYS},
};

static void read_address(struct loader *loader, const struct field *field, const struct yaml_node *node,
                         void *target)
{
    struct listener_config *listener = target;
    const char *reason = "";
    if (!loader_check_text(loader, field, node))
        return;
    enum err err =
        listen_address_parse(node->text, &loader->config->arena, &listener->host, &listener->port, &reason);
    if (err == ERR_INVALID)
        loader_report(loader, node->mark, "address in %s %s", loader->place, reason);
    loader->no_memory = loader->no_memory || err == ERR_NO_MEMORY;
}

static const struct field_type address_type = {"numeric `ADDRESS:PORT`", read_address};

static const struct field listener_fields[] = {
    {.name = {"name", 4},
     .type = &field_name,
     .offset = offsetof(struct listener_config, name),
     .is_required = true,
     .help = "Unique name."},
    {.name = {"address", 7},
     .type = &address_type,
     .is_required = true,
     .help = "Where to listen: `127.0.0.1:6034`, `[::1]:6034`, `0.0.0.0:6034`; port 0 takes a free one."},
    {.name = {"serves", 6},
     .type = &field_flags,
     .offset = offsetof(struct listener_config, serves),
     .is_required = true,
     .choices = serves_choices,
     .choice_count = ARRAY_LEN(serves_choices),
     .help =
         "What is answered here. `sql` speaks another protocol and needs a listener of its own; `admin` and "
         "`inference` cannot share one."},
    {.name = {"auth", 4},
     .type = &field_choice,
     .offset = offsetof(struct listener_config, auth),
     .default_text = "none",
     .choices = auth_choices,
     .choice_count = ARRAY_LEN(auth_choices),
     .help = "Who may ask: everyone; who sends the master key; who sends a key of ai_api_keys, or none at all (`optional`); "
             "who sends one (`keys`)."},
    {.name = {"master_key", 10},
     .type = &field_secret,
     .offset = offsetof(struct listener_config, master_key),
     .help = "The key of `auth: master`."},
    {.name = {"tls_cert_file", 13},
     .type = &field_file,
     .offset = offsetof(struct listener_config, tls_cert_file),
     .help = "Certificate chain in PEM form. With it the listener speaks TLS."},
    {.name = {"tls_key_file", 12},
     .type = &field_file,
     .offset = offsetof(struct listener_config, tls_key_file),
     .help = "Private key of the certificate."},
};

static void check_pair(struct loader *loader, const struct yaml_node *node, struct str given,
                       struct str missing)
{
    const struct yaml_node *value = yaml_get(node, given);
    if (value && !yaml_get(node, missing))
        loader_report(loader, value->key_mark, STR_FMT " in %s has no effect without " STR_FMT,
                      STR_ARG(given), loader->place, STR_ARG(missing));
}

static void check_auth(struct loader *loader, const struct yaml_node *node,
                       const struct listener_config *listener)
{
    const struct yaml_node *key = yaml_get(node, STR("master_key"));
    const struct yaml_node *auth = yaml_get(node, STR("auth"));
    bool is_other = !auth || (!auth->is_broken && listener->auth != AUTH_MASTER);
    if (key && is_other)
        loader_report(loader, key->key_mark, "master_key in %s has no effect without auth: master",
                      loader->place);
    if (listener->auth != AUTH_MASTER || (key && (key->is_broken || yaml_is_null(key))))
        return;
    if (!key)
        loader_report(loader, node->mark, "missing key 'master_key' in %s: auth is master", loader->place);
    else if (key->kind == YAML_KIND_SCALAR && key->text.len == 0)
        loader_report(loader, key->mark, "master_key in %s is empty", loader->place);
}

/* Inference is served by the workers, all else by other threads, and keys of clients are only for it: nothing is left
 * without effect. */
static void check_inference(struct loader *loader, const struct yaml_node *node,
                            const struct listener_config *listener)
{
    const struct yaml_node *auth = yaml_get(node, STR("auth"));
    if (listener->serves & SERVES_INFERENCE) {
        if (listener->serves != SERVES_INFERENCE)
            loader_report(loader, yaml_get(node, STR("serves"))->mark,
                          "serves in %s: inference needs a listener of its own", loader->place);
    } else if (listener->serves != 0 && auth && !auth->is_broken && listener->auth != AUTH_NONE) {
        loader_report(loader, auth->key_mark,
                      "auth in %s is for inference: administrators log in with admin_password",
                      loader->place);
    }
}

static void check_listener(struct loader *loader, const struct yaml_node *node, void *object)
{
    const struct listener_config *listener = object;
    check_pair(loader, node, STR("tls_key_file"), STR("tls_cert_file"));
    check_pair(loader, node, STR("tls_cert_file"), STR("tls_key_file"));
    check_auth(loader, node, listener);
    check_inference(loader, node, listener);
    if ((listener->serves & SERVES_SQL) && listener->serves != SERVES_SQL)
        loader_report(loader, yaml_get(node, STR("serves"))->mark,
                      "serves in %s: sql needs a listener of its own", loader->place);
}

const struct section listeners_section = {
    .name = "listeners",
    .help = "Addresses that Fairlead listens on. Left out, it listens on `127.0.0.1:6034` for inference, on "
            "`127.0.0.1:6033` for administration and metrics, on `127.0.0.1:6032` for SQL, and on "
            "`127.0.0.1:9090` for "
            "metrics.",
    .fields = listener_fields,
    .field_count = ARRAY_LEN(listener_fields),
    .object_size = sizeof(struct listener_config),
    .check = check_listener,
};

static void check_address_unique(struct loader *loader, const struct yaml_node *node, size_t index)
{
    const struct listener_config *all = loader->config->listeners, *this = &all[index];
    for (size_t i = 0; i < index; i++) {
        if (this->port > 0 && this->port == all[i].port && str_eq(all[i].host, this->host))
            loader_report(loader, yaml_get(node, STR("address"))->mark,
                          "listeners[%zu] has the address of listeners[%zu]", index, i);
    }
}

void listeners_load(struct loader *loader, const struct yaml_node *list)
{
    struct config *config = loader->config;
    if (!list) {
        enum err err = listeners_default(config);
        loader->no_memory = loader->no_memory || err == ERR_NO_MEMORY;
        return;
    }
    if (yaml_is_null(list) || (list->kind == YAML_KIND_SEQUENCE && !list->first)) {
        loader_report(loader, list->key_mark, "listeners is empty; without the key the defaults apply");
        return;
    }
    config->listeners = section_read_list(loader, &listeners_section, list, &config->listener_count);
    if (config->listener_count == 0)
        return;
    section_check_names(loader, &listeners_section, list);
    size_t i = 0;
    for (const struct yaml_node *item = list->first; item; item = item->next)
        check_address_unique(loader, item, i++);
}

enum err listeners_default(struct config *config)
{
    static const struct listener_config defaults[] = {
        {.name = {"api", 3}, .host = {"127.0.0.1", 9}, .port = 6034, .serves = SERVES_INFERENCE},
        {.name = {"admin", 5},
         .host = {"127.0.0.1", 9},
         .port = 6033,
         .serves = SERVES_ADMIN | SERVES_METRICS},
        {.name = {"sql", 3}, .host = {"127.0.0.1", 9}, .port = 6032, .serves = SERVES_SQL},
        {.name = {"metrics", 7}, .host = {"127.0.0.1", 9}, .port = 9090, .serves = SERVES_METRICS},
    };
    config->listeners = arena_take(&config->arena, sizeof(defaults));
    if (!config->listeners)
        return ERR_NO_MEMORY;
    memcpy(config->listeners, defaults, sizeof(defaults));
    config->listener_count = ARRAY_LEN(defaults);
    return ERR_OK;
}
