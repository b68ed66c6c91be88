/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 client side: where requests to one server go on one loop. Keeps that server's resolver, its TLS context
 * and its idle connections; the most recently used one is taken first, so that the others can age out. */
#pragma once

#include "net/resolver.h"
#include "net/sock.h"
#include "wire/chunked.h"
#include "wire/http1.h"

/* May be changed at any time. Durations in microseconds. */
struct origin_limits {
    struct http_limits head;
    usec_t connect_timeout;    /* DNS, TCP and TLS together */
    usec_t first_byte_timeout; /* from the last byte of the request to the answer's head */
    usec_t idle_timeout;       /* between two pieces of an answer */
    usec_t keep_idle, max_age; /* of a kept connection */
    usec_t dns_ttl;
    size_t max_idle;
};

struct origin {
    struct loop *loop;
    const struct origin_limits *limits; /* borrowed */
    struct resolver *resolver;
    SSL_CTX *tls;     /* owned reference; NULL in the clear */
    char *host;       /* for SNI and certificate check */
    struct list idle; /* of struct upstream_conn, longest idle first */
    size_t idle_count;
    size_t open_count; /* all connections, idle ones included */
    struct list busy;
    struct wheel_timer sweep;
    bool is_closing;
    void (*on_closed)(struct origin *origin); /* last connection gone after origin_close */
};

/* `tls` (may be NULL) gets a reference of its own. */
MUST_USE enum err origin_init(struct origin *origin, struct loop *loop, const struct origin_limits *limits,
                              struct str host, uint16_t port, SSL_CTX *tls);

/* Closes idle connections at once; those with an exchange close after it. `on_closed` may free the origin; it is
 * called from here when nothing is open. No new exchange may start. */
void origin_close(struct origin *origin, void (*on_closed)(struct origin *));
