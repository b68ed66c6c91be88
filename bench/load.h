/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator: one thread, one loop, every answer checked.
 *
 *   plan.c    when requests are sent: closed loop, open loop, held connections; phases of the run
 *   client.c  one connection: send, read, frame      verify.c  what an answer must look like
 *   watch.c   CPU time and memory of the servers     report.c  the JSON object at the end */
#pragma once

#include "histogram.h"
#include "load_options.h"
#include "verify.h"
#include "watch.h"

#include "net/sock.h"
#include "wire/chunked.h"
#include "wire/http1.h"

enum client_state {
    CLIENT_CONNECTING,
    CLIENT_IDLE,
    CLIENT_WAITING, /* request under way, the head has not come */
    CLIENT_READING, /* the body */
    CLIENT_CLOSED,
};

/* One connection. */
struct client {
    struct sock sock;
    struct load *load;
    struct list node; /* in load->idle or load->busy, or connecting */
    enum client_state state;
    bool was_used;
    bool keep_alive;
    uint8_t framing; /* enum http_framing of the answer */
    uint64_t left;   /* HTTP_BODY_LENGTH */
    struct chunked chunked;
    size_t sent; /* bytes of the request */
    usec_t planned_at;
    struct buf partial; /* a head that has not come whole */
    struct verify verify;
};

struct measures {
    uint64_t requests, chunks;
    uint64_t errors[VERIFY_COUNT_];
    struct histogram latency, delay, gap; /* gap: between two content events of a stream */
};

struct load {
    struct loop loop;
    struct load_options options;
    struct buf request;   /* head and body, the same for all, but for a number with --unique */
    size_t number_at;
    uint64_t number; /* of the latest request */
    struct buf reference; /* first answer without a stream: all others must equal it */
    bool reference_is_complete;
    struct list idle, busy;        /* of struct client */
    uint64_t ramped, opened, open; /* connections: by the ramp, ever, now */
    uint64_t under_way;            /* requests */
    uint64_t planned;              /* open loop: requests whose time has come */
    uint64_t begun;                /* open loop: of them, sent */
    usec_t plan_start;
    int plan_fd; /* open loop: timerfd */
    uv_poll_t plan_poll;
    struct wheel_timer phase, ramp;
    bool is_measuring, is_over;
    uint64_t own_cpu; /* of the measured time, nanoseconds */
    usec_t measure_start, measure_end;
    uint64_t open_at_end, under_way_at_end;
    struct watch watches[LOAD_WATCHED_MAX];
    struct measures measures;
};

/* ---- client.c ---- */

/* Connects one more client. */
void client_open(struct load *load);

/* Sends the request on an idle client. */
void client_send(struct client *client, usec_t planned_at);

/* ---- plan.c ---- */

void plan_start(struct load *load);

/* The client is connected, or its answer is complete. */
void plan_on_idle(struct client *client);

/* ---- report.c ---- */

void report_print(const struct load *load);

/* ---- request.c ---- */

/* The bytes of a chat request whose body has `options->body_bytes` bytes (a few hundred at least). */
void request_build(const struct load_options *options, struct buf *out);

/* Where a built request has a number that means nothing; and another one in its place. */
size_t request_number_at(const struct buf *request);
void request_set_number(struct buf *request, size_t at, uint64_t number);
