/* SPDX-License-Identifier: Apache-2.0 */
/* REST on the listeners that serve admin: the paths of rest_routes.def. What they show and change goes through SQL
 * sessions, so checks, secrets, publication and errors are those of SQL. Who may do what: rest_guard.h.
 *
 * Store thread, but for rest_init (the thread that boots, before the loop runs) and rest_fini (after it has ended). */
#pragma once

#include "admin/sql.h"
#include "http/conn.h"
#include "net/listener.h"
#include "proxy/gateway.h"
#include "web/admin_session.h"
#include "wire/json_read.h"

#define REST_BODY_MAX ((size_t)1 << 20)
#define REST_ANSWER_MAX ((size_t)16 << 20)
#define REST_REQUESTS_MAX 64 /* at a time; more get 503 */
#define REST_CONNECTIONS_MAX 1024

struct rest_listener {
    struct listener listener;
    struct rest *rest;
    const struct gateway_listener *shared;
};

/* The last password that was found right, as a keyed digest: Basic sends it with every request, and a hash that takes
 * tens of milliseconds would hold up the thread each time. */
struct rest_known_login {
    uint8_t key[32], digest[ADMIN_DIGEST_SIZE];
    bool is_known;
};

struct rest {
    struct loop *loop;
    struct gateway *gateway;
    struct sql_engine *engine;
    /* Reads the configuration file again, as SIGHUP does; returns at once. Store thread. NULL: there is no file. */
    void (*reload)(void *context);
    void *reload_context;
    struct body_pool bodies;
    struct http_service service;
    struct rest_listener *listeners;
    size_t listener_count;
    struct list requests; /* of struct rest_request */
    size_t request_count;
    struct json_reader *json;
    struct admin_sessions sessions;
    struct rest_known_login known_login;
};

/* Opens the gateway's listeners that serve admin. `gateway` and `engine` are borrowed. */
MUST_USE enum err rest_init(struct rest *rest, struct loop *loop, struct gateway *gateway,
                            struct sql_engine *engine, void (*reload)(void *context), void *reload_context);

/* Closes listeners and connections; the loop's next turns (loop_settle) finish it, then rest_free. Requests under way
 * are given up, which ends their sessions; the engine is still there. */
void rest_fini(struct rest *rest);
void rest_free(struct rest *rest);
