/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted server in the same loop as the exchange that is tested: it listens on the loopback, takes whatever
 * comes, and answers each connection with the bytes of a script, piece by piece. */
#pragma once

#include "http/origin.h"
#include "http/upstream.h"
#include "net/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define PEERS_MAX 8
#define GIVE_UP (5 * USEC_PER_SEC)

/* One accepted connection of the server. */
struct peer {
    int fd;
    struct buf got;
    bool saw_end; /* the client has closed */
};

static struct loop loop;
static struct listener server;
static struct address server_address;
static struct peer peers[PEERS_MAX];
static size_t peer_count;
static size_t server_closed, origin_closed;
static struct origin origin;
static struct origin_limits limits;
static uv_timer_t kick; /* keeps a turn from sleeping while a test polls the plain sockets */

static void on_kick(uv_timer_t *timer)
{
    (void)timer;
}

static void server_on_accept(struct listener *listener, int fd, const struct address *peer)
{
    (void)listener;
    (void)peer;
    assert_true(peer_count < PEERS_MAX);
    peers[peer_count] = (struct peer){.fd = fd};
    buf_init(&peers[peer_count].got, 64 << 20);
    peer_count++;
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_ONCE);
}

/* Runs turns until `done` is true; fails the test when it takes too long. */
#define RUN_UNTIL(done)                                                                                      \
    do {                                                                                                     \
        usec_t give_up_at_ = clock_monotonic() + GIVE_UP;                                                    \
        while (!(done)) {                                                                                    \
            if (clock_monotonic() > give_up_at_)                                                             \
                fail_msg("never came: %s", #done);                                                           \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

/* Takes up to `most` bytes of what the client has sent so far. */
static void peer_read(struct peer *peer, size_t most)
{
    char bytes[16384];
    while (most > 0) {
        ssize_t n = recv(peer->fd, bytes, MIN(most, sizeof(bytes)), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            peer->saw_end = true;
        if (n <= 0)
            return;
        buf_add(&peer->got, (struct str){bytes, (size_t)n});
        most -= (size_t)n;
    }
}

static bool peer_has(struct peer *peer, size_t size)
{
    peer_read(peer, SIZE_MAX);
    return peer->got.len >= size;
}

static bool peer_is_left(struct peer *peer)
{
    peer_read(peer, SIZE_MAX);
    return peer->saw_end;
}

static void peer_send(struct peer *peer, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(peer->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        assert_true(n > 0);
        bytes = str_from_offset(bytes, (size_t)n);
    }
}

static void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

static void peer_reset(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    peer_close(peer);
}

static void server_on_closed(struct listener *listener)
{
    (void)listener;
    server_closed++;
}

static void origin_on_closed(struct origin *closed)
{
    (void)closed;
    origin_closed++;
}

static int upstream_begin(void **state)
{
    int fd;
    (void)state;
    peer_count = server_closed = origin_closed = 0;
    limits = (struct origin_limits){
        .head = {.line_bytes = 4096, .head_bytes = 8192, .field_count = 64},
        .connect_timeout = 3 * USEC_PER_SEC,
        .first_byte_timeout = 3 * USEC_PER_SEC,
        .idle_timeout = 3 * USEC_PER_SEC,
        .keep_idle = 60 * USEC_PER_SEC,
        .max_age = 60 * USEC_PER_SEC,
        .dns_ttl = USEC_PER_SEC,
        .max_idle = 4,
    };
    if (loop_init(&loop) != ERR_OK || !address_parse(STR("127.0.0.1"), 0, &server_address) ||
        listener_reserve(&server_address, &fd) != ERR_OK ||
        listener_open(&server, &loop, &server_address, fd, server_on_accept) != ERR_OK)
        return -1;
    uv_timer_init(&loop.uv, &kick);
    uv_timer_start(&kick, on_kick, 1, 1);
    return origin_init(&origin, &loop, &limits, STR("127.0.0.1"), address_port(&server_address), NULL) ==
                   ERR_OK
               ? 0
               : -1;
}

static int upstream_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < peer_count; i++) {
        peer_close(&peers[i]);
        buf_free(&peers[i].got);
    }
    LIST_EACH (node, &origin.busy) /* left behind by a test that failed */
        exchange_cancel(LIST_ITEM(node, struct upstream_conn, node)->exchange);
    listener_close(&server, server_on_closed);
    if (!origin.is_closing)
        origin_close(&origin, origin_on_closed);
    RUN_UNTIL(server_closed && origin_closed);
    uv_close((uv_handle_t *)&kick, NULL);
    loop_fini(&loop);
    return 0;
}
