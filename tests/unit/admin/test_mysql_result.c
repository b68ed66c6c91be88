/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/mysql_result.c"

#include "mysql_fixture.h"

#define TEXT_SHAPE "\x0c\x2d\0\xff\xff\0\0\xfd\0\0\x1f\0\0"
#define OF_TABLE(name)                                                                                       \
    "\x03"                                                                                                   \
    "def\x08"                                                                                                \
    "fairlead\x01t\x01t\x01" name "\x01" name

static void assert_columns_of_types(struct client *client)
{
    assert_packet(client, 1, STR("\x06"));
    assert_packet(client, 2, STR(OF_TABLE("i") "\x0c\x3f\0\x14\0\0\0\x08\x80\x80\0\0\0"));
    assert_packet(client, 3, STR(OF_TABLE("d") "\x0c\x3f\0\x16\0\0\0\x05\x80\x80\x1f\0\0"));
    assert_packet(client, 4, STR(OF_TABLE("s") TEXT_SHAPE));
    assert_packet(client, 5, STR(OF_TABLE("b") "\x0c\x3f\0\xff\xff\0\0\xfc\x90\0\0\0\0"));
    assert_packet(client, 6, STR(OF_TABLE("w") "\x0c\x3f\0\x13\0\0\0\x0c\x80\0\0\0\0"));
    assert_packet(client, 7, STR(OF_TABLE("n") TEXT_SHAPE));
}

static void test_text_rows(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "TYPES");
    assert_columns_of_types(&client);
    assert_packet(&client, 8, EOF_PACKET);
    assert_packet(&client, 9,
                  STR("\x03-42\x03"
                      "2.5\x06gr\xc3\xbc\xc3\x9f\x02\0\xff\x13"
                      "2026-01-31 23:59:58\xfb"));
    assert_packet(&client, 10, STR("\xfb\xfb\xfb\xfb\xfb\xfb"));
    assert_packet(&client, 11, EOF_PACKET);
    client_close(&client);
}

/* No EOF behind the columns, and an OK packet at the end. */
static void test_text_rows_without_eof(void **state)
{
    (void)state;
    struct client client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    client_query(&client, "TYPES");
    assert_columns_of_types(&client);
    assert_int_equal(client_take(&client).len, 39);
    assert_packet(&client, 9, STR("\xfb\xfb\xfb\xfb\xfb\xfb"));
    assert_packet(&client, 10, STR("\xfe\0\0\x02\0\0\0"));
    client_close(&client);
}

static void execute_statement(struct client *client, const char *text)
{
    client_command(client, MYSQL_COM_STMT_PREPARE, str_from(text));
    assert_packet(client, 1, STR("\0\x01\0\0\0\0\0\0\0\0\0\0"));
    client_command(client, MYSQL_COM_STMT_EXECUTE, STR("\x01\0\0\0\0\x01\0\0\0"));
}

static void test_binary_rows(void **state)
{
    (void)state;
    struct client client = client_login(0);
    execute_statement(&client, "TYPES");
    assert_columns_of_types(&client);
    assert_packet(&client, 8, EOF_PACKET);
    assert_packet(&client, 9,
                  STR("\0\x80\xd6\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x04\x40"
                      "\x06gr\xc3\xbc\xc3\x9f\x02\0\xff\x07\xea\x07\x01\x1f\x17\x3b\x3a"));
    assert_packet(&client, 10, STR("\0\xfc"));
    assert_packet(&client, 11, EOF_PACKET);
    client_close(&client);
}

/* As text it is what it is; in binary it has no place. */
static void test_value_of_another_type(void **state)
{
    (void)state;
    struct client client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    client_query(&client, "MIXED");
    client_take(&client);
    client_take(&client);
    assert_packet(&client, 3, STR("\x04word"));
    assert_packet(&client, 4, STR("\xfe\0\0\x02\0\0\0"));
    execute_statement(&client, "MIXED");
    client_take(&client);
    client_take(&client);
    assert_error(&client, 3, 1366, "HY000", "column 'm', row 1");
    client_query(&client, "COUNT 0");
    assert_packet(&client, 1, OK_PACKET);
    client_close(&client);
}

static void test_lossless_conversions(void **state)
{
    (void)state;
    static const struct {
        enum sql_type type;
        struct sql_value value;
        struct str bytes; /* empty: no conversion */
    } cases[] = {
        {SQL_INTEGER, {.type = SQL_DOUBLE, .real = 7}, STR("\x07\0\0\0\0\0\0\0")},
        {SQL_INTEGER, {.type = SQL_DOUBLE, .real = 7.5}, STR("")},
        {SQL_INTEGER, {.type = SQL_DOUBLE, .real = 1e19}, STR("")},
        {SQL_INTEGER, {.type = SQL_DOUBLE, .real = -9223372036854775808.0}, STR("\0\0\0\0\0\0\0\x80")},
        {SQL_INTEGER, {.type = SQL_DOUBLE, .real = (double)NAN}, STR("")},
        {SQL_INTEGER, {.type = SQL_TEXT, .text = STR("-1")}, STR("\xff\xff\xff\xff\xff\xff\xff\xff")},
        {SQL_INTEGER, {.type = SQL_TEXT, .text = STR("1x")}, STR("")},
        {SQL_INTEGER, {.type = SQL_TEXT, .text = STR(" 1")}, STR("")},
        {SQL_INTEGER, {.type = SQL_TEXT, .text = STR("")}, STR("")},
        {SQL_INTEGER, {.type = SQL_TEXT, .text = STR("9223372036854775808")}, STR("")},
        {SQL_INTEGER, {.type = SQL_BLOB, .text = STR("1")}, STR("")},
        {SQL_DOUBLE, {.type = SQL_INTEGER, .integer = 2}, STR("\0\0\0\0\0\0\0\x40")},
        {SQL_DOUBLE, {.type = SQL_TEXT, .text = STR("2.0")}, STR("\0\0\0\0\0\0\0\x40")},
        {SQL_DOUBLE, {.type = SQL_TEXT, .text = STR("two")}, STR("")},
        {SQL_DOUBLE, {.type = SQL_BLOB, .text = STR("2")}, STR("")},
        {SQL_DATETIME, {.type = SQL_TEXT, .text = STR("2026-01-31")}, STR("\x07\xea\x07\x01\x1f\0\0\0")},
        {SQL_DATETIME, {.type = SQL_TEXT, .text = STR("never")}, STR("")},
        {SQL_DATETIME, {.type = SQL_INTEGER, .integer = 5}, STR("")},
        {SQL_TEXT,
         {.type = SQL_INTEGER, .integer = 12},
         STR("\x02"
             "12")},
        {SQL_TEXT,
         {.type = SQL_DOUBLE, .real = 0.5},
         STR("\x03"
             "0.5")},
        {SQL_NULL,
         {.type = SQL_BLOB, .text = STR("b")},
         STR("\x01"
             "b")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char memory[64];
        struct buf out;
        buf_init_fixed(&out, memory, sizeof(memory));
        if (put_binary(&out, cases[i].type, &cases[i].value) != (cases[i].bytes.len > 0))
            fail_msg("case %zu", i);
        assert_true(str_eq(buf_str(&out), cases[i].bytes));
    }
}

/* ---- flow ---- */

static size_t take_rows(struct client *client, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        char number[24];
        int len = snprintf(number, sizeof(number), "%zu", i);
        struct str payload = client_take(client);
        bytes += payload.len;
        assert_int_equal((uint8_t)client->sequence, (uint8_t)(i + 4));
        assert_int_equal(payload.ptr[0], len);
        assert_memory_equal(payload.ptr + 1, number, (size_t)len);
    }
    return bytes;
}

/* A client that takes nothing stops the engine, near the mark; then all rows come, in order. */
static void test_back_pressure(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    int size = 65536;
    struct client client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    struct mysql_session *session = LIST_ITEM(server.sessions.next, struct mysql_session, node);
    setsockopt(session->sock.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    client_query(&client, "ROWS 200000");
    RUN_UNTIL(session->is_paused && session->out.len > 0 && wheel_timer_is_running(&session->write_timer));
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_true(session->is_paused);
    assert_true(fake_last->rows_left > ROWS / 2);
    assert_true(session->out.len <= MYSQL_OUT_HIGH + 200);
    for (unsigned i = 0; i < 3; i++)
        client_take(&client);
    assert_true(take_rows(&client, ROWS) > ROWS * 100);
    assert_int_equal((uint8_t)client_take(&client).ptr[0], 0xfe);
    assert_true(fake_resumes > 0);
    assert_int_equal(session->out.len, 0);
    client_close(&client);
}

/* The end of a statement that comes in a later turn; what was sent meanwhile waits for it. */
static void test_late_end(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "LATER");
    client_query(&client, "COUNT 5");
    RUN_UNTIL(fake_last->is_running);
    for (unsigned i = 0; i < 10; i++)
        turn();
    assert_false(client_has_packet(&client));
    assert_int_equal(fake_runs, 1);
    fake_finish(fake_last);
    assert_packet(&client, 1, OK_PACKET);
    assert_packet(&client, 1, STR("\0\x05\0\x02\0\0\0"));
    client_close(&client);
}

/* A value of more than 16 MiB needs a second frame. */
static void test_large_value(void **state)
{
    (void)state;
    struct client client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    client_query(&client, "BIG 17000000");
    client_take(&client);
    client_take(&client);
    assert_int_equal(client_take(&client).len, MYSQL_FRAME_MAX);
    assert_int_equal(client_take(&client).len, 17000000 + 9 - MYSQL_FRAME_MAX);
    assert_packet(&client, 5, STR("\xfe\0\0\x02\0\0\0"));
    client_close(&client);
}

static void test_row_past_the_cap(void **state)
{
    (void)state;
    struct client client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    client_query(&client, "BIG 70000000");
    client_take(&client);
    client_take(&client);
    assert_error(&client, 3, 1366, "HY000", "too large");
    client_query(&client, "COUNT 0");
    assert_packet(&client, 1, OK_PACKET);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_text_rows_without_eof, begin, end),
        cmocka_unit_test_setup_teardown(test_binary_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_value_of_another_type, begin, end),
        cmocka_unit_test(test_lossless_conversions),
        cmocka_unit_test_setup_teardown(test_back_pressure, begin, end),
        cmocka_unit_test_setup_teardown(test_late_end, begin, end),
        cmocka_unit_test_setup_teardown(test_large_value, begin, end),
        cmocka_unit_test_setup_teardown(test_row_past_the_cap, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
