/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations and servers made by hand, for the tests of routing. Stands in for conf/load.c: its
 * config_free counts. */
#pragma once

#include "conf/load.h"
#include "route/server.h"

#include <stdlib.h>

#define FIXTURE_ROOM 64

static unsigned fixture_configs_alive;

static inline struct config *fixture_config(void)
{
    struct config *config = calloc(1, sizeof(*config));
    ASSERT(config);
    arena_init(&config->arena, NULL);
    config->hostgroups = ARENA_NEW_ARRAY(&config->arena, struct hostgroup_config, FIXTURE_ROOM);
    config->servers = ARENA_NEW_ARRAY(&config->arena, struct server_config, FIXTURE_ROOM);
    config->rules = ARENA_NEW_ARRAY(&config->arena, struct rule_config, FIXTURE_ROOM);
    ASSERT(config->hostgroups && config->servers && config->rules);
    fixture_configs_alive++;
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    fixture_configs_alive--;
    arena_fini(&config->arena);
    free(config);
}

/* Ids ascend. */
static inline void fixture_group(struct config *config, unsigned id, enum strategy strategy)
{
    ASSERT(config->hostgroup_count < FIXTURE_ROOM);
    config->hostgroups[config->hostgroup_count++] = (struct hostgroup_config){.id = id, .strategy = strategy};
}

static inline struct str fixture_text(struct config *config, const char *text)
{
    return arena_dup(&config->arena, str_from(text));
}

/* `models` separated by spaces. */
static inline struct server_config *fixture_server(struct config *config, const char *name, unsigned group,
                                                   unsigned weight, const char *models)
{
    ASSERT(config->server_count < FIXTURE_ROOM);
    struct server_config *server = &config->servers[config->server_count++];
    *server = (struct server_config){
        .name = fixture_text(config, name),
        .endpoint_text = STR("http://h:1"),
        .hostgroup = group,
        .weight = weight,
        .models = ARENA_NEW_ARRAY(&config->arena, struct str, FIXTURE_ROOM),
    };
    struct str rest = fixture_text(config, models);
    while (rest.len > 0) {
        ssize_t space = str_find(rest, STR(" "));
        size_t len = space < 0 ? rest.len : (size_t)space;
        ASSERT(server->model_count < FIXTURE_ROOM);
        server->models[server->model_count++] = (struct str){rest.ptr, len};
        rest = str_from_offset(rest, len + 1);
    }
    return server;
}

/* "" any, "regex:x" an expression, else a glob; `text` is always an expression. */
static inline struct match_config fixture_match(struct config *config, const char *text, bool always_regex)
{
    struct str pattern = fixture_text(config, text), prefix = STR("regex:");
    if (pattern.len == 0)
        return (struct match_config){.kind = MATCH_ANY};
    if (always_regex)
        return (struct match_config){MATCH_REGEX, pattern};
    if (str_starts(pattern, prefix))
        return (struct match_config){MATCH_REGEX, str_from_offset(pattern, prefix.len)};
    return (struct match_config){MATCH_GLOB, pattern};
}

static inline struct rule_config *fixture_rule(struct config *config, const char *model, const char *user,
                                               const char *text, unsigned group, const char *rewrite)
{
    ASSERT(config->rule_count < FIXTURE_ROOM);
    struct rule_config *rule = &config->rules[config->rule_count++];
    *rule = (struct rule_config){
        .priority = 10 * (unsigned)config->rule_count,
        .model = fixture_match(config, model, false),
        .user = fixture_match(config, user, false),
        .text = fixture_match(config, text, true),
        .hostgroup = group,
        .rewrite_model = fixture_text(config, rewrite),
    };
    return rule;
}

static inline struct server_limits fixture_limits(void)
{
    return (struct server_limits){
        .breaker = {.failure_threshold = 3, .open_timeout = 1000, .success_threshold = 2},
        .health = {.rise = 2, .fall = 2},
    };
}
