/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/mysql_statement.c"

#include "mysql_fixture.h"

#define TEXT_SHAPE "\x0c\x2d\0\xff\xff\0\0\xfd\0\0\x1f\0\0"
#define TEXT_COLUMN(name)                                                                                    \
    STR("\x03"                                                                                               \
        "def\0\0\0" name name TEXT_SHAPE)
#define PARAM_COLUMN TEXT_COLUMN("\x01?")
#define END_PACKET STR("\xfe\0\0\x02\0\0\0")

static struct client client;

static int begin_logged_in(void **state)
{
    if (begin(state) != 0)
        return -1;
    client = client_login(MYSQL_CAN_DEPRECATE_EOF);
    return 0;
}

static int end_logged_in(void **state)
{
    client_close(&client);
    return end(state);
}

static void prepare_echo(const char *text, unsigned params)
{
    client_command(&client, MYSQL_COM_STMT_PREPARE, str_from(text));
    struct str payload = client_take(&client);
    assert_int_equal(payload.len, 12);
    assert_int_equal(payload.ptr[0], 0);
    assert_int_equal((uint8_t)payload.ptr[7], params);
    for (unsigned i = 0; i < params + 2; i++)
        client_take(&client);
}

/* `bytes` follow the statement's number. */
static void execute_echo(char statement, struct str bytes)
{
    char memory[512];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    buf_add(&out, (struct str){(char[]){statement, 0, 0, 0, 0, 1, 0, 0, 0}, 9});
    buf_add(&out, bytes);
    client_command(&client, MYSQL_COM_STMT_EXECUTE, buf_str(&out));
}

static void skip_echo_columns(void)
{
    for (unsigned i = 0; i < 3; i++)
        client_take(&client);
}

static void test_prepare(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_STMT_PREPARE, STR("ECHO ?"));
    assert_packet(&client, 1, STR("\0\x01\0\0\0\x02\0\x01\0\0\0\0"));
    assert_packet(&client, 2, PARAM_COLUMN);
    assert_packet(&client, 3, TEXT_COLUMN("\x04type"));
    assert_packet(&client, 4, TEXT_COLUMN("\x05value"));
    client_command(&client, MYSQL_COM_STMT_PREPARE, STR("COUNT 1"));
    assert_packet(&client, 1, STR("\0\x02\0\0\0\0\0\0\0\0\0\0"));
    client_command(&client, MYSQL_COM_STMT_PREPARE, STR("BAD"));
    assert_error(&client, 1, 1146, "42S02", "No such table");
}

static void test_prepare_with_eof(void **state)
{
    (void)state;
    struct client old = client_login(0);
    client_command(&old, MYSQL_COM_STMT_PREPARE, STR("ECHO ?"));
    assert_packet(&old, 1, STR("\0\x01\0\0\0\x02\0\x01\0\0\0\0"));
    assert_packet(&old, 2, PARAM_COLUMN);
    assert_packet(&old, 3, EOF_PACKET);
    assert_packet(&old, 4, TEXT_COLUMN("\x04type"));
    assert_packet(&old, 5, TEXT_COLUMN("\x05value"));
    assert_packet(&old, 6, EOF_PACKET);
    client_close(&old);
}

static void test_execute(void **state)
{
    (void)state;
    prepare_echo("ECHO ?,?,?", 3);
    execute_echo(1, STR("\x02\x01\x08\0\x06\0\xfd\0\x2a\0\0\0\0\0\0\0\x02hi"));
    skip_echo_columns();
    assert_packet(&client, 4,
                  STR("\0\0\x07integer\x02"
                      "42"));
    assert_packet(&client, 5, STR("\0\x08\x04null"));
    assert_packet(&client, 6, STR("\0\0\x04text\x02hi"));
    assert_packet(&client, 7, END_PACKET);
    /* Again, with the types of before. */
    execute_echo(1, STR("\0\0\x2b\0\0\0\0\0\0\0\x01x"));
    skip_echo_columns();
    assert_packet(&client, 4,
                  STR("\0\0\x07integer\x02"
                      "43"));
    assert_packet(&client, 5, STR("\0\x08\x04null"));
    assert_packet(&client, 6, STR("\0\0\x04text\x01x"));
    assert_packet(&client, 7, END_PACKET);
}

/* Text and bytes come by one type. */
static void test_text_or_bytes(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        bool is_text;
    } cases[] = {
        {STR(""), true},
        {STR("plain"), true},
        {STR("\0nul"), true},
        {STR("\xc3\xbc"), true},
        {STR("\xe2\x82\xac"), true},
        {STR("\xf0\x9f\x98\x80"), true},
        {STR("\xf4\x8f\xbf\xbf"), true},
        {STR("\xed\x9f\xbf"), true},
        {STR("\xc3"), false},
        {STR("\xe2\x82"), false},
        {STR("\xc0\x80"), false},
        {STR("\xc1\xbf"), false},
        {STR("\xe0\x9f\xbf"), false},
        {STR("\xed\xa0\x80"), false},
        {STR("\xf0\x8f\xbf\xbf"), false},
        {STR("\xf4\x90\x80\x80"), false},
        {STR("\xf5\x80\x80\x80"), false},
        {STR("\x80"), false},
        {STR("a\xff"), false},
        {STR("\xc3\xc3"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (is_utf8(cases[i].bytes) != cases[i].is_text)
            fail_msg("case %zu", i);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    prepare_echo("ECHO ?,?", 2);
    execute_echo(1, STR("\0\0"));
    assert_error(&client, 1, 1210, "HY000", "parameter 1");
    execute_echo(1, STR("\0\x01\x01\0\x08\0\x01\x02"));
    assert_error(&client, 1, 1210, "HY000", "parameter 2");
    execute_echo(1, STR("\0\x01\x01\0\x08\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_error(&client, 1, 1264, "22003", "parameter 2");
    client_command(&client, MYSQL_COM_STMT_EXECUTE, STR("\x01\0\0"));
    assert_error(&client, 1, 1835, "HY000", "Malformed");
    execute_echo(9, STR_NONE);
    assert_error(&client, 1, 1243, "HY000", "(9) given to COM_STMT_EXECUTE");
    assert_int_equal(fake_runs, 0);
}

static void test_close_and_reset(void **state)
{
    (void)state;
    struct mysql_session *session = LIST_ITEM(server.sessions.next, struct mysql_session, node);
    prepare_echo("ECHO ?", 1);
    client_command(&client, MYSQL_COM_STMT_RESET, STR("\x01\0\0\0"));
    assert_packet(&client, 1, OK_PACKET);
    client_command(&client, MYSQL_COM_STMT_CLOSE, STR("\x01\0\0\0")); /* no answer */
    client_command(&client, MYSQL_COM_STMT_CLOSE, STR("\x07\0\0\0"));
    client_command(&client, MYSQL_COM_STMT_CLOSE, STR("\x01"));
    client_command(&client, MYSQL_COM_STMT_RESET, STR("\x01\0\0\0"));
    assert_error(&client, 1, 1243, "HY000", "(1) given to COM_STMT_RESET");
    assert_int_equal(session->statement_bytes, 0);
    assert_int_equal(session->statement_count, 0);
}

static void test_reset_connection_drops_them(void **state)
{
    (void)state;
    prepare_echo("ECHO ?", 1);
    client_command(&client, MYSQL_COM_RESET_CONNECTION, STR_NONE);
    assert_packet(&client, 1, OK_PACKET);
    execute_echo(1, STR("\0\x01\x01\0\x01"));
    assert_error(&client, 1, 1243, "HY000", "(1)");
}

/* ---- data sent ahead ---- */

static void test_long_data(void **state)
{
    (void)state;
    struct mysql_session *session = LIST_ITEM(server.sessions.next, struct mysql_session, node);
    prepare_echo("ECHO ?,?", 2);
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0\0\0\0\0one "));
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0\0\0\0\0two"));
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0\0\0\x01\0"));
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0\0\0\x02\0no such parameter"));
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x05\0\0\0\0\0no such statement"));
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0"));
    execute_echo(1, STR("\0\x01\xfc\0\xfc\0"));
    skip_echo_columns();
    assert_packet(&client, 4, STR("\0\0\x04text\x07one two"));
    assert_packet(&client, 5, STR("\0\0\x04text\0"));
    assert_packet(&client, 6, END_PACKET);
    assert_int_equal(session->statement_bytes, strlen("ECHO ?,?"));
    /* It served once. */
    execute_echo(1, STR("\0\0\x01x\x01y"));
    skip_echo_columns();
    assert_packet(&client, 4, STR("\0\0\x04text\x01x"));
    assert_packet(&client, 5, STR("\0\0\x04text\x01y"));
    assert_packet(&client, 6, END_PACKET);
}

static void test_reset_drops_long_data(void **state)
{
    (void)state;
    prepare_echo("ECHO ?", 1);
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, STR("\x01\0\0\0\0\0ahead"));
    client_command(&client, MYSQL_COM_STMT_RESET, STR("\x01\0\0\0"));
    assert_packet(&client, 1, OK_PACKET);
    execute_echo(1, STR("\0\x01\xfd\0\x01x"));
    skip_echo_columns();
    assert_packet(&client, 4, STR("\0\0\x04text\x01x"));
    assert_packet(&client, 5, END_PACKET);
}

/* What is kept is bounded as a whole, and an excess shows at the execution, once. */
static void test_long_data_over_the_bound(void **state)
{
    (void)state;
    char piece[606] = {1};
    settings.sql_max_packet_bytes = 1024;
    prepare_echo("ECHO ?", 1);
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, (struct str){piece, sizeof(piece)});
    client_command(&client, MYSQL_COM_STMT_SEND_LONG_DATA, (struct str){piece, sizeof(piece)});
    execute_echo(1, STR("\0\x01\xfc\0"));
    assert_error(&client, 1, 1153, "08S01", "sql_max_packet_bytes");
    execute_echo(1, STR("\0\x01\xfd\0\x01x"));
    skip_echo_columns();
    assert_packet(&client, 4, STR("\0\0\x04text\x01x"));
    assert_packet(&client, 5, END_PACKET);
}

static void test_bounds_of_statements(void **state)
{
    (void)state;
    char text[700];
    settings.sql_max_packet_bytes = 1024;
    memset(text, ' ', sizeof(text));
    memcpy(text, "COUNT 1", 7);
    client_command(&client, MYSQL_COM_STMT_PREPARE, (struct str){text, sizeof(text)});
    assert_int_equal(client_take(&client).ptr[0], 0);
    client_command(&client, MYSQL_COM_STMT_PREPARE, (struct str){text, sizeof(text)});
    assert_error(&client, 1, 1461, "42000", "sql_max_packet_bytes");
    settings.sql_max_packet_bytes = 1 << 20;
    for (unsigned i = 1; i < STATEMENTS_MAX; i++) {
        client_command(&client, MYSQL_COM_STMT_PREPARE, STR("COUNT 1"));
        assert_int_equal(client_take(&client).ptr[0], 0);
    }
    client_command(&client, MYSQL_COM_STMT_PREPARE, STR("COUNT 1"));
    assert_error(&client, 1, 1461, "42000", "1024 prepared statements");
}

/* The client goes while its statement runs, with parameters. */
static void test_gone_while_executing(void **state)
{
    (void)state;
    client_command(&client, MYSQL_COM_STMT_PREPARE, STR("LATER"));
    client_take(&client);
    execute_echo(1, STR_NONE);
    RUN_UNTIL(fake_last->is_running);
    shutdown(client.fd, SHUT_RDWR);
    RUN_UNTIL(fake_sessions == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prepare, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_prepare_with_eof, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_execute, begin_logged_in, end_logged_in),
        cmocka_unit_test(test_text_or_bytes),
        cmocka_unit_test_setup_teardown(test_wrong_arguments, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_close_and_reset, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_reset_connection_drops_them, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_long_data, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_reset_drops_long_data, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_long_data_over_the_bound, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_bounds_of_statements, begin_logged_in, end_logged_in),
        cmocka_unit_test_setup_teardown(test_gone_while_executing, begin_logged_in, end_logged_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
