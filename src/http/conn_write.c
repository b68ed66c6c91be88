/* SPDX-License-Identifier: Apache-2.0 */
/* Writing: answers are gathered as views and go out in one system call; only what the socket refuses is copied. */
#include "http/conn_internal.h"

#define CRLF STR("\r\n")

/* The client is gone. The handler may be on the stack, so it is told at the end of the turn. */
static void conn_break(struct http_conn *conn)
{
    conn->is_broken = true;
    buf_clear(&conn->out);
    loop_defer(conn->service->loop, &conn->after);
}

/* The gather buffer, empty or holding bytes of `conn` only. */
static struct http_gather *conn_gather(struct http_conn *conn)
{
    struct http_gather *gather = &conn->service->gather;
    if (gather->conn != conn) {
        if (gather->conn)
            http_conn_flush(gather->conn);
        gather->conn = conn; /* by field: clearing the arrays would cost more than a request's parsing */
        gather->count = 0;
        gather->bytes = 0;
        gather->small_used = 0;
    }
    return gather;
}

static void gather_add(struct http_gather *gather, struct str bytes)
{
    gather->pieces[gather->count++] =
        (struct iovec){.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    gather->bytes += bytes.len;
}

void http_conn_send(struct http_conn *conn, struct str bytes)
{
    if (bytes.len == 0 || conn->is_broken || conn->state == CONN_CLOSED)
        return;
    struct http_gather *gather = conn_gather(conn);
    if (gather->count == GATHER_PIECES) {
        http_conn_flush(conn);
        gather = conn_gather(conn);
    }
    gather_add(gather, bytes);
}

void http_conn_send_body(struct http_conn *conn, const struct str *pieces, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    if (total == 0 || conn->is_head_method || conn->is_broken || conn->state == CONN_CLOSED)
        return;
    if (conn->reply_chunked) {
        struct http_gather *gather = conn_gather(conn);
        if (gather->count == GATHER_PIECES || gather->small_used + CHUNKED_HEAD_MAX > GATHER_SMALL) {
            http_conn_flush(conn);
            gather = conn_gather(conn);
        }
        char *at = gather->small + gather->small_used;
        size_t len = chunked_write_head(total, at);
        gather->small_used += len;
        gather_add(gather, (struct str){at, len});
    }
    for (size_t i = 0; i < count; i++)
        http_conn_send(conn, pieces[i]);
    if (conn->reply_chunked)
        http_conn_send(conn, CRLF);
}

/* Copies what is left of `gather` behind the first `written` bytes. */
static void conn_keep_output(struct http_conn *conn, const struct http_gather *gather, size_t written)
{
    for (int i = 0; i < gather->count; i++) {
        struct str piece = {gather->pieces[i].iov_base, gather->pieces[i].iov_len};
        if (written >= piece.len) {
            written -= piece.len;
            continue;
        }
        buf_add(&conn->out, str_from_offset(piece, written));
        written = 0;
    }
}

static void conn_await_writable(struct http_conn *conn)
{
    sock_want(&conn->sock, conn->sock.wanted | SOCK_WRITABLE);
    timer_start(conn->service->loop, &conn->timer, conn->service->limits.write_timeout);
}

void http_conn_flush(struct http_conn *conn)
{
    struct http_gather *gather = &conn->service->gather;
    if (gather->conn != conn)
        return;
    gather->conn = NULL;
    size_t written = 0;
    if (conn->out.len == 0) {
        enum io io = sock_writev(&conn->sock, gather->pieces, gather->count, &written);
        if (io != IO_OK && io != IO_AGAIN) {
            conn_break(conn);
            return;
        }
        if (written == gather->bytes)
            return;
    }
    conn_keep_output(conn, gather, written);
    if (buf_ok(&conn->out))
        conn_await_writable(conn);
    else
        conn_break(conn);
}

void conn_on_writable(struct http_conn *conn)
{
    if (conn->out.len > 0) {
        struct iovec piece = {.iov_base = conn->out.ptr, .iov_len = conn->out.len};
        size_t written = 0;
        enum io io = sock_writev(&conn->sock, &piece, 1, &written);
        if (io != IO_OK && io != IO_AGAIN) {
            conn_break(conn);
            return;
        }
        buf_consume(&conn->out, written);
        if (conn->out.len > 0) {
            if (written > 0)
                conn_await_writable(conn);
            return;
        }
        buf_free(&conn->out);
    }
    timer_stop(conn->service->loop, &conn->timer);
    sock_want(&conn->sock, conn->sock.wanted & ~(unsigned)SOCK_WRITABLE);
    if (conn->is_replied)
        conn_next(conn);
    else if (conn->request)
        conn->service->handler->on_drained(conn);
}

void http_conn_finish(struct http_conn *conn)
{
    conn->request = NULL;
    if (conn->state == CONN_CLOSED)
        return;
    if (conn->reply_chunked && !conn->is_head_method)
        http_conn_send(conn, CHUNKED_LAST);
    http_conn_flush(conn);
    conn->is_replied = true;
    if (conn->out.len == 0 && !conn->is_handling && !conn->is_broken)
        conn_next(conn);
}

void http_conn_reply(struct http_conn *conn, int status, struct str content_type, struct str fields,
                     struct str body)
{
    char memory[1024];
    struct buf head;
    buf_init_fixed(&head, memory, sizeof(memory));
    buf_printf(&head, "HTTP/1.1 %d %s\r\nContent-Type: " STR_FMT "\r\nContent-Length: %zu\r\n", status,
               http_status_text(status), STR_ARG(content_type), body.len);
    if (!http_conn_keeps_alive(conn))
        buf_add(&head, STR("Connection: close\r\n"));
    conn->reply_chunked = false;
    http_conn_send(conn, buf_str(&head));
    http_conn_send(conn, fields);
    http_conn_send(conn, CRLF);
    if (!conn->is_head_method)
        http_conn_send(conn, body);
    http_conn_flush(conn); /* before `memory` goes */
    http_conn_finish(conn);
}
