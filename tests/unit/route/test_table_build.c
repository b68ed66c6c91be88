/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/table.c src/route/strategy.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/route/policy.c src/route/match.c src/route/glob.c src/base/arena.c src/base/buf.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c -lpcre2-8 -lm */
#include "../../../src/route/table_build.c"

#include "table_fixture.h"

static struct config *two_groups(void)
{
    struct config *config = fixture_config();
    fixture_group(config, 0, STRATEGY_WEIGHTED_ROUND_ROBIN);
    fixture_group(config, 5, STRATEGY_WEIGHTED_ROUND_ROBIN);
    return config;
}

static void test_list_of_models(void **state)
{
    struct world *world = *state;
    struct config *config = two_groups();
    fixture_server(config, "a", 5, 1, "zeta alpha");
    fixture_server(config, "b", 0, 1, "alpha m*"); /* an exact name and a filter */
    fixture_server(config, "c", 0, 1, "");         /* as the server says */
    fixture_server(config, "d", 0, 1, "m* q*");    /* a filter only */
    fixture_server(config, "e", 0, 1, "fixed");    /* the server is not asked */
    world_load(world, config);
    assert_string_equal(world_list(world), "alpha=a fixed=e zeta=a");
    world_tell(world, "a", "ignored");
    world_tell(world, "b", "mini alpha other");
    world_tell(world, "c", "gamma mini");
    world_tell(world, "d", "qwen mini gamma");
    world_tell(world, "e", "ignored fixed");
    world_renew(world);
    assert_string_equal(world_list(world), "alpha=a fixed=e gamma=c mini=b qwen=d zeta=a");
    assert_string_equal(world_candidates(world, "mini"), "b c d");
    assert_string_equal(world_candidates(world, "alpha"), "b"); /* hostgroup 0 before 5 */
    assert_int_equal(table_find_model(world->table, STR("alpha"))->place_count, 2);
    world_tell(world, "c", "");
    world_renew(world);
    assert_string_equal(world_list(world), "alpha=a fixed=e mini=b qwen=d zeta=a");
}

static struct candidate_set *set_of(struct world *world, const char *model)
{
    struct route route;
    assert_int_equal(world_route(world, model, &route), ROUTE_FOUND);
    return route.candidates.set;
}

static void test_equal_sets_are_one(void **state)
{
    struct world *world = *state;
    struct config *config = two_groups();
    fixture_server(config, "a", 0, 1, "m n both");
    fixture_server(config, "b", 0, 1, "m n both x");
    fixture_server(config, "c", 5, 1, "both");
    world_load(world, config);
    assert_ptr_equal(set_of(world, "m"), set_of(world, "n"));
    assert_ptr_equal(set_of(world, "m"), set_of(world, "both"));
    assert_ptr_equal(set_of(world, "m"), world->table->groups[0].all);
    assert_ptr_not_equal(set_of(world, "m"), set_of(world, "x"));
    assert_int_equal(set_of(world, "m")->references, 1); /* a table has a set once */
}

static char turn(struct world *world, const char *model)
{
    struct candidate_set *set = set_of(world, model);
    for (size_t i = 0; i < set->count; i++)
        set->ready[i] = &set->members[i];
    struct strategy_choice choice = {.set = set, .ready = set->ready, .ready_count = set->count};
    return strategy_round_robin.pick(&choice)->server->name.ptr[0];
}

static struct config *weights(unsigned a, unsigned b, const char *models)
{
    struct config *config = two_groups();
    fixture_server(config, "a", 0, a, models);
    fixture_server(config, "b", 0, b, models);
    return config;
}

/* A reload before each request: the turns go on as if there was none. */
static void test_turns_survive_reloads(void **state)
{
    struct world *world = *state;
    char got[13] = "";
    for (size_t i = 0; i < 12; i++) {
        world_load(world, weights(3, 1, i % 2 ? "m" : "m n"));
        got[i] = turn(world, "m");
        assert_int_equal(fixture_configs_alive, 1);
    }
    assert_string_equal(got, "aabaaabaaaba");
    struct candidate_set *before = set_of(world, "m");
    world_load(world, weights(3, 2, "m"));
    assert_ptr_not_equal(set_of(world, "m"), before);
}

/* A request that began under the old table still finds everything it needs. */
static void test_old_table_lives_on(void **state)
{
    struct world *world = *state;
    world_load(world, weights(1, 1, "m"));
    struct table *old = table_ref(world->table);
    struct server *a = world_server(world, "a"), *b = world_server(world, "b");
    a->first_byte.measured = true; /* something that has to survive */
    struct config *config = two_groups();
    fixture_server(config, "a", 5, 9, "m")->max_concurrent = 4;
    fixture_server(config, "new", 5, 1, "m")->status = SERVER_DRAINING;
    world_load(world, config);
    assert_int_equal(fixture_configs_alive, 2);
    assert_ptr_equal(world_server(world, "a"), a);
    assert_true(a->configured && a->first_byte.measured);
    assert_int_equal(a->weight, 9);
    assert_int_equal(a->hostgroup, 5);
    assert_int_equal(a->max_concurrent, 4);
    assert_false(b->configured); /* takes nothing new, but is there */
    assert_int_equal(world_server(world, "new")->status, SERVER_DRAINING);
    assert_int_equal(table_config_of(old, a)->weight, 1);
    assert_int_equal(table_config_of(old, b)->weight, 1);
    assert_null(table_config_of(world->table, b));
    assert_int_equal(world->registry.count, 3);
    assert_true(table_unref(old));
    table_free(old);
    assert_int_equal(world->registry.count, 2);
    assert_null(world_server(world, "b"));
    assert_int_equal(fixture_configs_alive, 1);
}

static void test_server_that_comes_back(void **state)
{
    struct world *world = *state;
    world_load(world, weights(1, 1, "m"));
    struct server *b = server_ref(world_server(world, "b"));
    struct config *config = two_groups();
    fixture_server(config, "a", 0, 1, "m");
    world_load(world, config);
    assert_false(b->configured);
    world_load(world, weights(1, 1, "m"));
    assert_ptr_equal(world_server(world, "b"), b);
    assert_true(b->configured);
    server_unref(b);
}

static void test_many(void **state)
{
    struct world *world = *state;
    struct config *config = two_groups();
    char name[32];
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "s%u", i);
        fixture_server(config, name, i % 2 ? 5 : 0, 1 + i, i % 4 == 0 ? "" : i % 4 == 1 ? "m* x" : "m1 m2 x");
    }
    world_load(world, config);
    assert_int_equal(world->table->model_count, 3);
    for (unsigned i = 0; i < 40; i++) {
        char models[256];
        int len = 0;
        for (unsigned model = 0; model < 12; model++)
            len += snprintf(models + len, sizeof(models) - (size_t)len, "%sm%u", model ? " " : "", i + model);
        (void)snprintf(name, sizeof(name), "s%u", i);
        world_tell(world, name, models);
    }
    world_renew(world);
    for (size_t i = 0; i < world->table->model_count; i++) {
        const struct table_model *model = &world->table->models[i];
        assert_ptr_equal(table_find_model(world->table, model->name), model);
        assert_true(model->place_count >= 1 && model->place_count <= 2);
        for (size_t place = 0; place < model->place_count; place++) {
            struct candidates candidates = {.set = model->places[place].set};
            size_t counted = 0;
            for (size_t server = 0; server < 40; server++)
                counted += candidates_have(&candidates, world->table->servers[server]);
            assert_int_equal(counted, candidates.set->count);
        }
    }
    /* m40: told by s29 to s39, written down by none; those with fixed lists (2 and 3 of 4) do not count. */
    assert_string_equal(world_candidates(world, "m40"), "s32 s36");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_list_of_models),         WORLD_TEST(test_equal_sets_are_one),
        WORLD_TEST(test_turns_survive_reloads),  WORLD_TEST(test_old_table_lives_on),
        WORLD_TEST(test_server_that_comes_back), WORLD_TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
