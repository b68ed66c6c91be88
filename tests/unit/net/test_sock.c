/* SPDX-License-Identifier: Apache-2.0 */
/* A sock against a plain descriptor as its peer. */
#include "../../../src/net/sock.c"

#include "net/address.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP 30 /* seconds; the alarm then ends the process, whatever it waits for */

static struct loop loop;
static struct address address; /* where the peer listens */
static int listening, peer;
static struct sock sock;
static unsigned events, event_count, closed_count;
static bool closes_at_event;

static void on_closed(struct sock *closed)
{
    assert_ptr_equal(closed, &sock);
    closed_count++;
}

static void on_event(struct sock *of, unsigned seen)
{
    assert_ptr_equal(of, &sock);
    assert_int_equal(closed_count, 0);
    assert_false(of->is_closing);
    events |= seen;
    event_count++;
    if (closes_at_event)
        sock_close(of);
}

static void await(unsigned wanted)
{
    while ((events & wanted) != wanted)
        uv_run(&loop.uv, UV_RUN_ONCE);
    events = 0;
}

/* Runs one turn that something other than the sock ends. */
static void turn_without_event(void)
{
    unsigned before = event_count;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(event_count, before);
}

/* Begins to connect the sock to `address`. */
static void sock_begin(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &address.any, address.size), -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(sock_init(&sock, &loop, fd, on_event, on_closed), ERR_OK);
    sock_want(&sock, SOCK_WRITABLE);
    await(SOCK_WRITABLE);
}

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    events = event_count = closed_count = 0;
    closes_at_event = false;
    sock = (struct sock){0};
    peer = -1;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (loop_init(&loop) != ERR_OK || !address_parse(STR("127.0.0.1"), 0, &address) ||
        bind(listening, &address.any, address.size) != 0 ||
        getsockname(listening, &address.any, &address.size) != 0)
        return -1;
    return 0;
}

static int begin_connected(void **state)
{
    if (begin(state) != 0 || listen(listening, 1) != 0)
        return -1;
    sock_begin();
    peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    return peer >= 0 && sock_error(&sock) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    if (sock.loop) {
        sock_close(&sock);
        loop_settle(&loop);
        assert_int_equal(closed_count, 1);
    }
    if (peer >= 0)
        close(peer);
    close(listening);
    loop_fini(&loop);
    alarm(0);
    return 0;
}

static void peer_send(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void peer_reset(void)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(peer);
    peer = -1;
}

static void assert_read(size_t size, const char *expected)
{
    char bytes[64];
    size_t n = 0;
    assert_true(size <= sizeof(bytes));
    assert_int_equal(sock_read(&sock, bytes, size, &n), IO_OK);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(bytes, expected, n);
}

static void assert_no_read(enum io expected)
{
    char byte;
    size_t n = 4711;
    assert_int_equal(sock_read(&sock, &byte, 1, &n), expected);
    assert_int_equal(n, 4711); /* untouched */
}

/* Bound without listening: nobody else can take the port, and connections are refused. */
static void test_refused(void **state)
{
    (void)state;
    sock_begin();
    assert_int_equal(sock_error(&sock), ECONNREFUSED);
}

static void test_init_fails(void **state)
{
    struct sock none;
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* cannot be waited for */
    assert_true(fd >= 0);
    assert_int_equal(sock_init(&none, &loop, fd, on_event, on_closed), ERR_SYSTEM);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed all the same */
    assert_int_equal(errno, EBADF);
}

static void test_read(void **state)
{
    (void)state;
    assert_no_read(IO_AGAIN);
    sock_want(&sock, SOCK_READABLE);
    turn_without_event();
    peer_send("hello");
    await(SOCK_READABLE);
    assert_read(2, "he");
    await(SOCK_READABLE); /* what is left is told of again */
    assert_read(64, "llo");
    assert_no_read(IO_AGAIN);
    turn_without_event();
    sock_want(&sock, 0);
    peer_send("later");
    turn_without_event();
    sock_want(&sock, SOCK_READABLE);
    await(SOCK_READABLE);
    assert_read(64, "later");
}

static void test_peer_closes(void **state)
{
    char byte;
    (void)state;
    sock_want(&sock, SOCK_HANGUP);
    peer_send("bye");
    turn_without_event();
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    await(SOCK_HANGUP); /* though nothing was read */
    sock_want(&sock, SOCK_READABLE);
    await(SOCK_READABLE);
    assert_read(64, "bye");
    await(SOCK_READABLE);
    assert_no_read(IO_EOF);
    assert_int_equal(sock_error(&sock), 0);
    size_t n; /* the other direction is open still */
    assert_int_equal(sock_writev(&sock, &(struct iovec){"x", 1}, 1, &n), IO_OK);
    assert_int_equal(recv(peer, &byte, 1, 0), 1);
}

static void test_peer_resets(void **state)
{
    size_t n = 4711;
    (void)state;
    sock_want(&sock, SOCK_HANGUP);
    peer_reset();
    await(SOCK_HANGUP); /* though nothing was read */
    assert_no_read(IO_FAIL);
    for (unsigned round = 0; round < 2; round++) /* and no signal ends the process */
        assert_int_equal(sock_writev(&sock, &(struct iovec){"x", 1}, 1, &n), IO_FAIL);
    assert_int_equal(n, 4711);
}

/* ---- writing ---- */

#define PIECES 3

/* The byte at `at` of the stream that is sent: no period that a lost or doubled piece could hide in. */
static char byte_at(size_t at)
{
    return (char)(at * 2654435761u >> 13);
}

/* Checks and drops what the peer has received behind the first *io_at bytes; blocks for the first of it. */
static void peer_take(size_t *io_at)
{
    static char bytes[1 << 16];
    ssize_t n = recv(peer, bytes, sizeof(bytes), 0);
    assert_true(n > 0);
    for (ssize_t i = 0; i < n; i++)
        assert_true(bytes[i] == byte_at(*io_at + (size_t)i));
    *io_at += (size_t)n;
}

/* Offers `total` bytes in three pieces, always all that is left, to a peer that reads only when nothing goes.
 */
static void check_writes(size_t total)
{
    char *bytes = malloc(total);
    size_t written = 0, taken = 0, stalls = 0, partial = 0;
    assert_non_null(bytes);
    for (size_t i = 0; i < total; i++)
        bytes[i] = byte_at(i);
    while (written < total) {
        size_t n = 4711, left = total - written;
        size_t sizes[PIECES] = {left / 7, left / 2, left - left / 7 - left / 2};
        struct iovec pieces[PIECES];
        for (size_t i = 0, at = written; i < PIECES; at += sizes[i++])
            pieces[i] = (struct iovec){bytes + at, sizes[i]};
        if (sock_writev(&sock, pieces, PIECES, &n) == IO_OK) {
            assert_true(n > 0 && n <= left);
            partial += n < left;
            written += n;
            continue;
        }
        assert_int_equal(n, 4711);
        stalls++;
        sock_want(&sock, SOCK_WRITABLE);
        events = 0;
        while (!(events & SOCK_WRITABLE)) {
            if (taken < written)
                peer_take(&taken);
            uv_run(&loop.uv, UV_RUN_NOWAIT);
        }
        sock_want(&sock, 0);
    }
    while (taken < written)
        peer_take(&taken);
    assert_int_equal(taken, total);
    assert_true(total < 65536 || (stalls > 0 && partial > 0));
    free(bytes);
}

static void test_partial_writes(void **state)
{
    static const size_t totals[] = {7, 100, JOIN_MAX - 1, JOIN_MAX, JOIN_MAX + 1, 30000, 1 << 20};
    int small = 16384;
    (void)state;
    assert_int_equal(setsockopt(sock.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (size_t i = 0; i < ARRAY_LEN(totals); i++)
        check_writes(totals[i]);
}

/* ---- the end ---- */

static void test_shutdown(void **state)
{
    char byte;
    size_t n;
    (void)state;
    assert_int_equal(sock_writev(&sock, &(struct iovec){"x", 1}, 1, &n), IO_OK);
    sock_shutdown(&sock);
    assert_int_equal(recv(peer, &byte, 1, 0), 1);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    peer_send("answer");
    sock_want(&sock, SOCK_READABLE);
    await(SOCK_READABLE);
    assert_read(64, "answer");
}

static void test_close_and_reset(void **state)
{
    bool resets = *state != NULL;
    char byte;
    sock_want(&sock, SOCK_READABLE | SOCK_WRITABLE); /* an event is due */
    if (resets)
        sock_reset(&sock);
    sock_close(&sock);
    sock_reset(&sock);
    sock_want(&sock, SOCK_READABLE);
    assert_int_equal(closed_count, 0);
    unsigned before = event_count;
    loop_settle(&loop);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(event_count, before);
    assert_int_equal(closed_count, 1);
    assert_int_equal(recv(peer, &byte, 1, 0), resets ? -1 : 0);
    assert_true(!resets || errno == ECONNRESET);
}

static void test_close_within_event(void **state)
{
    (void)state;
    closes_at_event = true;
    sock_want(&sock, SOCK_READABLE | SOCK_WRITABLE | SOCK_HANGUP);
    peer_reset(); /* also on the way that reports errors */
    while (closed_count == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    turn_without_event();
    assert_int_equal(closed_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_connected, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_init_fails, begin, end),
        TEST(test_read),
        TEST(test_peer_closes),
        TEST(test_peer_resets),
        TEST(test_partial_writes),
        TEST(test_shutdown),
        TEST(test_close_and_reset),
        cmocka_unit_test_prestate_setup_teardown(test_close_and_reset, begin_connected, end, &listening),
        TEST(test_close_within_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
