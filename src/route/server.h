/* SPDX-License-Identifier: Apache-2.0 */
/* The run-time state of one backend. Lifetime: process; it outlives the configuration that named it, so a
 * reload neither forgets what is known about a server nor what runs on it.
 *
 * Everything here is for callers that hold the gate, but for server_ref and the fields marked "fixed". */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "conf/config.h"
#include "route/breaker.h"
#include "route/ewma.h"
#include "route/health.h"

#include <stdatomic.h>

/* Given at each call, so that a reload takes effect at once. */
struct server_limits {
    struct breaker_limits breaker;
    struct health_limits health;
};

struct server_limits server_limits_from(const struct settings *settings);

/* All servers that somebody still refers to. Lifetime: process. */
struct server_registry {
    struct list servers;
    size_t count;
    uint64_t *slots_used; /* a bit for each slot */
    size_t slot_words;
};

struct server {
    struct list node;                 /* in registry->servers */
    struct server_registry *registry; /* borrowed */
    atomic_uint references;
    struct arena arena;             /* of the two texts */
    struct str name, endpoint_text; /* fixed: together its identity */
    size_t slot; /* fixed: unique among live servers, small, reused after the last reference */

    /* As the newest configuration has it. */
    bool configured; /* false: no longer in it; only what runs already may finish */
    enum server_status status;
    unsigned hostgroup, weight, max_concurrent;

    unsigned in_flight; /* grants not yet released */
    struct health health;
    struct breaker breaker;
    struct ewma first_byte;
    usec_t not_before; /* the server asked for quiet until then */

    struct arena models_arena;
    bool models_known;  /* false: never told, which is not the same as none */
    struct str *models; /* sorted, unique */
    size_t model_count;
};

void server_registry_init(struct server_registry *registry);

/* All servers have to be gone. */
void server_registry_fini(struct server_registry *registry);

/* One more than the highest slot that is or could be in use; for sizing arrays by slot. */
size_t server_registry_slot_limit(const struct server_registry *registry);

/* The live server of that identity, or a new one; with a reference for the caller. NULL when memory is short.
 */
MUST_USE struct server *server_get(struct server_registry *registry, struct str name,
                                   struct str endpoint_text);

/* Any thread that has a reference already. */
struct server *server_ref(struct server *server);

/* The last one removes and frees it. Harmless on NULL. */
void server_unref(struct server *server);

/* Takes over what `config` says; NULL: the newest configuration does not have it. */
void server_configure(struct server *server, const struct server_config *config);

/* What the server says it has; empty names are left out. True in `ret_changed` (may be NULL) when that
 * differs from what was known: then the routing table has to be made anew. Failure leaves the old list. */
MUST_USE enum err server_set_models(struct server *server, const struct str *models, size_t count,
                                    bool *ret_changed);

/* A probe's result; true when its health changed. */
bool server_note_probe(struct server *server, const struct probe_result *result,
                       const struct server_limits *limits);

/* Requests avoid it until `until`; an earlier, longer wish stays. */
void server_cool_down(struct server *server, usec_t until);

/* FULL: would take the request, but has no room now. DOWN: would not. */
enum availability { SERVER_READY, SERVER_FULL, SERVER_DOWN };

struct server_view {
    enum availability availability;
    const char *reason; /* phrase for people, static */
    usec_t back_at;     /* DOWN: when time alone ends it; USEC_FOREVER: time alone does not */
    bool is_pause;      /* DOWN: only because the server asked for quiet until back_at */
};

/* Changes nothing. */
struct server_view server_look(const struct server *server, usec_t now, const struct server_limits *limits);

enum server_outcome {
    OUTCOME_GOOD,
    OUTCOME_BAD,    /* the server's fault: counts for its circuit */
    OUTCOME_NEUTRAL /* says nothing about it: client gone, server busy */
};

/* A place on a server, held by one request. Zeroed: none. */
struct server_grant {
    struct server *server; /* referenced */
    struct breaker_ticket ticket;
    bool settled, failed; /* some outcome was told; a bad one was */
};

/* server_look has to say SERVER_READY. `ret_grant` is to be given back by server_release, exactly once. */
void server_acquire(struct server *server, usec_t now, const struct server_limits *limits,
                    struct server_grant *ret_grant);

/* The first byte of a good answer came `taken` after the request had been sent. */
void server_first_byte(struct server_grant *grant, usec_t taken, usec_t now);

/* Tells the outcome before the end, so that a long answer does not keep a half-open circuit waiting. Once
 * settled, a second outcome only counts if it is bad: an answer that was cut. */
void server_settle(struct server_grant *grant, enum server_outcome outcome, usec_t now,
                   const struct server_limits *limits);

/* Gives the place back, settles as above, and zeroes `grant`. The server may be gone afterwards. */
void server_release(struct server_grant *grant, enum server_outcome outcome, usec_t now,
                    const struct server_limits *limits);
