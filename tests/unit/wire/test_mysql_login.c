/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/wire/mysql_login.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NONCE "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"
#define ALL UINT32_MAX
#define ZEROS_23 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SCRAMBLE "ABCDEFGHIJKLMNOPQRST"

static const uint8_t *const nonce = (const uint8_t *)NONCE;

static void assert_bytes(struct buf *out, struct str expected)
{
    assert_true(buf_ok(out));
    assert_int_equal(out->len, expected.len);
    assert_memory_equal(out->ptr, expected.ptr, expected.len);
    buf_free(out);
}

static void test_greeting(void **state)
{
    (void)state;
    struct buf out;
    uint8_t sequence = 0;
    struct mysql_greeting greeting = {
        .version = STR("5.7.0-Test"),
        .connection_id = 0x01020304,
        .nonce = nonce,
        .capabilities = MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_SECURE_CONNECTION | MYSQL_CAN_PLUGIN_AUTH,
        .plugin = MYSQL_NATIVE_PASSWORD,
    };
    buf_init(&out, 1024);
    mysql_put_greeting(&out, &sequence, &greeting);
    assert_int_equal(sequence, 1);
    assert_bytes(&out, STR("\x4e\0\0\0"
                           "\x0a"
                           "5.7.0-Test\0"
                           "\x04\x03\x02\x01"
                           "\x01\x02\x03\x04\x05\x06\x07\x08\0"
                           "\x00\x82"
                           "\x2d"
                           "\x02\0"
                           "\x08\0"
                           "\x15"
                           "\0\0\0\0\0\0\0\0\0\0"
                           "\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\0"
                           "mysql_native_password\0"));
}

static void test_auth_packets(void **state)
{
    (void)state;
    struct buf out;
    uint8_t sequence = 2;
    buf_init(&out, 1024);
    mysql_put_auth_switch(&out, &sequence, MYSQL_CACHING_SHA2, nonce);
    mysql_put_auth_more(&out, &sequence, STR("\x04"));
    assert_int_equal(sequence, 4);
    assert_bytes(&out, STR("\x2c\0\0\x02\xfe"
                           "caching_sha2_password\0" NONCE "\0"
                           "\x02\0\0\x03\x01\x04"));
}

static const struct {
    const char *what;
    struct str payload;
    enum err err;
    struct mysql_login login; /* without the capabilities */
} logins[] = {
    {"all there is",
     STR("\x08\x82\x3a\x01\0\0\0\1\x2d" ZEROS_23 "admin\0\x14" SCRAMBLE "fairlead\0mysql_native_password\0"
         "\x0e\x04_pid\x03"
         "123\x01k\x02vv"),
     ERR_OK,
     {.user = STR("admin"),
      .auth = STR(SCRAMBLE),
      .database = STR("fairlead"),
      .plugin = STR("mysql_native_password")}},
    {"no options",
     STR("\0\x82\0\0\0\0\0\1\x21" ZEROS_23 "u\0\x02xy"),
     ERR_OK,
     {.user = STR("u"), .auth = STR("xy")}},
    {"authentication ends with NUL",
     STR("\0\x02\0\0\0\0\0\1\x21" ZEROS_23 "u\0xyz\0"),
     ERR_OK,
     {.user = STR("u"), .auth = STR("xyz")}},
    {"empty names", STR("\0\x82\x08\0\0\0\0\1\x21" ZEROS_23 "\0\0\0"), ERR_OK, {.user = STR("")}},
    {"plugin without NUL",
     STR("\0\x82\x08\0\0\0\0\1\x21" ZEROS_23 "u\0\0plugin"),
     ERR_OK,
     {.user = STR("u"), .plugin = STR("plugin")}},
    {"database announced, but missing",
     STR("\x08\x82\0\0\0\0\0\1\x21" ZEROS_23 "u\0\0"),
     ERR_OK,
     {.user = STR("u")}},
    {"attributes announced, but missing",
     STR("\0\x82\x18\0\0\0\0\1\x21" ZEROS_23 "u\0\0p\0"),
     ERR_OK,
     {.user = STR("u"), .plugin = STR("p")}},
    {"a request for TLS", STR("\0\x8a\x08\0\0\0\0\1\x21" ZEROS_23), ERR_OK, {.wants_tls = true}},
    {"TLS announced, and already there",
     STR("\0\x8a\x00\0\0\0\0\1\x21" ZEROS_23 "u\0\0"),
     ERR_OK,
     {.user = STR("u")}},
    {"protocol before 4.1", STR("\x05\x00\0\0\0\0\0\1\x21" ZEROS_23 "u\0\0"), ERR_INVALID, {0}},
    {"nothing", STR(""), ERR_INVALID, {0}},
    {"half a head", STR("\0\x82\0\0\0\0\0\1\x21\0\0"), ERR_INVALID, {0}},
    {"name without end", STR("\0\x82\0\0\0\0\0\1\x21" ZEROS_23 "user"), ERR_INVALID, {0}},
    {"authentication longer than the packet",
     STR("\0\x82\0\0\0\0\0\1\x21" ZEROS_23 "u\0\x03xy"),
     ERR_INVALID,
     {0}},
    {"length of 2^64-1",
     STR("\0\x82\x20\0\0\0\0\1\x21" ZEROS_23 "u\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
     ERR_INVALID,
     {0}},
    {"attributes longer than the packet",
     STR("\0\x82\x18\0\0\0\0\1\x21" ZEROS_23 "u\0\0p\0\x09\x01"),
     ERR_INVALID,
     {0}},
    {"an attribute longer than all of them",
     STR("\0\x82\x18\0\0\0\0\1\x21" ZEROS_23 "u\0\0p\0\x03\x01k\x09"),
     ERR_INVALID,
     {0}},
};

static void assert_login(const struct mysql_login *login, const struct mysql_login *expected)
{
    assert_int_equal(login->wants_tls, expected->wants_tls);
    assert_true(str_eq(login->user, expected->user));
    assert_true(str_eq(login->auth, expected->auth));
    assert_true(str_eq(login->database, expected->database));
    assert_true(str_eq(login->plugin, expected->plugin));
}

static void test_logins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
        struct str payload = exact_copy(logins[i].payload);
        struct mysql_login login = {0};
        if (mysql_read_login(payload, ALL, &login) != logins[i].err)
            fail_msg("%s", logins[i].what);
        assert_login(&login, &logins[i].login);
        exact_free(payload);
    }
}

/* Only what both sides can do counts, for how the packet is read too. */
static void test_capabilities_are_common_ones(void **state)
{
    (void)state;
    struct mysql_login login;
    struct str payload = STR("\0\x8a\x20\x01\0\0\0\1\x21" ZEROS_23 "u\0\x02xy");
    uint32_t offered = MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_SECURE_CONNECTION;
    assert_int_equal(mysql_read_login(payload, offered, &login), ERR_OK);
    assert_int_equal(login.capabilities, offered);
    assert_true(str_eq(login.auth, STR("xy")));
    payload.len = SSL_REQUEST_SIZE;
    assert_int_equal(mysql_read_login(payload, offered, &login), ERR_INVALID); /* TLS was not offered */
}

static const struct {
    struct str payload;
    enum err err;
    struct mysql_login login;
} changes[] = {
    {STR("\x11"
         "bob\0\x02xydb\0\x2d\0plugin\0\x04\x01k\x01v"),
     ERR_OK,
     {.user = STR("bob"), .auth = STR("xy"), .database = STR("db"), .plugin = STR("plugin")}},
    {STR("\x11\0\0\0"), ERR_OK, {.user = STR("")}},
    {STR("\x11"
         "bob\0\x09xy"),
     ERR_INVALID,
     {0}},
    {STR("\x11"
         "bob\0\x02xydb"),
     ERR_INVALID,
     {0}},
    {STR("\x11"
         "bob\0\0db\0\x2d"),
     ERR_INVALID,
     {0}},
    {STR("\x11"), ERR_INVALID, {0}},
};

static void test_change_user(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct str payload = exact_copy(changes[i].payload);
        struct mysql_login login = {0};
        assert_int_equal(mysql_read_change_user(payload, ALL, &login), changes[i].err);
        assert_login(&login, &changes[i].login);
        exact_free(payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),    cmocka_unit_test(test_auth_packets),
        cmocka_unit_test(test_logins),      cmocka_unit_test(test_capabilities_are_common_ones),
        cmocka_unit_test(test_change_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
