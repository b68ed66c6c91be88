/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/rng.c src/base/clock.c src/base/assert.c */
#include "../../../src/route/backoff.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_delay(void **state)
{
    static const struct {
        usec_t initial, max;
        double multiplier;
        unsigned n;
        usec_t expected; /* without jitter */
    } rows[] = {
        {100000, 5000000, 2, 0, 100000},
        {100000, 5000000, 2, 1, 200000},
        {100000, 5000000, 2, 2, 400000},
        {100000, 5000000, 2, 5, 3200000},
        {100000, 5000000, 2, 6, 5000000},
        {100000, 5000000, 2, 20, 5000000},
        {100000, 5000000, 1, 9, 100000},
        {100000, 5000000, 1.5, 2, 225000},
        {0, 5000000, 2, 7, 0},
        {100000, 0, 2, 3, 0},
        {9000000, 5000000, 2, 0, 5000000},
        {100000, 5000000, 10, 4000000000u, 5000000},
    };
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct backoff_limits limits = {rows[i].initial, rows[i].max, rows[i].multiplier};
        usec_t least = USEC_FOREVER, most = 0;
        for (unsigned draw = 0; draw < 1000; draw++) {
            usec_t delay = backoff_delay(&limits, rows[i].n, &rng);
            least = MIN(least, delay);
            most = MAX(most, delay);
        }
        double expected = (double)rows[i].expected, top = MIN(expected * 1.1, (double)rows[i].max);
        assert_true((double)least >= expected * 0.9 - 1 && (double)least <= expected * 0.91);
        assert_true((double)most <= top && (double)most >= top * 0.99 - 1);
        assert_true(rows[i].expected == 0 || most > least);
    }
}

#define BASE_TIME (784111777 * USEC_PER_SEC) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void test_retry_after(void **state)
{
    static const struct {
        const char *text;
        bool parses;
        usec_t realtime, expected;
    } rows[] = {
        {"0", true, 0, 0},
        {"1", true, 0, USEC_PER_SEC},
        {"120", true, 5, 120 * USEC_PER_SEC},
        {"1.5", true, 0, 1500000},
        {"0.0000019", true, 0, 1},
        {"0.12345678901234567890", true, 0, 123456},
        {"86400", true, 0, RETRY_AFTER_MAX},
        {"86401", true, 0, RETRY_AFTER_MAX},
        {"99999999999999999999999999", true, 0, RETRY_AFTER_MAX},
        {"", false, 0, 0},
        {"-1", false, 0, 0},
        {"+1", false, 0, 0},
        {"1s", false, 0, 0},
        {"1.", false, 0, 0},
        {".5", false, 0, 0},
        {" 1", false, 0, 0},
        {"soon", false, 0, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, BASE_TIME, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, BASE_TIME - 1500000, 1500000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, BASE_TIME + 1, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 0, RETRY_AFTER_MAX},
        {"Thu, 29 Feb 2024 00:00:00 GMT", true, 1709164800 * USEC_PER_SEC - 9, 9},
        {"Thu, 01 Jan 1970 00:00:00 GMT", true, 0, 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", true, 0, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0, 0},
        {"Sun, 6 Nov 1994 08:49:37 GMT", false, 0, 0},
        {"Sun, 06 Abc 1994 08:49:37 GMT", false, 0, 0},
        {"Sun, 00 Nov 1994 08:49:37 GMT", false, 0, 0},
        {"Sun, 32 Nov 1994 08:49:37 GMT", false, 0, 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", false, 0, 0},
        {"Sun, 06 Nov 1994 08:60:37 GMT", false, 0, 0},
        {"Sun, 06 Nov 1994 08:49:61 GMT", false, 0, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        usec_t delay = 4711;
        if (retry_after_parse(str_from(rows[i].text), rows[i].realtime, &delay) != rows[i].parses)
            fail_msg("'%s' parses or not", rows[i].text);
        assert_int_equal(delay, rows[i].parses ? rows[i].expected : 4711);
    }
}

static void test_retry_after_ms(void **state)
{
    usec_t delay = 0;
    (void)state;
    assert_true(retry_after_ms_parse(STR("1500"), &delay));
    assert_int_equal(delay, 1500000);
    assert_true(retry_after_ms_parse(STR("0.25"), &delay));
    assert_int_equal(delay, 250);
    assert_false(retry_after_ms_parse(STR("Sun, 06 Nov 1994 08:49:37 GMT"), &delay));
    assert_int_equal(delay, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_retry_after_ms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
