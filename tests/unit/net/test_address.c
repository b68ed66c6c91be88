/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/net/address.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* In memory of its own size, so that a read behind the view is seen: views are not terminated. */
static bool parse(const char *text, uint16_t port, struct address *ret_address)
{
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, text, len);
    bool is_address = address_parse((struct str){exact, len}, port, ret_address);
    free(exact);
    return is_address;
}

static void test_numeric_and_back(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        int family;
        const char *text;
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1", 80, AF_INET, "127.0.0.1:80", true},
        {"127.0.0.0", 1, AF_INET, "127.0.0.0:1", true},
        {"127.255.255.255", 65535, AF_INET, "127.255.255.255:65535", true},
        {"126.255.255.255", 443, AF_INET, "126.255.255.255:443", false},
        {"128.0.0.1", 443, AF_INET, "128.0.0.1:443", false},
        {"0.0.0.0", 0, AF_INET, "0.0.0.0:0", false},
        {"255.255.255.255", 65535, AF_INET, "255.255.255.255:65535", false},
        {"10.20.30.127", 8080, AF_INET, "10.20.30.127:8080", false},
        {"::1", 80, AF_INET6, "[::1]:80", true},
        {"0:0:0:0:0:0:0:1", 80, AF_INET6, "[::1]:80", true},
        {"::", 0, AF_INET6, "[::]:0", false},
        {"::2", 80, AF_INET6, "[::2]:80", false},
        {"1::1", 80, AF_INET6, "[1::1]:80", false},
        {"2001:DB8::a", 443, AF_INET6, "[2001:db8::a]:443", false},
        {"::ffff:127.0.0.1", 80, AF_INET6, "[::ffff:127.0.0.1]:80", true},
        {"::ffff:127.9.9.9", 80, AF_INET6, "[::ffff:127.9.9.9]:80", true},
        {"::ffff:7f00:1", 80, AF_INET6, "[::ffff:127.0.0.1]:80", true},
        {"::ffff:128.0.0.1", 80, AF_INET6, "[::ffff:128.0.0.1]:80", false},
        {"64:ff9b::127.0.0.1", 80, AF_INET6, "[64:ff9b::7f00:1]:80", false},
        {"7f00::", 80, AF_INET6, "[7f00::]:80", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[ADDRESS_TEXT_MAX];
        struct address address;
        if (!parse(rows[i].host, rows[i].port, &address))
            fail_msg("%s is no address", rows[i].host);
        assert_int_equal(address.any.sa_family, rows[i].family);
        assert_int_equal(address.size, rows[i].family == AF_INET ? sizeof(address.v4) : sizeof(address.v6));
        assert_int_equal(address_port(&address), rows[i].port);
        struct str text = address_format(&address, out);
        assert_ptr_equal(text.ptr, out);
        if (!str_eq(text, str_from(rows[i].text)))
            fail_msg("%s is written " STR_FMT, rows[i].host, STR_ARG(text));
        if (address_is_loopback(&address) != rows[i].is_loopback)
            fail_msg("%s: loopback is %d", rows[i].host, !rows[i].is_loopback);
    }
}

/* Names go to the resolver: what only looks like an address must not be taken for one. */
static void test_names(void **state)
{
    static const char *const names[] = {
        "",
        "localhost",
        "api.example.com",
        "127.0.0",
        "127.0.0.1.",
        "127.0.0.256",
        "127.0.0.01",
        "127.0.0.1.1",
        "0x7f.0.0.1",
        "2130706433",
        " 127.0.0.1",
        "127.0.0.1 ",
        "127.0.0.1:80",
        "-1.0.0.0",
        "[::1]",
        "::1%lo",
        "::1::",
        ":::",
        ":",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "::g",
        "::ffff:127.0.0.256",
        "::ffff:127.0.0.1:1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct address address = {.size = 4711};
        if (parse(names[i], 80, &address))
            fail_msg("\"%s\" was taken for an address", names[i]);
        assert_int_equal(address.size, 4711); /* untouched */
    }
    struct address address;
    assert_false(address_parse((struct str){"127.0.0.1\0x", 11}, 80, &address));
}

static void test_longest(void **state)
{
    char out[ADDRESS_TEXT_MAX], too_long[1000];
    struct address address;
    (void)state;
    assert_true(parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535, &address));
    assert_true(
        str_eq(address_format(&address, out), STR("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")));
    assert_false(parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", 1, &address));
    assert_false(parse("00000:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 1, &address));
    for (size_t len = 1; len < sizeof(too_long); len++) {
        memset(too_long, '1', len);
        too_long[len] = '\0';
        assert_false(parse(too_long, 1, &address));
    }
}

/* The view's end counts, not the first byte that could not belong to an address. */
static void test_view_within_text(void **state)
{
    static const char text[] = "10.0.0.123,::1,";
    struct address address;
    char out[ADDRESS_TEXT_MAX];
    (void)state;
    assert_true(address_parse((struct str){text, 8}, 9, &address));
    assert_true(str_eq(address_format(&address, out), STR("10.0.0.1:9")));
    assert_true(address_parse((struct str){text, 10}, 9, &address));
    assert_true(str_eq(address_format(&address, out), STR("10.0.0.123:9")));
    assert_false(address_parse((struct str){text, 11}, 9, &address));
    assert_true(address_parse((struct str){text + 11, 3}, 9, &address));
    assert_true(str_eq(address_format(&address, out), STR("[::1]:9")));
}

static void test_network(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true}, /* one /64 */
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a, b;
        assert_true(address_parse(str_from(rows[i].a), 1, &a));
        assert_true(address_parse(str_from(rows[i].b), 2, &b));
        assert_int_equal(str_eq(address_network(&a), address_network(&b)), rows[i].is_same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric_and_back),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_view_within_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
