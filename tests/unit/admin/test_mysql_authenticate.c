/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/mysql_authenticate.c"

#include "mysql_fixture.h"

#define HASH STR("$fake$secret")
#define SWITCH_TO_SHA2                                                                                       \
    STR("\xfe"                                                                                               \
        "caching_sha2_password\0")
#define SWITCH_TO_NATIVE                                                                                     \
    STR("\xfe"                                                                                               \
        "mysql_native_password\0")

static struct client greeted(void)
{
    struct client client = client_connect();
    client_take_greeting(&client);
    return client;
}

static void use_hash(void)
{
    settings.admin_password = STR_NONE;
    settings.admin_password_hash = HASH;
}

/* ---- the greeting ---- */

static void test_greeting(void **state)
{
    (void)state;
    struct client client = client_connect(), other;
    struct str payload = client_take(&client);
    assert_int_equal(payload.len, 78);
    assert_memory_equal(payload.ptr,
                        "\x0a"
                        "5.7.0-Test\0\x01\0\0\0",
                        16);
    assert_memory_equal(payload.ptr + 24, "\0\x0f\xa2\x2d\x02\0\x38\x01\x15\0\0\0\0\0\0\0\0\0\0", 19);
    assert_memory_equal(payload.ptr + 55, "\0mysql_native_password", 23);
    client_close(&client);
    client = greeted();
    other = greeted();
    assert_memory_not_equal(client.nonce, other.nonce, MYSQL_NONCE_SIZE);
    for (size_t i = 0; i < MYSQL_NONCE_SIZE; i++)
        assert_true(client.nonce[i] != 0 && client.nonce[i] != '$' && client.nonce[i] < 0x80);
    client_close(&client);
    client_close(&other);
}

/* ---- a password in clear ---- */

static void test_native(void **state)
{
    (void)state;
    char scramble[20];
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin",
                      native_scramble(&client, STR("secret"), scramble), "mysql_native_password");
    assert_packet(&client, 2, OK_PACKET);
    assert_string_equal(fake_last->user, "admin");
    assert_string_equal(fake_last->host, "127.0.0.1");
    client_close(&client);
}

static void test_native_without_plugin_names(void **state)
{
    (void)state;
    char scramble[20];
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES & ~(uint32_t)MYSQL_CAN_PLUGIN_AUTH, "admin",
                      native_scramble(&client, STR("secret"), scramble), "");
    assert_packet(&client, 2, OK_PACKET);
    client_close(&client);
}

static void refuse(const char *user, struct str password, const char *using)
{
    char scramble[20];
    struct client client = greeted();
    struct str auth = password.len > 0 ? native_scramble(&client, password, scramble) : STR_NONE;
    client_send_login(&client, 1, SOME_CAPABILITIES, user, auth, "mysql_native_password");
    assert_error(&client, 2, 1045, "28000", using);
    assert_end(&client);
    client_close(&client);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("admin", STR("Secret"), "Access denied for user 'admin'@'127.0.0.1' (using password: YES)");
    refuse("admin", STR_NONE, "Access denied for user 'admin'@'127.0.0.1' (using password: NO)");
    refuse("root", STR("secret"), "Access denied for user 'root'@'127.0.0.1' (using password: YES)");
    refuse("", STR("secret"), "Access denied for user ''@'127.0.0.1'");
    assert_int_equal(fake_sessions, 0);
}

/* The settings are asked at each login. */
static void test_new_password_acts_at_once(void **state)
{
    (void)state;
    struct client client = client_login(0);
    settings.admin_password = STR("other");
    refuse("admin", STR("secret"), "Access denied");
    struct client second = client_login(0);
    client_close(&client);
    client_close(&second);
}

static void test_other_plugin_is_switched(void **state)
{
    (void)state;
    char scramble[20];
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR("whatever"), "client_ed25519");
    struct str payload = client_take(&client);
    assert_int_equal(client.sequence, 2);
    assert_true(str_starts(payload, SWITCH_TO_NATIVE));
    assert_memory_equal(payload.ptr + SWITCH_TO_NATIVE.len, client.nonce, MYSQL_NONCE_SIZE);
    assert_int_equal(payload.len, SWITCH_TO_NATIVE.len + MYSQL_NONCE_SIZE + 1);
    client_send_packet(&client, 3, native_scramble(&client, STR("secret"), scramble));
    assert_packet(&client, 4, OK_PACKET);
    client_close(&client);
}

static void test_sha2_of_a_clear_password(void **state)
{
    (void)state;
    char scramble[32];
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", sha2_scramble(&client, STR("secret"), scramble),
                      "caching_sha2_password");
    assert_packet(&client, 2, STR("\x01\x03"));
    assert_packet(&client, 3, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", sha2_scramble(&client, STR("wrong"), scramble),
                      "caching_sha2_password");
    assert_error(&client, 2, 1045, "28000", "using password: YES");
    client_close(&client);
}

/* A client names its favourite plugin, but was greeted for another one. */
static void test_sha2_without_scramble(void **state)
{
    (void)state;
    char scramble[32];
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR_NONE, "caching_sha2_password");
    assert_true(str_starts(client_take(&client), SWITCH_TO_SHA2));
    client_send_packet(&client, 3, sha2_scramble(&client, STR("secret"), scramble));
    assert_packet(&client, 4, STR("\x01\x03"));
    assert_packet(&client, 5, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR_NONE, "caching_sha2_password");
    assert_true(str_starts(client_take(&client), SWITCH_TO_SHA2));
    client_send_packet(&client, 3, STR("\0"));
    assert_error(&client, 4, 1045, "28000", "using password: NO");
    client_close(&client);
}

/* Nobody may be led to send a password in the clear. */
static void test_no_clear_password_without_tls(void **state)
{
    (void)state;
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR("secret\0"), "mysql_clear_password");
    assert_true(str_starts(client_take(&client), SWITCH_TO_NATIVE));
    client_close(&client);
}

/* ---- a hash ---- */

/* Up to the server's key; returns it. */
static EVP_PKEY *ask_for_key(struct client *client, struct str password)
{
    char scramble[32];
    client_send_login(client, 1, SOME_CAPABILITIES, "admin", STR_NONE, "mysql_native_password");
    assert_true(str_starts(client_take(client), SWITCH_TO_SHA2));
    client_send_packet(client, 3, sha2_scramble(client, password, scramble));
    assert_packet(client, 4, STR("\x01\x04"));
    client_send_packet(client, 5, STR("\x02"));
    struct str payload = client_take(client);
    assert_int_equal(client->sequence, 6);
    assert_true(str_starts(payload, STR("\x01-----BEGIN PUBLIC KEY-----\n")));
    BIO *text = BIO_new_mem_buf(payload.ptr + 1, (int)payload.len - 1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(text, NULL, NULL, NULL);
    assert_non_null(key);
    BIO_free(text);
    return key;
}

static void send_sealed(struct client *client, EVP_PKEY *key, struct str password)
{
    uint8_t covered[64] = {0}, sealed[512];
    size_t size = sizeof(sealed);
    memcpy(covered, password.ptr, password.len);
    for (size_t i = 0; i <= password.len; i++)
        covered[i] ^= client->nonce[i % MYSQL_NONCE_SIZE];
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_encrypt(context, sealed, &size, covered, password.len + 1), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    client_send_packet(client, 7, (struct str){(char *)sealed, size});
}

/* The long way once, then the short one, until the hash is another. */
static void test_hash(void **state)
{
    (void)state;
    char scramble[32];
    use_hash();
    struct client client = greeted();
    send_sealed(&client, ask_for_key(&client, STR("secret")), STR("secret"));
    assert_packet(&client, 8, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", sha2_scramble(&client, STR("secret"), scramble),
                      "caching_sha2_password");
    assert_packet(&client, 2, STR("\x01\x03"));
    assert_packet(&client, 3, OK_PACKET);
    client_close(&client);
    settings.admin_password_hash = STR("$fake$other");
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", sha2_scramble(&client, STR("secret"), scramble),
                      "caching_sha2_password");
    assert_packet(&client, 2, STR("\x01\x04"));
    client_close(&client);
}

static void test_hash_wrong_password(void **state)
{
    (void)state;
    use_hash();
    struct client client = greeted();
    send_sealed(&client, ask_for_key(&client, STR("wrong")), STR("wrong"));
    assert_error(&client, 8, 1045, "28000", "using password: YES");
    assert_end(&client);
    assert_false(server.fast_login.is_set);
    client_close(&client);
}

/* In clear, where the password has to be encrypted. */
static void test_hash_not_encrypted(void **state)
{
    (void)state;
    use_hash();
    struct client client = greeted();
    EVP_PKEY_free(ask_for_key(&client, STR("secret")));
    client_send_packet(&client, 7, STR("secret\0"));
    assert_error(&client, 8, 1045, "28000", "");
    client_close(&client);
}

/* The name of another one, with the right password. */
static void test_hash_wrong_name(void **state)
{
    (void)state;
    char scramble[32];
    use_hash();
    struct client client = greeted();
    send_sealed(&client, ask_for_key(&client, STR("secret")), STR("secret"));
    assert_packet(&client, 8, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "root", sha2_scramble(&client, STR("secret"), scramble),
                      "caching_sha2_password");
    assert_packet(&client, 2, STR("\x01\x04"));
    client_send_packet(&client, 3, STR("\x02"));
    client_take(&client);
    client_close(&client);
}

static void test_hash_needs_plugins(void **state)
{
    (void)state;
    use_hash();
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES & ~(uint32_t)MYSQL_CAN_PLUGIN_AUTH, "admin", STR("x"),
                      "");
    assert_error(&client, 2, 1251, "08004", "caching_sha2_password");
    client_close(&client);
}

/* ---- no password ---- */

static void test_open_on_loopback(void **state)
{
    (void)state;
    char scramble[32];
    settings.admin_password = STR_NONE;
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR_NONE, "mysql_native_password");
    assert_packet(&client, 2, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", native_scramble(&client, STR("any"), scramble),
                      "mysql_native_password");
    assert_packet(&client, 2, OK_PACKET);
    client_close(&client);
    client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", sha2_scramble(&client, STR("any"), scramble),
                      "caching_sha2_password");
    assert_packet(&client, 2, STR("\x01\x03"));
    assert_packet(&client, 3, OK_PACKET);
    client_close(&client);
    refuse("root", STR_NONE, "Access denied for user 'root'");
}

/* A peer from elsewhere: the address is changed under the session's feet. */
static void test_open_not_from_elsewhere(void **state)
{
    (void)state;
    settings.admin_password = STR_NONE;
    struct client client = greeted();
    struct mysql_session *session = LIST_ITEM(server.sessions.next, struct mysql_session, node);
    assert_true(address_parse(STR("192.0.2.7"), 1234, &session->peer));
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin", STR_NONE, "mysql_native_password");
    assert_error(&client, 2, 1130, "HY000", "Host '192.0.2.7' is not allowed to connect");
    assert_end(&client);
    client_close(&client);
}

static void test_elsewhere_with_password(void **state)
{
    (void)state;
    char scramble[20];
    struct client client = greeted();
    struct mysql_session *session = LIST_ITEM(server.sessions.next, struct mysql_session, node);
    assert_true(address_parse(STR("2001:db8::7"), 1234, &session->peer));
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin",
                      native_scramble(&client, STR("secret"), scramble), "mysql_native_password");
    assert_packet(&client, 2, OK_PACKET);
    assert_string_equal(fake_last->host, "2001:db8::7");
    client_close(&client);
}

/* ---- what else a login can be ---- */

static void login_with_database(struct client *client, const char *database)
{
    char scramble[20];
    struct buf out;
    buf_init(&out, 2048);
    add_login_head(&out, MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_SECURE_CONNECTION | MYSQL_CAN_CONNECT_WITH_DB);
    buf_add(&out, STR("admin\0\x14"));
    buf_add(&out, native_scramble(client, STR("secret"), scramble));
    buf_add(&out, (struct str){database, strlen(database) + 1});
    client_send_packet(client, 1, buf_str(&out));
    buf_free(&out);
}

static void test_database(void **state)
{
    (void)state;
    char long_name[1100];
    struct client client = greeted();
    login_with_database(&client, "main");
    assert_packet(&client, 2, OK_PACKET);
    assert_string_equal(fake_last->schema, "main");
    client_close(&client);
    client = greeted();
    login_with_database(&client, "nowhere");
    assert_error(&client, 2, 1049, "42000", "Unknown database 'nowhere'");
    assert_end(&client);
    client_close(&client);
    memset(long_name, 'x', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    client = greeted();
    login_with_database(&client, long_name);
    assert_error(&client, 2, 1043, "08S01", "too long");
    client_close(&client);
}

static void test_engine_without_room(void **state)
{
    (void)state;
    char scramble[20];
    fake_is_broken = true;
    struct client client = greeted();
    client_send_login(&client, 1, SOME_CAPABILITIES, "admin",
                      native_scramble(&client, STR("secret"), scramble), "mysql_native_password");
    assert_error(&client, 2, 1041, "HY000", "cannot be opened");
    assert_end(&client);
    client_close(&client);
}

static void test_bad_handshake(void **state)
{
    (void)state;
    static const struct str payloads[] = {STR(""), STR("\x03SELECT 1"), STR("GET / HTTP/1.1\r\n")};
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct client client = greeted();
        client_send_packet(&client, 1, payloads[i]);
        assert_error(&client, 2, 1043, "08S01", "Bad handshake");
        assert_end(&client);
        client_close(&client);
    }
}

/* TLS that was not offered. */
static void test_tls_not_offered(void **state)
{
    (void)state;
    struct buf out;
    struct client client = greeted();
    buf_init(&out, 64);
    add_login_head(&out, SOME_CAPABILITIES | MYSQL_CAN_TLS);
    client_send_packet(&client, 1, buf_str(&out));
    assert_error(&client, 2, 1043, "08S01", "Bad handshake");
    buf_free(&out);
    client_close(&client);
}

/* ---- COM_CHANGE_USER ---- */

static void send_change(struct client *client, const char *user, struct str password)
{
    char scramble[20];
    struct buf out;
    buf_init(&out, 256);
    buf_add(&out, (struct str){user, strlen(user) + 1});
    buf_add_char(&out, 20);
    buf_add(&out, native_scramble(client, password, scramble));
    buf_add(&out, STR("main\0\x2d\0mysql_native_password\0"));
    client_command(client, MYSQL_COM_CHANGE_USER, buf_str(&out));
    buf_free(&out);
}

static void test_change_user(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_query(&client, "BEGIN");
    assert_packet(&client, 1, OK_IN_TRANSACTION);
    send_change(&client, "admin", STR("secret"));
    assert_packet(&client, 1, OK_PACKET);
    assert_string_equal(fake_last->schema, "main");
    assert_int_equal(fake_sessions, 1);
    client_query(&client, "COUNT 1");
    assert_packet(&client, 1, STR("\0\x01\0\x02\0\0\0"));
    send_change(&client, "admin", STR("wrong"));
    assert_error(&client, 1, 1045, "28000", "Access denied");
    assert_end(&client);
    assert_int_equal(fake_sessions, 0);
    client_close(&client);
}

static void test_change_user_malformed(void **state)
{
    (void)state;
    struct client client = client_login(0);
    client_command(&client, MYSQL_COM_CHANGE_USER, STR("admin"));
    assert_error(&client, 1, 1835, "HY000", "Malformed");
    assert_end(&client);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_greeting, begin, end),
        cmocka_unit_test_setup_teardown(test_native, begin, end),
        cmocka_unit_test_setup_teardown(test_native_without_plugin_names, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_new_password_acts_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_other_plugin_is_switched, begin, end),
        cmocka_unit_test_setup_teardown(test_sha2_of_a_clear_password, begin, end),
        cmocka_unit_test_setup_teardown(test_sha2_without_scramble, begin, end),
        cmocka_unit_test_setup_teardown(test_no_clear_password_without_tls, begin, end),
        cmocka_unit_test_setup_teardown(test_hash, begin, end),
        cmocka_unit_test_setup_teardown(test_hash_wrong_password, begin, end),
        cmocka_unit_test_setup_teardown(test_hash_not_encrypted, begin, end),
        cmocka_unit_test_setup_teardown(test_hash_wrong_name, begin, end),
        cmocka_unit_test_setup_teardown(test_hash_needs_plugins, begin, end),
        cmocka_unit_test_setup_teardown(test_open_on_loopback, begin, end),
        cmocka_unit_test_setup_teardown(test_open_not_from_elsewhere, begin, end),
        cmocka_unit_test_setup_teardown(test_elsewhere_with_password, begin, end),
        cmocka_unit_test_setup_teardown(test_database, begin, end),
        cmocka_unit_test_setup_teardown(test_engine_without_room, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_handshake, begin, end),
        cmocka_unit_test_setup_teardown(test_tls_not_offered, begin, end),
        cmocka_unit_test_setup_teardown(test_change_user, begin, end),
        cmocka_unit_test_setup_teardown(test_change_user_malformed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
