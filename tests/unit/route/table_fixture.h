/* SPDX-License-Identifier: Apache-2.0 */
/* Routing tables one after the other, for the tests of making and using them. */
#pragma once

#include "route/table.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct world {
    struct server_registry registry;
    struct table *table; /* the present one; NULL: none */
    uint64_t generation;
    struct match_scratch scratch;
    struct arena arena; /* of requests */
    unsigned default_hostgroup; /* of their user */
};

static inline void world_adopt(struct world *world, struct policy *policy)
{
    struct table *table, *old = world->table;
    assert_int_equal(table_new(policy, &world->registry, old, ++world->generation, &table), ERR_OK);
    world->table = table;
    if (old && table_unref(old))
        table_free(old);
}

/* A reload; the configuration is the world's. */
static inline void world_load(struct world *world, struct config *config)
{
    struct policy *policy;
    assert_int_equal(policy_new(config, NULL, &policy), ERR_OK);
    world_adopt(world, policy);
    policy_unref(policy);
}

/* The same configuration again, with what servers have told by now. */
static inline void world_renew(struct world *world)
{
    world_adopt(world, world->table->policy);
}

static inline struct server *world_server(struct world *world, const char *name)
{
    LIST_EACH (node, &world->registry.servers) {
        struct server *server = LIST_ITEM(node, struct server, node);
        if (str_eq(server->name, str_from(name)))
            return server;
    }
    return NULL;
}

/* `models` separated by single spaces; "": it has none. */
static inline void world_tell(struct world *world, const char *server, const char *models)
{
    struct str names[FIXTURE_ROOM], rest = str_from(models);
    size_t count = 0;
    while (rest.len > 0) {
        ssize_t space = str_find(rest, STR(" "));
        size_t len = space < 0 ? rest.len : (size_t)space;
        names[count++] = (struct str){rest.ptr, len};
        rest = str_from_offset(rest, len + 1);
    }
    assert_int_equal(server_set_models(world_server(world, server), names, count, NULL), ERR_OK);
}

static inline enum route_verdict world_route(struct world *world, const char *model, struct route *ret_route)
{
    struct route_facts facts = {.model = str_from(model),
                                .user = STR("u"),
                                .last_text = STR(""),
                                .default_hostgroup = world->default_hostgroup};
    return table_route(world->table, &facts, &world->scratch, &world->arena, ret_route);
}

/* "a b" for the candidates; "-" no model, "0" no servers. */
static inline const char *world_candidates(struct world *world, const char *model)
{
    static char text[512];
    struct route route;
    enum route_verdict verdict = world_route(world, model, &route);
    if (verdict != ROUTE_FOUND)
        return verdict == ROUTE_NO_MODEL ? "-" : verdict == ROUTE_NO_SERVERS ? "0" : "no memory";
    size_t len = 0;
    for (size_t i = 0; i < route.candidates.set->count; i++) {
        const struct server *server = route.candidates.set->members[i].server;
        if (candidates_have(&route.candidates, server))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s" STR_FMT, len > 0 ? " " : "",
                                    STR_ARG(server->name));
    }
    return text;
}

/* "name=owner name=owner". */
static inline const char *world_list(struct world *world)
{
    static char text[1024];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < world->table->model_count; i++) {
        const struct table_model *model = &world->table->models[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s" STR_FMT "=" STR_FMT, len > 0 ? " " : "",
                                STR_ARG(model->name), STR_ARG(model->owner));
    }
    return text;
}

static inline int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    server_registry_init(&world->registry);
    arena_init(&world->arena, NULL);
    *state = world;
    return match_scratch_init(&world->scratch) == ERR_OK ? 0 : -1;
}

/* Everything has to be gone with the last table. */
static inline int world_teardown(void **state)
{
    struct world *world = *state;
    if (world->table && table_unref(world->table))
        table_free(world->table);
    server_registry_fini(&world->registry);
    arena_fini(&world->arena);
    match_scratch_fini(&world->scratch);
    free(world);
    return fixture_configs_alive == 0 ? 0 : -1;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
