/* SPDX-License-Identifier: Apache-2.0 */
/* A connected TCP socket, in the clear or under TLS, on one loop. Level-triggered: one event, one read; what is left
 * in the kernel comes as the next turn's event. Interest changes cost system calls, so owners leave it as it is and
 * keep what they read instead. */
#pragma once

#include "net/loop.h"
#include "net/tls.h"

#include <sys/uio.h>

enum io {
    IO_OK,
    IO_AGAIN, /* nothing now; an event will come */
    IO_EOF,   /* the peer has finished sending */
    IO_FAIL,  /* the connection is dead */
};

enum sock_event {
    SOCK_READABLE = 1,
    SOCK_WRITABLE = 2,
    SOCK_HANGUP = 4, /* the peer has closed its side; told without reading */
};

/* A member of the connection that owns it; lives until on_closed. */
struct sock {
    uv_poll_t poll;
    struct loop *loop;
    SSL *tls; /* NULL in the clear */
    int fd;
    uint8_t wanted; /* enum sock_event bits that the owner waits for */
    bool is_closing;
    bool tls_wants_write; /* TLS reads that wait for the socket to take bytes */
    struct task pending;  /* TLS holds read bytes that the kernel will not announce */
    void (*on_event)(struct sock *sock, unsigned events);
    void (*on_closed)(struct sock *sock); /* last call; the owner may free itself */
};

/* Takes the connected or connecting, non-blocking `fd`, which is closed on failure too. */
MUST_USE enum err sock_init(struct sock *sock, struct loop *loop, int fd,
                            void (*on_event)(struct sock *, unsigned), void (*on_closed)(struct sock *));

/* Puts `session` (owned from now on) over the socket; sock_handshake has to succeed before bytes flow. */
void sock_set_tls(struct sock *sock, SSL *session);

/* IO_OK once the handshake is done; IO_AGAIN: call again at the next event, interest is taken care of. */
enum io sock_handshake(struct sock *sock);

/* Sets the events the owner waits for; no system call when nothing changes. */
void sock_want(struct sock *sock, unsigned events);

enum io sock_read(struct sock *sock, void *out, size_t size, size_t *ret_n);

/* Writes as much as the socket takes of the `count` pieces; *ret_n is set with IO_OK, and may fall short of all. */
enum io sock_writev(struct sock *sock, const struct iovec *pieces, int count, size_t *ret_n);

/* Error of a connection attempt or a broken connection (SO_ERROR), 0 if none. */
int sock_error(const struct sock *sock);

/* Half-closes: the peer sees the end after what was written (TLS: close_notify first). */
void sock_shutdown(struct sock *sock);

/* on_closed follows at the end of the turn; no other callback does. */
void sock_close(struct sock *sock);

/* As sock_close, and the peer sees a reset instead of an end, so that it cannot take what it got for complete. */
void sock_reset(struct sock *sock);
