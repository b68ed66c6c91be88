/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of an exchange's life: connect, send, head, body, end. */
#include "http/upstream.h"

static void exchange_connect(struct exchange *exchange);
static void exchange_begin_sending(struct exchange *exchange);

/* ---- time limits: the timer is moved only when a deadline comes nearer; otherwise it finds out when it rings ---- */

static void exchange_set_deadline(struct exchange *exchange, usec_t delay)
{
    struct loop *loop = exchange->origin->loop;
    usec_t deadline = loop_now(loop) + delay;
    bool nearer = !wheel_timer_is_running(&exchange->timer) || deadline < exchange->deadline;
    exchange->deadline = deadline;
    if (nearer)
        wheel_start(&loop->wheel, &exchange->timer, deadline);
}

/* ---- the end ---- */

/* Leaves the exchange without connection, timer or wait. */
static void exchange_detach(struct exchange *exchange)
{
    exchange->stage = EXCHANGE_ENDED;
    timer_stop(exchange->origin->loop, &exchange->timer);
    resolver_cancel(&exchange->resolving);
    task_cancel(&exchange->failing);
    if (exchange->conn)
        upstream_close(exchange->conn);
    exchange->conn = NULL;
}

void exchange_cancel(struct exchange *exchange)
{
    if (exchange_is_running(exchange))
        exchange_detach(exchange);
}

static void exchange_fail(struct exchange *exchange, enum err err)
{
    exchange_detach(exchange);
    exchange->handler->on_end(exchange, err);
}

static void exchange_on_failing(struct task *task)
{
    struct exchange *exchange = CONTAINER_OF(task, struct exchange, failing);
    exchange_fail(exchange, exchange->failure);
}

/* From within exchange_start the caller is not ready for on_end. */
static void exchange_fail_later(struct exchange *exchange, enum err err)
{
    exchange->failure = err;
    loop_defer(exchange->origin->loop, &exchange->failing);
}

/* The connection outlives on_end, whose views may be of its buffer; the exchange may not. */
static void exchange_complete(struct exchange *exchange, bool is_clean)
{
    struct upstream_conn *conn = exchange->conn;
    bool all_sent = exchange->piece_at == exchange->piece_count;
    bool may_keep = is_clean && all_sent && conn->keep_alive;
    exchange->conn = NULL;
    conn->exchange = NULL;
    exchange_detach(exchange);
    exchange->handler->on_end(exchange, ERR_OK);
    if (may_keep)
        origin_keep(conn);
    else
        upstream_close(conn);
}

/* The connection broke. A kept one that never answered was closed before it could see the request. */
static void exchange_lost(struct exchange *exchange, enum err err)
{
    if (!exchange->is_reused || exchange->got_bytes) {
        exchange_fail(exchange, err);
        return;
    }
    upstream_close(exchange->conn);
    exchange->conn = NULL;
    exchange->is_reused = false;
    exchange->piece_at = 0;
    exchange->piece_offset = 0;
    exchange_connect(exchange);
}

static void exchange_on_timer(struct wheel_timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, timer);
    struct loop *loop = exchange->origin->loop;
    if (exchange->is_paused) /* it is the taker who is slow, and he has a limit of his own */
        exchange->deadline = loop_now(loop) + exchange->origin->limits->idle_timeout;
    if (loop_now(loop) < exchange->deadline)
        wheel_start(&loop->wheel, &exchange->timer, exchange->deadline);
    else
        exchange_fail(exchange, ERR_TIMEOUT);
}

/* ---- connecting ---- */

static void exchange_attach(struct exchange *exchange, struct upstream_conn *conn)
{
    exchange->conn = conn;
    conn->exchange = exchange;
    conn->chunked = (struct chunked){0};
    conn->in_scanned = 0;
    buf_clear(&conn->in);
}

static void exchange_try_address(struct exchange *exchange)
{
    size_t count;
    const struct address *addresses = resolver_addresses(exchange->origin->resolver, &count);
    enum err err = ERR_REFUSED;
    while (exchange->next_address < count) {
        struct upstream_conn *conn =
            origin_connect(exchange->origin, &addresses[exchange->next_address++], &err);
        if (conn) {
            exchange_attach(exchange, conn);
            return;
        }
    }
    exchange_fail_later(exchange, err);
}

static void exchange_on_resolved(struct resolver_wait *wait, enum err err)
{
    struct exchange *exchange = CONTAINER_OF(wait, struct exchange, resolving);
    if (err == ERR_OK)
        exchange_try_address(exchange);
    else
        exchange_fail(exchange, err);
}

static void exchange_connect(struct exchange *exchange)
{
    struct origin *origin = exchange->origin;
    exchange->stage = EXCHANGE_CONNECTING;
    exchange->next_address = 0;
    exchange_set_deadline(exchange, origin->limits->connect_timeout);
    enum err err = resolver_ask(origin->resolver, origin->limits->dns_ttl, &exchange->resolving);
    if (err == ERR_OK)
        exchange_try_address(exchange);
    else if (err != ERR_BUSY)
        exchange_fail_later(exchange, err);
}

void exchange_start(struct exchange *exchange, struct origin *origin, const struct exchange_handler *handler,
                    bool to_head, const struct iovec *pieces, size_t piece_count)
{
    ASSERT(!exchange_is_running(exchange) && piece_count <= EXCHANGE_PIECES && !origin->is_closing);
    exchange->origin = origin;
    exchange->handler = handler;
    exchange->conn = NULL;
    exchange->to_head = to_head;
    exchange->is_paused = exchange->got_bytes = exchange->awaits_writable = false;
    exchange->piece_count = (uint8_t)piece_count;
    exchange->piece_at = 0;
    exchange->piece_offset = 0;
    memcpy(exchange->pieces, pieces, piece_count * sizeof(*pieces));
    list_init(&exchange->resolving.node);
    exchange->resolving.on_resolved = exchange_on_resolved;
    task_init(&exchange->failing, exchange_on_failing);
    wheel_timer_init(&exchange->timer, exchange_on_timer);

    struct upstream_conn *kept = origin_take_idle(origin);
    exchange->is_reused = kept != NULL;
    if (!kept) {
        exchange_connect(exchange);
        return;
    }
    exchange_attach(exchange, kept);
    exchange->connected_at = loop_now(origin->loop);
    exchange_begin_sending(exchange);
}

static void exchange_connection_failed(struct exchange *exchange, enum err err)
{
    size_t count;
    resolver_addresses(exchange->origin->resolver, &count);
    upstream_close(exchange->conn);
    exchange->conn = NULL;
    if (exchange->next_address < count)
        exchange_try_address(exchange);
    else
        exchange_fail(exchange, err);
}

static void exchange_on_connecting(struct exchange *exchange)
{
    struct upstream_conn *conn = exchange->conn;
    if (sock_error(&conn->sock) != 0) {
        exchange_connection_failed(exchange, ERR_REFUSED);
        return;
    }
    if (conn->sock.tls) {
        sock_want(&conn->sock, SOCK_READABLE);
        enum io io = sock_handshake(&conn->sock);
        if (io == IO_AGAIN)
            return;
        if (io != IO_OK) {
            exchange_connection_failed(exchange, ERR_TLS);
            return;
        }
    }
    exchange->connected_at = loop_now(exchange->origin->loop);
    exchange_begin_sending(exchange);
}

/* ---- sending ---- */

static void exchange_advance(struct exchange *exchange, size_t written)
{
    while (written > 0) {
        size_t left = exchange->pieces[exchange->piece_at].iov_len - exchange->piece_offset;
        if (written < left) {
            exchange->piece_offset += written;
            return;
        }
        written -= left;
        exchange->piece_at++;
        exchange->piece_offset = 0;
    }
}

/* Fills `out` with what is still to be sent; returns the number of pieces. */
static int exchange_unsent(const struct exchange *exchange, struct iovec *out)
{
    int count = 0;
    for (uint8_t i = exchange->piece_at; i < exchange->piece_count; i++)
        if (exchange->pieces[i].iov_len > 0)
            out[count++] = exchange->pieces[i];
    if (count > 0 && exchange->pieces[exchange->piece_at].iov_len > 0) {
        out[0].iov_base = (char *)out[0].iov_base + exchange->piece_offset;
        out[0].iov_len -= exchange->piece_offset;
    }
    return count;
}

static void exchange_set_interest(struct exchange *exchange)
{
    unsigned wanted = exchange->is_paused ? 0 : SOCK_READABLE;
    if (exchange->awaits_writable)
        wanted |= SOCK_WRITABLE;
    sock_want(&exchange->conn->sock, wanted);
}

/* Sends what the socket takes. The answer may begin before the request is through (RFC 9112 section 9.5), so this goes
 * on in later stages too. */
static void exchange_send(struct exchange *exchange)
{
    struct iovec pieces[EXCHANGE_PIECES];
    exchange->awaits_writable = false;
    for (int count; (count = exchange_unsent(exchange, pieces)) > 0;) {
        size_t written = 0;
        enum io io = sock_writev(&exchange->conn->sock, pieces, count, &written);
        if (io != IO_OK) {
            /* If it failed, an answer may still have come: the read side says what happened. */
            exchange->awaits_writable = io == IO_AGAIN;
            exchange_set_interest(exchange);
            return;
        }
        exchange_advance(exchange, written);
        if (exchange->stage == EXCHANGE_SENDING)
            exchange_set_deadline(exchange, exchange->origin->limits->first_byte_timeout);
    }
    exchange->piece_at = exchange->piece_count;
    if (exchange->stage == EXCHANGE_SENDING)
        exchange->stage = EXCHANGE_WAITING;
    exchange_set_interest(exchange);
}

static void exchange_begin_sending(struct exchange *exchange)
{
    exchange->stage = EXCHANGE_SENDING;
    exchange_set_deadline(exchange, exchange->origin->limits->first_byte_timeout);
    exchange_send(exchange);
}

/* ---- receiving ---- */

/* The connection still carries this exchange: a handler may have cancelled it. */
static bool exchange_owns(const struct exchange *exchange, const struct upstream_conn *conn)
{
    return conn->exchange == exchange;
}

/* Shows body bytes; true when the message is complete. On a fault the exchange has failed. */
static bool exchange_take_body(struct exchange *exchange, struct upstream_conn *conn, struct str *io_bytes)
{
    if (conn->framing == HTTP_BODY_NONE)
        return true;
    if (conn->framing == HTTP_BODY_CHUNKED) {
        while (exchange_owns(exchange, conn)) {
            struct str data = STR_NONE;
            switch (chunked_next(&conn->chunked, io_bytes, &data)) {
            case CHUNKED_DATA:
                exchange->handler->on_data(exchange, data);
                break;
            case CHUNKED_MORE:
                return false;
            case CHUNKED_END:
                return true;
            case CHUNKED_BAD:
                exchange_fail(exchange, ERR_PROTOCOL);
                return false;
            }
        }
        return false;
    }
    struct str data = *io_bytes;
    if (conn->framing == HTTP_BODY_LENGTH) {
        data.len = (size_t)MIN((uint64_t)data.len, conn->body_left);
        conn->body_left -= data.len;
    }
    *io_bytes = str_from_offset(*io_bytes, data.len);
    if (data.len > 0)
        exchange->handler->on_data(exchange, data);
    return exchange_owns(exchange, conn) && conn->framing == HTTP_BODY_LENGTH && conn->body_left == 0;
}

static void exchange_receive_body(struct exchange *exchange, struct upstream_conn *conn, struct str bytes)
{
    bool is_complete = exchange_take_body(exchange, conn, &bytes);
    if (!exchange_owns(exchange, conn))
        return;
    if (is_complete)
        exchange_complete(exchange, bytes.len == 0);
    else
        exchange->handler->on_turn(exchange);
}

/* Reads one head out of `bytes`; false when it is not complete, is informational, or has failed. */
static bool exchange_take_head(struct exchange *exchange, struct upstream_conn *conn, struct str *io_bytes)
{
    struct http_head head;
    size_t length = 0;
    for (;;) {
        enum http_parse parse = http_parse_response(*io_bytes, conn->in_scanned, exchange->to_head,
                                                    &exchange->origin->limits->head, &head, &length);
        if (parse == HTTP_PARSE_MORE) {
            conn->in_scanned = io_bytes->len;
            return false;
        }
        conn->in_scanned = 0;
        if (parse != HTTP_PARSE_DONE || head.status == 101) {
            exchange_fail(exchange, ERR_PROTOCOL);
            return false;
        }
        *io_bytes = str_from_offset(*io_bytes, length);
        if (head.status >= 200)
            break;
    }
    conn->framing = (uint8_t)head.framing;
    conn->body_left = head.content_length;
    conn->keep_alive = head.keep_alive && head.framing != HTTP_BODY_TO_CLOSE;
    exchange->stage = EXCHANGE_RECEIVING;
    if (head.framing == HTTP_BODY_LENGTH && head.content_length == 0)
        conn->framing = HTTP_BODY_NONE;
    exchange->handler->on_head(exchange, &head);
    return exchange_owns(exchange, conn);
}

static void exchange_receive_head(struct exchange *exchange, struct upstream_conn *conn, struct str bytes)
{
    bool is_kept = conn->in.len > 0;
    if (is_kept) {
        buf_add(&conn->in, bytes);
        bytes = buf_str(&conn->in);
    }
    bool is_done = exchange_take_head(exchange, conn, &bytes);
    if (!exchange_owns(exchange, conn))
        return;
    if (is_done) {
        exchange_receive_body(exchange, conn, bytes);
        if (exchange_owns(exchange, conn))
            buf_free(&conn->in);
        return;
    }
    if (is_kept)
        buf_consume(&conn->in, conn->in.len - bytes.len);
    else
        buf_add(&conn->in, bytes);
    if (!buf_ok(&conn->in))
        exchange_fail(exchange, ERR_LIMIT);
}

static void exchange_on_end_of_input(struct exchange *exchange, struct upstream_conn *conn, bool is_eof)
{
    bool is_complete = is_eof && exchange->stage == EXCHANGE_RECEIVING && conn->framing == HTTP_BODY_TO_CLOSE;
    if (is_complete)
        exchange_complete(exchange, false);
    else
        exchange_lost(exchange, ERR_CLOSED);
}

static void exchange_on_readable(struct exchange *exchange, struct upstream_conn *conn)
{
    struct loop *loop = exchange->origin->loop;
    size_t n = 0;
    enum io io = sock_read(&conn->sock, loop->scratch, LOOP_SCRATCH_SIZE, &n);
    if (io == IO_AGAIN)
        return;
    if (io != IO_OK) {
        exchange_on_end_of_input(exchange, conn, io == IO_EOF);
        return;
    }
    struct str bytes = {loop->scratch, n};
    exchange->got_bytes = true;
    exchange_set_deadline(exchange, exchange->origin->limits->idle_timeout);
    if (exchange->stage == EXCHANGE_RECEIVING)
        exchange_receive_body(exchange, conn, bytes);
    else
        exchange_receive_head(exchange, conn, bytes);
}

void exchange_on_event(struct upstream_conn *conn, unsigned events)
{
    struct exchange *exchange = conn->exchange;
    if (exchange->stage == EXCHANGE_CONNECTING) {
        exchange_on_connecting(exchange);
        return;
    }
    if ((events & SOCK_WRITABLE) && exchange->awaits_writable)
        exchange_send(exchange);
    if ((events & SOCK_READABLE) && exchange_owns(exchange, conn))
        exchange_on_readable(exchange, conn);
}

void exchange_pause(struct exchange *exchange)
{
    if (!exchange->conn || exchange->is_paused)
        return;
    exchange->is_paused = true;
    exchange_set_interest(exchange);
}

void exchange_resume(struct exchange *exchange)
{
    if (!exchange->conn || !exchange->is_paused)
        return;
    exchange->is_paused = false;
    exchange_set_deadline(exchange, exchange->origin->limits->idle_timeout);
    exchange_set_interest(exchange);
}
