/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/mysql_command.c"

#include "mysql_fixture.h"

static struct client client;

static int begin_logged_in(void **state)
{
    if (begin(state) != 0)
        return -1;
    client = client_login(0);
    return 0;
}

static int end_logged_in(void **state)
{
    client_close(&client);
    return end(state);
}

static void test_ping(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_PING, STR_NONE);
    assert_packet(&client, 1, OK_PACKET);
}

static void test_query(void **state)
{
    (void)state;
    client_query(&client, "COUNT 300");
    assert_packet(&client, 1, STR("\0\xfc\x2c\x01\0\x02\0\0\0"));
    client_query(&client, "nonsense");
    assert_packet(&client, 1, STR("\xff\x28\x04#42000You have an error in your SQL syntax"));
}

static void test_quit(void **state)
{
    (void)state;
    client_query(&client, "BEGIN");
    assert_packet(&client, 1, OK_IN_TRANSACTION);
    client_command(&client, MYSQL_COM_QUIT, STR_NONE);
    assert_end(&client);
    assert_int_equal(fake_sessions, 0);
}

static void test_init_db(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_INIT_DB, STR("main"));
    assert_packet(&client, 1, OK_PACKET);
    client_command(&client, MYSQL_COM_INIT_DB, STR("nowhere"));
    assert_error(&client, 1, 1049, "42000", "Unknown database 'nowhere'");
    client_command(&client, MYSQL_COM_PING, STR_NONE);
    assert_packet(&client, 1, OK_PACKET);
}

/* A reset keeps the user and the database, and nothing else. */
static void test_reset_connection(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_INIT_DB, STR("main"));
    assert_packet(&client, 1, OK_PACKET);
    client_query(&client, "BEGIN");
    assert_packet(&client, 1, OK_IN_TRANSACTION);
    client_command(&client, MYSQL_COM_RESET_CONNECTION, STR_NONE);
    assert_packet(&client, 1, OK_PACKET);
    assert_string_equal(fake_last->schema, "main");
    assert_string_equal(fake_last->user, "admin");
    assert_false(fake_last->in_transaction);
}

static void test_statistics(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_STATISTICS, STR_NONE);
    assert_packet(&client, 1, STR("Uptime: 0  Threads: 1  Questions: 1"));
}

static void test_set_option(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_SET_OPTION, STR("\0\0"));
    assert_error(&client, 1, 1235, "42000", "not supported");
    client_command(&client, MYSQL_COM_SET_OPTION, STR("\1\0"));
    assert_packet(&client, 1, EOF_PACKET);
    client_command(&client, MYSQL_COM_SET_OPTION, STR("\2\0"));
    assert_error(&client, 1, 1047, "08S01", "Unknown command");
    client_command(&client, MYSQL_COM_SET_OPTION, STR("\0"));
    assert_error(&client, 1, 1835, "HY000", "Malformed");
}

static void test_process_kill(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_PROCESS_KILL, STR("\x01\x02\0\0"));
    assert_packet(&client, 1, OK_PACKET);
    assert_string_equal(fake_statement, "KILL 513");
    client_command(&client, MYSQL_COM_PROCESS_KILL, STR("\x01"));
    assert_error(&client, 1, 1835, "HY000", "Malformed");
}

#define FIELD(number, name)                                                                                  \
    assert_packet(&client, number,                                                                           \
                  STR("\x03"                                                                                 \
                      "def\0\0\0" name name "\x0c\x2d\0\xff\xff\0\0\xfd\0\0\x1f\0\0\xfb"))

static void test_field_list(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_FIELD_LIST, STR("ta`ble\0"));
    FIELD(1, "\x04"
             "fake");
    assert_packet(&client, 2, EOF_PACKET);
    client_command(&client, MYSQL_COM_FIELD_LIST, STR("table\0%"));
    FIELD(1, "\x04"
             "fake");
    assert_packet(&client, 2, EOF_PACKET);
    client_command(&client, MYSQL_COM_FIELD_LIST, STR("missing\0"));
    assert_error(&client, 1, 1146, "42S02", "No such table");
    client_command(&client, MYSQL_COM_FIELD_LIST, STR("table\0a%"));
    assert_error(&client, 1, 1235, "42000", "pattern");
    client_command(&client, MYSQL_COM_FIELD_LIST, STR("table"));
    assert_error(&client, 1, 1835, "HY000", "Malformed");
}

static void test_field_list_of_a_long_name(void **state)
{
    (void)state;
    char name[2 * TABLE_NAME_MAX + 64] = {0};
    memset(name, 'x', sizeof(name) - 1);
    client_command(&client, MYSQL_COM_FIELD_LIST, (struct str){name, sizeof(name)});
    assert_error(&client, 1, 1835, "HY000", "Malformed");
}

/* Every other byte is answered, and the session goes on. */
static void test_unknown_commands(void **state)
{
    (void)state;
    static const char known[] = {MYSQL_COM_QUIT,         MYSQL_COM_INIT_DB,     MYSQL_COM_QUERY,
                                 MYSQL_COM_FIELD_LIST,   MYSQL_COM_STATISTICS,  MYSQL_COM_PROCESS_KILL,
                                 MYSQL_COM_PING,         MYSQL_COM_CHANGE_USER, MYSQL_COM_STMT_PREPARE,
                                 MYSQL_COM_STMT_EXECUTE, MYSQL_COM_STMT_CLOSE,  MYSQL_COM_STMT_SEND_LONG_DATA,
                                 MYSQL_COM_STMT_RESET,   MYSQL_COM_SET_OPTION,  MYSQL_COM_RESET_CONNECTION};
    for (unsigned command = 0; command < 256; command++) {
        if (memchr(known, (int)command, sizeof(known)))
            continue;
        client_command(&client, (enum mysql_command)command, STR_NONE);
        assert_error(&client, 1, 1047, "08S01", "Unknown command");
    }
    client_send_packet(&client, 0, STR_NONE);
    assert_error(&client, 1, 1047, "08S01", "Unknown command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ping, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_query, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_quit, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_init_db, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_reset_connection, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_statistics, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_set_option, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_process_kill, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_field_list, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_field_list_of_a_long_name, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_unknown_commands, begin_logged_in, end_logged_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
