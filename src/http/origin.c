/* SPDX-License-Identifier: Apache-2.0 */
#include "http/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

static void origin_on_sweep(struct wheel_timer *timer);

enum err origin_init(struct origin *origin, struct loop *loop, const struct origin_limits *limits,
                     struct str host, uint16_t port, SSL_CTX *tls)
{
    *origin = (struct origin){.loop = loop, .limits = limits};
    list_init(&origin->idle);
    list_init(&origin->busy);
    wheel_timer_init(&origin->sweep, origin_on_sweep);
    origin->resolver = resolver_new(loop, host, port);
    origin->host = strndup(host.ptr, host.len);
    if (!origin->resolver || !origin->host) {
        resolver_free(origin->resolver);
        free(origin->host);
        return ERR_NO_MEMORY;
    }
    if (tls) {
        SSL_CTX_up_ref(tls);
        origin->tls = tls;
    }
    return ERR_OK;
}

static void origin_destroy(struct origin *origin)
{
    timer_stop(origin->loop, &origin->sweep);
    resolver_free(origin->resolver);
    SSL_CTX_free(origin->tls);
    free(origin->host);
    if (origin->on_closed)
        origin->on_closed(origin);
}

void origin_close(struct origin *origin, void (*on_closed)(struct origin *))
{
    origin->is_closing = true;
    origin->on_closed = on_closed;
    while (!list_is_empty(&origin->idle))
        upstream_close(LIST_ITEM(origin->idle.next, struct upstream_conn, node));
    if (origin->open_count == 0)
        origin_destroy(origin);
}

/* ---- connections ---- */

static void upstream_on_closed(struct sock *sock)
{
    struct upstream_conn *conn = CONTAINER_OF(sock, struct upstream_conn, sock);
    struct origin *origin = conn->origin;
    buf_free(&conn->in);
    free(conn);
    if (--origin->open_count == 0 && origin->is_closing)
        origin_destroy(origin);
}

/* An idle connection has nothing to say: an end, an error or bytes all mean that it is of no use. */
static void upstream_on_event(struct sock *sock, unsigned events)
{
    struct upstream_conn *conn = CONTAINER_OF(sock, struct upstream_conn, sock);
    if (conn->exchange)
        exchange_on_event(conn, events);
    else
        upstream_close(conn);
}

void upstream_close(struct upstream_conn *conn)
{
    if (conn->sock.is_closing)
        return;
    if (!conn->exchange && conn->idle_since)
        conn->origin->idle_count--;
    list_remove(&conn->node);
    conn->exchange = NULL;
    sock_close(&conn->sock);
}

static int connect_socket(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (connect(fd, &address->any, address->size) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static enum err upstream_set_tls(struct upstream_conn *conn)
{
    SSL *session = tls_client_session(conn->origin->tls, conn->origin->host);
    if (!session)
        return ERR_NO_MEMORY;
    sock_set_tls(&conn->sock, session);
    return ERR_OK;
}

struct upstream_conn *origin_connect(struct origin *origin, const struct address *address, enum err *ret_err)
{
    struct upstream_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        *ret_err = ERR_NO_MEMORY;
        return NULL;
    }
    int fd = connect_socket(address);
    if (fd < 0 || sock_init(&conn->sock, origin->loop, fd, upstream_on_event, upstream_on_closed) != ERR_OK) {
        free(conn);
        *ret_err = ERR_REFUSED;
        return NULL;
    }
    conn->origin = origin;
    conn->opened_at = loop_now(origin->loop);
    buf_init(&conn->in, origin->limits->head.head_bytes + LOOP_SCRATCH_SIZE);
    list_push_back(&origin->busy, &conn->node);
    origin->open_count++;
    if (origin->tls && upstream_set_tls(conn) != ERR_OK) {
        upstream_close(conn);
        *ret_err = ERR_NO_MEMORY;
        return NULL;
    }
    sock_want(&conn->sock, SOCK_WRITABLE); /* tells that the connection is there, or failed */
    return conn;
}

/* ---- keeping them ---- */

static bool upstream_is_usable(const struct upstream_conn *conn, usec_t now)
{
    const struct origin_limits *limits = conn->origin->limits;
    return now - conn->idle_since < limits->keep_idle && now - conn->opened_at < limits->max_age;
}

struct upstream_conn *origin_take_idle(struct origin *origin)
{
    while (!list_is_empty(&origin->idle)) {
        struct upstream_conn *conn = LIST_ITEM(origin->idle.prev, struct upstream_conn, node);
        if (!upstream_is_usable(conn, loop_now(origin->loop))) {
            upstream_close(conn);
            continue;
        }
        list_remove(&conn->node);
        list_push_back(&origin->busy, &conn->node);
        origin->idle_count--;
        conn->idle_since = 0;
        return conn;
    }
    return NULL;
}

void origin_keep(struct upstream_conn *conn)
{
    struct origin *origin = conn->origin;
    conn->exchange = NULL;
    if (origin->is_closing || origin->idle_count >= origin->limits->max_idle) {
        upstream_close(conn);
        return;
    }
    list_remove(&conn->node);
    list_push_back(&origin->idle, &conn->node);
    origin->idle_count++;
    conn->idle_since = loop_now(origin->loop);
    buf_free(&conn->in);
    sock_want(&conn->sock, SOCK_READABLE);
    if (!wheel_timer_is_running(&origin->sweep))
        timer_start(origin->loop, &origin->sweep, origin->limits->keep_idle);
}

/* Closes what has been idle too long; the longest idle stand first. */
static void origin_on_sweep(struct wheel_timer *timer)
{
    struct origin *origin = CONTAINER_OF(timer, struct origin, sweep);
    usec_t now = loop_now(origin->loop);
    while (!list_is_empty(&origin->idle)) {
        struct upstream_conn *conn = LIST_ITEM(origin->idle.next, struct upstream_conn, node);
        if (upstream_is_usable(conn, now)) {
            usec_t idle = now - conn->idle_since;
            timer_start(origin->loop, &origin->sweep, origin->limits->keep_idle - idle);
            return;
        }
        upstream_close(conn);
    }
}
