/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/wire/mysql_answer.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buf out;
static uint8_t sequence;

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 65536);
    sequence = 1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void assert_out(struct str expected)
{
    assert_true(buf_ok(&out));
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.ptr, expected.ptr, expected.len);
}

static void test_ok(void **state)
{
    (void)state;
    struct mysql_ok plain = {.status = MYSQL_STATUS_AUTOCOMMIT};
    struct mysql_ok full = {.affected = 300,
                            .last_insert_id = 7,
                            .status = MYSQL_STATUS_AUTOCOMMIT | MYSQL_STATUS_IN_TRANSACTION,
                            .warnings = 2,
                            .info = STR("Rows: 3")};
    mysql_put_ok(&out, &sequence, &plain);
    mysql_put_ok(&out, &sequence, &full);
    assert_out(STR("\x07\0\0\x01\0\0\0\x02\0\0\0"
                   "\x11\0\0\x02\0\xfc\x2c\x01\x07\x03\0\x02\0\x07Rows: 3"));
    assert_int_equal(sequence, 3);
}

static void test_error(void **state)
{
    (void)state;
    mysql_put_error(&out, &sequence, 1064, "42000", STR("oh no"));
    mysql_put_error(&out, &sequence, 1040, NULL, STR("full"));
    assert_out(STR("\x0e\0\0\x01\xff\x28\x04#42000oh no"
                   "\x07\0\0\x02\xff\x10\x04"
                   "full"));
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    static char text[8192];
    memset(text, 'x', sizeof(text));
    struct mysql_ok ok = {.info = {text, sizeof(text)}};
    mysql_put_error(&out, &sequence, 1, "HY000", (struct str){text, sizeof(text)});
    assert_int_equal(out.len, 4 + 9 + ERROR_MESSAGE_MAX);
    buf_clear(&out);
    mysql_put_ok(&out, &sequence, &ok);
    assert_int_equal(out.len, 4 + 7 + 3 + OK_INFO_MAX);
}

static void test_end(void **state)
{
    (void)state;
    struct mysql_ok ok = {.status = MYSQL_STATUS_AUTOCOMMIT, .warnings = 1};
    mysql_put_end(&out, &sequence, 0, &ok);
    mysql_put_end(&out, &sequence, MYSQL_CAN_DEPRECATE_EOF, &ok);
    assert_out(STR("\x05\0\0\x01\xfe\x01\0\x02\0"
                   "\x07\0\0\x02\xfe\0\0\x02\0\x01\0"));
}

static void test_columns(void **state)
{
    (void)state;
    struct mysql_column column = {
        .schema = STR("s"), .table = STR("t"), .name = STR("id"), .type = MYSQL_TYPE_LONGLONG};
    mysql_put_column_count(&out, &sequence, 300);
    mysql_put_column(&out, &sequence, &column, false);
    mysql_put_column(&out, &sequence, &column, true);
    assert_out(STR("\x03\0\0\x01\xfc\x2c\x01"
                   "\x1d\0\0\x02\x03"
                   "def\x01s\x01t\x01t\x02id\x02id\x0c\x3f\0\x14\0\0\0\x08\x80\x80\0\0\0"
                   "\x1e\0\0\x03\x03"
                   "def\x01s\x01t\x01t\x02id\x02id\x0c\x3f\0\x14\0\0\0\x08\x80\x80\0\0\0\xfb"));
}

/* Type, character set, width, flags and decimals of each; what is not listed is text. */
static void test_column_shapes(void **state)
{
    (void)state;
    static const struct {
        enum mysql_type type;
        struct str fixed;
    } cases[] = {
        {MYSQL_TYPE_DOUBLE, STR("\x0c\x3f\0\x16\0\0\0\x05\x80\x80\x1f\0\0")},
        {MYSQL_TYPE_DATETIME, STR("\x0c\x3f\0\x13\0\0\0\x0c\x80\0\0\0\0")},
        {MYSQL_TYPE_BLOB, STR("\x0c\x3f\0\xff\xff\0\0\xfc\x90\0\0\0\0")},
        {MYSQL_TYPE_VAR_STRING, STR("\x0c\x2d\0\xff\xff\0\0\xfd\0\0\x1f\0\0")},
        {MYSQL_TYPE_GEOMETRY, STR("\x0c\x2d\0\xff\xff\0\0\xfd\0\0\x1f\0\0")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mysql_column column = {.type = cases[i].type};
        buf_clear(&out);
        mysql_put_column(&out, &sequence, &column, false);
        assert_memory_equal(out.ptr + out.len - cases[i].fixed.len, cases[i].fixed.ptr, cases[i].fixed.len);
    }
}

static void test_prepared(void **state)
{
    (void)state;
    mysql_put_prepared(&out, &sequence, 0x01020304, 2, 0x0105, 3);
    assert_out(STR("\x0c\0\0\x01\0\x04\x03\x02\x01\x02\0\x05\x01\0\x03\0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ok, begin, end),
        cmocka_unit_test_setup_teardown(test_error, begin, end),
        cmocka_unit_test_setup_teardown(test_long_texts_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_end, begin, end),
        cmocka_unit_test_setup_teardown(test_columns, begin, end),
        cmocka_unit_test_setup_teardown(test_column_shapes, begin, end),
        cmocka_unit_test_setup_teardown(test_prepared, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
