/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, time limits, sending, pausing. The shapes of answers: test_exchange.c. */
#include "../../../src/http/exchange.c"

#include "exchange_fixture.h"

#define OK_ANSWER STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
#define LARGE ((size_t)24 << 20) /* far more than socket buffers hold */

static char *large_request(size_t *ret_size)
{
    char *bytes = malloc(LARGE);
    assert_non_null(bytes);
    int head =
        snprintf(bytes, LARGE, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", LARGE - 100);
    for (size_t i = (size_t)head; i < LARGE; i++)
        bytes[i] = (char)('a' + i % 23);
    *ret_size = LARGE - 100 + (size_t)head;
    return bytes;
}

static void test_reuse_takes_the_latest(void **state)
{
    struct trial *first = trial_new((struct trial){0}), *second = trial_new((struct trial){0}),
                 *third = trial_new((struct trial){0});
    (void)state;
    trial_start(first, REQUEST);
    trial_start(second, REQUEST);
    assert_false(first->exchange.is_reused);
    peer_send(await_request(0, REQUEST), OK_ANSWER);
    RUN_UNTIL(first->ends == 1);
    peer_send(await_request(1, REQUEST), OK_ANSWER);
    RUN_UNTIL(second->ends == 1);
    assert_int_equal(origin.idle_count, 2);
    trial_start(third, REQUEST);
    assert_true(third->exchange.is_reused);
    peer_send(await_request(1, REQUEST), OK_ANSWER);
    RUN_UNTIL(third->ends == 1);
    assert_answer(third, ERR_OK, 200, STR("ok"));
    assert_int_equal(peer_count, 2);
    assert_int_equal(origin.idle_count, 2);
    trial_end(first);
    trial_end(second);
    trial_end(third);
}

static void keep_one(void)
{
    struct trial *trial = trial_new((struct trial){0});
    struct str answer = OK_ANSWER;
    trial_run(trial, peer_count, &answer, 1, false);
    assert_int_equal(origin.idle_count, 1);
    trial_end(trial);
}

/* The server closes the kept connection at the moment the next request is on its way. */
static void test_stale_connection_is_replaced_once(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct trial *trial = trial_new((struct trial){0});
        size_t next = peer_count + 1;
        keep_one();
        if (reset)
            peer_reset(&peers[next - 1]);
        else
            peer_close(&peers[next - 1]);
        trial_start(trial, REQUEST); /* before the loop could see the end */
        assert_true(trial->exchange.is_reused);
        struct peer *peer = await_request(next, REQUEST);
        assert_false(trial->exchange.is_reused);
        if (reset == 0) {
            peer_send(peer, OK_ANSWER);
            RUN_UNTIL(trial->ends == 1);
            assert_answer(trial, ERR_OK, 200, STR("ok"));
            upstream_close(LIST_ITEM(origin.idle.next, struct upstream_conn, node));
        } else {
            peer_close(peer); /* a fresh one that dies is not replaced */
            RUN_UNTIL(trial->ends == 1);
            assert_answer(trial, ERR_CLOSED, 0, STR(""));
        }
        assert_int_equal(peer_count, next + 1);
        trial_end(trial);
    }
}

static void test_reused_connection_that_answered_is_not_replaced(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    keep_one();
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(0, REQUEST);
    peer_send(peer, STR("HTTP/1.1 2"));
    peer_close(peer);
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_CLOSED, 0, STR(""));
    assert_int_equal(peer_count, 1);
    trial_end(trial);
}

static void test_idle_connections_end(void **state)
{
    (void)state;
    limits.keep_idle = 300 * USEC_PER_MSEC;
    keep_one();
    peer_close(&peers[0]); /* the server closes it */
    RUN_UNTIL(origin.idle_count == 0);
    keep_one();
    peer_send(&peers[1], STR("HTTP/1.1 408 Request Timeout\r\n\r\n")); /* or speaks out of turn */
    RUN_UNTIL(origin.idle_count == 0);
    keep_one(); /* or it is idle for too long */
    RUN_UNTIL(origin.idle_count == 0 && origin.open_count == 0);
    assert_true(peer_is_left(&peers[2]));
    limits.max_idle = 0; /* or none are to be kept */
    struct trial *trial = trial_new((struct trial){0});
    struct str answer = OK_ANSWER;
    trial_run(trial, 3, &answer, 1, false);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    assert_int_equal(origin.idle_count, 0);
    trial_end(trial);
}

static void test_old_connections_are_not_used(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    keep_one();
    limits.max_age = 0;
    trial_start(trial, REQUEST);
    assert_false(trial->exchange.is_reused);
    peer_send(await_request(1, REQUEST), OK_ANSWER);
    RUN_UNTIL(trial->ends == 1);
    trial_end(trial);
}

/* Waits for ERR_TIMEOUT; it came neither early nor much too late. */
static void assert_times_out(struct trial *trial, usec_t start, usec_t limit)
{
    RUN_UNTIL(trial->ends == 1);
    usec_t passed = clock_monotonic() - start;
    assert_int_equal(trial->err, ERR_TIMEOUT);
    assert_true(passed >= limit && passed < limit + 2 * USEC_PER_SEC);
    trial_end(trial);
}

static void test_first_byte_timeout(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    limits.first_byte_timeout = 60 * USEC_PER_MSEC;
    usec_t start = loop_now(&loop);
    trial_start(trial, REQUEST);
    await_request(0, REQUEST);
    assert_times_out(trial, start, limits.first_byte_timeout);
    RUN_UNTIL(peer_is_left(&peers[0]));
}

static void test_idle_timeout(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    limits.idle_timeout = 60 * USEC_PER_MSEC;
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(0, REQUEST);
    peer_send(peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"));
    RUN_UNTIL(trial->heads == 1);
    for (unsigned i = 1; i <= 3;
         i++) { /* each piece gives it new time: all of it takes longer than the limit */
        usec_t until = clock_monotonic() + 35 * USEC_PER_MSEC;
        RUN_UNTIL(clock_monotonic() >= until);
        assert_int_equal(trial->ends, 0);
        peer_send(peer, STR("x"));
        RUN_UNTIL(trial->datas == i);
    }
    assert_times_out(trial, clock_monotonic() - 5 * USEC_PER_MSEC, limits.idle_timeout - 5 * USEC_PER_MSEC);
}

static void test_connect_fails(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    struct origin nobody;
    struct iovec piece = {.iov_base = (void *)(uintptr_t)REQUEST.ptr, .iov_len = REQUEST.len};
    struct address address;
    int fd;
    (void)state;
    assert_true(address_parse(STR("127.0.0.1"), 0, &address));
    assert_int_equal(listener_reserve(&address, &fd), ERR_OK);
    close(fd); /* nobody listens there now */
    assert_int_equal(origin_init(&nobody, &loop, &limits, STR("127.0.0.1"), address_port(&address), NULL),
                     ERR_OK);
    exchange_start(&trial->exchange, &nobody, &trial_handler, false, &piece, 1);
    assert_int_equal(trial->ends, 0);
    RUN_UNTIL(trial->ends == 1);
    assert_int_equal(trial->err, ERR_REFUSED);
    RUN_UNTIL(nobody.open_count == 0);
    size_t closed = origin_closed;
    origin_close(&nobody, origin_on_closed);
    assert_int_equal(origin_closed, closed + 1);
}

static void test_cancel_before_the_answer(void **state)
{
    (void)state;
    for (int stage = 0; stage < 2; stage++) { /* while connecting, while waiting */
        struct trial *trial = trial_new((struct trial){0});
        trial_start(trial, REQUEST);
        if (stage == 1)
            await_request(1, REQUEST);
        exchange_cancel(&trial->exchange);
        exchange_cancel(&trial->exchange);
        RUN_UNTIL(origin.open_count == 0 && peer_count == (size_t)stage + 1);
        assert_int_equal(trial->ends, 0);
        trial_end(trial);
    }
}

static void test_pause_and_resume(void **state)
{
    struct trial *trial = trial_new((struct trial){.pause_at_head = true});
    (void)state;
    limits.idle_timeout = 50 * USEC_PER_MSEC; /* does not run while paused */
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(0, REQUEST);
    peer_send(peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"));
    RUN_UNTIL(trial->heads == 1);
    peer_send(peer, STR("data"));
    usec_t until = clock_monotonic() + 150 * USEC_PER_MSEC;
    RUN_UNTIL(clock_monotonic() >= until);
    assert_int_equal(trial->datas + trial->ends, 0);
    exchange_resume(&trial->exchange);
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR("data"));
    trial_end(trial);
}

/* Turns that the loop makes within a while, with no help from the test: a loop that has nothing to do sleeps. */
static unsigned turns_within(usec_t duration)
{
    unsigned turns = 0;
    usec_t until = clock_monotonic() + duration;
    uv_timer_start(&kick, on_kick, 10, 10);
    while (clock_monotonic() < until) {
        uv_run(&loop.uv, UV_RUN_ONCE);
        turns++;
    }
    uv_timer_start(&kick, on_kick, 1, 1);
    return turns;
}

static void test_large_request_and_slow_server(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    size_t size;
    char *request = large_request(&size);
    (void)state;
    trial_start(trial, (struct str){request, size});
    RUN_UNTIL(peer_count == 1);
    while (peers[0].got.len < size) {
        peer_read(&peers[0], 3 << 20);
        turn();
    }
    assert_memory_equal(peers[0].got.ptr, request, size);
    peer_send(&peers[0], OK_ANSWER);
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    assert_int_equal(origin.idle_count, 1);
    trial_end(trial);
    free(request);
}

/* exchange.h and origin.h: the first-byte limit runs from the last byte of the request. */
static void test_slow_upload_is_not_a_late_answer(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    size_t size;
    char *request = large_request(&size);
    (void)state;
    limits.first_byte_timeout = 150 * USEC_PER_MSEC;
    trial_start(trial, (struct str){request, size});
    RUN_UNTIL(peer_count == 1);
    while (peers[0].got.len < size && trial->ends == 0) {
        usec_t until = clock_monotonic() + 30 * USEC_PER_MSEC;
        RUN_UNTIL(clock_monotonic() >= until);
        peer_read(&peers[0], 2 << 20);
    }
    assert_int_equal(trial->ends, 0);
    peer_send(&peers[0], OK_ANSWER);
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    trial_end(trial);
    free(request);
}

/* A refusal that does not wait for the body: it is taken, and the connection is not used again. */
static void test_early_answer_while_sending(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct trial *trial = trial_new((struct trial){0});
        size_t size, index = peer_count;
        char *request = large_request(&size);
        trial_start(trial, (struct str){request, size});
        RUN_UNTIL(peer_count == index + 1);
        peer_read(&peers[index], 1000);
        peer_send(&peers[index], STR("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"));
        if (!reset)
            shutdown(peers[index].fd, SHUT_WR);
        RUN_UNTIL(trial->ends == 1);
        assert_answer(trial, ERR_OK, 413, STR("no"));
        assert_int_equal(origin.idle_count, 0);
        trial_end(trial);
        free(request);
    }
}

/* A server that begins to answer while the request still comes, and reads on: it gets the rest (the answer may depend
 * on it), and the loop sleeps while there is nothing to do. */
static void test_answer_begins_while_sending(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    size_t size;
    char *request = large_request(&size);
    (void)state;
    trial_start(trial, (struct str){request, size});
    RUN_UNTIL(peer_count == 1);
    peer_send(&peers[0], STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"));
    RUN_UNTIL(trial->datas == 1);
    for (unsigned i = 0; i < 200 && peers[0].got.len < size; i++) {
        peer_read(&peers[0], SIZE_MAX);
        turn();
    }
    unsigned turns = turns_within(200 * USEC_PER_MSEC);
    if (turns > 100)
        fail_msg("the loop spins: %u turns in 200 ms with nothing to do", turns);
    RUN_UNTIL(peer_has(&peers[0], size));
    peer_send(&peers[0], STR("cd"));
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR("abcd"));
    trial_end(trial);
    free(request);
}

static void test_pause_does_not_stop_sending(void **state)
{
    struct trial *trial = trial_new((struct trial){.pause_at_head = true});
    size_t size;
    char *request = large_request(&size);
    (void)state;
    trial_start(trial, (struct str){request, size});
    RUN_UNTIL(peer_count == 1);
    peer_send(&peers[0], STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"));
    RUN_UNTIL(trial->heads == 1);
    exchange_resume(&trial->exchange);
    RUN_UNTIL(peer_has(&peers[0], size));
    peer_send(&peers[0], STR("ok"));
    RUN_UNTIL(trial->ends == 1);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    trial_end(trial);
    free(request);
}

static void test_origin_closes_after_its_exchange(void **state)
{
    struct trial *trial = trial_new((struct trial){0});
    (void)state;
    keep_one();
    trial_start(trial, REQUEST);
    struct peer *peer = await_request(0, REQUEST);
    origin_close(&origin, origin_on_closed);
    turn();
    assert_int_equal(origin_closed, 0);
    peer_send(peer, OK_ANSWER);
    RUN_UNTIL(trial->ends == 1 && origin_closed == 1);
    assert_answer(trial, ERR_OK, 200, STR("ok"));
    trial_end(trial);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, upstream_begin, upstream_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reuse_takes_the_latest),
        TEST(test_stale_connection_is_replaced_once),
        TEST(test_reused_connection_that_answered_is_not_replaced),
        TEST(test_idle_connections_end),
        TEST(test_old_connections_are_not_used),
        TEST(test_first_byte_timeout),
        TEST(test_idle_timeout),
        TEST(test_connect_fails),
        TEST(test_cancel_before_the_answer),
        TEST(test_pause_and_resume),
        TEST(test_large_request_and_slow_server),
        TEST(test_slow_upload_is_not_a_late_answer),
        TEST(test_early_answer_while_sending),
        TEST(test_answer_begins_while_sending),
        TEST(test_pause_does_not_stop_sending),
        TEST(test_origin_closes_after_its_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
