/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/heads.c"

#include "base/rng.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct http_limits limits = {
    .line_bytes = 8192, .head_bytes = 65536, .field_count = HTTP_FIELDS_MAX};

static struct http_head parsed_request(struct str bytes)
{
    struct http_head head;
    size_t length;
    assert_int_equal(http_parse_request(bytes, 0, &limits, &head, &length), HTTP_PARSE_DONE);
    assert_int_equal(length, bytes.len);
    return head;
}

static struct http_head parsed_response(struct str bytes)
{
    struct http_head head;
    size_t length;
    assert_int_equal(http_parse_response(bytes, 0, false, &limits, &head, &length), HTTP_PARSE_DONE);
    return head;
}

/* Exactly the memory that the size function asks for: a buf that fails shows that it asks for too little. */
static struct str upstream_text(const struct upstream_head *head)
{
    size_t size = upstream_head_size(head);
    struct buf out;
    buf_init_fixed(&out, malloc(size), size);
    upstream_head_write(&out, head);
    assert_true(buf_ok(&out));
    return buf_str(&out);
}

static struct str answer_text(const struct answer_head *head)
{
    size_t size = answer_head_size(head);
    struct buf out;
    buf_init_fixed(&out, malloc(size), size);
    answer_head_write(&out, head);
    assert_true(buf_ok(&out));
    return buf_str(&out);
}

static void drop(struct str text)
{
    free((void *)(uintptr_t)text.ptr);
}

static size_t count_fields(const struct http_head *head, struct str name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        count += str_eq_nocase(head->fields[i].name, name);
    return count;
}

static void test_request_to_the_server(void **state)
{
    struct http_head client = parsed_request(
        STR("POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: gateway\r\nUser-Agent: ua\r\nAccept: "
            "text/event-stream\r\n"
            "Content-Type: application/json\r\nContent-Length: 5\r\nAuthorization: Bearer client-secret\r\n"
            "Accept-Encoding: gzip\r\nX-Request-Id: theirs\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
            "traceparent: 00-a-b-01\r\n\r\n"));
    struct server_config server = {
        .endpoint = {.authority = STR("api.example:8443"), .base_path = STR("/openai/v1")},
        .api_key = STR("server-secret")};
    struct upstream_head head = {
        .client = &client, .server = &server, .request_id = STR("id-1"), .has_body = true, .body_size = 77};
    struct str text = upstream_text(&head);
    (void)state;
    struct str expected =
        STR("POST /openai/v1/chat/completions?a=b HTTP/1.1\r\nHost: api.example:8443\r\nUser-Agent: ua\r\n"
            "Accept: text/event-stream\r\nContent-Type: application/json\r\ntraceparent: 00-a-b-01\r\n"
            "Authorization: Bearer server-secret\r\nContent-Length: 77\r\nX-Request-ID: id-1\r\n\r\n");
    if (!str_eq(text, expected))
        fail_msg("wrote " STR_FMT, STR_ARG(text));
    drop(text);
}

static void test_base_paths(void **state)
{
    static const struct {
        const char *target, *base_path, *expected;
    } cases[] = {
        {"/v1/chat/completions", "/v1", "/v1/chat/completions"},
        {"/v1/chat/completions", "/openai/v1", "/openai/v1/chat/completions"},
        {"/v1/models", "/prefix/v1", "/prefix/v1/models"},
        {"/v1/embeddings", "/v1beta/openai", "/v1beta/openai/embeddings"},
        {"/v1/embeddings", "", "/embeddings"},
        {"/v1/x?y=/v1/z", "/v1", "/v1/x?y=/v1/z"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[200];
        int len = snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].target);
        struct http_head client = parsed_request((struct str){bytes, (size_t)len});
        struct server_config server = {
            .endpoint = {.authority = STR("a"), .base_path = str_from(cases[i].base_path)}};
        struct upstream_head head = {.client = &client, .server = &server, .request_id = STR("i")};
        struct str text = upstream_text(&head);
        struct http_head written = parsed_request(text);
        assert_true(str_eq(written.target, str_from(cases[i].expected)));
        assert_null(http_head_find(&written, STR("Authorization"))); /* the server needs none */
        assert_null(http_head_find(&written, STR("Content-Length")));
        drop(text);
    }
}

/* Fields that must not pass, in any spelling; the others must. */
static const char *const client_secrets[] = {
    "Authorization",   "X-Api-Key",  "Api-Key",      "X-Goog-Api-Key", "Cookie",      "Proxy-Authorization",
    "Connection",      "Keep-Alive", "TE",           "Trailer",        "Upgrade",     "Expect",
    "Accept-Encoding", "X-User",     "X-Request-Id", "X-Listed",       "Proxy-Thing", "Proxy-Connection",
};
static const char *const server_secrets[] = {
    "Set-Cookie",          "Server-Timing",      "X-Retry-Count", "Alt-Svc", "X-Fairlead-Server",
    "X-Fairlead-Queue-Ms", "Connection",         "Keep-Alive",    "Trailer", "Upgrade",
    "X-Request-Id",        "Proxy-Authenticate", "X-Listed",      "TE",
};
static const char *const harmless[] = {"Accept",       "X-Thing",         "OpenAI-Organization",
                                       "Content-Type", "X-Authorization", "Keys"};

static struct str spelled(struct rng *rng, const char *name, char *out)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(rng_below(rng, 2) ? toupper(name[i]) : tolower(name[i]));
    return (struct str){out, len};
}

/* A head of random fields: `head` has room for their text. Every value says whether it may pass. */
static void add_random_fields(struct rng *rng, struct buf *head, const char *const *secrets,
                              size_t secret_count)
{
    size_t count = rng_below(rng, 40);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        bool is_secret = rng_below(rng, 2);
        const char *from =
            is_secret ? secrets[rng_below(rng, secret_count)] : harmless[rng_below(rng, ARRAY_LEN(harmless))];
        if (is_secret &&
            (strcmp(from, "Expect") == 0 || strcmp(from, "Connection") == 0 || strcmp(from, "Upgrade") == 0))
            continue; /* the parser gives these a meaning of its own */
        buf_add(head, spelled(rng, from, name));
        buf_printf(head, ": %s%0*d\r\n", is_secret ? "SECRET" : "passes", (int)rng_below(rng, 200) + 1, 0);
    }
}

static size_t count_values(struct str text, struct str value)
{
    size_t count = 0;
    for (ssize_t at; (at = str_find(text, value)) >= 0; count++)
        text = str_from_offset(text, (size_t)at + value.len);
    return count;
}

static void test_random_requests(void **state)
{
    struct rng rng;
    (void)state;
    rng_init(&rng, 2024);
    for (unsigned round = 0; round < 3000; round++) {
        struct buf bytes;
        char authority[260], path[260];
        buf_init(&bytes, 65536);
        buf_printf(&bytes, "POST /v1/x%0*d HTTP/1.1\r\nHost: SECRET\r\nConnection: close, x-listed\r\n",
                   (int)rng_below(&rng, 300) + 1, 0);
        add_random_fields(&rng, &bytes, client_secrets, ARRAY_LEN(client_secrets));
        buf_add(&bytes, STR("\r\n"));
        struct http_head client = parsed_request(buf_str(&bytes));
        memset(authority, 'a', sizeof(authority));
        memset(path, '/', sizeof(path));
        struct server_config server = {.endpoint = {.authority = {authority, rng_below(&rng, 256) + 1},
                                                    .base_path = {path, rng_below(&rng, 256)}},
                                       .api_key = {authority, rng_below(&rng, 256)}};
        struct upstream_head head = {.client = &client,
                                     .server = &server,
                                     .request_id = {authority, rng_below(&rng, 129)},
                                     .has_body = rng_below(&rng, 2),
                                     .body_size = rng_next(&rng)};
        struct str text = upstream_text(&head);
        struct http_head written = parsed_request(text);
        assert_int_equal(str_find(text, STR("SECRET")), -1);
        assert_int_equal(count_values(text, STR("passes")), count_values(buf_str(&bytes), STR("passes")));
        assert_int_equal(count_fields(&written, STR("Host")), 1);
        assert_int_equal(count_fields(&written, STR("X-Request-ID")), 1);
        assert_int_equal(count_fields(&written, STR("Authorization")), server.api_key.len > 0);
        assert_int_equal(written.framing, head.has_body ? HTTP_BODY_LENGTH : HTTP_BODY_NONE);
        if (head.has_body)
            assert_true(written.content_length == head.body_size);
        drop(text);
        buf_free(&bytes);
    }
}

static void test_random_answers(void **state)
{
    struct rng rng;
    (void)state;
    rng_init(&rng, 2025);
    for (unsigned round = 0; round < 3000; round++) {
        struct buf bytes;
        char filler[260];
        memset(filler, 'f', sizeof(filler));
        buf_init(&bytes, 65536);
        buf_printf(&bytes, "HTTP/1.1 %d %.*s\r\nConnection: X-Listed\r\nContent-Length: 99\r\n",
                   200 + (int)rng_below(&rng, 400), (int)rng_below(&rng, 200), filler);
        add_random_fields(&rng, &bytes, server_secrets, ARRAY_LEN(server_secrets));
        buf_add(&bytes, STR("\r\n"));
        struct http_head upstream = parsed_response(buf_str(&bytes));
        struct answer_head head = {
            .upstream = &upstream,
            .request_id = {filler, rng_below(&rng, 129)},
            .server_name = {filler, rng_below(&rng, 200)},
            .timing = {rng_next(&rng), rng_next(&rng), rng_next(&rng), rng_next(&rng), rng_next(&rng)},
            .retries = (unsigned)rng_next(&rng),
            .is_stream = rng_below(&rng, 2),
            .is_chunked = rng_below(&rng, 2),
            .has_length = true,
            .length = rng_next(&rng),
            .keep_alive = rng_below(&rng, 2)};
        struct str text = answer_text(&head);
        struct http_head written = parsed_response(text);
        assert_int_equal(written.status, upstream.status);
        assert_int_equal(str_find(text, STR("SECRET")), -1);
        assert_int_equal(count_values(text, STR("passes")), count_values(buf_str(&bytes), STR("passes")));
        assert_int_equal(count_fields(&written, STR("X-Request-ID")), 1);
        assert_int_equal(count_fields(&written, STR("Server-Timing")), 1);
        assert_int_equal(count_fields(&written, STR("Content-Length")), !head.is_chunked);
        assert_int_equal(count_fields(&written, STR("Transfer-Encoding")), head.is_chunked);
        if (upstream.status != 204 && upstream.status != 304)
            assert_int_equal(written.keep_alive, head.keep_alive);
        drop(text);
        buf_free(&bytes);
    }
}

static void test_answer_to_the_client(void **state)
{
    struct http_head upstream = parsed_response(
        STR("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            "X-Request-Id: theirs\r\nSet-Cookie: a=b\r\nx-ratelimit-remaining: 9\r\n\r\n"));
    struct answer_head head = {.upstream = &upstream,
                               .request_id = STR("id-1"),
                               .server_name = STR("gpu1"),
                               .timing = {1, 1002, 20030, 3000004, 12},
                               .retries = 2,
                               .is_stream = true,
                               .is_chunked = true};
    struct str text = answer_text(&head);
    (void)state;
    struct str expected =
        STR("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Type: text/event-stream\r\nx-ratelimit-remaining: 9\r\n"
            "Transfer-Encoding: chunked\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\nX-Request-ID: "
            "id-1\r\n"
            "X-Fairlead-Server: gpu1\r\nX-Fairlead-Queue-Ms: 1\r\nX-Retry-Count: 2\r\n"
            "Server-Timing: parse;dur=0.001, queue;dur=1.002, connect;dur=20.030, ttfb;dur=3000.004, "
            "overhead;dur=0.012\r\nConnection: close\r\n\r\n");
    if (!str_eq(text, expected))
        fail_msg("wrote " STR_FMT, STR_ARG(text));
    drop(text);
}

static void test_server_knows_better_about_caching(void **state)
{
    struct http_head upstream = parsed_response(STR(
        "HTTP/1.1 200 OK\r\ncache-control: no-store\r\nX-ACCEL-Buffering: yes\r\nContent-Length: 0\r\n\r\n"));
    struct answer_head head = {.upstream = &upstream, .is_stream = true, .keep_alive = true};
    struct str text = answer_text(&head);
    struct http_head written = parsed_response(text);
    (void)state;
    assert_int_equal(count_fields(&written, STR("Cache-Control")), 1);
    assert_int_equal(count_fields(&written, STR("X-Accel-Buffering")), 1);
    assert_true(str_eq(http_head_value(&written, STR("Cache-Control")), STR("no-store")));
    assert_int_equal(count_fields(&written, STR("X-Retry-Count")), 0);
    assert_int_equal(count_fields(&written, STR("X-Fairlead-Server")), 0); /* no server: no name */
    drop(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_to_the_server),
        cmocka_unit_test(test_base_paths),
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_random_answers),
        cmocka_unit_test(test_answer_to_the_client),
        cmocka_unit_test(test_server_knows_better_about_caching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
