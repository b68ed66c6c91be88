/* SPDX-License-Identifier: Apache-2.0 */
/* Who may run now, and where: one mutex around everything that requests of all workers share, with no I/O, no wait and
 * no allocation inside. What it guards is pure and lives in route/ and sched/; here are the lock and the mail.
 *
 * One mutex, not one per hostgroup: a decision takes well under a microsecond, and max_concurrent stays exact when a
 * reload moves a server to another hostgroup (docs/decisions/002-one-gate.md). */
#pragma once

#include "net/loop.h"
#include "route/budget.h"
#include "route/pick.h"
#include "route/table.h"
#include "sched/queue.h"

struct gate_queue {
    struct gate_queue *next;
    unsigned hostgroup;
    struct queue queue;
};

struct gate {
    pthread_mutex_t lock;
    struct server_registry registry;
    struct gate_queue *queues; /* one for each hostgroup that ever was configured */
    struct server_limits limits;
    struct budget budget;
    struct budget_limits budget_limits;
    size_t queue_max_length;
    struct table *newest; /* reference */
};

/* Waits for a place; a member of the request. While it waits, its route's candidates stay in place. */
struct gate_waiter {
    struct waiter waiter;
    struct message message; /* brings the grant to the request's loop */
    struct loop *loop;
    const struct route *route;
    const struct tried_servers *tried;
    struct rng rng; /* its own: grants are given on other threads */
    struct server_grant grant;
    void (*on_grant)(struct gate_waiter *waiter); /* on `loop`; calls gate_waiter_take */
};

void gate_init(struct gate *gate);
void gate_fini(struct gate *gate);

/* A new routing table out of `policy`, in force for all servers at the return. `previous` may be NULL. */
MUST_USE enum err gate_new_table(struct gate *gate, struct policy *policy, const struct table *previous,
                                 uint64_t generation, struct table **ret_table);

/* A reference to the table in force, if that is another one than `table`; else NULL. */
struct table *gate_newer_table(struct gate *gate, const struct table *table);

/* Gives back one reference. */
void gate_drop_table(struct gate *gate, struct table *table);

/* ---- for requests ---- */

void gate_waiter_init(struct gate_waiter *waiter, struct loop *loop, void (*on_grant)(struct gate_waiter *));

enum gate_answer {
    GATE_GRANTED, /* *ret_grant holds a place */
    GATE_QUEUED, /* on_grant will be called, unless gate_leave comes first; *ret_back_at: gate_ask_again then */
    GATE_TRIED, /* only servers that were tried are free, and those are not allowed yet */
    GATE_QUEUE_FULL,
    GATE_NO_SERVER, /* all are down; *ret_back_at: when that may change */
};

struct gate_question {
    const struct route *route;
    const struct tried_servers *tried;
    bool allow_tried;
    bool is_first_attempt; /* counts for the retry budget */
    usec_t max_wait;       /* a server that asked for quiet is waited for if that ends within it */
    struct rng *rng;
    usec_t now;
};

MUST_USE enum gate_answer gate_enter(struct gate *gate, const struct gate_question *question,
                                     struct gate_waiter *waiter, struct server_grant *ret_grant,
                                     usec_t *ret_back_at);

/* Time alone may have brought a server back: asks again for a waiter, which gets its message if so. Otherwise
 * *ret_back_at is when to ask again. */
void gate_ask_again(struct gate *gate, struct gate_waiter *waiter, usec_t now, usec_t *ret_back_at);

/* Stops waiting, and takes back a grant that is on its way. False when it did not wait. On the waiter's loop. */
bool gate_leave(struct gate *gate, struct gate_waiter *waiter);

/* In on_grant: the place, which is the caller's now. */
struct server_grant gate_waiter_take(struct gate_waiter *waiter);

/* Whether another server than those tried would take the request right now. */
bool gate_has_other(struct gate *gate, const struct gate_question *question);

/* Takes one retry from the budget. */
MUST_USE bool gate_may_retry(struct gate *gate, usec_t now);

/* Good content has come, `taken` after the request was sent: the server's circuit hears of it now, not at the end of a
 * long stream. */
void gate_first_byte(struct gate *gate, struct server_grant *grant, usec_t taken, usec_t now);

/* As the server_ functions of the same name, with the lock. Release serves those who wait. */
void gate_settle(struct gate *gate, struct server_grant *grant, enum server_outcome outcome, usec_t now);
void gate_release(struct gate *gate, struct server_grant *grant, enum server_outcome outcome, usec_t now);
void gate_cool_down(struct gate *gate, struct server *server, usec_t until);

void gate_unref_server(struct gate *gate, struct server *server);

/* ---- for the control thread ---- */

/* True when the server's health changed. */
bool gate_note_probe(struct gate *gate, struct server *server, const struct probe_result *result, usec_t now);

/* True when its list of models is another one than before. */
MUST_USE bool gate_set_models(struct gate *gate, struct server *server, const struct str *models,
                              size_t count);

/* Whether any server of `table` would take a request. */
bool gate_is_usable(struct gate *gate, const struct table *table, usec_t now);

/* What is to be seen of one server. */
struct gate_server_view {
    struct server_view look;
    enum health_state health;
    enum breaker_state breaker;
    unsigned in_flight, max_concurrent;
    uint64_t probes;
    struct probe_result last_probe; /* when probes > 0 */
};

struct gate_server_view gate_view(struct gate *gate, const struct server *server, usec_t now);

/* What a strategy sees of one candidate. */
struct gate_candidate_view {
    struct gate_server_view view;
    unsigned weight;
    int64_t lag;             /* weighted_round_robin: what it is owed */
    double first_byte, cost; /* latency: microseconds, now */
    struct breaker breaker;
};

/* The server that the request would get now, or NULL; nothing is changed by the question. `ret_views` has room for all
 * members of the route's set. */
const struct server *gate_explain(struct gate *gate, const struct gate_question *question,
                                  struct gate_candidate_view *ret_views);

/* Requests that wait in the queue of `hostgroup`. */
size_t gate_queue_length(struct gate *gate, unsigned hostgroup);
