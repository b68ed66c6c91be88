/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c */
#include "../../../src/conf/endpoint.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *text, *base, *host, *authority, *prefix, *base_path;
    bool tls;
    unsigned port;
} good[] = {
    {"http://h:1", "/v1", "h", "h:1", "", "/v1", false, 1},
    {"http://h:1/", "/v1", "h", "h:1", "", "/v1", false, 1},
    {"http://h:1/v1", "/v1", "h", "h:1", "", "/v1", false, 1},
    {"http://h:1/v1///", "/v1", "h", "h:1", "", "/v1", false, 1},
    {"HTTPS://API.Example.com", "/v1", "api.example.com", "api.example.com", "", "/v1", true, 443},
    {"https://h:443", "/v1", "h", "h", "", "/v1", true, 443},
    {"https://h:80", "/v1", "h", "h:80", "", "/v1", true, 80},
    {"http://h:80", "/v1", "h", "h", "", "/v1", false, 80},
    {"http://[::1]:8000", "/v1", "::1", "[::1]:8000", "", "/v1", false, 8000},
    {"http://[FE80::A]", "/v1", "fe80::a", "[fe80::a]", "", "/v1", false, 80},
    {"http://10.0.0.7:65535", "/v1", "10.0.0.7", "10.0.0.7:65535", "", "/v1", false, 65535},
    {"http://h/llm", "/v1", "h", "h", "/llm", "/llm/v1", false, 80},
    {"http://h/llm/v1", "/v1", "h", "h", "/llm", "/llm/v1", false, 80},
    {"http://h/llmv1", "/v1", "h", "h", "/llmv1", "/llmv1/v1", false, 80},
    {"http://h/api/paas/v4/", "/v1", "h", "h", "/api/paas", "/api/paas/v4", false, 80},
    {"http://h/v1beta", "/v1", "h", "h", "", "/v1beta", false, 80},
    {"http://h/vault", "/v1", "h", "h", "/vault", "/vault/v1", false, 80},
    {"https://api.groq.com", "/openai/v1", "api.groq.com", "api.groq.com", "", "/openai/v1", true, 443},
    {"https://api.groq.com/openai", "/openai/v1", "api.groq.com", "api.groq.com", "", "/openai/v1", true,
     443},
    {"https://api.groq.com/openai/v1", "/openai/v1", "api.groq.com", "api.groq.com", "", "/openai/v1", true,
     443},
    {"https://proxy/groq/openai/", "/openai/v1", "proxy", "proxy", "/groq", "/groq/openai/v1", true, 443},
    {"https://proxy/notopenai", "/openai/v1", "proxy", "proxy", "/notopenai", "/notopenai/openai/v1", true,
     443},
    {"https://proxy/v1", "/openai/v1", "proxy", "proxy", "", "/v1", true, 443},
};

static void test_good(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct endpoint endpoint;
        const char *reason = NULL;
        enum err err =
            endpoint_parse(str_from(good[i].text), str_from(good[i].base), &arena, &endpoint, &reason);
        assert_null(reason);
        assert_int_equal(err, ERR_OK);
        assert_int_equal(endpoint.tls, good[i].tls);
        assert_int_equal(endpoint.port, good[i].port);
        assert_string_equal(endpoint.host.ptr, good[i].host);
        assert_string_equal(endpoint.authority.ptr, good[i].authority);
        assert_string_equal(endpoint.base_path.ptr, good[i].base_path);
        assert_true(str_eq(endpoint.prefix, str_from(good[i].prefix)));
    }
    arena_fini(&arena);
}

static const struct {
    const char *text, *reason;
} bad[] = {
    {"", "has to begin with http:// or https://"},
    {"h:1", "has to begin with http:// or https://"},
    {"ftp://h", "has to begin with http:// or https://"},
    {"http:/h", "has to begin with http:// or https://"},
    {"http://", "has no host"},
    {"http://:80", "has no host"},
    {"http:///v1", "has no host"},
    {"http://h:", "has ':' without a port"},
    {"http://h:0", "has a port that is not in 1..65535"},
    {"http://h:65536", "has a port that is not in 1..65535"},
    {"http://h:8a", "has a port that is not in 1..65535"},
    {"http://::1/", "has an IPv6 address without brackets, or two ports"},
    {"http://[::1", "has '[' without ']'"},
    {"http://[::1]8", "has something between ']' and the port"},
    {"http://[1.2.3.4]", "has no IPv6 address between the brackets"},
    {"http://[fe80::1%eth0]", "has no IPv6 address between the brackets"},
    {"http://1.2.3", "has an IPv4 address that is none"},
    {"http://999.1.1.1", "has an IPv4 address that is none"},
    {"http://a..b", "has a host that is neither a name nor a numeric address"},
    {"http://.a", "has a host that is neither a name nor a numeric address"},
    {"http://h%41", "has a host that is neither a name nor a numeric address"},
    {"http://user:secret@h", "has '@': user name and password do not belong in an endpoint, use api_key"},
    {"http://user:se/cret@h", "has '@': user name and password do not belong in an endpoint, use api_key"},
    {"http://user:se?cret@h", "has '@': user name and password do not belong in an endpoint, use api_key"},
    {"http://h/v1?key=1", "has a query or a fragment; an endpoint ends with its path"},
    {"http://h?x", "has a query or a fragment; an endpoint ends with its path"},
    {"http://h/#x", "has a query or a fragment; an endpoint ends with its path"},
    {"http://h/a//b", "has an empty path segment ('//')"},
    {"http://h/../b", "has '.' or '..' as a path segment"},
    {"http://h/a/.", "has '.' or '..' as a path segment"},
    {"http://h/a|b", "has a character in its path that a URL cannot hold"},
    {"http://h/a b", "has spaces, control characters or bytes beyond ASCII"},
    {"http://h/\xc3\xa9", "has spaces, control characters or bytes beyond ASCII"},
    {"http://h\r\nX: y", "has spaces, control characters or bytes beyond ASCII"},
};

static void test_bad(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct endpoint endpoint = {.port = 7};
        const char *reason = NULL;
        assert_int_equal(endpoint_parse(str_from(bad[i].text), STR("/v1"), &arena, &endpoint, &reason),
                         ERR_INVALID);
        assert_string_equal(reason, bad[i].reason);
        assert_int_equal(endpoint.port, 7);
    }
    arena_fini(&arena);
}

/* Taking the result apart again gives the same: nothing is ever doubled. */
static void test_is_stable(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct endpoint first, second;
        const char *reason = NULL;
        char text[256];
        struct str base = str_from(good[i].base);
        assert_int_equal(endpoint_parse(str_from(good[i].text), base, &arena, &first, &reason), ERR_OK);
        snprintf(text, sizeof(text), "%s://%s%s", first.tls ? "https" : "http", first.authority.ptr,
                 first.base_path.ptr);
        assert_int_equal(endpoint_parse(str_from(text), base, &arena, &second, &reason), ERR_OK);
        assert_string_equal(first.base_path.ptr, second.base_path.ptr);
        assert_string_equal(first.authority.ptr, second.authority.ptr);
        assert_int_equal(first.port, second.port);
    }
    arena_fini(&arena);
}

static void test_long(void **state)
{
    (void)state;
    struct arena arena;
    struct endpoint endpoint;
    const char *reason = NULL;
    char text[2048] = "http://";
    arena_init(&arena, NULL);
    memset(text + 7, 'a', HOST_MAX);
    assert_int_equal(endpoint_parse(str_from(text), STR("/v1"), &arena, &endpoint, &reason), ERR_OK);
    assert_int_equal(endpoint.authority.len, HOST_MAX);
    text[7 + HOST_MAX] = 'a';
    assert_int_equal(endpoint_parse(str_from(text), STR("/v1"), &arena, &endpoint, &reason), ERR_INVALID);
    assert_string_equal(reason, "has a host of more than 253 bytes");
    memset(text + 8, '/', 1);
    memset(text + 9, 'a', PATH_MAX_BYTES);
    assert_int_equal(endpoint_parse(str_from(text), STR("/v1"), &arena, &endpoint, &reason), ERR_INVALID);
    assert_string_equal(reason, "has a path of more than 1024 bytes");
    arena_fini(&arena);
}

static const struct {
    const char *text, *host; /* host NULL: refused */
    unsigned port;
} addresses[] = {
    {"127.0.0.1:6034", "127.0.0.1", 6034},
    {"[::1]:1", "::1", 1},
    {"0.0.0.0:0", "0.0.0.0", 0},
    {"[::]:65535", "::", 65535},
    {"127.0.0.1", NULL, 0},
    {"127.0.0.1:", NULL, 0},
    {"127.0.0.1:65536", NULL, 0},
    {"localhost:80", NULL, 0},
    {":80", NULL, 0},
    {"::1:80", NULL, 0},
    {"[127.0.0.1]:80", NULL, 0},
    {"", NULL, 0},
    {"127.0.0.1:-1", NULL, 0},
    {"[]:80", NULL, 0},
};

static void test_addresses(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct str host = STR("untouched");
        uint16_t port = 7;
        const char *reason = NULL;
        enum err err = listen_address_parse(str_from(addresses[i].text), &arena, &host, &port, &reason);
        const char *expected = addresses[i].host ? addresses[i].host : "untouched";
        assert_int_equal(err, addresses[i].host ? ERR_OK : ERR_INVALID);
        assert_int_equal(reason == NULL, err == ERR_OK);
        assert_string_equal(host.ptr, expected);
        assert_int_equal(port, addresses[i].host ? addresses[i].port : 7);
    }
    struct str host;
    uint16_t port;
    const char *reason;
    assert_int_equal(listen_address_parse(STR("127.0.0.1\0:80"), &arena, &host, &port, &reason), ERR_INVALID);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_bad),       cmocka_unit_test(test_is_stable),
        cmocka_unit_test(test_long), cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
