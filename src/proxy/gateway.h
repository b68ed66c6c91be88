/* SPDX-License-Identifier: Apache-2.0 */
/* What all workers share: the gate, the log, the listeners, TLS towards servers, and the newest configuration.
 * Lifetime: process. The control thread (main's) owns it; workers touch only what is said to be for any thread. */
#pragma once

#include "net/address.h"
#include "net/tls.h"
#include "proxy/cache.h"
#include "proxy/gate.h"
#include "proxy/limits.h"
#include "proxy/log_sink.h"

#include <stdatomic.h>

#define GATEWAY_SLOTS ((size_t)1024) /* most servers at a time */

struct worker;
struct journal;
struct seal;

/* A listener of the configuration, reserved for this process. Immutable once the workers run. */
struct gateway_listener {
    struct str name;
    struct address address;
    unsigned serves; /* enum serves */
    enum listener_auth auth;
    struct str master_key;
    SSL_CTX *tls; /* NULL in the clear */
    int reserved_fd;
};

struct client_tls;

/* Who waits until a configuration is in force everywhere. The last worker to take it posts `answer` to `loop`. */
struct gateway_ticket {
    atomic_uint left; /* workers that have not taken it yet */
    struct message *answer;
    struct loop *loop;
};

struct gateway {
    struct gate gate;
    struct limits limits;
    struct cache cache;
    struct log_sink *log; /* NULL: off */
    struct journal *journal; /* borrowed; NULL: nothing is booked */
    struct gateway_listener *listeners;
    size_t listener_count;
    struct worker *workers;
    size_t worker_count;
    struct table *table;           /* newest; a reference. Control thread only */
    struct client_tls *client_tls; /* contexts by CA file and verification */
    pthread_mutex_t tls_lock;
    struct loop *control;                             /* of the control thread */
    void (*on_worker_ended)(struct message *message); /* on it: worker->ended of one that has drained */
    /* On the control thread, when somebody else than it has put a configuration in force; takes over a reference. NULL:
     * nobody wants to know. */
    void (*on_policy)(struct gateway *gateway, struct policy *policy);
    const struct seal *seal; /* borrowed; for the digests of clients' keys */
    uint64_t hash_seed;      /* random: nobody outside can know what collides */
    usec_t started_at;
    atomic_bool is_draining;
};

MUST_USE enum err gateway_init(struct gateway *gateway);

/* After the workers have been joined. */
void gateway_fini(struct gateway *gateway);

/* Reserves the addresses and loads the certificates of `config`, which has to outlive the gateway's use of its texts.
 * On failure `why` names the listener and the reason. */
#define GATEWAY_WHY_MAX 512
MUST_USE enum err gateway_open_listeners(struct gateway *gateway, const struct config *config, char *why);

/* Whether `policy` can be put in force; what that needs is made. Any thread. On failure `why` names the server and the
 * reason. */
MUST_USE enum err gateway_prepare(struct gateway *gateway, const struct policy *policy, char *why);

/* Makes `policy` (a reference is taken) the configuration in force, everywhere. On failure nothing has changed, and the
 * ticket stays unanswered. Otherwise `ticket`, which may be NULL, is answered once all workers use the policy; it has to
 * stay until then. */
MUST_USE enum err gateway_publish(struct gateway *gateway, struct policy *policy,
                                  struct gateway_ticket *ticket, char *why);

/* For workers: one of those that `ticket` (may be NULL) waits for has what it needs. */
void gateway_ticket_take(struct gateway_ticket *ticket);

/* The context for connections to `server`; NULL when it is in the clear or its CA file is of no use (gateway_publish
 * has checked that). Any thread; borrowed, kept for the process's life. */
SSL_CTX *gateway_client_tls(struct gateway *gateway, const struct server_config *server);

/* Starts `count` workers. */
MUST_USE enum err gateway_start(struct gateway *gateway, size_t count);

/* No new work; what runs may go on for `limit`. Returns at once. */
void gateway_drain(struct gateway *gateway, usec_t limit);
