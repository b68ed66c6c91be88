/* SPDX-License-Identifier: Apache-2.0 */
/* Reading requests, in every piece and order. Writing, closing and time limits: test_conn_write.c. */
#include "../../../src/http/conn.c"

#include "conn_fixture.h"

static void assert_seen(const char *text)
{
    if (!str_eq(buf_str(&seen), str_from(text)))
        fail_msg("bodies: " STR_FMT, STR_ARG(buf_str(&seen)));
}

static const struct sample {
    const char *bytes, *body, *answer;
} samples[] = {
    {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", ";", "GET /a 0"},
    {"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "hello;", "POST /b 5"},
    {"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", ";", "POST /c 0"},
    {"POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=f\r\nde\r\n0\r\nT: "
     "v\r\n\r\n",
     "abcde;", "POST /d 5"},
    {"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ";", "POST /e 0"},
    {"\r\nGET /f HTTP/1.1\r\nHost: h\r\n\r\n", ";", "GET /f 0"},
};

static void test_cut_at_every_byte(void **state)
{
    struct client client = client_open();
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        for (size_t cut = 0; cut < strlen(samples[i].bytes); cut++) {
            buf_clear(&seen);
            buf_clear(&client.got);
            client_send(&client, (struct str){samples[i].bytes, cut});
            turns(2);
            assert_int_equal(client.got.len, 0);
            client_send(&client, str_from(samples[i].bytes + cut));
            RUN_UNTIL(client_has(&client, samples[i].answer));
            assert_seen(samples[i].body);
        }
    }
    assert_int_equal(service.conn_count, 1); /* all on one connection */
    assert_int_equal(bads + hangups, 0);
    client_close(&client);
}

static void test_byte_by_byte(void **state)
{
    struct client client = client_open();
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        buf_clear(&seen);
        for (size_t at = 0; samples[i].bytes[at]; at++) {
            client_send(&client, (struct str){samples[i].bytes + at, 1});
            turn();
        }
        RUN_UNTIL(client_has(&client, samples[i].answer));
        assert_seen(samples[i].body);
    }
    client_close(&client);
}

/* All at once, and cut anywhere: each is answered, in order, none twice. */
static void test_pipelined(void **state)
{
    char all[2048] = "";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        strcat(all, samples[i].bytes);
    for (size_t cut = 0; cut < strlen(all); cut += 5) {
        struct client client = client_open();
        buf_clear(&seen);
        requests = 0;
        client_send(&client, (struct str){all, cut});
        turns(1);
        client_send(&client, str_from(all + cut));
        RUN_UNTIL(client_count(&client, "HTTP/1.1 200 OK") == ARRAY_LEN(samples));
        turns(3);
        assert_int_equal(requests, ARRAY_LEN(samples));
        assert_seen(";hello;;abcde;;;");
        ssize_t before = -1;
        for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
            ssize_t at = str_find(buf_str(&client.got), str_from(samples[i].answer));
            assert_true(at > before);
            before = at;
        }
        client_close(&client);
    }
}

/* The next request waits until the present one is answered. */
static void test_pipelined_waits_its_turn(void **state)
{
    struct client client = client_open();
    (void)state;
    manner = HOLD;
    client_send(&client, STR("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"));
    RUN_UNTIL(requests == 1);
    client_send(&client, STR("GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(5);
    assert_int_equal(heads, 1);
    for (unsigned i = 2; i <= 3; i++) {
        http_conn_reply(held, 200, TEXT, STR_NONE, STR("ok"));
        RUN_UNTIL(requests == i);
    }
    assert_string_equal(request_line, "GET /3");
    http_conn_reply(held, 200, TEXT, STR_NONE, STR("ok"));
    RUN_UNTIL(client_count(&client, "\r\n\r\nok") == 3);
    client_close(&client);
    assert_int_equal(hangups, 0);
}

/* More than one head's worth of pipelined bytes is left in the kernel, and is read on in time. */
static void test_many_pipelined_are_not_hoarded(void **state)
{
    struct client client = client_open();
    struct buf all;
    (void)state;
    buf_init(&all, 1 << 20);
    for (unsigned i = 0; i < 3000; i++)
        buf_printf(&all, "GET /%u HTTP/1.1\r\nHost: h\r\n\r\n", i);
    manner = HOLD;
    client_send(&client, buf_str(&all));
    RUN_UNTIL(requests == 1);
    turns(20);
    assert_true(held->in.len <= service.limits.head.head_bytes + LOOP_SCRATCH_SIZE);
    manner = REPLY;
    http_conn_reply(held, 200, TEXT, STR_NONE, STR("ok"));
    RUN_UNTIL(client_count(&client, "HTTP/1.1 200 OK") == 3000);
    assert_true(client_has(&client, "GET /2999 0"));
    buf_free(&all);
    client_close(&client);
}

static void test_large_bodies(void **state)
{
    static const size_t sizes[] = {16383, 16384, 65536, 65537, 1 << 20, (5 << 20) + 3};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            struct client client = client_open();
            struct buf all;
            buf_clear(&seen);
            buf_init(&all, 8 << 20);
            buf_printf(&all,
                       chunked ? "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n"
                               : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                       sizes[i]);
            size_t head = all.len;
            for (size_t n = 0; n < sizes[i]; n++)
                buf_add_char(&all, (char)('a' + n % 25));
            buf_add(&all, chunked ? STR("\r\n0\r\n\r\n") : STR_NONE);
            buf_add(&all, STR("GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
            for (size_t at = 0; at < all.len; at += 200000) { /* in pieces: the test is the only sender */
                client_send(&client, (struct str){all.ptr + at, MIN(all.len - at, 200000)});
                turns(4);
            }
            RUN_UNTIL(client_has(&client, "GET /next 0"));
            assert_int_equal(seen.len, sizes[i] + 2);
            assert_memory_equal(seen.ptr, all.ptr + head, sizes[i]);
            buf_free(&all);
            client_close(&client);
        }
    }
}

static void test_continue(void **state)
{
    struct client client = client_open();
    (void)state;
    client_send(&client,
                STR("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    RUN_UNTIL(client_has(&client, "HTTP/1.1 100 Continue\r\n\r\n"));
    client_send(&client, STR("ok"));
    RUN_UNTIL(client_has(&client, "POST / 2"));
    buf_clear(&client.got);
    /* The body is here already: no need to ask for it. */
    client_send(&client,
                STR("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok"));
    RUN_UNTIL(client_has(&client, "POST / 2"));
    assert_false(client_has(&client, "100 Continue"));
    /* A refusal instead. */
    buf_clear(&client.got);
    manner = REPLY_AT_HEAD;
    client_send(&client,
                STR("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    RUN_UNTIL(client_has(&client, "early"));
    assert_false(client_has(&client, "100 Continue"));
    client_close(&client);
}

static void test_refused(void **state)
{
    static const struct {
        const char *bytes;
        int status;
    } rows[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client client = client_open();
        client_send(&client, str_from(rows[i].bytes));
        client_send(&client, STR("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
        RUN_UNTIL(client_is_left(&client));
        assert_int_equal(bad_status, rows[i].status);
        assert_int_equal(client_count(&client, "Content-Length: "), 1);
        assert_true(client_has(&client, "Connection: close\r\n"));
        assert_false(client.saw_reset); /* it would destroy the answer on its way */
        client_close(&client);
    }
    assert_int_equal(requests, 0);
}

static void test_limits(void **state)
{
    static char target[8192];
    struct buf all;
    (void)state;
    memset(target, 'a', sizeof(target));
    buf_init(&all, 65536);
    buf_printf(&all, "GET /%.*s HTTP/1.1\r\nHost: h\r\n\r\n", 2000, target);
    for (unsigned round = 0; round < 3; round++) {
        struct client client = client_open();
        client_send(&client, buf_str(&all));
        RUN_UNTIL(client_is_left(&client));
        assert_int_equal(bad_status, round == 0 ? 414 : round == 1 ? 431 : 413);
        assert_int_equal(client_count(&client, "HTTP/1.1"), 1);
        client_close(&client);
        buf_clear(&all);
        if (round == 0) {
            buf_add(&all, STR("GET / HTTP/1.1\r\nHost: h\r\n"));
            for (unsigned i = 0; i < 8; i++)
                buf_printf(&all, "X-%u: %.*s\r\n", i, 900, target);
        } else { /* chunks have no announced length: the limit is met on the way */
            service.limits.body_bytes = 100;
            buf_add(&all, STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
            for (unsigned i = 0; i < 3; i++)
                buf_printf(&all, "28\r\n%.*s\r\n", 40, target);
        }
    }
    buf_free(&all);
}

/* A bad head behind a HEAD request is answered as what it is: with a body. */
static void test_bad_head_behind_a_head_request(void **state)
{
    struct client client = client_open();
    (void)state;
    client_send(&client, STR("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    RUN_UNTIL(client_has(&client, "\r\n\r\n"));
    assert_false(client_has(&client, "HEAD /x 0")); /* the head alone */
    client_send(&client, STR("nonsense\r\n\r\n"));
    RUN_UNTIL(client_is_left(&client));
    assert_true(client_has(&client, "the request is not well-formed HTTP"));
    client_close(&client);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, service_begin, service_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cut_at_every_byte),
        CASE(test_byte_by_byte),
        CASE(test_pipelined),
        CASE(test_pipelined_waits_its_turn),
        CASE(test_many_pipelined_are_not_hoarded),
        CASE(test_large_bodies),
        CASE(test_continue),
        CASE(test_refused),
        CASE(test_limits),
        CASE(test_bad_head_behind_a_head_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
