/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/table.c src/route/match.c src/route/glob.c src/route/strategy.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/buf.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c -lpcre2-8 -lm */
/* Each allocation behind a reload fails once: nothing may leak, and nothing may have changed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static long allocations_left; /* -1: never fails */

static bool allocation_fails(void)
{
    if (allocations_left < 0)
        return false;
    return allocations_left-- == 0;
}

static void *failing_malloc(size_t size)
{
    return allocation_fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : realloc(memory, size);
}

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#ifndef ARENA_EMULATE
#define ARENA_EMULATE /* an allocation for each taking */
#endif

#include "../../../src/base/arena.c"
#undef ALIGNMENT
#include "../../../src/route/server.c"
#include "../../../src/route/candidates.c"
#include "../../../src/route/policy.c"
#include "../../../src/route/table_build.c"

#undef malloc
#undef calloc
#undef realloc

#include "table_fixture.h"

static struct config *make_config(unsigned weight)
{
    struct config *config = fixture_config();
    fixture_group(config, 0, STRATEGY_LEAST_CONNECTIONS);
    fixture_group(config, 1, STRATEGY_LATENCY);
    fixture_server(config, "a", 0, weight, "m n");
    fixture_server(config, "b", 0, 1, "m q*");
    fixture_server(config, "c", 1, weight, "");
    if (weight > 1)
        fixture_server(config, "new", 1, 1, "m");
    fixture_rule(config, "m", "regex:a+", "text", 0, "n");
    return config;
}

static enum err try_load(struct world *world, struct config *config, struct table **ret_table)
{
    struct policy *policy;
    enum err err = policy_new(config, NULL, &policy);
    if (err != ERR_OK) {
        config_free(config);
        return err;
    }
    err = table_new(policy, &world->registry, world->table, 2, ret_table);
    policy_unref(policy);
    return err;
}

static void test_failed_reload_changes_nothing(void **state)
{
    struct world *world = *state;
    allocations_left = -1;
    world_load(world, make_config(1));
    struct server *a = world_server(world, "a");
    long count = 0;
    for (bool loaded = false; !loaded; count++) {
        struct config *config = make_config(7);
        struct table *table = NULL;
        allocations_left = count;
        enum err err = try_load(world, config, &table);
        allocations_left = -1;
        loaded = err == ERR_OK;
        if (loaded) {
            assert_int_equal(a->weight, 7);
            assert_true(table_unref(table));
            table_free(table);
            continue;
        }
        assert_int_equal(err, ERR_NO_MEMORY);
        assert_null(table);
        assert_int_equal(a->weight, 1);
        assert_int_equal(world->registry.count, 3);
        assert_int_equal(fixture_configs_alive, 1);
    }
    assert_true(count > 40); /* it did fail in many places */
}

static void test_failed_discovery_keeps_the_list(void **state)
{
    struct world *world = *state;
    static const struct str old[] = {{"x", 1}}, new[] = {{"y", 1}, {"z", 1}};
    allocations_left = -1;
    struct server *server = server_get(&world->registry, STR("a"), STR("e"));
    assert_int_equal(server_set_models(server, old, 1, NULL), ERR_OK);
    long count = 0;
    for (;; count++) {
        bool changed = false;
        allocations_left = count;
        enum err err = server_set_models(server, new, 2, &changed);
        allocations_left = -1;
        if (err == ERR_OK)
            break;
        assert_false(changed);
        assert_int_equal(server->model_count, 1);
        assert_true(str_eq(server->models[0], STR("x")));
    }
    assert_int_equal(count, 3);
    server_unref(server);
}

static void test_failed_mask(void **state)
{
    struct world *world = *state;
    struct route route;
    allocations_left = -1;
    struct config *config = fixture_config();
    fixture_group(config, 0, STRATEGY_LEAST_CONNECTIONS);
    fixture_server(config, "a", 0, 1, "q*");
    fixture_server(config, "b", 0, 1, "");
    world_load(world, config);
    allocations_left = 0;
    assert_int_equal(world_route(world, "zzz", &route), ROUTE_NO_MEMORY);
    allocations_left = -1;
    assert_string_equal(world_candidates(world, "zzz"), "b");
}

int main(void)
{
    allocations_left = -1;
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_failed_reload_changes_nothing),
        WORLD_TEST(test_failed_discovery_keeps_the_list),
        WORLD_TEST(test_failed_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
