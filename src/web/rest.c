/* SPDX-License-Identifier: Apache-2.0 */
#include "web/rest.h"

#include "web/rest_guard.h"
#include "web/rest_request.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a request ---- */

static struct str cut_query(struct str *io_target)
{
    ssize_t at = str_find(*io_target, STR("?"));
    if (at < 0)
        return STR_NONE;
    struct str query = str_from_offset(*io_target, (size_t)at + 1);
    io_target->len = (size_t)at;
    return query;
}

static void answer_methods(struct http_conn *conn, const struct rest_route *first, bool is_question)
{
    char memory[128];
    struct buf fields;
    buf_init_fixed(&fields, memory, sizeof(memory));
    buf_add(&fields, STR("Allow: "));
    rest_allow_write(first, &fields);
    buf_add(&fields, STR("\r\n"));
    rest_refuse(conn, is_question ? 200 : 405, buf_str(&fields),
                is_question ? NULL : "This path does not take that method.");
}

static bool is_form(const struct http_head *head)
{
    return str_starts(http_head_value(head, STR("Content-Type")), STR("application/x-www-form-urlencoded"));
}

/* Copies what is needed of the head, which dies with the call. False: no memory. */
static bool begin(struct rest *rest, struct http_conn *conn, const struct http_head *head,
                  const struct rest_match *match, const struct rest_verdict *verdict, struct str query)
{
    struct rest_request *req = calloc(1, sizeof(*req));
    if (!req)
        return false;
    rest_request_init(req, rest, conn);
    req->route = match->route;
    req->object = rest_object(match->route->object);
    req->part = rest_percent_decode(&req->arena, match->part, false);
    req->query = arena_dup(&req->arena, query);
    req->token = arena_dup(&req->arena, verdict->token);
    req->is_admin = verdict->is_admin;
    req->is_form = is_form(head);
    if (req->part.ptr && req->query.ptr && req->token.ptr)
        return true;
    rest_request_free(req);
    return false;
}

static void refuse_verdict(struct http_conn *conn, const struct rest_verdict *verdict)
{
    char memory[128];
    struct buf fields;
    buf_init_fixed(&fields, memory, sizeof(memory));
    if (verdict->status == 429)
        buf_printf(&fields, "Retry-After: %llu\r\n",
                   (unsigned long long)((verdict->wait + USEC_PER_SEC - 1) / USEC_PER_SEC));
    if (verdict->status ==
        401) /* not Basic: a browser would ask by itself, and send it with every foreign page's request */
        buf_add(&fields, STR("WWW-Authenticate: Bearer realm=\"fairlead\"\r\n"));
    rest_refuse(conn, verdict->status, buf_str(&fields), verdict->why);
}

static void on_head(struct http_conn *conn, const struct http_head *head)
{
    struct rest *rest = conn->service->owner;
    const struct gateway_listener *listener = conn->via;
    struct str path = head->target, query = cut_query(&path);
    struct rest_match match = rest_match(head->method, path);
    bool is_hidden =
        match.first && (match.first->flags & REST_METRICS) && !(listener->serves & SERVES_METRICS);
    if (!match.first || is_hidden) {
        rest_refuse(conn, 404, STR_NONE, "There is nothing at this path.");
        return;
    }
    if (!match.route) {
        answer_methods(conn, match.first, str_eq(head->method, STR("OPTIONS")));
        return;
    }
    struct rest_verdict verdict = rest_guard(rest, conn, head, match.route);
    if (verdict.status != 0)
        refuse_verdict(conn, &verdict);
    else if (rest->request_count >= REST_REQUESTS_MAX || !begin(rest, conn, head, &match, &verdict, query))
        rest_refuse(conn, 503, STR("Retry-After: 1\r\n"), "Too many requests at a time.");
}

static void on_request(struct http_conn *conn)
{
    struct rest_request *req = conn->request;
    if (!(req->route->flags & REST_BODY) || rest_read_body(req))
        req->route->handle(req);
}

/* What was asked for goes on; its answer has nobody to go to. Without a statement nothing is under way. */
static void on_hangup(struct http_conn *conn)
{
    struct rest_request *req = conn->request;
    req->conn = NULL;
    if (!req->session)
        rest_request_free(req);
}

static void on_drained(struct http_conn *conn)
{
    (void)conn; /* every answer is one piece */
}

static void on_bad(struct http_conn *conn, int status, const char *why)
{
    if (conn->request)
        rest_request_free(conn->request);
    rest_refuse(conn, status, STR_NONE, why);
}

static const struct http_handler rest_handler = {
    .on_head = on_head,
    .on_request = on_request,
    .on_hangup = on_hangup,
    .on_drained = on_drained,
    .on_bad = on_bad,
};

/* ---- the service ---- */

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
    struct rest_listener *mine = CONTAINER_OF(listener, struct rest_listener, listener);
    struct http_service *service = &mine->rest->service;
    if (service->conn_count >= REST_CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    http_service_accept(service, fd, peer, mine->shared->tls, mine->shared);
}

static bool is_ours(const struct gateway_listener *listener)
{
    return (listener->serves & SERVES_ADMIN) && !(listener->serves & SERVES_INFERENCE);
}

static enum err open_listeners(struct rest *rest)
{
    struct gateway *gateway = rest->gateway;
    for (size_t i = 0; i < gateway->listener_count; i++) {
        struct gateway_listener *shared = &gateway->listeners[i];
        if (!is_ours(shared))
            continue;
        struct rest_listener *mine = &rest->listeners[rest->listener_count];
        mine->rest = rest;
        mine->shared = shared;
        enum err err =
            listener_open(&mine->listener, rest->loop, &shared->address, shared->reserved_fd, on_accept);
        if (err != ERR_OK)
            return err;
        shared->reserved_fd = -1;
        rest->listener_count++;
    }
    return ERR_OK;
}

enum err rest_init(struct rest *rest, struct loop *loop, struct gateway *gateway, struct sql_engine *engine,
                   void (*reload)(void *context), void *reload_context)
{
    *rest = (struct rest){.loop = loop,
                          .gateway = gateway,
                          .engine = engine,
                          .reload = reload,
                          .reload_context = reload_context};
    list_init(&rest->requests);
    admin_sessions_init(&rest->sessions);
    ASSERT(RAND_bytes(rest->known_login.key, sizeof(rest->known_login.key)) == 1);
    body_pool_init(&rest->bodies, 0);
    http_service_init(&rest->service, loop, &rest_handler, &rest->bodies, rest);
    rest->service.limits = (struct http_conn_limits){
        .head = {.line_bytes = 8192, .head_bytes = 32768, .field_count = 100},
        .body_bytes = REST_BODY_MAX,
        .head_timeout = 10 * USEC_PER_SEC,
        .body_timeout = 10 * USEC_PER_SEC,
        .idle_timeout = 75 * USEC_PER_SEC,
        .write_timeout = 30 * USEC_PER_SEC,
    };
    rest->listeners = calloc(gateway->listener_count + 1, sizeof(*rest->listeners));
    rest->json = json_reader_new(REST_BODY_MAX);
    if (!rest->listeners || !rest->json)
        return ERR_NO_MEMORY;
    return open_listeners(rest);
}

void rest_fini(struct rest *rest)
{
    for (size_t i = 0; i < rest->listener_count; i++)
        listener_close(&rest->listeners[i].listener, NULL);
    rest->listener_count = 0;
    LIST_EACH (node, &rest->requests)
        rest_request_free(LIST_ITEM(node, struct rest_request, node));
    http_service_close_all(&rest->service);
}

void rest_free(struct rest *rest)
{
    free(rest->listeners);
    rest->listeners = NULL;
    json_reader_free(rest->json);
    rest->json = NULL;
    body_pool_fini(&rest->bodies);
    admin_sessions_fini(&rest->sessions);
    OPENSSL_cleanse(&rest->known_login, sizeof(rest->known_login));
}
