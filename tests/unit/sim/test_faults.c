/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c -lxxhash */
#include "../../../src/sim/faults.c"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum err parse(const char *spec, struct fault *ret_fault, char *why, size_t size)
{
    struct buf text;
    memset(why, 0, size);
    buf_init_fixed(&text, why, size - 1);
    return fault_parse(str_from(spec), ret_fault, &text);
}

static void test_every_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(number_parts); i++) {
        struct fault fault;
        struct fault none;
        char spec[64];
        char why[128];
        snprintf(spec, sizeof(spec), "%s=201", number_parts[i].word.ptr);
        assert_int_equal(parse(spec, &fault, why, sizeof(why)), ERR_OK);
        fault_init(&none);
        assert_int_equal(*(uint64_t *)(void *)((char *)&fault + number_parts[i].offset), 201);
        *(uint64_t *)(void *)((char *)&fault + number_parts[i].offset) = FAULT_NONE;
        assert_memory_equal(&fault, &none, sizeof(fault)); /* and nothing else was set */
    }
}

static void test_every_flag(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flag_parts); i++) {
        struct fault fault;
        char why[128];
        assert_int_equal(parse(flag_parts[i].word.ptr, &fault, why, sizeof(why)), ERR_OK);
        assert_true(*(bool *)((char *)&fault + flag_parts[i].offset));
    }
}

static void test_list(void **state)
{
    struct fault fault;
    char why[128];
    (void)state;
    assert_int_equal(parse("status=503, retry-after=2,times=3,drip=7:40,1xx", &fault, why, sizeof(why)),
                     ERR_OK);
    assert_int_equal(fault.status, 503);
    assert_int_equal(fault.retry_after, 2);
    assert_int_equal(fault.times, 3);
    assert_int_equal(fault.drip_bytes, 7);
    assert_int_equal(fault.drip_millis, 40);
    assert_true(fault.early_hints);
    assert_int_equal(fault.cut, FAULT_NONE);
    assert_int_equal(parse("", &fault, why, sizeof(why)), ERR_OK);
    assert_false(fault_is_raw(&fault));
}

static void test_refused(void **state)
{
    static const struct {
        const char *spec, *why;
    } rows[] = {
        {"bogus", "fault \"bogus\" is not understood"},
        {"cut", "fault \"cut\" is not understood"},
        {"no-done=1", "fault \"no-done=1\" is not understood"},
        {"cut=", "fault \"cut=\" is not understood"},
        {"cut=-1", "fault \"cut=-1\" is not understood"},
        {"cut=1,,stall=2", "fault \"\" is not understood"},
        {"drip=5", "fault \"drip=5\" is not understood"},
        {"drip=0:5", "fault \"drip=0:5\" is not understood"},
        {"drip=:5", "fault \"drip=:5\" is not understood"},
        {"status=99", "fault has a number out of range"},
        {"status=600", "fault has a number out of range"},
        {"event-bytes=99999999", "fault has a number out of range"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fault fault = {.status = 7};
        char why[128];
        assert_int_equal(parse(rows[i].spec, &fault, why, sizeof(why)), ERR_INVALID);
        assert_string_equal(why, rows[i].why);
        assert_int_equal(fault.status, 7); /* untouched on failure */
    }
}

static void test_raw(void **state)
{
    static const struct {
        const char *spec;
        bool is_raw;
    } rows[] = {
        {"cut=0", true},
        {"reset=1", true},
        {"stall=1", true},
        {"corrupt=1", true},
        {"drip=1:1", true},
        {"reset-after-head", true},
        {"close-after-head", true},
        {"reset-before-head", false},
        {"status=500", false},
        {"no-done", false},
        {"events=3", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fault fault;
        char why[128];
        assert_int_equal(parse(rows[i].spec, &fault, why, sizeof(why)), ERR_OK);
        assert_int_equal(fault_is_raw(&fault), rows[i].is_raw);
    }
}

static void test_tally(void **state)
{
    static struct fault_tally tally;
    (void)state;
    uint64_t a = fault_key(STR("a"));
    uint64_t b = fault_key(STR("b"));
    assert_true(fault_tally_use(&tally, a, 2));
    assert_true(fault_tally_use(&tally, b, 1));
    assert_true(fault_tally_use(&tally, a, 2));
    assert_false(fault_tally_use(&tally, a, 2));
    assert_false(fault_tally_use(&tally, b, 1));
    assert_false(fault_tally_use(&tally, fault_key(STR("c")), 0));
}

static void test_full_tally(void **state)
{
    static struct fault_tally tally;
    (void)state;
    for (uint64_t i = 0; i < FAULT_TALLY_SLOTS; i++)
        assert_true(fault_tally_use(&tally, 2 * i + 1, 1));
    assert_false(
        fault_tally_use(&tally, 2 * FAULT_TALLY_SLOTS + 1, 1)); /* no room: no fault, and no endless search */
    assert_false(fault_tally_use(&tally, 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number), cmocka_unit_test(test_every_flag), cmocka_unit_test(test_list),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_raw),        cmocka_unit_test(test_tally),
        cmocka_unit_test(test_full_tally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
