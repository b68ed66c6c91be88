/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/wire/mysql_value.c"

#include "exact.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct buf out;
static struct arena arena;

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 65536);
    arena_init(&arena, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    arena_fini(&arena);
    return 0;
}

static void assert_out(struct str expected)
{
    assert_true(buf_ok(&out));
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.ptr, expected.ptr, expected.len);
    buf_clear(&out);
}

/* ---- rows ---- */

static void test_text_values(void **state)
{
    (void)state;
    mysql_put_text_null(&out);
    mysql_put_text_integer(&out, 0);
    mysql_put_text_integer(&out, INT64_MIN);
    mysql_put_text_double(&out, 0.1);
    assert_out(STR("\xfb\x01"
                   "0\x14-9223372036854775808\x03"
                   "0.1"));
}

static void test_double_text(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-1.5, "-1.5"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e300, "1e+300"},
                 {3, "3"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "4.94065645841247e-324"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[MYSQL_DOUBLE_TEXT_MAX];
        assert_true(str_eq(mysql_double_text(cases[i].value, text), str_from(cases[i].text)));
        assert_true(strtod(cases[i].text, NULL) == cases[i].value);
    }
    char text[MYSQL_DOUBLE_TEXT_MAX];
    assert_true(str_eq(mysql_double_text((double)NAN, text), STR("nan")) ||
                str_eq(mysql_double_text((double)NAN, text), STR("-nan")));
}

/* The first two bits of the map mean nothing: column 6 is the first bit of the second byte. */
static void test_binary_row(void **state)
{
    (void)state;
    size_t map = mysql_put_binary_row(&out, 7);
    mysql_set_binary_null(&out, map, 0);
    mysql_set_binary_null(&out, map, 5);
    mysql_set_binary_null(&out, map, 6);
    mysql_put_double(&out, 2.5);
    assert_out(STR("\0\x84\x01\0\0\0\0\0\0\x04\x40"));
    mysql_put_binary_row(&out, 6);
    assert_out(STR("\0\0"));
}

static void test_datetime(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct str bytes; /* empty: refused */
    } cases[] = {
        {"2026-01-31 23:59:58", STR("\x07\xea\x07\x01\x1f\x17\x3b\x3a")},
        {"2026-01-31T23:59:58", STR("\x07\xea\x07\x01\x1f\x17\x3b\x3a")},
        {"2026-01-31", STR("\x07\xea\x07\x01\x1f\0\0\0")},
        {"0000-00-00 00:00:00", STR("\x07\0\0\0\0\0\0\0")},
        {"2026-01-31 23:59:58.5", STR("\x0b\xea\x07\x01\x1f\x17\x3b\x3a\x20\xa1\x07\0")},
        {"2026-01-31 23:59:58.000001", STR("\x0b\xea\x07\x01\x1f\x17\x3b\x3a\x01\0\0\0")},
        {"2026-01-31 23:59:58.000", STR("\x07\xea\x07\x01\x1f\x17\x3b\x3a")},
        {"2026-13-01", STR("")},
        {"2026-12-32", STR("")},
        {"2026-01-31 24:00:00", STR("")},
        {"2026-01-31 23:60:00", STR("")},
        {"2026-01-31 23:59:60", STR("")},
        {"2026-01-31 23:59", STR("")},
        {"2026-01-31 23:59:58.", STR("")},
        {"2026-01-31 23:59:58.1234567", STR("")},
        {"2026-01-31 23:59:58Z", STR("")},
        {"2026-01-3", STR("")},
        {"2026/01/31", STR("")},
        {"x026-01-31", STR("")},
        {"", STR("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = exact_copy(str_from(cases[i].text));
        if (mysql_put_datetime(&out, text) != (cases[i].bytes.len > 0))
            fail_msg("%s", cases[i].text);
        assert_out(cases[i].bytes);
        exact_free(text);
    }
}

/* ---- parameters ---- */

static const struct {
    const char *what;
    struct str type, bytes;
    enum err err;
    struct mysql_param param;
} values[] = {
    {"tiny", STR("\x01\0"), STR("\xff"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = -1}},
    {"tiny unsigned", STR("\x01\x80"), STR("\xff"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = 255}},
    {"bool", STR("\xf4\0"), STR("\x01"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = 1}},
    {"short", STR("\x02\0"), STR("\xfe\xff"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = -2}},
    {"year", STR("\x0d\0"), STR("\xea\x07"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = 2026}},
    {"long", STR("\x03\0"), STR("\0\0\0\x80"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = INT32_MIN}},
    {"long unsigned",
     STR("\x03\x80"),
     STR("\xff\xff\xff\xff"),
     ERR_OK,
     {MYSQL_PARAM_INTEGER, .integer = UINT32_MAX}},
    {"int24", STR("\x09\0"), STR("\x01\0\0\0"), ERR_OK, {MYSQL_PARAM_INTEGER, .integer = 1}},
    {"long long",
     STR("\x08\0"),
     STR("\0\0\0\0\0\0\0\x80"),
     ERR_OK,
     {MYSQL_PARAM_INTEGER, .integer = INT64_MIN}},
    {"long long unsigned",
     STR("\x08\x80"),
     STR("\xff\xff\xff\xff\xff\xff\xff\x7f"),
     ERR_OK,
     {MYSQL_PARAM_INTEGER, .integer = INT64_MAX}},
    {"too large", STR("\x08\x80"), STR("\0\0\0\0\0\0\0\x80"), ERR_LIMIT, {0}},
    {"float", STR("\x04\0"), STR("\0\0\x20\x40"), ERR_OK, {MYSQL_PARAM_REAL, .real = 2.5}},
    {"double", STR("\x05\0"), STR("\0\0\0\0\0\0\x04\xc0"), ERR_OK, {MYSQL_PARAM_REAL, .real = -2.5}},
    {"null by type", STR("\x06\0"), STR(""), ERR_OK, {MYSQL_PARAM_NULL}},
    {"string", STR("\xfe\0"), STR("\x02hi"), ERR_OK, {MYSQL_PARAM_BYTES, .text = STR("hi")}},
    {"empty string", STR("\xfd\0"), STR("\0"), ERR_OK, {MYSQL_PARAM_BYTES, .text = STR("")}},
    {"blob", STR("\xfc\0"), STR("\x02\0\xff"), ERR_OK, {MYSQL_PARAM_BYTES, .text = STR("\0\xff")}},
    {"decimal",
     STR("\xf6\0"),
     STR("\x03"
         "1.5"),
     ERR_OK,
     {MYSQL_PARAM_BYTES, .text = STR("1.5")}},
    {"date",
     STR("\x0a\0"),
     STR("\x04\xea\x07\x01\x02"),
     ERR_OK,
     {MYSQL_PARAM_TEXT, .text = STR("2026-01-02")}},
    {"datetime",
     STR("\x0c\0"),
     STR("\x07\xea\x07\x01\x02\x03\x04\x05"),
     ERR_OK,
     {MYSQL_PARAM_DATETIME, .text = STR("2026-01-02 03:04:05")}},
    {"datetime without time",
     STR("\x0c\0"),
     STR("\x04\xea\x07\x01\x02"),
     ERR_OK,
     {MYSQL_PARAM_DATETIME, .text = STR("2026-01-02 00:00:00")}},
    {"timestamp",
     STR("\x07\0"),
     STR("\x0b\xea\x07\x01\x02\x03\x04\x05\x40\xe2\x01\0"),
     ERR_OK,
     {MYSQL_PARAM_DATETIME, .text = STR("2026-01-02 03:04:05.123456")}},
    {"zero date",
     STR("\x0c\0"),
     STR("\0"),
     ERR_OK,
     {MYSQL_PARAM_DATETIME, .text = STR("0000-00-00 00:00:00")}},
    {"month 13", STR("\x0c\0"), STR("\x04\xea\x07\x0d\x02"), ERR_INVALID, {0}},
    {"microseconds past a second",
     STR("\x0c\0"),
     STR("\x0b\xea\x07\x01\x02\x03\x04\x05\xff\xff\xff\xff"),
     ERR_INVALID,
     {0}},
    {"date of 5 bytes", STR("\x0c\0"), STR("\x05\xea\x07\x01\x02\x03"), ERR_INVALID, {0}},
    {"half a date", STR("\x0c\0"), STR("\x07\xea\x07"), ERR_INVALID, {0}},
    {"time",
     STR("\x0b\0"),
     STR("\x08\x01\x05\0\0\0\x02\x03\x04"),
     ERR_OK,
     {MYSQL_PARAM_TEXT, .text = STR("-122:03:04")}},
    {"time with microseconds",
     STR("\x0b\0"),
     STR("\x0c\0\0\0\0\0\x02\x03\x04\x01\0\0\0"),
     ERR_OK,
     {MYSQL_PARAM_TEXT, .text = STR("02:03:04.000001")}},
    {"zero time", STR("\x0b\0"), STR("\0"), ERR_OK, {MYSQL_PARAM_TEXT, .text = STR("00:00:00")}},
    {"longest time",
     STR("\x0b\0"),
     STR("\x0c\x01\xff\xff\xff\xff\x17\x3b\x3b\x3f\x42\x0f\0"),
     ERR_OK,
     {MYSQL_PARAM_TEXT, .text = STR("-103079215103:59:59.999999")}},
    {"minute 60", STR("\x0b\0"), STR("\x08\0\0\0\0\0\x02\x3c\x04"), ERR_INVALID, {0}},
    {"time of 9 bytes", STR("\x0b\0"), STR("\x09\0\0\0\0\0\0\0\0\0"), ERR_INVALID, {0}},
    {"unknown type", STR("\x11\0"), STR("\x01"), ERR_INVALID, {0}},
    {"half an integer", STR("\x03\0"), STR("\0\0"), ERR_INVALID, {0}},
    {"half a string", STR("\xfe\0"), STR("\x03hi"), ERR_INVALID, {0}},
};

static void assert_param(const struct mysql_param *param, const struct mysql_param *expected)
{
    assert_int_equal(param->kind, expected->kind);
    if (param->kind == MYSQL_PARAM_INTEGER)
        assert_true(param->integer == expected->integer);
    else if (param->kind == MYSQL_PARAM_REAL)
        assert_true(param->real == expected->real);
    else if (param->kind != MYSQL_PARAM_NULL)
        assert_true(str_eq(param->text, expected->text));
}

/* As the second of two parameters, in memory that ends with it. */
static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        uint16_t types[2];
        struct mysql_binding binding = {.count = 2, .types = types};
        struct mysql_param params[2];
        size_t at;
        buf_clear(&out);
        buf_add(&out, STR("\0\x01\x01\0"));
        buf_add(&out, values[i].type);
        buf_add(&out, STR("\x07"));
        buf_add(&out, values[i].bytes);
        struct str bytes = exact_copy(buf_str(&out));
        if (mysql_read_params(bytes, &binding, &arena, params, &at) != values[i].err)
            fail_msg("%s", values[i].what);
        if (values[i].err == ERR_OK) {
            assert_int_equal(params[0].integer, 7);
            assert_param(&params[1], &values[i].param);
        } else {
            assert_int_equal(at, 1);
        }
        exact_free(bytes);
    }
}

/* Types are told once. */
static void test_types_are_kept(void **state)
{
    (void)state;
    uint16_t types[1];
    struct mysql_binding binding = {.count = 1, .types = types};
    struct mysql_param param;
    size_t at;
    assert_int_equal(mysql_read_params(STR("\0\0\x07"), &binding, &arena, &param, &at), ERR_INVALID);
    assert_int_equal(mysql_read_params(STR("\0\x01\x01\x80\xff"), &binding, &arena, &param, &at), ERR_OK);
    assert_int_equal(param.integer, 255);
    assert_int_equal(mysql_read_params(STR("\0\0\xfe"), &binding, &arena, &param, &at), ERR_OK);
    assert_int_equal(param.integer, 254);
    assert_int_equal(mysql_read_params(STR("\x01\0"), &binding, &arena, &param, &at), ERR_OK);
    assert_int_equal(param.kind, MYSQL_PARAM_NULL);
    assert_int_equal(mysql_read_params(STR("\0\x01\x02\0\x03\0"), &binding, &arena, &param, &at), ERR_OK);
    assert_int_equal(param.integer, 3);
}

/* Nine parameters need two bytes of map. */
static void test_null_map(void **state)
{
    (void)state;
    uint16_t types[9];
    struct mysql_binding binding = {.count = 9, .types = types};
    struct mysql_param params[9];
    size_t at;
    struct str bytes = STR("\xfe\x00\x01"
                           "\x01\0\x01\0\x01\0\x01\0\x01\0\x01\0\x01\0\x01\0\x01\0"
                           "\x05\x09");
    assert_int_equal(mysql_read_params(bytes, &binding, &arena, params, &at), ERR_OK);
    assert_int_equal(params[0].integer, 5);
    for (size_t i = 1; i < 8; i++)
        assert_int_equal(params[i].kind, MYSQL_PARAM_NULL);
    assert_int_equal(params[8].integer, 9);
}

/* Data that came ahead stands for the value, which is then missing from the packet. */
static void test_long_data(void **state)
{
    (void)state;
    uint16_t types[3];
    struct buf ahead[3];
    struct mysql_binding binding = {.count = 3, .types = types, .long_data = ahead};
    struct mysql_param params[3];
    size_t at;
    for (size_t i = 0; i < 3; i++)
        buf_init(&ahead[i], 64);
    buf_add(&ahead[0], STR("long"));
    assert_true(buf_reserve(&ahead[2], 1)); /* given, and empty */
    assert_int_equal(mysql_read_params(STR("\0\x01\xfc\0\x01\0\xfc\0\x07"), &binding, &arena, params, &at),
                     ERR_OK);
    assert_true(str_eq(params[0].text, STR("long")));
    assert_int_equal(params[1].integer, 7);
    assert_int_equal(params[2].kind, MYSQL_PARAM_BYTES);
    assert_int_equal(params[2].text.len, 0);
    for (size_t i = 0; i < 3; i++)
        buf_free(&ahead[i]);
}

static void test_cut_short(void **state)
{
    (void)state;
    struct str bytes = STR("\0\x01\x08\0\xfe\0\x01\x02\x03\x04\x05\x06\x07\x08\x02hi");
    for (size_t len = 0; len <= bytes.len; len++) {
        uint16_t types[2];
        struct mysql_binding binding = {.count = 2, .types = types};
        struct mysql_param params[2];
        size_t at;
        struct str exact = exact_copy((struct str){bytes.ptr, len});
        enum err err = mysql_read_params(exact, &binding, &arena, params, &at);
        assert_int_equal(err, len == bytes.len ? ERR_OK : ERR_INVALID);
        exact_free(exact);
    }
}

static void test_no_params(void **state)
{
    (void)state;
    struct mysql_binding binding = {0};
    size_t at;
    assert_int_equal(mysql_read_params(STR_NONE, &binding, &arena, NULL, &at), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text_values, begin, end),
        cmocka_unit_test_setup_teardown(test_double_text, begin, end),
        cmocka_unit_test_setup_teardown(test_binary_row, begin, end),
        cmocka_unit_test_setup_teardown(test_datetime, begin, end),
        cmocka_unit_test_setup_teardown(test_values, begin, end),
        cmocka_unit_test_setup_teardown(test_types_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_null_map, begin, end),
        cmocka_unit_test_setup_teardown(test_long_data, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_short, begin, end),
        cmocka_unit_test_setup_teardown(test_no_params, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
