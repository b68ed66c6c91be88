/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 server side: a client's connection, one request at a time.
 *
 *   accept -> [HANDSHAKE] -> IDLE -> HEAD -> BODY -> BUSY -> (reply finished) -> IDLE ...
 *                                                        \-> LINGER -> closed
 *
 * The handler is told of a head, of the whole body, of hang-ups and of drained output, and answers with the
 * http_conn_ functions. Pipelined requests wait their turn in `in`. An idle connection owns no buffer. */
#pragma once

#include "http/body.h"
#include "net/address.h"
#include "net/sock.h"
#include "wire/chunked.h"
#include "wire/http1.h"

enum conn_state {
    CONN_HANDSHAKE, /* TLS */
    CONN_IDLE,      /* waits for the first byte of a request */
    CONN_HEAD,      /* part of a head has come */
    CONN_BODY,      /* part of a body is missing */
    CONN_BUSY,      /* the handler works on the request */
    CONN_LINGER,    /* answered and shut down; reads what the client still sends, for a moment */
    CONN_CLOSED,
};

/* What a handler may set, and change at any time. Durations in microseconds. */
struct http_conn_limits {
    struct http_limits head;
    size_t body_bytes;
    usec_t head_timeout, body_timeout, idle_timeout, write_timeout;
};

struct http_conn;

/* One kind of service; static and shared by all loops. No callback is made from within an http_conn_ function. */
struct http_handler {
    /* A well-formed head; its views die with the call. The handler may answer right away (the body is then not
     * waited for), else it returns and waits for on_request. */
    void (*on_head)(struct http_conn *conn, const struct http_head *head);
    /* The body is complete in conn->body; the handler may take it over (and zero conn->body). */
    void (*on_request)(struct http_conn *conn);
    /* The client is gone while conn->request is set; the connection closes after the call. */
    void (*on_hangup)(struct http_conn *conn);
    /* All bytes that the socket had not taken have gone out. */
    void (*on_drained)(struct http_conn *conn);
    /* The request cannot be read: `status` is 400, 408, 413, 414, 431, 501 or 505. Answers with an error body;
     * the connection closes after it. conn->request is set if on_head has been called and accepted the request. */
    void (*on_bad)(struct http_conn *conn, int status, const char *why);
};

/* Bytes on their way to one client within a turn: views, gathered into one system call. */
#define GATHER_PIECES 64
#define GATHER_SMALL 512

struct http_gather {
    struct http_conn *conn; /* whose bytes they are; NULL when empty */
    int count;
    size_t bytes;
    size_t small_used;
    struct iovec pieces[GATHER_PIECES];
    char small[GATHER_SMALL]; /* chunk sizes */
};

/* All connections of one handler on one loop. */
struct http_service {
    struct loop *loop;
    const struct http_handler *handler;
    void *owner; /* the handler's */
    struct http_conn_limits limits;
    struct body_pool *bodies; /* borrowed */
    struct list conns;        /* of struct http_conn */
    size_t conn_count;
    bool is_draining; /* answers say "Connection: close"; idle connections are closed */
    struct http_gather gather;
    /* Draining, and the last connection has gone; may be NULL. */
    void (*on_empty)(struct http_service *service);
};

struct http_conn {
    struct sock sock;
    struct http_service *service;
    struct list node;
    struct wheel_timer timer;
    struct task after; /* what must not happen in a callback: next pipelined request, hang-up after a failed write */
    struct address peer;
    enum conn_state state;
    bool is_handling; /* a handler callback or the parser is on the stack */
    bool keep_alive;  /* for the present request, as the client wants it; an answer may clear it */
    bool is_http10;
    bool is_head_method;
    bool reply_chunked;
    bool is_replied; /* the answer is complete, though perhaps not yet on its way */
    bool is_broken;  /* a write failed: the client is gone, the handler is told at the end of the turn */
    bool expects_continue;
    uint8_t body_framing; /* enum http_framing of the request */
    struct chunked chunked;
    uint64_t body_left; /* HTTP_BODY_LENGTH */
    struct body body;
    struct buf in; /* bytes behind the present position: part of a head, or pipelined requests */
    size_t in_scanned;
    struct buf out;  /* bytes that the socket did not take */
    usec_t head_at;  /* first byte of the present request */
    void *request;   /* the handler's; set while it works on a request */
    const void *via; /* listener it came by, the owner's; constant */
};

void http_service_init(struct http_service *service, struct loop *loop, const struct http_handler *handler,
                       struct body_pool *bodies, void *owner);

/* Takes over the accepted `fd`; `tls` (may be NULL) is borrowed for the call. Closes `fd` when memory is short. */
void http_service_accept(struct http_service *service, int fd, const struct address *peer, SSL_CTX *tls,
                         const void *via);

/* No keep-alive from now on: idle connections close, others after their request. */
void http_service_drain(struct http_service *service);

/* Closes every connection; handlers with a request are told of a hang-up. */
void http_service_close_all(struct http_service *service);

/* ---- Answering. The pieces given are borrowed until the next http_conn_flush of this connection. ---- */

/* Adds bytes as they are: a head made by the caller, or a body of announced length. */
void http_conn_send(struct http_conn *conn, struct str bytes);

/* Adds body bytes, framed as one chunk if the answer is chunked. Several pieces make one chunk. */
void http_conn_send_body(struct http_conn *conn, const struct str *pieces, size_t count);

/* Writes what was added. Output that the socket does not take is copied, and on_drained will be called. */
void http_conn_flush(struct http_conn *conn);

/* The answer is complete: last chunk if chunked, flush, next request or close. conn->request is cleared. */
void http_conn_finish(struct http_conn *conn);

/* The answer cannot be completed: the client sees a reset, never a clean end. No on_hangup. */
void http_conn_abort(struct http_conn *conn);

/* Output waits for the client: the source should pause. */
static inline bool http_conn_is_backed_up(const struct http_conn *conn)
{
    return conn->out.len > 0;
}

/* Whether the answer under way may end with keep-alive: what its Connection field has to say. */
static inline bool http_conn_keeps_alive(const struct http_conn *conn)
{
    return conn->keep_alive && !conn->service->is_draining;
}

/* ---- A whole small answer ---- */

/* Adds "HTTP/1.1 STATUS REASON", Content-Type, Content-Length and Connection, then `fields` (complete lines with
 * CRLF, may be empty), then `body`, and finishes. HEAD requests get the head alone. */
void http_conn_reply(struct http_conn *conn, int status, struct str content_type, struct str fields,
                     struct str body);
