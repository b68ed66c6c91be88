/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/route/health.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* g good, b bad; `changes` has a + after each probe that changed the state. */
static void test_sequences(void **state)
{
    static const struct {
        const char *probes, *changes;
        unsigned rise, fall;
        enum health_state expected;
    } rows[] = {
        {"", "", 2, 2, HEALTH_UNKNOWN},
        {"g", "+", 2, 2, HEALTH_GOOD},
        {"b", "+", 2, 2, HEALTH_BAD},
        {"gb", "+-", 2, 2, HEALTH_GOOD},
        {"gbb", "+-+", 2, 2, HEALTH_BAD},
        {"gbgb", "+---", 2, 2, HEALTH_GOOD},
        {"gbgbb", "+---+", 2, 2, HEALTH_BAD},
        {"bg", "+-", 2, 2, HEALTH_BAD},
        {"bgg", "+-+", 2, 2, HEALTH_GOOD},
        {"bggb", "+-+-", 2, 2, HEALTH_GOOD},
        {"bgbgg", "+---+", 2, 2, HEALTH_GOOD},
        {"gb", "++", 1, 1, HEALTH_BAD},
        {"gbg", "+++", 1, 1, HEALTH_GOOD},
        {"ggggbbb", "+------", 1, 4, HEALTH_GOOD},
        {"bgbgggg", "+------", 5, 1, HEALTH_BAD},
        {"bggggg", "+----+", 5, 1, HEALTH_GOOD},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health health = {0};
        struct health_limits limits = {rows[i].rise, rows[i].fall};
        for (size_t probe = 0; rows[i].probes[probe]; probe++) {
            struct probe_result result = {rows[i].probes[probe] == 'g', 5, probe};
            assert_int_equal(health_note(&health, &result, &limits), rows[i].changes[probe] == '+');
            assert_int_equal(health.last.realtime, probe);
            assert_int_equal(health.probes, probe + 1);
        }
        assert_int_equal(health.state, rows[i].expected);
        assert_int_equal(health_is_usable(&health), rows[i].expected != HEALTH_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
