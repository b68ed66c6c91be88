/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that serves: its loop, listeners, client connections, requests, and connections to servers. Nothing of it
 * is touched by another thread but its mailbox and its counters. Lifetime: process. */
#pragma once

#include "http/conn.h"
#include "http/origin.h"
#include "net/listener.h"
#include "proxy/counters.h"
#include "proxy/gateway.h"
#include "proxy/model_counters.h"
#include "route/table.h"
#include "store/journal.h"
#include "store/seal.h"
#include "wire/json_read.h"

#include <xxhash.h>

/* Where requests to one server go from this worker. */
struct worker_origin {
    struct origin origin;
    struct server *server; /* reference */
};

struct worker_listener {
    struct listener listener;
    struct worker *worker;
    const struct gateway_listener *shared;
};

/* Body bytes that one request passes on in the present turn: views, which go out as one chunk. */
#define WORKER_RUN_PIECES 48

struct worker_run {
    size_t count;
    struct str pieces[WORKER_RUN_PIECES];
};

/* A client's key that was seen lately, and its digest. */
#define WORKER_KNOWN_KEYS 64

struct known_key {
    XXH128_hash_t hash;
    bool is_used;
    uint8_t digest[KEY_DIGEST_SIZE];
};

#define WORKER_INDEX_BITS 8 /* at most 256 workers: the setting's range */

struct worker {
    unsigned index;
    uv_thread_t thread;
    struct loop loop;
    struct gateway *gateway;
    struct message ended; /* to the control loop, when the thread ends */
    struct table *table;  /* newest configuration; a reference */
    struct http_service service;
    struct worker_listener *listeners;
    size_t listener_count;
    struct block_cache blocks;
    struct body_pool bodies;
    struct json_reader *json;
    struct rng rng;
    struct match_scratch scratch;
    struct known_key known_keys[WORKER_KNOWN_KEYS];
    struct worker_run run;
    struct list requests; /* of struct request */
    size_t request_count;
    uint64_t request_number; /* of the newest request */
    struct list live_parts;  /* of struct live_part: snapshots under way (live.c) */
    struct origin_limits origin_limits;
    struct worker_origin *origins[GATEWAY_SLOTS];                  /* by server slot; NULL until first used */
    _Atomic(struct server_counters *) counters[GATEWAY_SLOTS + 1]; /* by server slot; the last: no server */
    struct worker_counters totals;
    struct model_counters models;
    struct journal_writer *journal; /* NULL: nothing is booked */
    struct buf log_lines;
    struct wheel_timer log_flush;
    struct wheel_timer drain_limit;
    bool is_draining; /* no new requests; the thread ends with the last one */
};

/* Prepares worker `index` and opens its share of the listeners. */
MUST_USE enum err worker_init(struct worker *worker, struct gateway *gateway, unsigned index);

/* Starts the thread. */
MUST_USE enum err worker_start(struct worker *worker);

/* Any thread; takes over a reference to `table`. `ticket` may be NULL. */
void worker_post_table(struct worker *worker, struct table *table, struct gateway_ticket *ticket);

/* Any thread: no new work, running requests may go on for `limit`. The thread ends when nothing runs any more. */
void worker_post_drain(struct worker *worker, usec_t limit);

/* Waits for the thread to end and frees what the worker has. */
void worker_join(struct worker *worker);

/* ---- for requests, on the worker's thread ---- */

/* Where requests to `server` go; NULL when memory is short. */
struct origin *worker_origin(struct worker *worker, struct server *server,
                             const struct server_config *config);

/* Counters of `server`; NULL means requests that reached none. */
struct server_counters *worker_counters(struct worker *worker, const struct server *server);

/* Where the present log line goes; worker_log_done after it is written. */
struct buf *worker_log_line(struct worker *worker);
void worker_log_done(struct worker *worker);

/* A request has ended; the drain may be over. */
void worker_request_ended(struct worker *worker);
