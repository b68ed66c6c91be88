/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c src/wire/http1_fields.c */
#include "../../../src/wire/http1.c"

#include "exact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct http_limits limits = {.line_bytes = 200, .head_bytes = 1000, .field_count = 20};

static enum http_parse parse_request(struct str in, size_t scanned, struct http_head *head, size_t *length)
{
    struct str exact = exact_copy(in);
    enum http_parse result = http_parse_request(exact, scanned, &limits, head, length);
    exact_free(exact);
    return result;
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct {
    struct str in;
    enum http_parse expected;
} refused_requests[] = {
    /* The request line. */
    {STR(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / \r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\rHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET /#part HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET path HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET ?query HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http:///path HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http:///path HTTP/1.1\r\nHost:\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http:///path HTTP/1.0\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http://a?q HTTP/1.0\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http://a?q HTTP/1.1\r\nHost: a?q\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET http://user@a/ HTTP/1.1\r\nHost: user@a\r\n\r\n"), HTTP_PARSE_BAD},
    /* The version. */
    {STR("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), HTTP_PARSE_VERSION},
    {STR("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), HTTP_PARSE_VERSION},
    {STR("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), HTTP_PARSE_VERSION},
    {STR("GET / http/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/01.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1,1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTPS/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_PARSE_VERSION},
    /* The shape of fields. */
    {STR(GET "X : 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X\t: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET " X: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\r\n folded\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\r\n\tfolded\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET ": 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X(: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X\xc3\xa9: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X\0: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\r\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\rY: 2\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\nY: 2\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: a\0b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: a\x01 b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: a\x1f b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: a\x7f b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: a\v\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\r\n\n"), HTTP_PARSE_BAD},
    {STR(GET "X: 1\r\n\rX"), HTTP_PARSE_BAD},
    {STR(GET "\n"), HTTP_PARSE_BAD},
    /* Host. */
    {STR("GET / HTTP/1.1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), HTTP_PARSE_BAD},
    {STR("GET / HTTP/1.1\r\nHost: a\xc3\xa9\r\n\r\n"), HTTP_PARSE_BAD},
    /* Framing. */
    {STR(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1\r\ncontent-length: 2\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1, 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1,\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: +1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: -1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 0x1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1.0\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1e1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: \r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length:\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 18446744073709551616\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: , chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: chunked,\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: \r\n\r\n"), HTTP_PARSE_BAD},
    {STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding: xchunked\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: chunkedx\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: identity\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding: chun\xebked\r\n\r\n"), HTTP_PARSE_UNSUPPORTED},
    {STR(POST "Transfer-Encoding : chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding\x0b: chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "Transfer-Encoding:\x0b"
              "chunked\r\n\r\n"),
     HTTP_PARSE_BAD},
    {STR(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"), HTTP_PARSE_BAD},
    {STR(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_PARSE_BAD},
};

static void test_refuses_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused_requests); i++) {
        struct str in = refused_requests[i].in;
        struct http_head head, before;
        size_t length = 77;
        memset(&head, 0x5a, sizeof(head));
        before = head;
        enum http_parse result = parse_request(in, 0, &head, &length);
        if (result != refused_requests[i].expected)
            fail_msg("%zu: \"" STR_FMT "\" gives %d", i, STR_ARG(in), (int)result);
        assert_int_equal(length, 77);
        assert_memory_equal(&head, &before, sizeof(head));
    }
}

/* What has been refused stays so with more bytes, and what leads there was MORE or refused alike. */
static void test_refusal_does_not_depend_on_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused_requests); i++) {
        struct str in = refused_requests[i].in;
        size_t scanned = 0;
        for (size_t len = 0; len <= in.len; len++) {
            struct http_head head;
            size_t length;
            struct str prefix = {in.ptr, len};
            enum http_parse fresh = parse_request(prefix, 0, &head, &length);
            enum http_parse resumed = parse_request(prefix, scanned, &head, &length);
            assert_int_equal(fresh, resumed);
            if (fresh != HTTP_PARSE_MORE) {
                assert_int_equal(fresh, refused_requests[i].expected);
                break;
            }
            scanned = len;
        }
    }
}

static const struct {
    struct str in;
    const char *method, *target;
    int minor_version;
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive, expect_continue;
    size_t field_count;
} taken_requests[] = {
    {STR(GET "\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR(GET "\r\nGET /next"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR("\r\n\r\n" GET "\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR("GET /a/b?c=d&e=%20[]|\"<>\\^`{} HTTP/1.1\r\nHost: a\r\n\r\n"), "GET", "/a/b?c=d&e=%20[]|\"<>\\^`{}",
     1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR("!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost:\r\n\r\n"), "!#$%&'*+-.^_`|~9", "/", 1, HTTP_BODY_NONE, 0, true,
     false, 1},
    {STR("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS", "*", 1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR("GET http://a:80/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n"), "GET", "/x?y", 1, HTTP_BODY_NONE, 0, true,
     false, 1},
    {STR("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 1},
    {STR("GET http://a/ HTTP/1.0\r\n\r\n"), "GET", "/", 0, HTTP_BODY_NONE, 0, false, false, 0},
    {STR("GET / HTTP/1.0\r\n\r\n"), "GET", "/", 0, HTTP_BODY_NONE, 0, false, false, 0},
    {STR("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), "GET", "/", 0, HTTP_BODY_NONE, 0, true, false,
     1},
    {STR("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), "GET", "/", 0, HTTP_BODY_NONE, 0, false,
     false, 1},
    {STR(GET "Connection: close\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, false, false, 2},
    {STR(GET "Connection: upgrade , CLOSE\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, false, false, 2},
    {STR(GET "Connection: x\r\nConnection: close\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, false, false,
     3},
    {STR(GET "Connection: closed\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 2},
    {STR(POST "Content-Length: 5\r\n\r\nhello"), "POST", "/", 1, HTTP_BODY_LENGTH, 5, true, false, 2},
    {STR(POST "CONTENT-length:0\r\n\r\n"), "POST", "/", 1, HTTP_BODY_LENGTH, 0, true, false, 2},
    {STR(POST "Content-Length: \t 007 \t \r\n\r\n"), "POST", "/", 1, HTTP_BODY_LENGTH, 7, true, false, 2},
    {STR(POST "Content-Length: 18446744073709551615\r\n\r\n"), "POST", "/", 1, HTTP_BODY_LENGTH, UINT64_MAX,
     true, false, 2},
    {STR("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n"), "POST", "/", 0, HTTP_BODY_LENGTH, 3, false, false,
     1},
    {STR(POST "Transfer-Encoding: chunked\r\n\r\n"), "POST", "/", 1, HTTP_BODY_CHUNKED, 0, true, false, 2},
    {STR(POST "transfer-encoding:\tCHUNKED\r\n\r\n"), "POST", "/", 1, HTTP_BODY_CHUNKED, 0, true, false, 2},
    {STR(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), "POST", "/", 1, HTTP_BODY_LENGTH, 1, true,
     true, 3},
    {STR("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), "POST", "/", 0, HTTP_BODY_NONE, 0, false, false,
     1},
    {STR(POST "Expect: something\r\n\r\n"), "POST", "/", 1, HTTP_BODY_NONE, 0, true, false, 2},
    {STR(GET "X:\r\nY: \r\nZ:\t\r\nT: a\tb\r\nU: \xc3\xa9t\xc3\xa9\r\n!#$%&'*+.^_`|~: token\r\n\r\n"), "GET",
     "/", 1, HTTP_BODY_NONE, 0, true, false, 7},
    {STR(GET "A-Name-That-Takes-More-Than-Two-Blocks-Of-16: and a value that is just as long as this one: "
             "1:2:3\r\n"
             "\r\n"),
     "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 2},
    {STR("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), "GET", "/", 1, HTTP_BODY_NONE, 0, true, false, 1},
};

/* Up to and with the empty line, those before the head left out of account. */
static size_t head_length(struct str in)
{
    size_t skipped = 0;
    while (str_starts(str_from_offset(in, skipped), STR("\r\n")))
        skipped += 2;
    return skipped + (size_t)str_find(str_from_offset(in, skipped), STR("\r\n\r\n")) + 4;
}

static void check_head(size_t i, const struct http_head *head)
{
    assert_true(str_eq(head->method, str_from(taken_requests[i].method)));
    assert_true(str_eq(head->target, str_from(taken_requests[i].target)));
    assert_int_equal(head->minor_version, taken_requests[i].minor_version);
    assert_int_equal(head->framing, taken_requests[i].framing);
    assert_int_equal(head->content_length, taken_requests[i].content_length);
    assert_int_equal(head->keep_alive, taken_requests[i].keep_alive);
    assert_int_equal(head->expect_continue, taken_requests[i].expect_continue);
    assert_int_equal(head->field_count, taken_requests[i].field_count);
}

/* Every prefix is MORE, and the head the same whatever earlier calls have seen of it. */
static void test_takes_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(taken_requests); i++) {
        struct str in = exact_copy(taken_requests[i].in);
        struct http_head head;
        size_t expected = head_length(in), length = 0;
        for (size_t len = 0; len < expected; len++)
            for (size_t scanned = 0; scanned <= len; scanned++)
                assert_int_equal(parse_request((struct str){in.ptr, len}, scanned, &head, &length),
                                 HTTP_PARSE_MORE);
        assert_int_equal(length, 0);
        for (size_t scanned = 0; scanned < expected; scanned++) {
            if (http_parse_request(in, scanned, &limits, &head, &length) != HTTP_PARSE_DONE)
                fail_msg("\"" STR_FMT "\" is refused", STR_ARG(in));
            assert_int_equal(length, expected);
            check_head(i, &head);
        }
        exact_free(in);
    }
}

static void test_nothing_is_more(void **state)
{
    (void)state;
    struct http_head head;
    size_t length;
    assert_int_equal(http_parse_request(STR_NONE, 0, &limits, &head, &length), HTTP_PARSE_MORE);
    assert_int_equal(http_parse_response(STR_NONE, 0, false, &limits, &head, &length), HTTP_PARSE_MORE);
}

static void test_fields_are_views_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } expected[] = {{"Host", "a"}, {"X", ""},         {"Y", ""},        {"Z", ""},
                    {"T", "a\tb"}, {"U", "\xc3\xa9"}, {"a_b", "c : d"}, {"V", "w"}};
    struct str in = STR(GET "X:\r\nY: \r\nZ: \t \r\nT: a\tb \r\nU:\xc3\xa9\r\na_b:  c : d\r\nV:w\t\r\n\r\n");
    struct http_head head;
    size_t length;
    assert_int_equal(http_parse_request(in, 0, &limits, &head, &length), HTTP_PARSE_DONE);
    assert_int_equal(head.field_count, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(str_eq(head.fields[i].name, str_from(expected[i].name)));
        assert_true(str_eq(head.fields[i].value, str_from(expected[i].value)));
        assert_true(head.fields[i].name.ptr > in.ptr && head.fields[i].name.ptr < in.ptr + in.len);
    }
}

/* A head with a request line and field lines of those lengths, all in the common form. */
static void build_request(char *out, size_t request_line, size_t field_line, size_t fields, size_t *ret_len)
{
    char filler[256];
    memset(filler, 'p', sizeof(filler));
    int len = sprintf(out, "GET /%.*s HTTP/1.1\r\nHost: a\r\n", (int)(request_line - 14), filler);
    for (size_t i = 0; i < fields; i++)
        len += sprintf(out + len, "x: %.*s\r\n", (int)(field_line - 3), filler);
    len += sprintf(out + len, "\r\n");
    *ret_len = (size_t)len;
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        size_t request_line, field_line, fields;
        struct http_limits limits;
        enum http_parse expected;
    } cases[] = {
        {50, 10, 2, {50, 1000, 3}, HTTP_PARSE_DONE},
        {51, 10, 2, {50, 1000, 3}, HTTP_PARSE_URI_TOO_LONG},
        {190, 10, 2, {50, 100, 3}, HTTP_PARSE_URI_TOO_LONG},
        {50, 10, 3, {50, 1000, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 50, 2, {50, 1000, 3}, HTTP_PARSE_DONE},
        {20, 51, 2, {50, 1000, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 10, 2, {50, 57, 3}, HTTP_PARSE_DONE},
        {20, 10, 2, {50, 56, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 10, 2, {50, 55, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 10, 2, {50, 54, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 10, 2, {50, 20, 3}, HTTP_PARSE_HEAD_TOO_LARGE},
        {20, 4, 127, {50, 4000, 4000}, HTTP_PARSE_DONE},
        {20, 4, 128, {50, 4000, 4000}, HTTP_PARSE_HEAD_TOO_LARGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[4000];
        size_t whole, length = 0;
        struct http_head head;
        enum http_parse result = HTTP_PARSE_MORE;
        build_request(text, cases[i].request_line, cases[i].field_line, cases[i].fields, &whole);
        for (size_t len = 0; len <= whole && result == HTTP_PARSE_MORE; len++)
            for (size_t scanned = len > 0 ? len - 1 : 0; scanned < len; scanned++)
                result =
                    http_parse_request((struct str){text, len}, scanned, &cases[i].limits, &head, &length);
        assert_int_equal(result, cases[i].expected);
        result = http_parse_request((struct str){text, whole}, 0, &cases[i].limits, &head, &length);
        assert_int_equal(result, cases[i].expected);
    }
}

/* However many bytes are offered, an unfinished head is not waited for past the limit. */
static void test_never_waits_past_the_limit(void **state)
{
    (void)state;
    static const struct http_limits small = {.line_bytes = 40, .head_bytes = 60, .field_count = 20};
    static const struct str repeated[] = {STR("A"), STR("\r\n"), STR("X: y\r\n"), STR("a b ")};
    for (size_t i = 0; i < ARRAY_LEN(repeated); i++) {
        for (size_t with_line = 0; with_line < 2; with_line++) {
            char text[200];
            size_t len = with_line ? (size_t)sprintf(text, GET) : 0;
            for (; len + repeated[i].len < sizeof(text); len += repeated[i].len)
                memcpy(text + len, repeated[i].ptr, repeated[i].len);
            for (size_t n = 60; n < len; n++) {
                struct http_head head;
                size_t length;
                enum http_parse result = http_parse_request((struct str){text, n}, 0, &small, &head, &length);
                assert_int_not_equal(result, HTTP_PARSE_MORE);
            }
        }
    }
}

static const struct {
    struct str in;
    bool to_head;
    enum http_parse expected;
    int status;
    const char *reason;
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;
} responses[] = {
    {STR("HTTP/1.1 200 OK\r\n\r\n"), false, HTTP_PARSE_DONE, 200, "OK", HTTP_BODY_TO_CLOSE, 0, false},
    {STR("HTTP/1.1 200 \r\n\r\n"), false, HTTP_PARSE_DONE, 200, "", HTTP_BODY_TO_CLOSE, 0, false},
    {STR("HTTP/1.1 200\r\n\r\n"), false, HTTP_PARSE_DONE, 200, "", HTTP_BODY_TO_CLOSE, 0, false},
    {STR("HTTP/1.1 404 Not \xc3\xa9 Found\t\r\nContent-Length: 3\r\n\r\nabc"), false, HTTP_PARSE_DONE, 404,
     "Not \xc3\xa9 Found\t", HTTP_BODY_LENGTH, 3, true},
    {STR("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n"), false, HTTP_PARSE_DONE, 200, "OK", HTTP_BODY_LENGTH,
     3, false},
    {STR("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n"), false, HTTP_PARSE_DONE,
     200, "OK", HTTP_BODY_LENGTH, 3, true},
    {STR("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"), false, HTTP_PARSE_DONE, 200,
     "OK", HTTP_BODY_LENGTH, 3, false},
    {STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false, HTTP_PARSE_DONE, 200, "OK",
     HTTP_BODY_CHUNKED, 0, true},
    {STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), true, HTTP_PARSE_DONE, 200, "OK", HTTP_BODY_NONE, 0,
     true},
    {STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), true, HTTP_PARSE_DONE, 200, "OK",
     HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 200 OK\r\n\r\n"), true, HTTP_PARSE_DONE, 200, "OK", HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 100 Continue\r\n\r\n"), false, HTTP_PARSE_DONE, 100, "Continue", HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"), false, HTTP_PARSE_DONE, 103, "Early Hints",
     HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), false, HTTP_PARSE_DONE, 204,
     "No Content", HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), false, HTTP_PARSE_DONE, 304,
     "Not Modified", HTTP_BODY_NONE, 0, true},
    {STR("HTTP/1.1 599 X\r\n\r\n"), false, HTTP_PARSE_DONE, 599, "X", HTTP_BODY_TO_CLOSE, 0, false},
    {STR("\r\nHTTP/1.1 200 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1  200 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 099 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 600 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 20 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 2000 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 200OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 +20 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("ICY 200 OK\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 200 O\x01K\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 200 OK\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/2.0 200 OK\r\n\r\n"), false, HTTP_PARSE_VERSION, 0, "", 0, 0, false},
    {STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "",
     0, 0, false},
    {STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), true, HTTP_PARSE_BAD, 0, "", 0,
     0, false},
    {STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), false, HTTP_PARSE_BAD,
     0, "", 0, 0, false},
    {STR("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
    {STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), false, HTTP_PARSE_UNSUPPORTED, 0, "", 0, 0,
     false},
    {STR("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), false, HTTP_PARSE_BAD, 0, "", 0, 0, false},
};

static void check_response(size_t i, struct str in, size_t scanned)
{
    struct http_head head;
    size_t length = 0;
    enum http_parse result = http_parse_response(in, scanned, responses[i].to_head, &limits, &head, &length);
    if (result != responses[i].expected)
        fail_msg("%zu: \"" STR_FMT "\" gives %d", i, STR_ARG(in), (int)result);
    if (result != HTTP_PARSE_DONE)
        return;
    assert_int_equal(length, head_length(in));
    assert_int_equal(head.status, responses[i].status);
    assert_true(str_eq(head.reason, str_from(responses[i].reason)));
    assert_int_equal(head.framing, responses[i].framing);
    assert_int_equal(head.content_length, responses[i].content_length);
    assert_int_equal(head.keep_alive, responses[i].keep_alive);
}

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        struct str in = exact_copy(responses[i].in);
        bool is_done = responses[i].expected == HTTP_PARSE_DONE;
        size_t end = is_done ? head_length(in) : 0;
        check_response(i, in, 0);
        for (size_t len = 0; len < end; len++) {
            struct http_head head;
            size_t length;
            struct str prefix = exact_copy((struct str){in.ptr, len});
            assert_int_equal(http_parse_response(prefix, 0, false, &limits, &head, &length), HTTP_PARSE_MORE);
            exact_free(prefix);
            check_response(i, in, len);
        }
        exact_free(in);
    }
}

/* The common forms are taken by other code than the rest; both have to read a line alike. */
static void test_common_lines_are_read_as_any(void **state)
{
    (void)state;
    static const struct str lines[] = {
        STR("Name: value\r\n"),
        STR("Name:  value\r\n"),
        STR("Name:value\r\n"),
        STR("Name: value \r\n"),
        STR("Na_me: value\r\n"),
        STR("Name: a: b\r\n"),
        STR("Name: \xe2\x82\xac\r\n"),
        STR("Name: \r\n"),
        STR("Name: a\tb\r\n"),
        STR("Name: a\r\n"),
        STR("A: b\r\n"),
        STR("Na me: a\r\n"),
        STR(":: a\r\n"),
        STR("Name: a\rb\r\n"),
        STR("Name: a\nb\r\n"),
        STR("Name:: a\r\n"),
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        for (size_t padding = 0; padding < 80; padding++) {
            char text[128];
            memcpy(text, lines[i].ptr, lines[i].len);
            memset(text + lines[i].len, 'z', padding);
            struct str in = exact_copy((struct str){text, lines[i].len + padding});
            struct cursor common = cursor_over(in, &limits), any = common;
            struct http_field fields[1] = {{STR_NONE, STR_NONE}}, field;
            enum http_parse result = take_field(&any, &field);
            if (take_common_fields(&common, fields, 1) == 1) {
                assert_int_equal(result, HTTP_PARSE_DONE);
                assert_true(str_eq(fields[0].name, field.name) && str_eq(fields[0].value, field.value));
                assert_ptr_equal(common.line, any.line);
            } else {
                assert_ptr_equal(common.line, in.ptr);
            }
            exact_free(in);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_requests),
        cmocka_unit_test(test_refusal_does_not_depend_on_pieces),
        cmocka_unit_test(test_takes_requests),
        cmocka_unit_test(test_nothing_is_more),
        cmocka_unit_test(test_fields_are_views_in_order),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_never_waits_past_the_limit),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_common_lines_are_read_as_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
