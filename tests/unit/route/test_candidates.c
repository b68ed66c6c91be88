/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/server.c src/route/breaker.c src/route/health.c src/route/ewma.c src/base/arena.c src/base/str.c src/base/assert.c -lm */
#include "../../../src/route/candidates.c"

#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_identity(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){1, 2, 3}, 3);
    struct candidate members[3];
    memcpy(members, pool.set->members, sizeof(members));
    members[1].lag = 99; /* no part of the identity */
    assert_true(candidate_set_is(pool.set, 0, members, 3));
    assert_int_equal(candidate_set_hash(0, members, 3), pool.set->hash);
    assert_false(candidate_set_is(pool.set, 1, members, 3));
    assert_false(candidate_set_is(pool.set, 0, members, 2));
    members[1].weight = 9;
    assert_false(candidate_set_is(pool.set, 0, members, 3));
    assert_int_not_equal(candidate_set_hash(0, members, 3), pool.set->hash);
    members[1] = members[0];
    assert_false(candidate_set_is(pool.set, 0, members, 3));
    pool_fini(&pool);
}

static void test_membership(void **state)
{
    (void)state;
    struct pool pool;
    unsigned weights[POOL_MAX];
    for (size_t i = 0; i < POOL_MAX; i++)
        weights[i] = 1;
    pool_init(&pool, weights, POOL_MAX);
    struct candidate few[] = {{.server = pool.servers[3], .weight = 1},
                              {.server = pool.servers[30], .weight = 1}};
    struct candidate_set *set = candidate_set_new(0, few, 2);
    uint64_t mask[1] = {(uint64_t)1 << pool.servers[30]->slot};
    struct candidates all = {set, NULL}, masked = {set, mask};
    struct server far = {.slot = 1000};
    for (size_t i = 0; i < POOL_MAX; i++) {
        assert_int_equal(candidates_have(&all, pool.servers[i]), i == 3 || i == 30);
        assert_int_equal(candidates_have(&masked, pool.servers[i]), i == 30);
    }
    assert_false(candidates_have(&all, &far));
    candidate_set_unref(set);
    pool_fini(&pool);
}

static void test_references(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, (unsigned[]){1}, 1);
    server_unref(pool.servers[0]);
    assert_int_equal(pool.registry.count, 1); /* the set holds it */
    candidate_set_unref(candidate_set_ref(pool.set));
    assert_int_equal(pool.registry.count, 1);
    candidate_set_unref(pool.set);
    assert_int_equal(pool.registry.count, 0);
    server_registry_fini(&pool.registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_membership),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
