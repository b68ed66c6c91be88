/* SPDX-License-Identifier: Apache-2.0 */
/* Answering, and every way in which a connection ends. Reading: test_conn.c. */
#include "../../../src/http/conn_write.c"

#include "conn_fixture.h"

#define LARGE_PAGE ((size_t)32 << 20)
#define ASK STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
#define CHUNKED_HEAD STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

static struct client ask_and_hold(struct str request)
{
    unsigned before = requests;
    struct client client = client_open();
    manner = HOLD;
    client_send(&client, request);
    RUN_UNTIL(requests == before + 1);
    return client;
}

static void assert_got(struct client *client, struct str expected)
{
    RUN_UNTIL((client_read(client), client->got.len >= expected.len));
    if (!str_eq(buf_str(&client->got), expected))
        fail_msg("got " STR_FMT, STR_ARG(buf_str(&client->got)));
}

static void test_reply(void **state)
{
    struct client client = ask_and_hold(ASK);
    (void)state;
    http_conn_reply(held, 404, TEXT, STR("X-A: 1\r\nX-B: 2\r\n"), STR("body"));
    assert_got(&client,
               STR("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nX-A: 1\r\n"
                   "X-B: 2\r\n\r\nbody"));
    client_close(&client);
}

static void test_chunks(void **state)
{
    struct client client = ask_and_hold(ASK);
    struct str pieces[] = {STR("ab"), STR_NONE, STR("cde")};
    (void)state;
    http_conn_send(held, CHUNKED_HEAD);
    held->reply_chunked = true;
    http_conn_send_body(held, pieces, 3);
    http_conn_send_body(held, pieces, 0); /* nothing is no chunk: an empty one would be the end */
    http_conn_send_body(held, &pieces[1], 1);
    http_conn_flush(held);
    http_conn_send_body(held, pieces, 1);
    http_conn_finish(held);
    assert_got(
        &client,
        STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n2\r\nab\r\n0\r\n\r\n"));
    client_close(&client);
}

/* More pieces than one gathering holds; none is lost, and order is kept. */
static void test_many_pieces(void **state)
{
    static char digits[3000];
    struct client client = ask_and_hold(ASK);
    struct buf expected;
    (void)state;
    buf_init(&expected, 1 << 20);
    buf_add(&expected, CHUNKED_HEAD);
    http_conn_send(held, CHUNKED_HEAD);
    held->reply_chunked = true;
    for (size_t i = 0; i < sizeof(digits); i++) {
        struct str piece = {&digits[i], 1};
        digits[i] = (char)('0' + i % 10);
        http_conn_send_body(held, &piece, 1);
        buf_printf(&expected, "1\r\n%c\r\n", digits[i]);
    }
    http_conn_finish(held);
    buf_add(&expected, CHUNKED_LAST);
    assert_got(&client, buf_str(&expected));
    buf_free(&expected);
    client_close(&client);
}

/* Answers of two connections that are added in turns do not mix. */
static void test_two_at_once(void **state)
{
    struct client one = ask_and_hold(ASK);
    struct http_conn *first = held;
    struct client other = ask_and_hold(ASK);
    struct http_conn *second = held;
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        http_conn_send(first, STR("a"));
        http_conn_send(second, STR("b"));
    }
    http_conn_flush(first);
    http_conn_flush(second);
    assert_got(&one, STR("aaaaaaaaaa"));
    assert_got(&other, STR("bbbbbbbbbb"));
    http_conn_abort(first);
    http_conn_abort(second);
    RUN_UNTIL(service.conn_count == 0);
    client_close(&one);
    client_close(&other);
}

/* A page of metrics of a large installation, to a client that takes its time. */
static void test_a_large_page(void **state)
{
    struct client client = ask_and_hold(ASK);
    struct buf page;
    (void)state;
    buf_init(&page, LARGE_PAGE);
    assert_true(buf_reserve(&page, LARGE_PAGE));
    memset(page.ptr, 'x', LARGE_PAGE);
    page.len = LARGE_PAGE;
    http_conn_reply(held, 200, TEXT, STR_NONE, buf_str(&page));
    buf_free(&page);
    turns(10);
    RUN_UNTIL((client_read(&client), client.got.len > LARGE_PAGE || client.saw_end || client.saw_reset));
    assert_true(client.got.len > LARGE_PAGE);
    assert_int_equal(client.got.ptr[client.got.len - 1], 'x');
    client_close(&client);
}

static void test_backpressure(void **state)
{
    static char block[200000];
    struct client client = ask_and_hold(ASK);
    struct str piece = {block, sizeof(block)};
    size_t sent = 0;
    (void)state;
    memset(block, 'x', sizeof(block));
    for (unsigned round = 1; round <= 3; round++) {
        while (!http_conn_is_backed_up(held)) {
            http_conn_send(held, piece);
            http_conn_flush(held);
            sent += piece.len;
        }
        assert_int_equal(drains, round - 1);
        RUN_UNTIL((client_read(&client), drains == round));
        assert_false(http_conn_is_backed_up(held));
    }
    RUN_UNTIL((client_read(&client), client.got.len == sent));
    http_conn_finish(held);
    assert_int_equal(hangups, 0);
    client_close(&client);
}

/* A complete answer that the client takes slowly; its next request waits for its end. */
static void test_slow_client_gets_all(void **state)
{
    struct client client = ask_and_hold(ASK);
    size_t size = 12 << 20;
    char *body = malloc(size);
    (void)state;
    memset(body, 'y', size);
    service.limits.write_timeout = 300 * USEC_PER_MSEC; /* between two steps, not for all of it */
    for (size_t at = 0; at < size;) { /* what the socket does not take is kept: up to 4 MiB */
        if (http_conn_is_backed_up(held)) {
            usec_t until = clock_monotonic() + 100 * USEC_PER_MSEC;
            RUN_UNTIL(clock_monotonic() >= until);
            RUN_UNTIL((client_read(&client), !http_conn_is_backed_up(held)));
        }
        http_conn_send(held, (struct str){body + at, 1 << 20});
        http_conn_flush(held);
        at += 1 << 20;
    }
    http_conn_finish(held);
    free(body);
    client_send(&client, ASK);
    RUN_UNTIL((client_read(&client), requests == 2));
    assert_int_equal(client.got.len, size);
    assert_int_equal(hangups, 0);
    client_close(&client);
}

static void test_client_that_takes_nothing(void **state)
{
    static char block[1 << 20];
    struct client client = ask_and_hold(ASK);
    (void)state;
    service.limits.write_timeout = 50 * USEC_PER_MSEC;
    while (!http_conn_is_backed_up(held)) {
        http_conn_send(held, (struct str){block, sizeof(block)});
        http_conn_flush(held);
    }
    RUN_UNTIL(hangups == 1);
    client_close(&client);
    assert_int_equal(hangups, 1);
}

static void test_hang_up_is_told_once(void **state)
{
    (void)state;
    for (int reset = 0; reset < 3; reset++) {
        struct client client = ask_and_hold(ASK);
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        hangups = 0;
        if (reset == 1)
            setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        if (reset == 2) /* the end stands behind bytes that are not read while busy */
            client_send(&client, ASK);
        client_close(&client);
        assert_int_equal(hangups, 1);
    }
    /* Between requests there is nobody to tell. */
    struct client client = client_open();
    hangups = 0;
    manner = REPLY;
    client_send(&client, ASK);
    RUN_UNTIL(client_has(&client, "GET / 0"));
    client_close(&client);
    assert_int_equal(hangups, 0);
}

/* The write meets the broken connection before any event does. */
static void test_hang_up_found_by_writing(void **state)
{
    struct client client = ask_and_hold(ASK);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)state;
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(client.fd);
    http_conn_send(held, STR("x"));
    http_conn_flush(held);
    assert_int_equal(hangups, 0); /* no callback from within */
    http_conn_send(held, STR("more"));
    http_conn_flush(held);
    RUN_UNTIL(service.conn_count == 0);
    assert_int_equal(hangups, 1);
    buf_free(&client.got);
}

static void test_abort_is_a_reset(void **state)
{
    struct client client = ask_and_hold(ASK);
    (void)state;
    http_conn_send(held, CHUNKED_HEAD);
    http_conn_flush(held);
    RUN_UNTIL(client_has(&client, "chunked"));
    http_conn_abort(held);
    RUN_UNTIL(client_is_left(&client));
    assert_true(client.saw_reset && !client.saw_end);
    assert_int_equal(hangups, 0);
    client_close(&client);
}

static void test_connection_is_closed_when_wanted(void **state)
{
    static const struct {
        const char *request;
        bool closes;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client client = client_open();
        client_send(&client, str_from(rows[i].request));
        client_send(&client, ASK); /* behind a close nothing is read */
        RUN_UNTIL(client_has(&client, "GET / 0"));
        if (rows[i].closes)
            RUN_UNTIL(client_is_left(&client));
        else
            RUN_UNTIL(client_count(&client, "GET / 0") == 2);
        assert_int_equal(client_has(&client, "Connection: close\r\n"), rows[i].closes);
        assert_int_equal(client_count(&client, "GET / 0"), rows[i].closes ? 1 : 2);
        assert_false(client.saw_reset);
        client_close(&client);
    }
}

/* The answer comes before the body: it arrives whole although the client goes on sending. */
static void test_early_reply_with_unread_body(void **state)
{
    static char body[3 << 20];
    (void)state;
    memset(body, 'b', sizeof(body));
    manner = REPLY_AT_HEAD;
    for (int all_at_once = 0; all_at_once < 2; all_at_once++) {
        struct client client = client_open();
        fcntl(client.fd, F_SETFL, O_NONBLOCK);
        if (!all_at_once) {
            client_send(&client, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n"));
            turns(3);
            for (unsigned i = 0; i < 30; i++) {
                client_send(&client, (struct str){body, sizeof(body) / 30});
                turn();
            }
            RUN_UNTIL(client_is_left(&client)); /* not every body is worth to be read */
        } else {                                /* one that has come already does not cost the connection */
            client_send(&client, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"));
            client_send(&client, ASK);
            RUN_UNTIL(client_count(&client, "early") == 2);
        }
        assert_true(client_has(&client, "HTTP/1.1 401"));
        assert_true(client_has(&client, "early"));
        assert_false(client.saw_reset);
        client_close(&client);
    }
    assert_int_equal(requests, 0); /* nor for the GET: it was answered at its head too */
}

static void test_drain(void **state)
{
    struct client idle = client_open(), busy = ask_and_hold(ASK);
    (void)state;
    http_service_drain(&service);
    RUN_UNTIL(client_is_left(&idle));
    assert_false(idle.saw_reset);
    RUN_UNTIL(service.conn_count == 1);
    assert_int_equal(empties, 0);
    http_conn_reply(held, 200, TEXT, STR_NONE, STR("last"));
    RUN_UNTIL(client_has(&busy, "last"));
    assert_true(client_has(&busy, "Connection: close\r\n"));
    RUN_UNTIL(client_is_left(&busy));
    close(busy.fd);
    buf_free(&busy.got);
    RUN_UNTIL(service.conn_count == 0);
    assert_int_equal(empties, 1);
    client_close(&idle);
}

static void test_time_limits(void **state)
{
    static const struct {
        const char *bytes;
        int status; /* 0: just closed */
    } rows[] = {
        {"", 0},
        {"GET / HT", 408},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", 408},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", 408},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
    };
    (void)state;
    service.limits.head_timeout = service.limits.body_timeout = service.limits.idle_timeout =
        40 * USEC_PER_MSEC;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client client = client_open();
        bad_status = 0;
        usec_t start = clock_monotonic();
        client_send(&client, str_from(rows[i].bytes));
        RUN_UNTIL(client_is_left(&client));
        assert_true(clock_monotonic() - start >= 35 * USEC_PER_MSEC);
        assert_int_equal(bad_status, rows[i].status);
        client_close(&client);
    }
}

static void test_head_limit_counts_from_the_first_byte(void **state)
{
    struct client client = client_open();
    (void)state;
    service.limits.head_timeout = 60 * USEC_PER_MSEC;
    client_send(&client, STR("GET / HTTP/1.1\r\n"));
    for (unsigned i = 0; i < 200 && bad_status == 0; i++) { /* a byte now and then does not help */
        client_send(&client, STR("X"));
        turns(5);
    }
    assert_int_equal(bad_status, 408);
    client_close(&client);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, service_begin, service_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_reply),
        CASE(test_chunks),
        CASE(test_many_pieces),
        CASE(test_two_at_once),
        CASE(test_a_large_page),
        CASE(test_backpressure),
        CASE(test_slow_client_gets_all),
        CASE(test_client_that_takes_nothing),
        CASE(test_hang_up_is_told_once),
        CASE(test_hang_up_found_by_writing),
        CASE(test_abort_is_a_reset),
        CASE(test_connection_is_closed_when_wanted),
        CASE(test_early_reply_with_unread_body),
        CASE(test_drain),
        CASE(test_time_limits),
        CASE(test_head_limit_counts_from_the_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
