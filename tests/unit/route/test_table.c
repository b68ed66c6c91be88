/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/table_build.c src/route/strategy.c src/route/strategy_round_robin.c src/route/strategy_least.c src/route/strategy_latency.c src/route/strategy_random.c src/route/candidates.c src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/route/policy.c src/route/match.c src/route/glob.c src/base/arena.c src/base/buf.c src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c -lpcre2-8 -lm */
#include "../../../src/route/table.c"

#include "table_fixture.h"

static void groups_012(struct config *config)
{
    fixture_group(config, 0, STRATEGY_LEAST_CONNECTIONS);
    fixture_group(config, 1, STRATEGY_WEIGHTED_ROUND_ROBIN);
    fixture_group(config, 2, STRATEGY_LATENCY);
}

static void test_without_rules(void **state)
{
    static const struct {
        const char *model, *expected;
    } rows[] = {
        {"m", "a b"},    /* hostgroup 0 has it, and 1 too */
        {"only-1", "c"}, /* the lowest that has it */
        {"only-2", "d"}, {"other", "-"}, {"M", "-"}, {"", "a b"},
    };
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m x");
    fixture_server(config, "b", 0, 1, "m");
    fixture_server(config, "c", 1, 1, "m only-1");
    fixture_server(config, "d", 2, 1, "only-2 only-1");
    world_load(world, config);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(world_candidates(world, rows[i].model), rows[i].expected);
    struct route route;
    assert_int_equal(world_route(world, "only-2", &route), ROUTE_FOUND);
    assert_int_equal(route.group->config->id, 2);
    assert_ptr_equal(route.group->strategy, &strategy_latency);
    assert_null(route.rule);
    assert_true(str_eq(route.model, STR("only-2")));
}

static void test_rules_are_orders(void **state)
{
    static const struct {
        const char *model, *expected, *sent;
    } rows[] = {
        {"m", "b", "m"},             /* rule 0: hostgroup 1 although 0 has it */
        {"only-0", "0", "only-0"},   /* rule 1: hostgroup 1 does not have it, and nobody else is asked */
        {"nowhere", "-", "nowhere"}, /* rule 2 */
        {"alias", "a", "m"},         /* rule 3: rewritten */
        {"alias-bad", "-", "none"},  /* rule 4: rewritten to what nobody has */
        {"empty", "a", "m"},         /* rule 5: a hostgroup without servers: as without the rule, but rewritten */
        {"missing", "a", "m"},       /* rule 6: no such hostgroup */
        {"x", "b", "x"},             /* no rule */
    };
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m only-0");
    fixture_server(config, "b", 1, 1, "m x");
    fixture_rule(config, "m", "", "", 1, "");
    fixture_rule(config, "only-0", "", "", 1, "");
    fixture_rule(config, "nowhere", "", "", 1, "");
    fixture_rule(config, "alias", "", "", 0, "m");
    fixture_rule(config, "alias-bad", "", "", 0, "none");
    fixture_rule(config, "empty", "", "", 2, "m");
    fixture_rule(config, "missing", "", "", 77, "m");
    world_load(world, config);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route route;
        assert_string_equal(world_candidates(world, rows[i].model), rows[i].expected);
        (void)world_route(world, rows[i].model, &route);
        assert_true(str_eq(route.model, str_from(rows[i].sent)));
        assert_int_equal(route.rule ? (size_t)(route.rule - world->table->policy->rules) : 7, i);
    }
}

static void test_without_a_model(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "b", 1, 1, "m");
    fixture_server(config, "c", 2, 1, "n");
    fixture_rule(config, "*", "", "", 2, "");
    world_load(world, config);
    assert_string_equal(world_candidates(world, ""),
                        "b"); /* the rule asks for a model; hostgroup 0 has no server */
    config = fixture_config();
    groups_012(config);
    fixture_server(config, "b", 1, 1, "m");
    fixture_server(config, "c", 2, 1, "n");
    fixture_rule(config, "", "", "", 2, "m");
    world_load(world, config);
    struct route route;
    assert_int_equal(world_route(world, "", &route), ROUTE_FOUND);
    assert_int_equal(route.model.len, 0); /* nothing to rewrite */
    assert_string_equal(world_candidates(world, ""), "c");
    config = fixture_config();
    groups_012(config);
    fixture_server(config, "b", 1, 1, "m");
    fixture_rule(config, "", "", "", 2, "");
    world_load(world, config);
    assert_string_equal(world_candidates(world, ""), "b"); /* the rule's hostgroup is empty */
}

static void test_no_servers_at_all(void **state)
{
    struct world *world = *state;
    world_load(world, fixture_config());
    assert_string_equal(world_candidates(world, "m"), "0");
    assert_string_equal(world_candidates(world, ""), "0");
    assert_null(table_find_model(world->table, STR("m")));
}

/* Names that nobody wrote down are asked of the globs of servers that have not told their lists. */
static void test_open_servers(void **state)
{
    static const struct {
        const char *model, *before, *after; /* after q has told its list */
    } rows[] = {
        {"known", "a any", "a any"},
        {"qwen-7b", "q qq any", "q qq any"},
        {"qwen-72b", "q qq any", "qq any"},
        {"qwen3", "q any", "any"},
        {"zzz", "any", "any"},
        {"llama", "any", "any"},
        {"exact-q", "q any", "q any"},
        {"exact-a", "a any", "a any"},
    };
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "known exact-a");
    fixture_server(config, "q", 0, 1, "qwen* exact-q");
    fixture_server(config, "qq", 0, 1, "qwen-*");
    fixture_server(config, "any", 0, 1, "");
    fixture_server(config, "far", 2, 1, "deep*");
    world_load(world, config);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(world_candidates(world, rows[i].model), rows[i].before);
    world_tell(world, "q", "qwen-7b llama");
    world_renew(world);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(world_candidates(world, rows[i].model), rows[i].after);
    world_tell(world, "any", "");
    world_renew(world);
    assert_string_equal(world_candidates(world, "zzz"), "-");
    assert_string_equal(world_candidates(world, "deepseek"), "far");
    assert_string_equal(world_candidates(world, "qwen3"), "-");
}

static void test_mask_only_where_needed(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "any", 0, 1, "");
    fixture_server(config, "q", 0, 1, "qwen*");
    world_load(world, config);
    struct route route;
    assert_int_equal(world_route(world, "qwen3", &route), ROUTE_FOUND);
    assert_null(route.candidates.mask);
    assert_int_equal(world_route(world, "llama", &route), ROUTE_FOUND);
    assert_non_null(route.candidates.mask);
    assert_ptr_equal(route.candidates.set, world->table->groups[0].open);
}

/* Offline servers have models, too: that they are down is another matter than not knowing the model. */
static void test_status_does_not_matter(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m")->status = SERVER_OFFLINE;
    fixture_server(config, "b", 0, 1, "n")->status = SERVER_SHUNNED;
    world_load(world, config);
    assert_string_equal(world_candidates(world, "m"), "a");
    assert_string_equal(world_candidates(world, "n"), "b");
    assert_string_equal(world_candidates(world, "o"), "-");
}

static void test_needs_text(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m");
    fixture_server(config, "b", 1, 1, "m");
    world_load(world, config);
    assert_false(table_needs_text(world->table));
    config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m");
    fixture_server(config, "b", 1, 1, "m");
    fixture_rule(config, "m", "u*", "(?i)python", 1, "");
    world_load(world, config);
    assert_true(table_needs_text(world->table));
    struct route_facts facts = {.model = STR("m"), .user = STR("user"), .last_text = STR("some Python")};
    struct route route;
    assert_int_equal(table_route(world->table, &facts, &world->scratch, &world->arena, &route), ROUTE_FOUND);
    assert_int_equal(route.group->config->id, 1);
    facts.last_text = STR("some C");
    assert_int_equal(table_route(world->table, &facts, &world->scratch, &world->arena, &route), ROUTE_FOUND);
    assert_int_equal(route.group->config->id, 0);
}

static void test_find_model(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m n o p q r s t");
    world_load(world, config);
    for (char name = 'm'; name <= 't'; name++) {
        const struct table_model *model = table_find_model(world->table, (struct str){&name, 1});
        assert_non_null(model);
        assert_int_equal(model->name.ptr[0], name);
    }
    assert_null(table_find_model(world->table, STR("l")));
    assert_null(table_find_model(world->table, STR("")));
    assert_null(table_find_model(world->table, STR_NONE));
    assert_null(table_find_model(world->table, STR("mn")));
}

static void test_config_of(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m");
    fixture_server(config, "b", 1, 5, "m");
    world_load(world, config);
    const struct server_config *of_b = table_config_of(world->table, world_server(world, "b"));
    assert_true(str_eq(of_b->name, STR("b")));
    assert_int_equal(of_b->weight, 5);
    struct server stranger = {.slot = 999};
    assert_null(table_config_of(world->table, &stranger));
}

static void test_default_hostgroup(void **state)
{
    static const struct {
        unsigned hostgroup;
        const char *model, *expected;
    } rows[] = {
        {0, "m", "a"}, {1, "m", "b"}, {1, "", "b"},
        {1, "only-0", "a"},   /* the user's group does not have it: by model */
        {9, "m", "a"},        /* no such group */
        {2, "m", "a"},        /* an empty one */
        {2, "", "a"},
        {1, "ruled", "0"},    /* a rule is an order */
        {1, "nowhere", "-"},
    };
    struct world *world = *state;
    struct config *config = fixture_config();
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m only-0");
    fixture_server(config, "b", 1, 1, "m ruled");
    fixture_rule(config, "ruled", "", "", 0, "");
    world_load(world, config);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world->default_hostgroup = rows[i].hostgroup;
        assert_string_equal(world_candidates(world, rows[i].model), rows[i].expected);
    }
}

static void test_aliases(void **state)
{
    struct world *world = *state;
    struct config *config = fixture_config();
    struct alias_config aliases[] = {{STR("small"), STR("m")}, {STR("big"), STR("x")}, {STR("gone"), STR("nowhere")}};
    groups_012(config);
    fixture_server(config, "a", 0, 1, "m");
    fixture_server(config, "b", 1, 1, "x m");
    fixture_rule(config, "x", "", "", 1, "");
    config->aliases = aliases;
    config->alias_count = ARRAY_LEN(aliases);
    world_load(world, config);
    struct route route;
    assert_string_equal(world_candidates(world, "small"), "a");
    assert_int_equal(world_route(world, "small", &route), ROUTE_FOUND);
    assert_true(str_eq(route.model, STR("m")));
    assert_int_equal(world_route(world, "big", &route), ROUTE_FOUND); /* rules see what is meant */
    assert_non_null(route.rule);
    assert_string_equal(world_candidates(world, "gone"), "-");
    assert_string_equal(world_candidates(world, "smal"), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_without_rules),
        WORLD_TEST(test_rules_are_orders),
        WORLD_TEST(test_without_a_model),
        WORLD_TEST(test_no_servers_at_all),
        WORLD_TEST(test_open_servers),
        WORLD_TEST(test_mask_only_where_needed),
        WORLD_TEST(test_status_does_not_matter),
        WORLD_TEST(test_needs_text),
        WORLD_TEST(test_find_model),
        WORLD_TEST(test_config_of),
        WORLD_TEST(test_default_hostgroup),
        WORLD_TEST(test_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
