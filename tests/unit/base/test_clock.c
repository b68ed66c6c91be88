/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/base/clock.c"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_format(void **state)
{
    static const struct {
        usec_t seconds, micros;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00.000Z"},
        {0, 999, "1970-01-01T00:00:00.000Z"},
        {0, 1000, "1970-01-01T00:00:00.001Z"},
        {0, 999999, "1970-01-01T00:00:00.999Z"},
        {951782400, 50000, "2000-02-29T00:00:00.050Z"},
        {951782399, 0, "2000-02-28T23:59:59.000Z"},
        {1769903999, 123456, "2026-01-31T23:59:59.123Z"},
        {1769903999, 7000, "2026-01-31T23:59:59.007Z"}, /* the same second again, from the cache */
        {0, 0, "1970-01-01T00:00:00.000Z"},
        {4107542399, 999999, "2100-02-28T23:59:59.999Z"},
        {4107542400, 0, "2100-03-01T00:00:00.000Z"},
        {253402300799, 999000, "9999-12-31T23:59:59.999Z"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[CLOCK_TEXT_MAX];
        size_t len = clock_format(rows[i].seconds * USEC_PER_SEC + rows[i].micros, out);
        assert_int_equal(len, strlen(rows[i].text));
        assert_memory_equal(out, rows[i].text, len);
    }
}

static void test_clocks_tell_microseconds(void **state)
{
    (void)state;
    usec_t before = clock_monotonic();
    struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&nap, NULL);
    usec_t passed = clock_monotonic() - before;
    assert_true(passed >= 20 * USEC_PER_MSEC && passed < 20 * USEC_PER_SEC);
    time_t seconds = time(NULL);
    usec_t realtime = clock_realtime();
    assert_true(realtime / USEC_PER_SEC >= (usec_t)seconds && realtime / USEC_PER_SEC <= (usec_t)seconds + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_clocks_tell_microseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
