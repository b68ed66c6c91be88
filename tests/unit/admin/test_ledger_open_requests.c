/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/ledger_open_requests.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define IDS 3000u

static void test_is_a_set_under_any_order(void **state)
{
    (void)state;
    struct open_requests open = {0};
    static bool is_in[2][IDS];
    struct rng rng;
    rng_init(&rng, 11);
    open_requests_remove(&open, 1, 1);
    for (unsigned turn = 0; turn < 60000; turn++) {
        unsigned run = (unsigned)rng_below(&rng, 2), id = (unsigned)rng_below(&rng, IDS);
        /* Fuller first, emptier then: grows, and holes are closed. */
        bool adds = rng_below(&rng, 10) < (turn < 30000 ? 7 : 2);
        if (adds)
            assert_true(open_requests_add(&open, run, id, 1 + id, run));
        else
            open_requests_remove(&open, run, id);
        is_in[run][id] = adds;
    }
    size_t count = 0;
    for (unsigned run = 0; run < 2; run++) {
        for (unsigned id = 0; id < IDS; id++) {
            const struct open_request *slot = &open.slots[find_slot(&open, run, id)];
            assert_int_equal(slot->segment_number, is_in[run][id] ? 1 + id : 0);
            count += is_in[run][id];
        }
    }
    assert_int_equal(open.count, count);
    assert_true(count > 0);
    open_requests_free(&open);
    assert_null(open.slots);
}

static void test_first_place_stays(void **state)
{
    (void)state;
    struct open_requests open = {0};
    assert_true(open_requests_add(&open, 1, 2, 3, 4));
    assert_true(open_requests_add(&open, 1, 2, 5, 6));
    assert_int_equal(open.count, 1);
    assert_int_equal(open.slots[find_slot(&open, 1, 2)].at, 4);
    open_requests_free(&open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_a_set_under_any_order),
        cmocka_unit_test(test_first_place_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
