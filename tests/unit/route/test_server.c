/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/assert.c -lm */
#include "../../../src/route/server.c"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct server_registry registry;
    struct server_limits limits;
    struct server *server;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->limits = fixture_limits();
    server_registry_init(&fixture->registry);
    fixture->server = server_get(&fixture->registry, STR("a"), STR("http://a"));
    struct server_config config = {.status = SERVER_ONLINE, .hostgroup = 3, .weight = 7, .max_concurrent = 2};
    server_configure(fixture->server, &config);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    server_unref(fixture->server);
    server_registry_fini(&fixture->registry);
    free(fixture);
    return 0;
}

static void test_limits_from_settings(void **state)
{
    (void)state;
    struct settings settings = {
        .circuit_breaker_threshold = 5,
        .circuit_breaker_timeout_ms = 30000,
        .circuit_breaker_success_threshold = 2,
        .health_check_rise = 3,
        .health_check_fall = 4,
    };
    struct server_limits limits = server_limits_from(&settings);
    assert_int_equal(limits.breaker.failure_threshold, 5);
    assert_int_equal(limits.breaker.open_timeout, 30 * USEC_PER_SEC);
    assert_int_equal(limits.breaker.success_threshold, 2);
    assert_int_equal(limits.health.rise, 3);
    assert_int_equal(limits.health.fall, 4);
}

static void test_identity_is_name_and_endpoint(void **state)
{
    struct fixture *fixture = *state;
    char name[] = "a", endpoint[] = "http://a";
    struct server *same = server_get(&fixture->registry, str_from(name), str_from(endpoint));
    struct server *other_name = server_get(&fixture->registry, STR("b"), str_from(endpoint));
    struct server *other_place = server_get(&fixture->registry, str_from(name), STR("http://b"));
    assert_ptr_equal(same, fixture->server);
    assert_ptr_not_equal(other_name, fixture->server);
    assert_ptr_not_equal(other_place, fixture->server);
    memset(name, 'x', 1);
    memset(endpoint, 'x', 8);
    assert_true(str_eq(other_place->name, STR("a"))); /* copied */
    assert_true(str_eq(other_name->endpoint_text, STR("http://a")));
    assert_int_equal(fixture->registry.count, 3);
    server_unref(same);
    server_unref(other_name);
    server_unref(other_place);
    assert_int_equal(fixture->registry.count, 1);
    server_unref(NULL);
}

static void test_slots_are_unique_and_reused(void **state)
{
    enum { COUNT = 150 };
    struct fixture *fixture = *state;
    struct server *servers[COUNT];
    bool seen[COUNT + 1] = {[0] = true};
    for (size_t i = 0; i < COUNT; i++) {
        char name[8];
        servers[i] =
            server_get(&fixture->registry,
                       (struct str){name, (size_t)snprintf(name, sizeof(name), "s%zu", i)}, STR("e"));
        assert_in_range(servers[i]->slot, 1, COUNT);
        assert_false(seen[servers[i]->slot]);
        seen[servers[i]->slot] = true;
    }
    assert_true(server_registry_slot_limit(&fixture->registry) > COUNT);
    size_t freed = servers[70]->slot;
    server_unref(servers[70]);
    servers[70] = server_get(&fixture->registry, STR("new"), STR("e"));
    assert_int_equal(servers[70]->slot, freed);
    for (size_t i = 0; i < COUNT; i++)
        server_unref(servers[i]);
}

static void check(struct fixture *fixture, usec_t now, enum availability availability, usec_t back_at)
{
    struct server_view view = server_look(fixture->server, now, &fixture->limits);
    assert_int_equal(view.availability, availability);
    assert_non_null(view.reason);
    if (availability == SERVER_DOWN)
        assert_int_equal(view.back_at, back_at);
}

static void test_status(void **state)
{
    static const enum availability expected[SERVER_STATUS_COUNT_] = {
        [SERVER_ONLINE] = SERVER_READY,
        [SERVER_OFFLINE] = SERVER_DOWN,
        [SERVER_SHUNNED] = SERVER_DOWN,
        [SERVER_DRAINING] = SERVER_DOWN,
    };
    struct fixture *fixture = *state;
    for (unsigned status = 0; status < SERVER_STATUS_COUNT_; status++) {
        fixture->server->status = status;
        check(fixture, 5, expected[status], USEC_FOREVER);
    }
    fixture->server->status = SERVER_ONLINE;
    server_configure(fixture->server, NULL);
    check(fixture, 5, SERVER_DOWN, USEC_FOREVER);
}

static void test_room(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant grants[3];
    server_acquire(fixture->server, 0, &fixture->limits, &grants[0]);
    check(fixture, 0, SERVER_READY, 0);
    server_acquire(fixture->server, 0, &fixture->limits, &grants[1]);
    check(fixture, 0, SERVER_FULL, 0);
    fixture->server->max_concurrent = 0; /* no limit */
    check(fixture, 0, SERVER_READY, 0);
    server_acquire(fixture->server, 0, &fixture->limits, &grants[2]);
    fixture->server->max_concurrent = 1;
    for (size_t i = 0; i < 3; i++) {
        check(fixture, 0, SERVER_FULL, 0);
        server_release(&grants[i], OUTCOME_NEUTRAL, 0, &fixture->limits);
        assert_null(grants[i].server);
    }
    assert_int_equal(fixture->server->in_flight, 0);
    check(fixture, 0, SERVER_READY, 0);
}

static void run_once(struct fixture *fixture, enum server_outcome outcome, usec_t now)
{
    struct server_grant grant;
    server_acquire(fixture->server, now, &fixture->limits, &grant);
    server_release(&grant, outcome, now, &fixture->limits);
}

static void test_health_and_cool_down(void **state)
{
    struct fixture *fixture = *state;
    struct probe_result bad = {.good = false};
    assert_true(server_note_probe(fixture->server, &bad, &fixture->limits));
    check(fixture, 0, SERVER_DOWN, USEC_FOREVER);
    fixture->server->health = (struct health){0};
    server_cool_down(fixture->server, 700);
    server_cool_down(fixture->server, 300);
    check(fixture, 699, SERVER_DOWN, 700);
    check(fixture, 700, SERVER_READY, 0);
    for (unsigned i = 0; i < 3; i++)
        run_once(fixture, OUTCOME_BAD, 700);
    check(fixture, 800, SERVER_DOWN, 1700);
    server_cool_down(fixture->server, 1000);
    check(fixture, 800, SERVER_DOWN, 1700); /* the later of both */
    server_cool_down(fixture->server, 5000);
    check(fixture, 800, SERVER_DOWN, 5000);
}

static void test_circuit(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant trial;
    for (unsigned i = 0; i < 3; i++)
        run_once(fixture, OUTCOME_BAD, 10);
    check(fixture, 1009, SERVER_DOWN, 1010);
    check(fixture, 1010, SERVER_READY, 0);
    server_acquire(fixture->server, 1010, &fixture->limits, &trial);
    check(fixture, 1010, SERVER_FULL, 0);
    server_release(&trial, OUTCOME_NEUTRAL, 1010, &fixture->limits);
    check(fixture, 1010, SERVER_READY, 0);
    run_once(fixture, OUTCOME_GOOD, 1010);
    run_once(fixture, OUTCOME_GOOD, 1010);
    assert_int_equal(fixture->server->breaker.state, BREAKER_CLOSED);
}

static void test_settling_early_frees_the_trial(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant one, two;
    for (unsigned i = 0; i < 3; i++)
        run_once(fixture, OUTCOME_BAD, 0);
    server_acquire(fixture->server, 1000, &fixture->limits, &one);
    server_settle(&one, OUTCOME_GOOD, 1001, &fixture->limits);
    check(fixture, 1001, SERVER_READY, 0);
    server_acquire(fixture->server, 1001, &fixture->limits, &two);
    /* The first answer breaks now: that was not the trial that runs. */
    server_release(&one, OUTCOME_BAD, 1002, &fixture->limits);
    assert_int_equal(fixture->server->breaker.state, BREAKER_HALF_OPEN);
    check(fixture, 1002, SERVER_FULL, 0);
    server_release(&two, OUTCOME_GOOD, 1003, &fixture->limits);
    assert_int_equal(fixture->server->breaker.state, BREAKER_CLOSED);
}

static void test_outcomes_count_once(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant grant;
    server_acquire(fixture->server, 0, &fixture->limits, &grant);
    server_settle(&grant, OUTCOME_BAD, 0, &fixture->limits);
    server_settle(&grant, OUTCOME_BAD, 0, &fixture->limits);
    server_release(&grant, OUTCOME_GOOD, 0, &fixture->limits);
    assert_int_equal(fixture->server->breaker.failures, 1);
    server_acquire(fixture->server, 0, &fixture->limits, &grant);
    server_settle(&grant, OUTCOME_GOOD, 0, &fixture->limits);
    assert_int_equal(fixture->server->breaker.failures, 0);
    server_release(&grant, OUTCOME_BAD, 0, &fixture->limits); /* an answer that was cut */
    assert_int_equal(fixture->server->breaker.failures, 1);
}

static void test_first_byte_is_measured(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant grant;
    server_acquire(fixture->server, 0, &fixture->limits, &grant);
    server_first_byte(&grant, 1234, 50);
    assert_true(fixture->server->first_byte.measured);
    assert_int_equal((usec_t)ewma_value(&fixture->server->first_byte, 50), 1234);
    server_release(&grant, OUTCOME_GOOD, 60, &fixture->limits);
}

static void test_grant_keeps_the_server(void **state)
{
    struct fixture *fixture = *state;
    struct server_grant grant;
    server_acquire(fixture->server, 0, &fixture->limits, &grant);
    server_unref(fixture->server);
    assert_int_equal(fixture->registry.count, 1);
    server_release(&grant, OUTCOME_GOOD, 0, &fixture->limits);
    assert_int_equal(fixture->registry.count, 0);
    fixture->server = NULL;
}

static void test_models(void **state)
{
    struct fixture *fixture = *state;
    struct server *server = fixture->server;
    char volatile_name[] = "zeta";
    struct str names[] = {STR("beta"), str_from(volatile_name), STR("alpha"), STR("beta"), STR("")};
    bool changed = false;
    assert_false(server->models_known);
    assert_int_equal(server_set_models(server, names, 0, &changed), ERR_OK);
    assert_true(changed && server->models_known); /* none is another answer than not known */
    assert_int_equal(server_set_models(server, names, 5, &changed), ERR_OK);
    assert_true(changed);
    volatile_name[0] = 'x';
    assert_int_equal(server->model_count, 3);
    assert_true(str_eq(server->models[0], STR("alpha")));
    assert_true(str_eq(server->models[1], STR("beta")));
    assert_true(str_eq(server->models[2], STR("zeta")));
    struct str again[] = {STR("zeta"), STR("alpha"), STR("beta")};
    assert_int_equal(server_set_models(server, again, 3, &changed), ERR_OK);
    assert_false(changed);
    assert_int_equal(server_set_models(server, again, 2, &changed), ERR_OK);
    assert_true(changed);
    assert_int_equal(server_set_models(server, again, 2, NULL), ERR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_from_settings),
        TEST(test_identity_is_name_and_endpoint),
        TEST(test_slots_are_unique_and_reused),
        TEST(test_status),
        TEST(test_room),
        TEST(test_health_and_cool_down),
        TEST(test_circuit),
        TEST(test_settling_early_frees_the_trial),
        TEST(test_outcomes_count_once),
        TEST(test_first_byte_is_measured),
        TEST(test_grant_keeps_the_server),
        TEST(test_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
