/* SPDX-License-Identifier: Apache-2.0 */
#include "route/policy.h"

#include "conf/load.h"
#include "route/glob.h"

#include <stdlib.h>

/* Puts `what` in front of what match_compile says. */
static enum err compile(struct policy *policy, const char *what, struct str whose,
                        const struct match_config *config, enum match_scope scope, struct buf *error,
                        struct match *ret_match)
{
    char memory[256];
    struct buf detail;
    buf_init_fixed(&detail, memory, sizeof(memory));
    enum err err = match_compile(&policy->arena, config, scope, &detail, ret_match);
    if (err == ERR_INVALID)
        buf_printf(error, "%s " STR_FMT ": '" STR_FMT "': " STR_FMT, what, STR_ARG(whose),
                   STR_ARG(config->pattern), STR_ARG(buf_str(&detail)));
    return err;
}

static enum err compile_rule(struct policy *policy, const struct rule_config *config, struct buf *error,
                             struct rule *rule)
{
    char memory[48];
    struct buf whose;
    buf_init_fixed(&whose, memory, sizeof(memory));
    buf_printf(&whose, "of a rule with priority %u", config->priority);
    struct str place = buf_str(&whose);
    rule->config = config;
    enum err err = compile(policy, "match_model", place, &config->model, MATCH_WHOLE, error, &rule->model);
    if (err == ERR_OK)
        err = compile(policy, "match_user", place, &config->user, MATCH_WHOLE, error, &rule->user);
    if (err == ERR_OK)
        err = compile(policy, "match_pattern", place, &config->text, MATCH_SEARCH, error, &rule->text);
    return err;
}

static enum err compile_rules(struct policy *policy, struct buf *error)
{
    const struct config *config = policy->config;
    policy->rules = ARENA_NEW_ARRAY(&policy->arena, struct rule, MAX(config->rule_count, 1));
    if (!policy->rules)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->rule_count; i++) {
        policy->rule_count++; /* first, so that a half-made rule is cleaned up */
        enum err err = compile_rule(policy, &config->rules[i], error, &policy->rules[i]);
        if (err != ERR_OK)
            return err;
        policy->needs_text = policy->needs_text || config->rules[i].text.kind != MATCH_ANY;
    }
    return ERR_OK;
}

static enum err compile_server(struct policy *policy, const struct server_config *config, struct buf *error,
                               struct server_models *models)
{
    models->names = ARENA_NEW_ARRAY(&policy->arena, struct str, MAX(config->model_count, 1));
    models->globs = ARENA_NEW_ARRAY(&policy->arena, struct match, MAX(config->model_count, 1));
    if (!models->names || !models->globs)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->model_count; i++) {
        struct match_config glob = {MATCH_GLOB, config->models[i]};
        if (!glob_has_specials(glob.pattern)) {
            models->names[models->name_count++] = glob.pattern;
            continue;
        }
        enum err err = compile(policy, "models of server", config->name, &glob, MATCH_WHOLE, error,
                               &models->globs[models->glob_count]);
        if (err != ERR_OK)
            return err;
        models->glob_count++;
    }
    return ERR_OK;
}

static enum err compile_servers(struct policy *policy, struct buf *error)
{
    const struct config *config = policy->config;
    policy->servers = ARENA_NEW_ARRAY(&policy->arena, struct server_models, MAX(config->server_count, 1));
    if (!policy->servers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->server_count; i++) {
        enum err err = compile_server(policy, &config->servers[i], error, &policy->servers[i]);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static int compare_str(struct str a, struct str b)
{
    int order = memcmp(a.ptr, b.ptr, MIN(a.len, b.len));
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_aliases(const void *a, const void *b)
{
    const struct alias_config *const *left = a, *const *right = b;
    return compare_str((*left)->alias, (*right)->alias);
}

static enum err sort_aliases(struct policy *policy)
{
    const struct config *config = policy->config;
    policy->aliases = ARENA_NEW_ARRAY(&policy->arena, const struct alias_config *, MAX(config->alias_count, 1));
    if (!policy->aliases)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->alias_count; i++)
        policy->aliases[i] = &config->aliases[i];
    qsort(policy->aliases, config->alias_count, sizeof(policy->aliases[0]), compare_aliases);
    return ERR_OK;
}

/* All but the configuration. */
static void policy_free(struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        match_fini(&policy->rules[i].model);
        match_fini(&policy->rules[i].user);
        match_fini(&policy->rules[i].text);
    }
    arena_fini(&policy->arena);
    free(policy);
}

enum err policy_new(struct config *config, struct buf *error, struct policy **ret_policy)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return ERR_NO_MEMORY;
    atomic_init(&policy->references, 1);
    arena_init(&policy->arena, NULL);
    policy->config = config;
    enum err err = compile_rules(policy, error);
    if (err == ERR_OK)
        err = compile_servers(policy, error);
    if (err == ERR_OK)
        err = sort_aliases(policy);
    if (err == ERR_OK)
        err = identities_init(&policy->identities, config, &policy->arena);
    if (err != ERR_OK) {
        policy_free(policy);
        return err;
    }
    *ret_policy = policy;
    return ERR_OK;
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (!policy || atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) > 1)
        return;
    struct config *config = policy->config;
    policy_free(policy);
    config_free(config);
}

struct str policy_real_model(const struct policy *policy, struct str name)
{
    struct alias_config wanted = {.alias = name};
    const struct alias_config *key = &wanted;
    if (policy->config->alias_count == 0 || name.len == 0)
        return name;
    const struct alias_config **found = bsearch(&key, policy->aliases, policy->config->alias_count,
                                                sizeof(policy->aliases[0]), compare_aliases);
    return found ? (*found)->model : name;
}

static bool rule_matches(const struct rule *rule, const struct route_facts *facts,
                         struct match_scratch *scratch)
{
    if (rule->model.kind != MATCH_ANY && facts->model.len == 0)
        return false;
    /* The text last: it is the longest. */
    return match_test(&rule->model, facts->model, scratch) == VERDICT_YES &&
           match_test(&rule->user, facts->user, scratch) == VERDICT_YES &&
           match_test(&rule->text, facts->last_text, scratch) == VERDICT_YES;
}

const struct rule *policy_find_rule(const struct policy *policy, const struct route_facts *facts,
                                    struct match_scratch *scratch)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (rule_matches(&policy->rules[i], facts, scratch))
            return &policy->rules[i];
    return NULL;
}

bool server_models_allow(const struct server_models *models, struct str name)
{
    for (size_t i = 0; i < models->glob_count; i++)
        if (glob_match(models->globs[i].pattern, name))
            return true;
    return models->glob_count + models->name_count == 0;
}
