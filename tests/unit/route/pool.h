/* SPDX-License-Identifier: Apache-2.0 */
/* A set of candidates whose servers are online, for the tests of strategies and picks. */
#pragma once

#include "route/candidates.h"

#include "fixture.h"

#include <stdio.h>

#define POOL_MAX 32

struct pool {
    struct server_registry registry;
    struct server *servers[POOL_MAX]; /* referenced */
    struct candidate_set *set;
    size_t count;
};

static inline void pool_init(struct pool *pool, const unsigned *weights, size_t count)
{
    struct candidate members[POOL_MAX];
    ASSERT(count <= POOL_MAX);
    *pool = (struct pool){.count = count};
    server_registry_init(&pool->registry);
    for (size_t i = 0; i < count; i++) {
        char name[16];
        size_t len = (size_t)snprintf(name, sizeof(name), "s%zu", i);
        struct server_config config = {.status = SERVER_ONLINE, .weight = weights[i]};
        pool->servers[i] = server_get(&pool->registry, (struct str){name, len}, STR("e"));
        server_configure(pool->servers[i], &config);
        members[i] = (struct candidate){.server = pool->servers[i], .weight = weights[i]};
    }
    pool->set = candidate_set_new(0, members, count);
    ASSERT(pool->set);
}

static inline void pool_fini(struct pool *pool)
{
    candidate_set_unref(pool->set);
    for (size_t i = 0; i < pool->count; i++)
        server_unref(pool->servers[i]);
    server_registry_fini(&pool->registry);
}
