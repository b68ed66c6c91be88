/* SPDX-License-Identifier: Apache-2.0 */
/* Time limits, sizes, order, and TLS in the middle of a connection. */
#include "../../../src/admin/mysql_session.c"

#include "mysql_fixture.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>

static struct mysql_session *only_session(void)
{
    assert_int_equal(server.session_count, 1);
    return LIST_ITEM(server.sessions.next, struct mysql_session, node);
}

/* What a timer would do at its time. */
static void fire(struct wheel_timer *timer)
{
    assert_true(wheel_timer_is_running(timer));
    wheel_stop(&loop.wheel, timer);
    timer->on_due(timer);
}

/* ---- time ---- */

static void test_login_timeout(void **state)
{
    (void)state;
    settings.sql_login_timeout_ms = 30;
    struct client client = client_connect();
    client_take_greeting(&client);
    client_send(&client, STR("\x20")); /* the login does not become longer by a byte */
    assert_error(&client, 1, 1159, "08S01", "sql_login_timeout_ms");
    assert_end(&client);
    client_close(&client);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    settings.sql_idle_timeout_ms = 30;
    struct client client = client_login(0);
    assert_error(&client, 1, 4031, "HY000", "sql_idle_timeout_ms (30 ms)");
    assert_end(&client);
    assert_int_equal(fake_sessions, 0);
    client_close(&client);
}

/* Commands do not make a transaction younger. */
static void test_transaction_timeout(void **state)
{
    (void)state;
    settings.sql_transaction_timeout_ms = 150;
    struct client client = client_login(0);
    client_query(&client, "BEGIN");
    assert_packet(&client, 1, OK_IN_TRANSACTION);
    usec_t since = only_session()->transaction_since;
    for (unsigned i = 0; i < 3; i++) {
        client_query(&client, "COUNT 0");
        assert_packet(&client, 1, OK_IN_TRANSACTION);
    }
    assert_true(only_session()->transaction_since == since);
    assert_error(&client, 1, 4031, "HY000", "rolled back");
    assert_end(&client);
    assert_int_equal(fake_sessions, 0);
    client_close(&client);
}

static void test_no_timeout_after_commit(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "BEGIN");
    assert_packet(&client, 1, OK_IN_TRANSACTION);
    uint64_t in_transaction = only_session()->deadline.deadline;
    client_query(&client, "COMMIT");
    assert_packet(&client, 1, OK_PACKET);
    assert_true(only_session()->deadline.deadline > in_transaction);
    client_close(&client);
}

/* A statement may take longer than a session may be silent. */
static void test_no_timeout_while_running(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "LATER");
    RUN_UNTIL(fake_last->is_running);
    assert_false(wheel_timer_is_running(&only_session()->deadline));
    fake_finish(fake_last);
    assert_packet(&client, 1, OK_PACKET);
    assert_true(wheel_timer_is_running(&only_session()->deadline));
    client_close(&client);
}

static void test_client_that_takes_nothing(void **state)
{
    (void)state;
    struct client client = client_login(0);
    struct mysql_session *session = only_session();
    client_query(&client, "ROWS 1000000");
    RUN_UNTIL(session->is_paused && wheel_timer_is_running(&session->write_timer));
    fire(&session->write_timer);
    RUN_UNTIL(server.session_count == 0);
    assert_int_equal(fake_sessions, 0);
    client_close(&client);
}

/* Told why, and then given time to read it: but not for ever. */
static void test_linger_ends(void **state)
{
    (void)state;
    struct client client = client_login(0);
    struct mysql_session *session = only_session();
    fire(&session->deadline);
    assert_error(&client, 1, 4031, "HY000", "");
    RUN_UNTIL(session->is_shut);
    assert_int_equal(session->state, MYSQL_SESSION_LINGER);
    client_query(&client, "COUNT 1"); /* is dropped */
    for (unsigned i = 0; i < 5; i++)
        turn();
    assert_int_equal(fake_runs, 0);
    fire(&session->deadline);
    RUN_UNTIL(server.session_count == 0);
    client_close(&client);
}

/* ---- sizes ---- */

static void test_packet_before_login(void **state)
{
    (void)state;
    struct client client = client_connect();
    client_take_greeting(&client);
    client_send(&client, STR("\x01\0\x01\x01"));
    assert_error(&client, 2, 1153, "08S01", "65536 bytes");
    assert_end(&client);
    client_close(&client);
}

static void test_packet_after_login(void **state)
{
    (void)state;
    settings.sql_max_packet_bytes = 2000;
    char text[2001];
    memset(text, ' ', sizeof(text));
    memcpy(text, "COUNT 1", 7);
    struct client client = client_login(0);
    client_command(&client, MYSQL_COM_QUERY, (struct str){text, 1999});
    assert_packet(&client, 1, STR("\0\x01\0\x02\0\0\0"));
    client_command(&client, MYSQL_COM_QUERY, (struct str){text, 2000});
    assert_error(&client, 1, 1153, "08S01", "sql_max_packet_bytes (2000 bytes)");
    assert_end(&client);
    client_close(&client);
}

/* A statement of several frames; and its memory is not kept. */
static void test_large_statement(void **state)
{
    (void)state;
    enum { SIZE = 17000000 };
    settings.sql_max_packet_bytes = 32 << 20;
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, ' ', SIZE);
    memcpy(text, "COUNT 6", 7);
    struct client client = client_login(0);
    client_command(&client, MYSQL_COM_QUERY, (struct str){text, SIZE});
    assert_packet(&client, 2, STR("\0\x06\0\x02\0\0\0"));
    assert_int_equal(only_session()->in.payload.cap, 0);
    client_query(&client, "COUNT 1");
    assert_packet(&client, 1, STR("\0\x01\0\x02\0\0\0"));
    client_close(&client);
    free(text);
}

/* ---- order ---- */

static void test_out_of_order(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_send_packet(&client, 1, STR("\x0e"));
    assert_error(&client, 2, 1156, "08S01", "out of order");
    assert_end(&client);
    client_close(&client);
}

/* All at once, the answers in the same order. */
static void test_pipeline(void **state)
{
    (void)state;
    enum { COMMANDS = 500 };
    struct buf out;
    struct client client = client_login(0);
    buf_init(&out, 1 << 20);
    for (unsigned i = 0; i < COMMANDS; i++) {
        uint8_t sequence = 0;
        size_t start = mysql_packet_begin(&out);
        buf_printf(&out,
                   "\x03"
                   "COUNT %u",
                   i % 200);
        mysql_packet_end(&out, start, &sequence);
    }
    client_send(&client, buf_str(&out));
    for (unsigned i = 0; i < COMMANDS; i++) {
        char expected[] = {0, (char)(i % 200), 0, 2, 0, 0, 0};
        assert_packet(&client, 1, ((struct str){expected, sizeof(expected)}));
    }
    buf_free(&out);
    client_close(&client);
}

/* More than is read ahead, behind a statement that takes its time. */
static void test_pipeline_behind_a_statement(void **state)
{
    (void)state;
    enum { COMMANDS = 40000 };
    struct buf out;
    struct client client = client_login(0);
    buf_init(&out, 1 << 20);
    for (unsigned i = 0; i < COMMANDS; i++)
        buf_add(&out, STR("\x01\0\0\0\x0e"));
    client_query(&client, "LATER");
    RUN_UNTIL(fake_last->is_running);
    struct str rest = buf_str(&out);
    RUN_UNTIL(({
        ssize_t n = send(client.fd, rest.ptr, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        rest = str_from_offset(rest, (size_t)MAX(n, 0));
        rest.len == 0 || only_session()->ahead.len == AHEAD_MAX;
    }));
    assert_true(only_session()->ahead.len <= AHEAD_MAX);
    fake_finish(fake_last);
    assert_packet(&client, 1, OK_PACKET);
    for (unsigned taken = 0; taken < COMMANDS; taken++) {
        ssize_t n = rest.len > 0 ? send(client.fd, rest.ptr, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        rest = str_from_offset(rest, (size_t)MAX(n, 0));
        assert_packet(&client, 1, OK_PACKET);
    }
    buf_free(&out);
    client_close(&client);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct client client = client_login(0);
    struct str bytes = STR("\x08\0\0\0\x03"
                           "COUNT 9");
    for (size_t i = 0; i < bytes.len; i++) {
        client_send(&client, (struct str){bytes.ptr + i, 1});
        turn();
    }
    assert_packet(&client, 1, STR("\0\x09\0\x02\0\0\0"));
    client_close(&client);
}

/* ---- the client goes ---- */

static void test_gone_while_running(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "LATER");
    RUN_UNTIL(fake_last->is_running);
    client_close(&client);
    RUN_UNTIL(server.session_count == 0);
    assert_int_equal(fake_sessions, 0);
}

/* As above, with so much behind the statement that not all of it is read. */
static void test_gone_with_a_full_pipeline(void **state)
{
    (void)state;
    static char pings[AHEAD_MAX + 10000];
    struct client client = client_login(0);
    const struct mysql_session *session = only_session();
    client_query(&client, "LATER");
    RUN_UNTIL(fake_last->is_running);
    client_send(&client, (struct str){pings, sizeof(pings)});
    RUN_UNTIL(session->ahead.len == AHEAD_MAX);
    client_close(&client);
    RUN_UNTIL(server.session_count == 0);
    assert_int_equal(fake_sessions, 0);
}

static void test_gone_before_login(void **state)
{
    (void)state;
    struct client client = client_connect();
    client_take_greeting(&client);
    client_close(&client);
    RUN_UNTIL(server.session_count == 0);
}

/* ---- TLS ---- */

static SSL_CTX *tls_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    assert_true(context && key && x509);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_free(x509);
    EVP_PKEY_free(key);
    return context;
}

static void offer_tls(void)
{
    SSL_CTX *context = tls_context();
    signal(SIGPIPE, SIG_IGN);
    mysql_server_set_tls(&server, context);
    SSL_CTX_free(context);
}

static struct client client_with_tls(SSL_CTX *context)
{
    struct client client = client_connect();
    struct buf out;
    int result;
    client_take_greeting(&client);
    buf_init(&out, 64);
    add_login_head(&out, SOME_CAPABILITIES | MYSQL_CAN_TLS);
    client_send_packet(&client, 1, buf_str(&out));
    buf_free(&out);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, client.fd);
    SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    RUN_UNTIL(({
        result = SSL_connect(tls); /* its first bytes are sent at once, as clients do */
        result == 1;
    }));
    client.tls = tls;
    return client;
}

static void test_tls(void **state)
{
    (void)state;
    char scramble[20];
    offer_tls();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct client client = client_with_tls(context);
    client_send_login(&client, 2, SOME_CAPABILITIES | MYSQL_CAN_TLS, "admin",
                      native_scramble(&client, STR("secret"), scramble), "mysql_native_password");
    assert_packet(&client, 3, OK_PACKET);
    client_query(&client, "ROWS 20000");
    for (unsigned i = 0; i < 20000 + 5; i++)
        client_take(&client);
    client_query(&client, "COUNT 2");
    assert_packet(&client, 1, STR("\0\x02\0\x02\0\0\0"));
    client_close(&client);
    SSL_CTX_free(context);
}

/* Under TLS a password may come as it is: for an account in clear, and for a hash by both plugins. */
static void test_tls_clear_passwords(void **state)
{
    (void)state;
    char scramble[32] = {1};
    offer_tls();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    for (unsigned i = 0; i < 2; i++) {
        struct client client = client_with_tls(context);
        client_send_login(&client, 2, SOME_CAPABILITIES | MYSQL_CAN_TLS, "admin", STR("secret\0"),
                          "mysql_clear_password");
        assert_packet(&client, 3, OK_PACKET);
        client_close(&client);
        client = client_with_tls(context);
        client_send_login(&client, 2, SOME_CAPABILITIES | MYSQL_CAN_TLS, "admin", STR("Secret\0"),
                          "mysql_clear_password");
        assert_error(&client, 3, 1045, "28000", "");
        client_close(&client);
        settings.admin_password = STR_NONE;
        settings.admin_password_hash = STR("$fake$secret");
    }
    struct client client = client_with_tls(context);
    client_send_login(&client, 2, SOME_CAPABILITIES | MYSQL_CAN_TLS, "admin",
                      (struct str){scramble, sizeof(scramble)}, "caching_sha2_password");
    assert_packet(&client, 3, STR("\x01\x04"));
    client_send_packet(&client, 4, STR("secret\0"));
    assert_packet(&client, 5, OK_PACKET);
    client_close(&client);
    SSL_CTX_free(context);
}

static void test_tls_that_is_none(void **state)
{
    (void)state;
    struct buf out;
    offer_tls();
    struct client client = client_connect();
    client_take_greeting(&client);
    buf_init(&out, 64);
    add_login_head(&out, SOME_CAPABILITIES | MYSQL_CAN_TLS);
    client_send_packet(&client, 1, buf_str(&out));
    client_send(&client, STR("this is no handshake, and it is long enough for a record's head"));
    RUN_UNTIL(server.session_count == 0);
    buf_free(&out);
    client_close(&client);
}

/* A password in a packet does not stay in memory. */
static void test_password_is_wiped(void **state)
{
    (void)state;
    offer_tls();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct client client = client_with_tls(context);
    client_send_login(&client, 2, SOME_CAPABILITIES | MYSQL_CAN_TLS, "admin", STR("secret\0"),
                      "mysql_clear_password");
    assert_packet(&client, 3, OK_PACKET);
    const struct mysql_session *session = only_session();
    assert_true(str_find((struct str){session->in.payload.ptr, session->in.payload.cap}, STR("secret")) < 0);
    assert_true(str_find((struct str){session->ahead.ptr, session->ahead.cap}, STR("secret")) < 0);
    assert_true(str_find((struct str){loop.scratch, LOOP_SCRATCH_SIZE}, STR("secret")) < 0);
    client_close(&client);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_login_timeout, begin, end),
        cmocka_unit_test_setup_teardown(test_idle_timeout, begin, end),
        cmocka_unit_test_setup_teardown(test_transaction_timeout, begin, end),
        cmocka_unit_test_setup_teardown(test_no_timeout_after_commit, begin, end),
        cmocka_unit_test_setup_teardown(test_no_timeout_while_running, begin, end),
        cmocka_unit_test_setup_teardown(test_client_that_takes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_linger_ends, begin, end),
        cmocka_unit_test_setup_teardown(test_packet_before_login, begin, end),
        cmocka_unit_test_setup_teardown(test_packet_after_login, begin, end),
        cmocka_unit_test_setup_teardown(test_large_statement, begin, end),
        cmocka_unit_test_setup_teardown(test_out_of_order, begin, end),
        cmocka_unit_test_setup_teardown(test_pipeline, begin, end),
        cmocka_unit_test_setup_teardown(test_pipeline_behind_a_statement, begin, end),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_gone_while_running, begin, end),
        cmocka_unit_test_setup_teardown(test_gone_with_a_full_pipeline, begin, end),
        cmocka_unit_test_setup_teardown(test_gone_before_login, begin, end),
        cmocka_unit_test_setup_teardown(test_tls, begin, end),
        cmocka_unit_test_setup_teardown(test_tls_clear_passwords, begin, end),
        cmocka_unit_test_setup_teardown(test_tls_that_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_password_is_wiped, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
