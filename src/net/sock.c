/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_RECORD_MAX ((size_t)16384)
#define JOIN_MAX                                                                                             \
    ((size_t)6144) /* up to here a copy and send() cost less than sendmsg() with several pieces */

static void sock_apply(struct sock *sock);

static void sock_on_poll(uv_poll_t *poll, int status, int events)
{
    struct sock *sock = poll->data;
    sock->loop->now = clock_monotonic();
    if (sock->is_closing)
        return;
    if (status < 0) {
        /* The kernel reports an error. Bytes may still wait before it: the owner reads until it meets it. */
        sock->on_event(sock, SOCK_READABLE | SOCK_WRITABLE | SOCK_HANGUP);
        if (!sock->is_closing)
            sock_apply(sock); /* libuv has stopped the watcher */
        return;
    }
    unsigned seen = 0;
    if (events & UV_READABLE)
        seen |= SOCK_READABLE;
    if (events & UV_WRITABLE)
        seen |= sock->tls_wants_write ? SOCK_WRITABLE | SOCK_READABLE : SOCK_WRITABLE;
    if (events & UV_DISCONNECT)
        seen |= SOCK_HANGUP;
    sock->on_event(sock, seen);
}

/* TLS reads a whole record from the kernel, the owner perhaps less: it is told of the rest from here. */
static void sock_on_pending(struct task *task)
{
    struct sock *sock = CONTAINER_OF(task, struct sock, pending);
    if (!sock->is_closing && (sock->wanted & SOCK_READABLE))
        sock->on_event(sock, SOCK_READABLE);
}

static void sock_apply(struct sock *sock)
{
    int events = 0;
    if (sock->wanted & SOCK_READABLE)
        events |= UV_READABLE;
    if ((sock->wanted & SOCK_WRITABLE) || sock->tls_wants_write)
        events |= UV_WRITABLE;
    if (sock->wanted & SOCK_HANGUP)
        events |= UV_DISCONNECT;
    if (events)
        uv_poll_start(&sock->poll, events, sock_on_poll);
    else
        uv_poll_stop(&sock->poll);
}

enum err sock_init(struct sock *sock, struct loop *loop, int fd, void (*on_event)(struct sock *, unsigned),
                   void (*on_closed)(struct sock *))
{
    *sock = (struct sock){.loop = loop, .fd = fd, .on_event = on_event, .on_closed = on_closed};
    if (uv_poll_init(&loop->uv, &sock->poll, fd) != 0) {
        close(fd);
        return ERR_SYSTEM;
    }
    sock->poll.data = sock;
    task_init(&sock->pending, sock_on_pending);
    return ERR_OK;
}

void sock_set_tls(struct sock *sock, SSL *session)
{
    SSL_set_fd(session, sock->fd);
    sock->tls = session;
}

static void sock_set_tls_wants_write(struct sock *sock, bool wants)
{
    if (sock->tls_wants_write == wants)
        return;
    sock->tls_wants_write = wants;
    sock_apply(sock);
}

/* What an OpenSSL call that did not succeed means. `for_write`: the caller has its own interest in writability. */
static enum io sock_tls_result(struct sock *sock, int result, bool for_write)
{
    switch (SSL_get_error(sock->tls, result)) {
    case SSL_ERROR_WANT_READ:
        sock_set_tls_wants_write(sock, false);
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        if (!for_write)
            sock_set_tls_wants_write(sock, true);
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    default:
        /* An end without close_notify is a truncation, so it is a failure too (RFC 8446 section 6.1). */
        ERR_clear_error();
        return IO_FAIL;
    }
}

enum io sock_handshake(struct sock *sock)
{
    int result = SSL_do_handshake(sock->tls);
    if (result == 1) {
        sock_set_tls_wants_write(sock, false);
        return IO_OK;
    }
    enum io io = sock_tls_result(sock, result, false);
    return io == IO_AGAIN ? IO_AGAIN : IO_FAIL;
}

void sock_want(struct sock *sock, unsigned events)
{
    if (sock->wanted == events || sock->is_closing)
        return;
    sock->wanted = (uint8_t)events;
    sock_apply(sock);
    if (sock->tls && (events & SOCK_READABLE) && SSL_pending(sock->tls) > 0)
        loop_defer(sock->loop, &sock->pending);
}

static enum io sock_read_tls(struct sock *sock, void *out, size_t size, size_t *ret_n)
{
    int result = SSL_read_ex(sock->tls, out, size, ret_n);
    if (result != 1)
        return sock_tls_result(sock, result, false);
    sock_set_tls_wants_write(sock, false);
    if (SSL_pending(sock->tls) > 0)
        loop_defer(sock->loop, &sock->pending);
    return IO_OK;
}

enum io sock_read(struct sock *sock, void *out, size_t size, size_t *ret_n)
{
    if (sock->tls)
        return sock_read_tls(sock, out, size, ret_n);
    ssize_t n;
    do
        n = recv(sock->fd, out, size, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        *ret_n = (size_t)n;
        return IO_OK;
    }
    if (n == 0)
        return IO_EOF;
    return errno == EAGAIN || errno == EWOULDBLOCK ? IO_AGAIN : IO_FAIL;
}

/* Pieces smaller than a record are gathered into one, so that a head, a chunk and its frame cost one record. */
static enum io sock_writev_tls(struct sock *sock, const struct iovec *pieces, int count, size_t *ret_n)
{
    char record[TLS_RECORD_MAX];
    size_t written = 0;
    enum io io = IO_OK;
    for (int i = 0; i < count && io == IO_OK;) {
        const char *from = pieces[i].iov_base;
        size_t len = pieces[i].iov_len;
        size_t gathered = 0;
        if (len < TLS_RECORD_MAX && i + 1 < count) {
            for (; i < count && pieces[i].iov_len <= TLS_RECORD_MAX - gathered; i++) {
                memcpy(record + gathered, pieces[i].iov_base, pieces[i].iov_len);
                gathered += pieces[i].iov_len;
            }
            from = record;
            len = gathered;
        } else {
            i++;
        }
        for (size_t at = 0, n; at < len; at += n, written += n) {
            int result = SSL_write_ex(sock->tls, from + at, len - at, &n);
            if (result != 1) {
                io = sock_tls_result(sock, result, true);
                break;
            }
        }
    }
    *ret_n = written;
    return written > 0 ? IO_OK : io;
}

static ssize_t send_joined(int fd, const struct iovec *pieces, int count)
{
    char joined[JOIN_MAX];
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(joined + len, pieces[i].iov_base, pieces[i].iov_len);
        len += pieces[i].iov_len;
    }
    return send(fd, joined, len, MSG_NOSIGNAL);
}

static ssize_t send_pieces(int fd, const struct iovec *pieces, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += pieces[i].iov_len;
    if (count == 1)
        return send(fd, pieces[0].iov_base, total, MSG_NOSIGNAL);
    if (total <= JOIN_MAX)
        return send_joined(fd, pieces, count);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

enum io sock_writev(struct sock *sock, const struct iovec *pieces, int count, size_t *ret_n)
{
    if (sock->tls)
        return sock_writev_tls(sock, pieces, count, ret_n);
    ssize_t n;
    do
        n = send_pieces(sock->fd, pieces, count);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        *ret_n = (size_t)n;
        return IO_OK;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? IO_AGAIN : IO_FAIL;
}

int sock_error(const struct sock *sock)
{
    int error = 0;
    socklen_t size = sizeof(error);
    return getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void sock_shutdown(struct sock *sock)
{
    if (sock->tls)
        SSL_shutdown(sock->tls);
    shutdown(sock->fd, SHUT_WR);
}

static void sock_on_uv_closed(uv_handle_t *handle)
{
    struct sock *sock = handle->data;
    sock->on_closed(sock);
}

static void sock_end(struct sock *sock, bool say_goodbye)
{
    if (sock->is_closing)
        return;
    sock->is_closing = true;
    task_cancel(&sock->pending);
    uv_close((uv_handle_t *)&sock->poll, sock_on_uv_closed); /* before close(): it leaves the poll set here */
    if (sock->tls) {
        if (say_goodbye && SSL_is_init_finished(sock->tls))
            SSL_shutdown(sock->tls);
        SSL_free(sock->tls);
        ERR_clear_error();
    }
    close(sock->fd);
}

void sock_close(struct sock *sock)
{
    sock_end(sock, true);
}

void sock_reset(struct sock *sock)
{
    if (sock->is_closing)
        return;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    sock_end(sock, false);
}
