/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a server: what origin.c keeps and exchange.c works with; nobody else includes it. */
#pragma once

#include "base/buf.h"
#include "http/exchange.h"

struct upstream_conn {
    struct sock sock;
    struct origin *origin;
    struct list node;          /* in origin->idle or origin->busy */
    struct exchange *exchange; /* NULL while idle and closing */
    usec_t opened_at, idle_since;
    bool is_connected; /* TCP and TLS are through */
    bool keep_alive;   /* as the present answer's head says */
    uint8_t framing;   /* enum http_framing of the present answer */
    struct chunked chunked;
    uint64_t body_left;
    struct buf in; /* part of a head */
    size_t in_scanned;
};

/* A usable kept connection, or NULL. It is in origin->busy then. */
struct upstream_conn *origin_take_idle(struct origin *origin);

/* Starts to connect to `address`; NULL with ret_err set on failure. It is in origin->busy. */
MUST_USE struct upstream_conn *origin_connect(struct origin *origin, const struct address *address,
                                              enum err *ret_err);

/* Back to the idle ones, or closed when enough are kept. */
void origin_keep(struct upstream_conn *conn);

/* Detaches it from its exchange and closes it. */
void upstream_close(struct upstream_conn *conn);

/* exchange.c: an event for a connection that carries an exchange. */
void exchange_on_event(struct upstream_conn *conn, unsigned events);
