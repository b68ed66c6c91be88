/* SPDX-License-Identifier: Apache-2.0 */
/* One request, from its head to its last byte. Lifetime: request; belongs to the worker whose connection it came by.
 *
 * It walks forward through the phases of phase.def. A phase's step does its work and says how to go on; a step that
 * waits returns, and the event it waits for runs the request again. */
#pragma once

#include "http/conn.h"
#include "http/exchange.h"
#include "llm/api.h"
#include "llm/openai_request.h"
#include "llm/openai_answer.h"
#include "llm/usage.h"
#include "proxy/cache.h"
#include "proxy/gate.h"
#include "proxy/heads.h"
#include "proxy/limits.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

#include <xxhash.h>

struct worker;

enum phase {
#define PHASE(name, ...) name,
#include "proxy/phase.def"
#undef PHASE
    PHASE_COUNT_
};

enum step {
    STEP_NEXT,  /* on to the next phase */
    STEP_AGAIN, /* the phase was set: run that one */
    STEP_WAIT,  /* an event will run the request again */
    STEP_GONE,  /* the request is freed */
};

/* What the client has seen of the answer. A retry is possible until content has gone out. */
enum sent { SENT_NOTHING, SENT_HEAD, SENT_CONTENT };

enum relay_kind {
    RELAY_PLAIN,  /* any answer: bytes */
    RELAY_EVENTS, /* server-sent events: passed on event by event */
};

enum cache_use { CACHE_USE_NONE, CACHE_USE_HIT, CACHE_USE_FOLLOW, CACHE_USE_FILL };

#define RELAY_HELD_PIECES 8
#define RELAY_HELD_MAX ((size_t)65536) /* of a plain answer, while it can still be retried */
#define RELAY_EVENT_MAX ((size_t)8 << 20)

/* The answer of the present attempt. */
struct relay {
    enum relay_kind kind;
    int status;
    bool is_final;   /* no retry after this head: pass on whatever comes */
    bool adds_usage; /* we asked for the usage chunk, the client did not */
    bool saw_done, saw_finish, saw_error;
    struct sse_splitter splitter;
    struct str content_type;            /* for the cache, if it is filled; in the draft arena */
    struct str head;                    /* of the answer, until it is sent; in the draft arena */
    struct str held[RELAY_HELD_PIECES]; /* plain: views of this turn's input, not yet sent */
    size_t held_count;
    struct buf kept;              /* plain: held bytes of earlier turns; events: the event under way */
    struct json_scan *usage_scan; /* plain answers of APIs that tell usage; in the draft arena */
};

/* What a request holds of its user's limits. */
struct request_limit {
    struct limit_ticket ticket;
    struct limit_view view;
};

/* What a request has to do with the cache. */
struct request_cache {
    struct cache_reader reader; /* HIT and FOLLOW */
    struct str rest;            /* read from it, not yet sent */
    struct cache_entry *fill;   /* FILL: where the answer is kept; NULL again once that is over */
    struct request *request;    /* that it belongs to */
};

struct request {
    struct worker *worker;
    struct list node; /* in worker->requests */
    uint64_t number;  /* unique in the process: what KILL takes */
    struct http_conn *conn; /* NULL: answered, or the client is gone and the answer goes on for others (cache.h) */
    struct table *table; /* the configuration it runs under; a reference */
    struct arena arena;  /* for the request's life; holds this struct */
    struct arena draft;  /* what a retry would need; freed when content has gone out */
    enum phase phase;
    enum sent sent;

    /* As it came. */
    enum api api;
    struct http_head *head; /* in draft */
    struct body body;
    struct str id, method, path, model, user;
    const struct user_config *account; /* in the table's configuration; NULL: a user that ai_users does not name */
    XXH128_hash_t subject;             /* who shares the limits */
    struct address client;
    bool body_is_here;
    bool is_stream;
    struct request_limit *limit; /* in arena; NULL: its user has no limits */

    /* Where it goes. */
    struct openai_request facts;
    struct splices splices;
    struct route route;
    struct tried_servers tried;
    struct gate_waiter waiter;
    struct server_grant grant;
    const struct server_config *server; /* of the last attempt; in the table's configuration */
    struct str server_name;             /* of the last attempt */
    const struct server *last_server;   /* that of the last attempt, for counting; kept by the table */
    unsigned attempts;
    bool backoff_is_over; /* a server that was tried may be tried again */
    usec_t backoff;       /* pause before that */

    bool has_own_cache; /* shares kept answers with nobody else */
    bool was_cache_asked;
    enum cache_use cache_use;
    struct request_cache *cache; /* in arena; NULL: the cache was not asked */

    struct exchange exchange;
    struct relay relay;

    /* How it ended. */
    enum fault fault;
    struct str fault_detail, fault_param;
    usec_t retry_after; /* to tell with a fault; 0: none */
    int status;         /* that the client got; 0: none yet */
    struct usage usage;
    uint64_t cost; /* nano-dollars */
    uint64_t bytes_in, bytes_out, events;

    struct wheel_timer pause;    /* backoff, or the queue's time limit */
    struct wheel_timer lifetime; /* total limit */
    struct wheel_timer pulse;    /* keep-alive comments */
    usec_t pulse_due;

    usec_t arrived_at, body_at, parsed_at, waiting_since, attempt_at, sent_at, connected_at, first_byte_at;
    usec_t queue_time, backoff_time;
};

/* ---- request.c: life ---- */

extern const struct http_handler request_handler;

/* Goes on from the present phase until a step waits or the request is gone. */
void request_run(struct request *req);

/* To SETTLE with `fault`. For use in steps: `return request_fail(...)`. */
enum step request_fail(struct request *req, enum fault fault);

/* From an event: ends the request with `fault`, whatever it waits for. */
void request_abort(struct request *req, enum fault fault);

/* The configuration has changed: a request that waits in a queue is routed anew. */
void request_reroute(struct request *req, struct table *table);

/* Asks the gate on behalf of `req`. */
struct gate_question request_question(struct request *req, bool allow_tried);

/* What Fairlead says about a request in the fields of its answer. */
struct timing request_timing(const struct request *req);
void request_describe(const struct request *req, struct answer_head *ret_head);

/* ---- identify.c: who asks ---- */

enum step phase_auth(struct request *req);

/* ---- limit_phase.c: requests and tokens per minute ---- */

enum step phase_limit(struct request *req);

/* At the end: books what was really used. */
void limit_settle(struct request *req);

/* ---- cache_phase.c: answers given before ---- */

enum step phase_cache(struct request *req);

/* What goes to the client goes to the cache too, if this request fills it. `is_good`: the answer is whole. */
void cache_note_head(struct request *req, int status, struct str content_type);
void cache_note_bytes(struct request *req, struct str bytes);
void cache_note_complete(struct request *req, bool is_good);

/* The answer is kept as it passes. */
static inline bool cache_is_filling(const struct request *req)
{
    return req->cache && req->cache->fill;
}

/* Others wait for what this request fetches. */
bool cache_has_followers(const struct request *req);

/* At the end: lets go of what it reads or fills. */
void cache_leave(struct request *req);

/* For X-Cache; empty when the cache was not asked. */
struct str cache_use_text(enum cache_use use);

/* ---- settle.c ---- */

/* The request is accepted: whatever becomes of it, the ledger will say. */
void ledger_note_begin(struct request *req);

/* ---- attempt.c: one try on one server ---- */

enum step phase_connect(struct request *req);
enum step phase_send(struct request *req);

struct attempt_failure {
    enum fault fault;            /* what the client is told if there is no further try */
    enum server_outcome outcome; /* what it says about the server */
    usec_t retry_after;          /* as the server asked; 0: it did not */
};

/* The attempt has failed before content went out, or an answer was cut: retries (the one way back, to ROUTE) or fails.
 * The caller runs the request afterwards. */
void attempt_over(struct request *req, const struct attempt_failure *failure);

/* ---- relay.c: the answer ---- */

enum step phase_relay(struct request *req);
void relay_begin(struct request *req, const struct http_head *head);
void relay_data(struct request *req, struct str data);
void relay_turn(struct request *req);
void relay_end(struct request *req, enum err err);

/* Whether a silent client may get a keep-alive comment now. */
bool relay_may_pulse(const struct request *req);

/* Early keep-alive: sends the stream's head before its first event; one of our own if no server has answered yet. */
void relay_send_early_head(struct request *req);

/* The stream's client gets `fault` as an event, and the answer ends: never with [DONE]. */
void relay_say_fault(struct request *req);

/* Forgets the present attempt's answer. */
void relay_reset(struct request *req);

/* ---- answers.c: what is answered from memory, and errors ---- */

void answer_from_memory(struct request *req);
void answer_fault(struct request *req);

/* ---- settle.c ---- */

enum step phase_settle(struct request *req);
enum step phase_end(struct request *req);
