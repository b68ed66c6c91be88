/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration: what is accepted is written as a file that is accepted too, says the same but for its secrets,
 * and is written again to the same bytes. */
#include "conf/load.h"
#include "conf/settings.h"
#include "conf/write.h"

#include <stdlib.h>

#define SECRET "a-secret-of-26-characters."

/* One letter: what the input may use. FAIRLEAD_...: what the written file asks for. */
static const char *variable(void *context, const char *name)
{
    (void)context;
    static const char *const values[] = {"1", "", "sk-key", "a b"};
    if (strncmp(name, "FAIRLEAD_", 9) == 0)
        return SECRET;
    return strlen(name) == 1 ? values[(unsigned char)name[0] % ARRAY_LEN(values)] : NULL;
}

static enum err read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    buf_add(out, path);
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

static struct config *load(struct str text)
{
    struct config *config = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    if (config_load(text, STR("f"), &env, &config, &diagnostics) != ERR_OK)
        config = NULL;
    diagnostics_fini(&diagnostics);
    return config;
}

static void check_same_server(const struct server_config *a, const struct server_config *b)
{
    CHECK(str_eq(a->name, b->name) && a->provider == b->provider &&
          str_eq(a->endpoint_text, b->endpoint_text));
    CHECK((a->api_key.len > 0) == (b->api_key.len > 0) && a->hostgroup == b->hostgroup &&
          a->weight == b->weight);
    CHECK(a->max_concurrent == b->max_concurrent && a->status == b->status &&
          a->model_count == b->model_count);
    for (size_t i = 0; i < a->model_count; i++)
        CHECK(str_eq(a->models[i], b->models[i]));
    CHECK(a->tls_verify == b->tls_verify && str_eq(a->tls_ca_file, b->tls_ca_file));
}

static void check_same_match(const struct match_config *a, const struct match_config *b)
{
    CHECK(a->kind == b->kind && str_eq(a->pattern, b->pattern));
}

static void check_same_rule(const struct rule_config *a, const struct rule_config *b)
{
    check_same_match(&a->model, &b->model);
    check_same_match(&a->user, &b->user);
    check_same_match(&a->text, &b->text);
    CHECK(a->priority == b->priority && a->hostgroup == b->hostgroup);
    CHECK(str_eq(a->rewrite_model, b->rewrite_model) && str_eq(a->comment, b->comment));
}

static void check_same(const struct config *a, const struct config *b)
{
    CHECK(str_eq(a->data_dir, b->data_dir));
    for (size_t i = 0; i < settings_count; i++)
        if (settings_table[i].kind != SETTING_KIND_SECRET)
            CHECK(setting_is_equal(&settings_table[i], &a->settings, &b->settings));
    CHECK(a->listener_count == b->listener_count && a->hostgroup_count == b->hostgroup_count);
    CHECK(a->server_count == b->server_count && a->rule_count == b->rule_count);
    for (size_t i = 0; i < a->listener_count; i++) {
        const struct listener_config *x = &a->listeners[i], *y = &b->listeners[i];
        CHECK(str_eq(x->name, y->name) && str_eq(x->host, y->host) && x->port == y->port &&
              x->serves == y->serves);
        CHECK(x->auth == y->auth && str_eq(x->tls_cert_file, y->tls_cert_file) &&
              str_eq(x->tls_key_file, y->tls_key_file));
    }
    for (size_t i = 0; i < a->hostgroup_count; i++)
        CHECK(a->hostgroups[i].id == b->hostgroups[i].id &&
              a->hostgroups[i].strategy == b->hostgroups[i].strategy &&
              str_eq(a->hostgroups[i].name, b->hostgroups[i].name));
    for (size_t i = 0; i < a->server_count; i++)
        check_same_server(&a->servers[i], &b->servers[i]);
    for (size_t i = 0; i < a->rule_count; i++)
        check_same_rule(&a->rules[i], &b->rules[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = load((struct str){(const char *)data, size});
    if (!config)
        return 0;
    struct buf first, second;
    buf_init(&first, (size_t)1 << 26);
    buf_init(&second, (size_t)1 << 26);
    config_write(config, &env, &first);
    struct config *again = load(buf_str(&first));
    CHECK(buf_ok(&first) && again);
    check_same(config, again);
    config_write(again, &env, &second);
    CHECK(str_eq(buf_str(&first), buf_str(&second)));
    config_free(again);
    config_free(config);
    buf_free(&first);
    buf_free(&second);
    return 0;
}
