/* SPDX-License-Identifier: Apache-2.0 */
#include "web/site.h"

#include "llm/fault.h"
#include "web/metrics.h"

#include <stdlib.h>

#define PAGE_MAX ((size_t)32 << 20)
#define PROMETHEUS_TYPE STR("text/plain; version=0.0.4; charset=utf-8")
#define JSON_TYPE STR("application/json")

static void reply_metrics(struct http_conn *conn)
{
    struct site *site = conn->service->owner;
    struct buf page;
    buf_init(&page, PAGE_MAX);
    metrics_write(&page, site->gateway);
    http_conn_reply(conn, 200, PROMETHEUS_TYPE, STR_NONE, buf_str(&page));
    buf_free(&page);
}

static void reply_health(struct http_conn *conn)
{
    http_conn_reply(conn, 200, JSON_TYPE, STR_NONE, STR("{\"status\":\"healthy\"}"));
}

static void reply_ready(struct http_conn *conn)
{
    struct site *site = conn->service->owner;
    struct gateway *gateway = site->gateway;
    bool ready = !atomic_load(&gateway->is_draining) &&
                 gate_is_usable(&gateway->gate, gateway->table, loop_now(site->loop));
    http_conn_reply(conn, ready ? 200 : 503, JSON_TYPE, ready ? STR_NONE : STR("Retry-After: 1\r\n"),
                    ready ? STR("{\"status\":\"ready\"}") : STR("{\"status\":\"not_ready\"}"));
}

static const struct {
    struct str path;
    void (*reply)(struct http_conn *conn);
} pages[] = {
    {{"/metrics", 8}, reply_metrics},
    {{"/healthz", 8}, reply_health},
    {{"/readyz", 7}, reply_ready},
};

static void reply_fault(struct http_conn *conn, int status, enum fault fault, struct str detail)
{
    char memory[512];
    struct buf body;
    buf_init_fixed(&body, memory, sizeof(memory));
    openai_error_write(&body, fault, detail, STR_NONE);
    http_conn_reply(conn, status, JSON_TYPE, STR_NONE, buf_str(&body));
}

static void on_head(struct http_conn *conn, const struct http_head *head)
{
    struct str path = head->target;
    ssize_t query = str_find(path, STR("?"));
    if (query >= 0)
        path.len = (size_t)query;
    bool reads = str_eq(head->method, STR("GET")) || str_eq(head->method, STR("HEAD"));
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (!str_eq(path, pages[i].path))
            continue;
        if (reads)
            pages[i].reply(conn);
        else
            reply_fault(conn, 405, FAULT_METHOD, STR_NONE);
        return;
    }
    reply_fault(conn, 404, FAULT_UNKNOWN_PATH, STR_NONE);
}

static void on_request(struct http_conn *conn)
{
    (void)conn; /* every request is answered at its head */
}

static void on_bad(struct http_conn *conn, int status, const char *why)
{
    reply_fault(conn, status, fault_of_http_status(status), str_from(why));
}

static const struct http_handler site_handler = {
    .on_head = on_head,
    .on_request = on_request,
    .on_hangup = on_request,
    .on_drained = on_request,
    .on_bad = on_bad,
};

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
    struct site_listener *mine = CONTAINER_OF(listener, struct site_listener, listener);
    http_service_accept(&mine->site->service, fd, peer, mine->shared->tls, mine->shared);
}

static bool is_ours(const struct gateway_listener *listener)
{
    return (listener->serves & SERVES_METRICS) && !(listener->serves & (SERVES_INFERENCE | SERVES_ADMIN));
}

enum err site_init(struct site *site, struct loop *loop, struct gateway *gateway)
{
    *site = (struct site){.loop = loop, .gateway = gateway};
    site->listeners = calloc(gateway->listener_count + 1, sizeof(*site->listeners));
    if (!site->listeners)
        return ERR_NO_MEMORY;
    body_pool_init(&site->bodies, 0);
    http_service_init(&site->service, loop, &site_handler, &site->bodies, site);
    site->service.limits = (struct http_conn_limits){
        .head = {.line_bytes = 8192, .head_bytes = 32768, .field_count = 100},
        .body_bytes = 65536,
        .head_timeout = 10 * USEC_PER_SEC,
        .body_timeout = 10 * USEC_PER_SEC,
        .idle_timeout = 75 * USEC_PER_SEC,
        .write_timeout = 30 * USEC_PER_SEC,
    };
    for (size_t i = 0; i < gateway->listener_count; i++) {
        struct gateway_listener *shared = &gateway->listeners[i];
        if (!is_ours(shared))
            continue;
        struct site_listener *mine = &site->listeners[site->listener_count];
        mine->site = site;
        mine->shared = shared;
        enum err err = listener_open(&mine->listener, loop, &shared->address, shared->reserved_fd, on_accept);
        if (err != ERR_OK)
            return err;
        shared->reserved_fd = -1;
        site->listener_count++;
    }
    return ERR_OK;
}

void site_fini(struct site *site)
{
    for (size_t i = 0; i < site->listener_count; i++)
        listener_close(&site->listeners[i].listener, NULL);
    http_service_close_all(&site->service);
}
