/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a server and its answer. The order of calls is fixed:
 *
 *   exchange_start -> on_head -> (on_data* on_turn)* -> on_end(ERR_OK)
 *        |______________|_______________|_____________> on_end(error)
 *
 * on_end is the last call, comes exactly once unless exchange_cancel came first, and never from within an exchange_
 * function. A kept connection that turns out to be dead before a byte of the answer came is replaced by a fresh one,
 * once and silently: the server had closed it before it could see the request. */
#pragma once

#include "http/origin.h"

#define EXCHANGE_PIECES 8

struct upstream_conn;
struct exchange;

struct exchange_handler {
    /* The answer's head; views die with the call. 1xx are not shown. */
    void (*on_head)(struct exchange *exchange, const struct http_head *head);
    /* A run of body bytes, unframed. Its memory is valid until on_turn or on_end has returned. */
    void (*on_data)(struct exchange *exchange, struct str data);
    /* All input of this turn has been shown: pass it on now. */
    void (*on_turn)(struct exchange *exchange);
    /* ERR_OK: the answer is complete by its framing. ERR_RESOLVE, ERR_REFUSED, ERR_TLS: never connected.
     * ERR_CLOSED: ended too early. ERR_TIMEOUT, ERR_PROTOCOL, ERR_LIMIT, ERR_NO_MEMORY. */
    void (*on_end)(struct exchange *exchange, enum err err);
};

enum exchange_stage {
    EXCHANGE_NEW,
    EXCHANGE_CONNECTING, /* DNS, TCP, TLS */
    EXCHANGE_SENDING,
    EXCHANGE_WAITING,   /* for the head */
    EXCHANGE_RECEIVING, /* the body */
    EXCHANGE_ENDED,
};

/* A member of whoever asks. */
struct exchange {
    struct origin *origin;
    const struct exchange_handler *handler;
    struct upstream_conn *conn; /* NULL while resolving and after the end */
    struct resolver_wait resolving;
    struct task failing; /* carries a failure out of exchange_start */
    struct wheel_timer timer;
    usec_t deadline;
    usec_t connected_at; /* when the connection was there; for a kept one, when the exchange started */
    enum exchange_stage stage;
    enum err failure;
    bool to_head;   /* the request's method is HEAD */
    bool is_reused; /* on a kept connection */
    bool is_paused;
    bool
        awaits_writable; /* part of the request waits for the socket, perhaps while the answer comes already */
    bool got_bytes;      /* of the answer */
    uint8_t next_address;
    uint8_t piece_count, piece_at;
    size_t piece_offset;
    struct iovec pieces[EXCHANGE_PIECES]; /* the request; borrowed until the end */
};

/* Starts on `origin`. The request's bytes, head and body, are borrowed until on_end or exchange_cancel. */
void exchange_start(struct exchange *exchange, struct origin *origin, const struct exchange_handler *handler,
                    bool to_head, const struct iovec *pieces, size_t piece_count);

/* Ends it without on_end: the connection closes at once, which is how a server learns that it may stop. */
void exchange_cancel(struct exchange *exchange);

/* Stops and restarts reading, when the taker of the answer is slow. Data of the present turn still comes. */
void exchange_pause(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);

static inline bool exchange_is_running(const struct exchange *exchange)
{
    return exchange->stage > EXCHANGE_NEW && exchange->stage < EXCHANGE_ENDED;
}
