/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session: bytes in and out, time limits, the end. */
#include "admin/mysql_internal.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOGIN_PACKET_MAX ((size_t)65536)
#define AHEAD_MAX LOOP_SCRATCH_SIZE
#define OUT_MAX ((size_t)64 << 20) /* one row on top of what waits; a cap, not a target */
#define KEPT_MAX ((size_t)65536)   /* larger buffers are not kept from one command to the next */
#define NAME_MAX_BYTES ((size_t)1024)
#define WRITE_TIMEOUT (60 * USEC_PER_SEC)
#define LINGER_TIME (2 * USEC_PER_SEC)
#define COMMANDS_PER_TURN 32 /* one client's pipeline must not starve the others */
#define MESSAGE_MAX 1024

static const char *sqlstate_of(enum mysql_error error)
{
    switch (error) {
#define MYSQL_ERROR(name, number, sqlstate)                                                                  \
    case MYSQL_ERROR_##name:                                                                                 \
        return sqlstate;
#include "admin/mysql_error.def"
#undef MYSQL_ERROR
    }
    return "HY000";
}

const struct settings *mysql_session_settings(const struct mysql_session *session)
{
    return session->server->owner->settings(session->server->owner);
}

uint16_t mysql_session_status(const struct mysql_session *session)
{
    return (uint16_t)(MYSQL_STATUS_AUTOCOMMIT | (session->in_transaction ? MYSQL_STATUS_IN_TRANSACTION : 0));
}

struct str mysql_session_host(const struct mysql_session *session, char *out)
{
    struct str text = address_format(&session->peer, out);
    while (text.len > 0 && text.ptr[text.len - 1] != ':')
        text.len--;
    text.len -= text.len > 0;
    if (text.len > 1 && text.ptr[0] == '[')
        text = (struct str){text.ptr + 1, text.len - 2};
    return text;
}

/* ---- the end ---- */

static void session_on_closed(struct sock *sock)
{
    struct mysql_session *session = CONTAINER_OF(sock, struct mysql_session, sock);
    struct mysql_server *server = session->server;
    buf_free(&session->user);
    buf_free(&session->database);
    buf_free(&session->ahead);
    buf_free(&session->out);
    mysql_inbound_fini(&session->in);
    list_remove(&session->node);
    free(session);
    mysql_server_forget(server);
}

void mysql_session_drop_sql(struct mysql_session *session)
{
    if (session->sql)
        sql_session_free(session->sql);
    session->sql = NULL;
    session->is_running = session->is_paused = session->in_transaction = false;
    mysql_statements_drop(session);
    arena_fini(&session->arena);
}

void mysql_session_close(struct mysql_session *session)
{
    if (session->state == MYSQL_SESSION_CLOSED)
        return;
    session->state = MYSQL_SESSION_CLOSED;
    timer_stop(session->server->loop, &session->deadline);
    timer_stop(session->server->loop, &session->write_timer);
    task_cancel(&session->after);
    mysql_session_drop_sql(session);
    sock_close(&session->sock);
}

/* ---- answers ---- */

static void put_message(struct mysql_session *session, enum mysql_error error, const char *fmt, va_list args)
{
    char message[MESSAGE_MAX];
    int len = vsnprintf(message, sizeof(message), fmt, args);
    mysql_put_error(&session->out, &session->in.sequence, error, sqlstate_of(error),
                    (struct str){message, MIN((size_t)MAX(len, 0), sizeof(message) - 1)});
}

void mysql_session_answered(struct mysql_session *session)
{
    session->in.sequence = 0;
}

void mysql_session_fail(struct mysql_session *session, enum mysql_error error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put_message(session, error, fmt, args);
    va_end(args);
    mysql_session_answered(session);
}

void mysql_session_ok(struct mysql_session *session)
{
    struct mysql_ok ok = {.status = mysql_session_status(session)};
    mysql_put_ok(&session->out, &session->in.sequence, &ok);
    mysql_session_answered(session);
}

void mysql_session_refuse(struct mysql_session *session, enum mysql_error error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put_message(session, error, fmt, args);
    va_end(args);
    mysql_session_drop_sql(session);
    buf_clear(&session->ahead);
    session->state = MYSQL_SESSION_LINGER;
    timer_stop(session->server->loop, &session->deadline);
    if (!session->is_advancing)
        loop_defer(session->server->loop, &session->after);
}

/* ---- time ---- */

void mysql_session_await_login(struct mysql_session *session, enum mysql_session_state state)
{
    session->state = state;
    timer_start(session->server->loop, &session->deadline,
                mysql_session_settings(session)->sql_login_timeout_ms * USEC_PER_MSEC);
}

void mysql_session_await_command(struct mysql_session *session)
{
    const struct settings *settings = mysql_session_settings(session);
    struct loop *loop = session->server->loop;
    usec_t at = loop_now(loop) + settings->sql_idle_timeout_ms * USEC_PER_MSEC;
    if (session->in_transaction)
        at = MIN(at, session->transaction_since + settings->sql_transaction_timeout_ms * USEC_PER_MSEC);
    session->state = MYSQL_SESSION_READY;
    wheel_start(&loop->wheel, &session->deadline, at);
}

static void session_on_silence(struct mysql_session *session)
{
    const struct settings *settings = mysql_session_settings(session);
    session->in.sequence = 1; /* read as the answer to the next command */
    if (session->in_transaction &&
        loop_now(session->server->loop) >=
            session->transaction_since + settings->sql_transaction_timeout_ms * USEC_PER_MSEC)
        mysql_session_refuse(
            session, MYSQL_ERROR_SILENT_TOO_LONG,
            "The transaction was open for longer than sql_transaction_timeout_ms (%llu ms): it was "
            "rolled back, the connection is closed",
            (unsigned long long)settings->sql_transaction_timeout_ms);
    else
        mysql_session_refuse(
            session, MYSQL_ERROR_SILENT_TOO_LONG,
            "The client was silent for longer than sql_idle_timeout_ms (%llu ms): the connection is "
            "closed",
            (unsigned long long)settings->sql_idle_timeout_ms);
}

static void session_on_deadline(struct wheel_timer *timer)
{
    struct mysql_session *session = CONTAINER_OF(timer, struct mysql_session, deadline);
    switch (session->state) {
    case MYSQL_SESSION_LOGIN:
    case MYSQL_SESSION_AUTH:
        mysql_session_refuse(session, MYSQL_ERROR_READ_TIMEOUT,
                             "The login took longer than sql_login_timeout_ms");
        return;
    case MYSQL_SESSION_READY:
        session_on_silence(session);
        return;
    default:
        mysql_session_close(session);
    }
}

static void session_on_write_timeout(struct wheel_timer *timer)
{
    mysql_session_close(CONTAINER_OF(timer, struct mysql_session, write_timer));
}

/* ---- writing ---- */

/* False: the client is gone, or an answer did not find memory. */
static bool session_flush(struct mysql_session *session)
{
    struct loop *loop = session->server->loop;
    size_t sent = 0;
    if (!buf_ok(&session->out))
        return false;
    while (sent < session->out.len) {
        struct iovec piece = {.iov_base = session->out.ptr + sent, .iov_len = session->out.len - sent};
        size_t n = 0;
        enum io io = sock_writev(&session->sock, &piece, 1, &n);
        if (io == IO_AGAIN)
            break;
        if (io != IO_OK)
            return false;
        sent += n;
    }
    buf_consume(&session->out, sent);
    if (session->out.len == 0) {
        timer_stop(loop, &session->write_timer);
        if (session->out.cap > 2 * MYSQL_OUT_HIGH)
            buf_free(&session->out);
    } else if (sent > 0 || !wheel_timer_is_running(&session->write_timer)) {
        timer_start(loop, &session->write_timer, WRITE_TIMEOUT);
    }
    return true;
}

/* ---- reading ---- */

static void session_refuse_packet(struct mysql_session *session, enum mysql_read why)
{
    session->in.sequence = (uint8_t)(session->in.header[3] + 1);
    if (why == MYSQL_READ_OUT_OF_ORDER)
        mysql_session_refuse(session, MYSQL_ERROR_OUT_OF_ORDER, "Got packets out of order");
    else if (why == MYSQL_READ_TOO_LARGE && session->state == MYSQL_SESSION_READY)
        mysql_session_refuse(session, MYSQL_ERROR_PACKET_TOO_LARGE,
                             "Got a packet bigger than sql_max_packet_bytes (%llu bytes)",
                             (unsigned long long)mysql_session_settings(session)->sql_max_packet_bytes);
    else if (why == MYSQL_READ_TOO_LARGE)
        mysql_session_refuse(session, MYSQL_ERROR_PACKET_TOO_LARGE,
                             "Got a packet bigger than a login may be (%zu bytes)", LOGIN_PACKET_MAX);
    else
        mysql_session_refuse(session, MYSQL_ERROR_OUT_OF_RESOURCES, "Out of memory for the packet");
}

/* A login's packets may hold a password. */
static void session_wipe(struct mysql_session *session)
{
    if (session->in.payload.ptr)
        OPENSSL_cleanse(session->in.payload.ptr, session->in.payload.cap);
    if (session->ahead.ptr)
        OPENSSL_cleanse(session->ahead.ptr + session->ahead.len, session->ahead.cap - session->ahead.len);
}

static void session_on_packet(struct mysql_session *session, struct str payload)
{
    switch (session->state) {
    case MYSQL_SESSION_LOGIN:
        mysql_on_login(session, payload);
        session_wipe(session);
        return;
    case MYSQL_SESSION_AUTH:
        mysql_on_auth(session, payload);
        session_wipe(session);
        return;
    case MYSQL_SESSION_READY:
        timer_stop(session->server->loop, &session->deadline);
        mysql_on_command(session, payload);
        return;
    default:
        return;
    }
}

/* One packet out of what has come; false when there is none yet. */
static bool session_next_packet(struct mysql_session *session)
{
    size_t max = session->state == MYSQL_SESSION_READY ? mysql_session_settings(session)->sql_max_packet_bytes
                                                       : LOGIN_PACKET_MAX;
    struct str rest = buf_str(&session->ahead), payload;
    if (rest.len == 0)
        return false;
    enum mysql_read read = mysql_inbound_next(&session->in, &rest, max, &payload);
    buf_consume(&session->ahead, session->ahead.len - rest.len);
    if (read == MYSQL_READ_MORE)
        return false;
    if (read == MYSQL_READ_PACKET)
        session_on_packet(session, payload);
    else
        session_refuse_packet(session, read);
    return true;
}

static bool session_is_reading(const struct mysql_session *session)
{
    return session->state == MYSQL_SESSION_LOGIN || session->state == MYSQL_SESSION_AUTH ||
           (session->state == MYSQL_SESSION_READY && !session->is_running);
}

/* One step: a paused statement goes on, or the next packet is taken. False when there is nothing to do. */
static bool session_step(struct mysql_session *session)
{
    if (session->out.len > MYSQL_OUT_HIGH)
        return false;
    if (session->is_paused) {
        session->is_paused = false;
        sql_session_resume(session->sql);
        return true;
    }
    return session_is_reading(session) && session_next_packet(session);
}

/* Nothing left to do: time runs until the next command. */
static void session_rest(struct mysql_session *session)
{
    if (session->state == MYSQL_SESSION_READY && !session->is_running) {
        if (!wheel_timer_is_running(&session->deadline))
            mysql_session_await_command(session);
        if (session->in.is_complete && session->in.payload.cap > KEPT_MAX)
            buf_free(&session->in.payload);
    }
    if (session->state == MYSQL_SESSION_LINGER && session->out.len == 0 && !session->is_shut) {
        session->is_shut = true;
        sock_shutdown(&session->sock);
        timer_start(session->server->loop, &session->deadline, LINGER_TIME);
    }
}

static void session_set_interest(struct mysql_session *session)
{
    unsigned wanted = session->out.len > 0 ? SOCK_WRITABLE : 0;
    /* A full store of bytes is not read further, but a client that goes away has to be noticed. */
    wanted |= session->ahead.len < AHEAD_MAX ? SOCK_READABLE : SOCK_HANGUP;
    sock_want(&session->sock, wanted);
}

static void session_advance(struct mysql_session *session)
{
    bool has_more = true;
    session->is_advancing = true;
    bool is_alive = session_flush(session);
    for (unsigned i = 0; i < COMMANDS_PER_TURN && has_more && is_alive; i++) {
        has_more = session_step(session);
        is_alive = session->state != MYSQL_SESSION_CLOSED && session_flush(session);
    }
    session->is_advancing = false;
    if (!is_alive) {
        mysql_session_close(session);
        return;
    }
    session_rest(session);
    session_set_interest(session);
    if (has_more)
        loop_defer(session->server->loop, &session->after);
}

static void session_on_after(struct task *task)
{
    session_advance(CONTAINER_OF(task, struct mysql_session, after));
}

/* Before the login, not a byte more than the packet: behind it TLS may begin. */
static size_t session_room(const struct mysql_session *session)
{
    bool is_login = session->state == MYSQL_SESSION_LOGIN || session->state == MYSQL_SESSION_AUTH;
    return is_login ? MIN(mysql_inbound_missing(&session->in), LOOP_SCRATCH_SIZE)
                    : AHEAD_MAX - session->ahead.len;
}

static void session_read(struct mysql_session *session)
{
    char *scratch = session->server->loop->scratch;
    size_t n = 0, room = session_room(session);
    if (room == 0)
        return;
    enum io io = sock_read(&session->sock, scratch, room, &n);
    if (io == IO_AGAIN)
        return;
    if (io == IO_OK && session->state != MYSQL_SESSION_LINGER)
        buf_add(&session->ahead, (struct str){scratch, n});
    if (session->state < MYSQL_SESSION_READY)
        OPENSSL_cleanse(scratch, n);
    if (io != IO_OK || !buf_ok(&session->ahead))
        mysql_session_close(session);
}

static void session_shake_hands(struct mysql_session *session)
{
    enum io io = sock_handshake(&session->sock);
    if (io == IO_OK)
        session->state = MYSQL_SESSION_LOGIN;
    else if (io != IO_AGAIN)
        mysql_session_close(session);
}

static void session_on_event(struct sock *sock, unsigned events)
{
    struct mysql_session *session = CONTAINER_OF(sock, struct mysql_session, sock);
    if (session->state == MYSQL_SESSION_TLS)
        session_shake_hands(session);
    else if (events & SOCK_READABLE)
        session_read(session);
    else if (events & SOCK_HANGUP)
        mysql_session_close(session);
    if (session->state != MYSQL_SESSION_CLOSED)
        session_advance(session);
}

/* ---- the beginning ---- */

void mysql_session_open(struct mysql_server *server, int fd, const struct address *peer)
{
    struct mysql_session *session = calloc(1, sizeof(*session));
    if (!session) {
        close(fd);
        return;
    }
    if (sock_init(&session->sock, server->loop, fd, session_on_event, session_on_closed) != ERR_OK) {
        free(session);
        return;
    }
    session->server = server;
    session->peer = *peer;
    session->id = ++server->last_id;
    wheel_timer_init(&session->deadline, session_on_deadline);
    wheel_timer_init(&session->write_timer, session_on_write_timeout);
    task_init(&session->after, session_on_after);
    mysql_inbound_init(&session->in);
    buf_init(&session->user, NAME_MAX_BYTES);
    buf_init(&session->database, NAME_MAX_BYTES);
    buf_init(&session->ahead, AHEAD_MAX);
    buf_init(&session->out, OUT_MAX);
    arena_init(&session->arena, NULL);
    list_init(&session->statements);
    mysql_result_init(session);
    list_push_back(&server->sessions, &session->node);
    server->session_count++;
    mysql_session_await_login(session, MYSQL_SESSION_LOGIN);
    if (mysql_greet(session))
        session_advance(session);
    else
        mysql_session_close(session);
}
