/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: from accept to the handler, in the order of a connection's life. Writing is in conn_write.c. */
#include "http/conn_internal.h"

#include <stdlib.h>
#include <unistd.h>

#define LINGER_TIME (2 * USEC_PER_SEC)
#define OUT_MAX ((size_t)40 << 20) /* the longest page that is answered whole, and more; a cap, not a target */
#define CONTINUE_LINE STR("HTTP/1.1 100 Continue\r\n\r\n")

static void conn_read_requests(struct http_conn *conn, struct str bytes);

void http_service_init(struct http_service *service, struct loop *loop, const struct http_handler *handler,
                       struct body_pool *bodies, void *owner)
{
    *service = (struct http_service){.loop = loop, .handler = handler, .owner = owner, .bodies = bodies};
    list_init(&service->conns);
}

/* ---- the end of a connection ---- */

static void conn_on_closed(struct sock *sock)
{
    struct http_conn *conn = CONTAINER_OF(sock, struct http_conn, sock);
    struct http_service *service = conn->service;
    list_remove(&conn->node);
    service->conn_count--;
    buf_free(&conn->in);
    buf_free(&conn->out);
    body_free(service->bodies, &conn->body);
    free(conn);
    if (service->is_draining && service->conn_count == 0 && service->on_empty)
        service->on_empty(service);
}

static void conn_close(struct http_conn *conn, bool reset)
{
    if (conn->state == CONN_CLOSED)
        return;
    conn->state = CONN_CLOSED;
    if (conn->service->gather.conn == conn)
        conn->service->gather.conn = NULL;
    timer_stop(conn->service->loop, &conn->timer);
    task_cancel(&conn->after);
    if (reset)
        sock_reset(&conn->sock);
    else
        sock_close(&conn->sock);
}

/* The client has gone. */
static void conn_hang_up(struct http_conn *conn)
{
    if (conn->request && conn->state != CONN_CLOSED)
        conn->service->handler->on_hangup(conn);
    conn->request = NULL;
    conn_close(conn, false);
}

void http_conn_abort(struct http_conn *conn)
{
    conn->request = NULL;
    conn_close(conn, true);
}

/* Closing with unread input makes the kernel send a reset, which can destroy the answer on its way (RFC 9112 section
 * 9.6): so the write side is closed first, and input is read and dropped until the client closes too. */
static void conn_linger(struct http_conn *conn)
{
    conn->state = CONN_LINGER;
    sock_shutdown(&conn->sock);
    sock_want(&conn->sock, SOCK_READABLE);
    timer_start(conn->service->loop, &conn->timer, LINGER_TIME);
}

/* ---- between two requests ---- */

static void conn_await(struct http_conn *conn, enum conn_state state, usec_t timeout)
{
    conn->state = state;
    timer_start(conn->service->loop, &conn->timer, timeout);
}

/* The answer has gone out whole. */
void conn_next(struct http_conn *conn)
{
    bool body_unread = conn->body_framing != HTTP_BODY_NONE;
    conn->is_replied = false;
    body_free(conn->service->bodies, &conn->body);
    if (body_unread) {
        conn_linger(conn);
        return;
    }
    if (!http_conn_keeps_alive(conn)) {
        conn_linger(conn);
        return;
    }
    conn_await(conn, CONN_IDLE, conn->service->limits.idle_timeout);
    sock_want(&conn->sock, SOCK_READABLE | SOCK_HANGUP);
    if (conn->in.len > 0)
        loop_defer(conn->service->loop, &conn->after);
    else
        buf_free(&conn->in);
}

static void conn_after(struct task *task)
{
    struct http_conn *conn = CONTAINER_OF(task, struct http_conn, after);
    if (conn->is_broken)
        conn_hang_up(conn);
    else if (conn->state == CONN_IDLE && conn->in.len > 0)
        conn_read_requests(conn, STR_NONE);
}

/* ---- reading a request ---- */

static void conn_refuse(struct http_conn *conn, int status, const char *why)
{
    conn->keep_alive = false;
    conn->body_framing = HTTP_BODY_LENGTH; /* whatever follows is not a request: linger, never parse on */
    conn->state = CONN_BUSY;
    timer_stop(conn->service->loop, &conn->timer);
    conn->service->handler->on_bad(conn, status, why);
}

static void conn_refuse_head(struct http_conn *conn, enum http_parse why)
{
    conn->is_head_method = false; /* that was the request before */
    switch (why) {
    case HTTP_PARSE_URI_TOO_LONG:
        conn_refuse(conn, 414, "the request line is too long");
        return;
    case HTTP_PARSE_HEAD_TOO_LARGE:
        conn_refuse(conn, 431, "the request head is too large");
        return;
    case HTTP_PARSE_VERSION:
        conn_refuse(conn, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        return;
    case HTTP_PARSE_UNSUPPORTED:
        conn_refuse(conn, 501, "the only transfer coding spoken here is chunked");
        return;
    default:
        conn_refuse(conn, 400, "the request is not well-formed HTTP");
    }
}

/* The body is complete, or there is none. */
static void conn_dispatch(struct http_conn *conn)
{
    conn->body_framing = HTTP_BODY_NONE;
    conn->state = CONN_BUSY;
    timer_stop(conn->service->loop, &conn->timer);
    conn->service->handler->on_request(conn);
}

static void conn_take_length(struct http_conn *conn, struct str *io_bytes)
{
    size_t n = (size_t)MIN((uint64_t)io_bytes->len, conn->body_left);
    memcpy(conn->body.ptr + conn->body.len, io_bytes->ptr, n);
    conn->body.len += n;
    conn->body_left -= n;
    *io_bytes = str_from_offset(*io_bytes, n);
    if (conn->body_left == 0)
        conn_dispatch(conn);
}

static void conn_take_chunked(struct http_conn *conn, struct str *io_bytes)
{
    for (;;) {
        struct str data = STR_NONE;
        switch (chunked_next(&conn->chunked, io_bytes, &data)) {
        case CHUNKED_MORE:
            return;
        case CHUNKED_BAD:
            conn_refuse(conn, 400, "the chunked body is malformed");
            return;
        case CHUNKED_END:
            conn_dispatch(conn);
            return;
        case CHUNKED_DATA:
            break;
        }
        size_t needed = conn->body.len + data.len;
        if (needed > conn->service->limits.body_bytes) {
            conn_refuse(conn, 413, "the request body is too large");
            return;
        }
        size_t room = needed <= conn->body.room ? needed : MAX(needed, 2 * conn->body.room);
        if (body_reserve(conn->service->bodies, &conn->body, room) != ERR_OK) {
            conn_refuse(conn, 413, "no memory for the request body");
            return;
        }
        memcpy(conn->body.ptr + conn->body.len, data.ptr, data.len);
        conn->body.len = needed;
    }
}

static void conn_take_body(struct http_conn *conn, struct str *io_bytes)
{
    if (conn->body_framing == HTTP_BODY_CHUNKED)
        conn_take_chunked(conn, io_bytes);
    else
        conn_take_length(conn, io_bytes);
}

/* The handler has accepted the head: make room for the body, and ask for it if the client waits to be asked. */
static void conn_expect_body(struct http_conn *conn, bool some_is_here)
{
    if (conn->body_framing == HTTP_BODY_LENGTH &&
        body_reserve(conn->service->bodies, &conn->body, (size_t)conn->body_left) != ERR_OK) {
        conn_refuse(conn, 413, "no memory for the request body");
        return;
    }
    if (conn->expects_continue && !some_is_here) {
        http_conn_send(conn, CONTINUE_LINE);
        http_conn_flush(conn);
    }
    conn_await(conn, CONN_BODY, conn->service->limits.body_timeout);
}

static void conn_begin_request(struct http_conn *conn, const struct http_head *head, bool some_body_is_here)
{
    conn->keep_alive = head->keep_alive;
    conn->is_http10 = head->minor_version == 0;
    conn->is_head_method = str_eq(head->method, STR("HEAD"));
    conn->expects_continue = head->expect_continue;
    conn->reply_chunked = false;
    conn->body_framing = (uint8_t)head->framing;
    conn->body_left = head->content_length;
    conn->chunked = (struct chunked){0};
    if (head->framing == HTTP_BODY_LENGTH && head->content_length == 0)
        conn->body_framing = HTTP_BODY_NONE;
    if (conn->body_framing == HTTP_BODY_LENGTH && conn->body_left > conn->service->limits.body_bytes) {
        conn_refuse(conn, 413, "the request body is too large");
        return;
    }
    conn->state = CONN_BUSY;
    conn->service->handler->on_head(conn, head);
    if (conn->state != CONN_BUSY || conn->is_replied)
        return;
    if (conn->body_framing == HTTP_BODY_NONE)
        conn_dispatch(conn);
    else
        conn_expect_body(conn, some_body_is_here);
}

/* A reply made at the head does not wait for the body. What has come of it already is dropped; if that is all, the
 * connection can go on. */
static void conn_skip_body(struct http_conn *conn, struct str *io_bytes)
{
    if (conn->body_framing == HTTP_BODY_LENGTH && conn->body_left <= io_bytes->len) {
        *io_bytes = str_from_offset(*io_bytes, (size_t)conn->body_left);
        conn->body_framing = HTTP_BODY_NONE;
    }
}

/* Reads one head from `io_bytes`; false when more input is needed or the connection is done. */
static bool conn_read_head(struct http_conn *conn, struct str *io_bytes)
{
    struct http_head head;
    size_t length = 0;
    enum http_parse parse =
        http_parse_request(*io_bytes, conn->in_scanned, &conn->service->limits.head, &head, &length);
    if (parse == HTTP_PARSE_MORE) {
        conn->in_scanned = io_bytes->len;
        return false;
    }
    conn->in_scanned = 0;
    if (parse != HTTP_PARSE_DONE) {
        conn_refuse_head(conn, parse);
        return false;
    }
    *io_bytes = str_from_offset(*io_bytes, length);
    conn_begin_request(conn, &head, io_bytes->len > 0);
    if (conn->is_replied && conn->body_framing != HTTP_BODY_NONE)
        conn_skip_body(conn, io_bytes);
    return true;
}

/* Pipelined bytes wait; beyond one head's worth the socket is left unread, and only a hang-up is watched for. */
static void conn_limit_ahead(struct http_conn *conn)
{
    if (!buf_ok(&conn->in))
        conn_hang_up(conn);
    else if (conn->state == CONN_BUSY && conn->in.len >= conn->service->limits.head.head_bytes)
        sock_want(&conn->sock, conn->sock.wanted & ~(unsigned)SOCK_READABLE);
}

/* Keeps what could not be used yet. `rest` may view conn->in itself or the scratch buffer. */
static void conn_keep_rest(struct http_conn *conn, struct str rest, bool is_from_in)
{
    if (is_from_in) {
        buf_consume(&conn->in, conn->in.len - rest.len);
    } else {
        buf_clear(&conn->in);
        buf_add(&conn->in, rest);
    }
    conn_limit_ahead(conn);
}

/* Works off input: `bytes` fresh from the socket, or, when empty, what conn->in holds. */
static void conn_read_requests(struct http_conn *conn, struct str bytes)
{
    bool is_from_in = conn->in.len > 0;
    if (is_from_in) {
        buf_add(&conn->in, bytes);
        if (!buf_ok(&conn->in)) {
            conn_hang_up(conn);
            return;
        }
        bytes = buf_str(&conn->in);
    }
    conn->is_handling = true;
    if (conn->state == CONN_IDLE && bytes.len > 0) {
        conn->head_at = loop_now(conn->service->loop);
        conn_await(conn, CONN_HEAD, conn->service->limits.head_timeout);
    }
    if (conn->state == CONN_HEAD)
        conn_read_head(conn, &bytes);
    if (conn->state == CONN_BODY && bytes.len > 0)
        conn_take_body(conn, &bytes);
    conn->is_handling = false;
    if (conn->state == CONN_CLOSED)
        return;
    conn_keep_rest(conn, bytes, is_from_in);
    if (conn->is_replied && conn->out.len == 0 && conn->state == CONN_BUSY)
        conn_next(conn);
}

/* ---- events ---- */

static void conn_on_handshake(struct http_conn *conn)
{
    switch (sock_handshake(&conn->sock)) {
    case IO_OK:
        conn_await(conn, CONN_IDLE, conn->service->limits.idle_timeout);
        sock_want(&conn->sock, SOCK_READABLE | SOCK_HANGUP);
        break;
    case IO_AGAIN:
        break;
    default:
        conn_close(conn, false);
    }
}

/* Body bytes go straight to their place when nothing else can follow in the same read. */
static bool conn_reads_in_place(const struct http_conn *conn)
{
    return conn->state == CONN_BODY && conn->body_framing == HTTP_BODY_LENGTH && conn->in.len == 0 &&
           conn->body_left >= LOOP_SCRATCH_SIZE / 4;
}

static void conn_on_bytes(struct http_conn *conn, struct str bytes)
{
    switch (conn->state) {
    case CONN_BODY:
        timer_start(conn->service->loop, &conn->timer, conn->service->limits.body_timeout);
        conn_read_requests(conn, bytes);
        break;
    case CONN_IDLE:
    case CONN_HEAD:
        conn_read_requests(conn, bytes);
        break;
    case CONN_BUSY:
        buf_add(&conn->in, bytes);
        conn_limit_ahead(conn);
        break;
    default: /* lingering: dropped */
        break;
    }
}

static void conn_on_readable(struct http_conn *conn)
{
    struct loop *loop = conn->service->loop;
    bool in_place = conn_reads_in_place(conn);
    char *into = in_place ? conn->body.ptr + conn->body.len : loop->scratch;
    size_t size = in_place ? (size_t)conn->body_left : LOOP_SCRATCH_SIZE;
    size_t n = 0;
    switch (sock_read(&conn->sock, into, size, &n)) {
    case IO_AGAIN:
        return;
    case IO_OK:
        break;
    default:
        conn_hang_up(conn);
        return;
    }
    if (!in_place) {
        conn_on_bytes(conn, (struct str){into, n});
        return;
    }
    conn->body.len += n;
    conn->body_left -= n;
    timer_start(loop, &conn->timer, conn->service->limits.body_timeout);
    if (conn->body_left == 0)
        conn_dispatch(conn);
}

static void conn_on_event(struct sock *sock, unsigned events)
{
    struct http_conn *conn = CONTAINER_OF(sock, struct http_conn, sock);
    if (conn->state == CONN_HANDSHAKE) {
        conn_on_handshake(conn);
        return;
    }
    if (events & SOCK_WRITABLE)
        conn_on_writable(conn);
    if ((events & SOCK_READABLE) && conn->state != CONN_CLOSED)
        conn_on_readable(conn);
    else if ((events & SOCK_HANGUP) && conn->state != CONN_CLOSED)
        conn_hang_up(conn);
}

static void conn_on_timer(struct wheel_timer *timer)
{
    struct http_conn *conn = CONTAINER_OF(timer, struct http_conn, timer);
    switch (conn->state) {
    case CONN_HEAD:
    case CONN_BODY:
        conn_refuse(conn, 408, "the request did not arrive in time");
        break;
    case CONN_BUSY: /* output waits, and the client takes none of it */
        conn_hang_up(conn);
        break;
    default:
        conn_close(conn, false);
    }
}

/* ---- all connections of a service ---- */

void http_service_accept(struct http_service *service, int fd, const struct address *peer, SSL_CTX *tls,
                         const void *via)
{
    struct http_conn *conn = calloc(1, sizeof(*conn));
    SSL *session = tls && conn ? SSL_new(tls) : NULL;
    if (!conn || (tls && !session)) {
        free(conn);
        close(fd);
        return;
    }
    if (sock_init(&conn->sock, service->loop, fd, conn_on_event, conn_on_closed) != ERR_OK) {
        SSL_free(session);
        free(conn);
        return;
    }
    conn->service = service;
    conn->peer = *peer;
    conn->via = via;
    wheel_timer_init(&conn->timer, conn_on_timer);
    task_init(&conn->after, conn_after);
    buf_init(&conn->in, service->limits.head.head_bytes + 2 * LOOP_SCRATCH_SIZE);
    buf_init(&conn->out, OUT_MAX);
    list_push_back(&service->conns, &conn->node);
    service->conn_count++;
    if (session) {
        SSL_set_accept_state(session);
        sock_set_tls(&conn->sock, session);
    }
    conn_await(conn, session ? CONN_HANDSHAKE : CONN_IDLE, service->limits.idle_timeout);
    sock_want(&conn->sock, session ? SOCK_READABLE : SOCK_READABLE | SOCK_HANGUP);
}

void http_service_drain(struct http_service *service)
{
    service->is_draining = true;
    LIST_EACH (node, &service->conns) {
        struct http_conn *conn = LIST_ITEM(node, struct http_conn, node);
        if (conn->state == CONN_IDLE || conn->state == CONN_HANDSHAKE)
            conn_close(conn, false);
    }
    if (service->conn_count == 0 && service->on_empty)
        service->on_empty(service);
}

void http_service_close_all(struct http_service *service)
{
    LIST_EACH (node, &service->conns)
        conn_hang_up(LIST_ITEM(node, struct http_conn, node));
}
