/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/mysql_server.c"

#include "mysql_fixture.h"

/* In place of the greeting, and without SQLSTATE: the client does not know the protocol yet. */
static void test_too_many_sessions(void **state)
{
    (void)state;
    settings.sql_max_sessions = 2;
    struct client first = client_login(0), second = client_connect(), third = client_connect();
    client_take_greeting(&second); /* counts before its login */
    assert_packet(&third, 0, STR("\xff\x10\x04Too many connections: sql_max_sessions is 2"));
    assert_end(&third);
    client_close(&third);
    client_close(&second);
    RUN_UNTIL(server.session_count == 1);
    second = client_login(0);
    settings.sql_max_sessions = 3; /* acts at once */
    third = client_login(0);
    client_close(&first);
    client_close(&second);
    client_close(&third);
}

static void test_ids_differ(void **state)
{
    (void)state;
    struct client first = client_connect(), second = client_connect();
    assert_memory_equal(client_take(&first).ptr + 12, "\x01\0\0\0", 4);
    assert_memory_equal(client_take(&second).ptr + 12, "\x02\0\0\0", 4);
    client_close(&first);
    client_close(&second);
}

/* Everything ends: an open transaction, a running statement, a login. */
static void test_close(void **state)
{
    (void)state;
    struct client running = client_login(0), waiting = client_login(0), greeted = client_connect();
    client_take_greeting(&greeted);
    client_query(&waiting, "BEGIN");
    assert_packet(&waiting, 1, OK_IN_TRANSACTION);
    client_query(&running, "LATER");
    RUN_UNTIL(fake_runs == 2);
    mysql_server_close(&server, on_server_closed);
    assert_int_equal(fake_sessions, 0);
    RUN_UNTIL(closed_servers == 1);
    assert_end(&running);
    assert_end(&waiting);
    assert_end(&greeted);
    struct client late = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(connect(late.fd, &server_address.any, server_address.size), -1);
    client_close(&running);
    client_close(&waiting);
    client_close(&greeted);
    close(late.fd);
}

static void test_close_of_nothing(void **state)
{
    (void)state;
    struct mysql_server empty;
    unsigned before = closed_servers;
    mysql_server_init(&empty, &loop, NULL, &owner, STR("5.7.0-Test"));
    mysql_server_close(&empty, NULL);
    mysql_server_fini(&empty);
    assert_int_equal(closed_servers, before);
}

static void test_several_addresses(void **state)
{
    (void)state;
    struct address second = {0}, first = server_address;
    int fd;
    assert_true(address_parse(STR("127.0.0.2"), 0, &second));
    assert_int_equal(listener_reserve(&second, &fd), ERR_OK);
    assert_int_equal(mysql_server_listen(&server, &second, fd), ERR_OK);
    server_address = second;
    struct client client = client_login(0);
    server_address = first;
    struct client other = client_login(0);
    assert_int_equal(server.listener_count, 2);
    client_close(&client);
    client_close(&other);
}

static void test_admin_account(void **state)
{
    (void)state;
    struct mysql_account account;
    settings.admin_username = STR("chief");
    settings.admin_password_hash = STR("$fake$x");
    mysql_admin_account(&settings, STR("chief"), &account);
    assert_true(account.is_known && account.may_write);
    assert_true(str_eq(account.password, STR("secret")));
    assert_true(str_eq(account.password_hash, STR("$fake$x")));
    mysql_admin_account(&settings, STR("admin"), &account);
    assert_false(account.is_known);
    assert_true(str_eq(account.password, STR("secret")));
}

static void test_key_is_made_once(void **state)
{
    (void)state;
    EVP_PKEY *key = mysql_server_key(&server);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_bits(key), KEY_BITS);
    assert_ptr_equal(mysql_server_key(&server), key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_many_sessions, begin, end),
        cmocka_unit_test_setup_teardown(test_ids_differ, begin, end),
        cmocka_unit_test_setup_teardown(test_close, begin, end),
        cmocka_unit_test_setup_teardown(test_close_of_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_several_addresses, begin, end),
        cmocka_unit_test_setup_teardown(test_admin_account, begin, end),
        cmocka_unit_test_setup_teardown(test_key_is_made_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
