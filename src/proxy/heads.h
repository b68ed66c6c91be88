/* SPDX-License-Identifier: Apache-2.0 */
/* The two heads that Fairlead writes itself: the request's to the server, and the answer's to the client. Pure. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "conf/config.h"
#include "sched/limiter.h"
#include "wire/http1.h"

/* What goes to a server. */
struct upstream_head {
    const struct http_head *client; /* the request as it came */
    const struct server_config *server;
    struct str request_id;
    bool has_body;
    uint64_t body_size;
};

/* Bytes that upstream_head_write needs at most. */
size_t upstream_head_size(const struct upstream_head *head);

/* Request line with the server's own base path in place of "/v1", Host, the client's fields but for those of its
 * connection and its credentials, the server's credentials, framing, X-Request-ID. The client's key never goes to a
 * server; Accept-Encoding does not either, because answers have to be readable on the way. */
void upstream_head_write(struct buf *out, const struct upstream_head *head);

/* Times of one request as the client may see them; microseconds. */
struct timing {
    usec_t parse, queue, connect, first_byte, overhead;
};

/* What goes to the client in front of a server's answer. */
struct answer_head {
    const struct http_head *upstream;
    struct str request_id, server_name;
    struct timing timing;
    unsigned retries;
    const struct limit_quotas *quotas; /* the user's limits; NULL: none */
    usec_t realtime;                   /* with quotas: now */
    struct str cache;                  /* X-Cache; may be empty */
    bool is_stream;  /* server-sent events: tell caches and proxies to pass them on as they come */
    bool is_chunked; /* framing towards the client */
    bool has_length;
    uint64_t length;
    bool keep_alive;
};

size_t answer_head_size(const struct answer_head *head);
void answer_head_write(struct buf *out, const struct answer_head *head);

/* The fields that every answer of ours carries, for those that are not relayed: complete lines. */
#define OWN_FIELDS_SIZE 1024
void own_fields_write(struct buf *out, const struct answer_head *head);
