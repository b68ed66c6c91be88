/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include "base/log.h"
#include "proxy/request.h"

#include <stdlib.h>
#include <unistd.h>

#define JSON_BODY_MAX ((size_t)1 << 30)
#define BLOCKS_KEPT 4096                /* 8 MiB of arena blocks */
#define BODIES_KEPT ((size_t)16 << 20)  /* bytes */
#define LOG_BUFFER ((size_t)64 << 10)   /* handed over when it is that full */
#define LOG_DELAY (100 * USEC_PER_MSEC) /* or that old */
#define LOG_LINE_MAX ((size_t)64 << 10)

/* ---- messages from the control thread ---- */

struct table_message {
    struct message message;
    struct worker *worker;
    struct table *table;           /* reference */
    struct gateway_ticket *ticket; /* may be NULL */
};

struct drain_message {
    struct message message;
    struct worker *worker;
    usec_t limit;
};

static void worker_apply_settings(struct worker *worker)
{
    const struct settings *settings = &worker->table->policy->config->settings;
    struct http_limits head = {
        .line_bytes = settings->max_header_line_bytes,
        .head_bytes = settings->max_header_bytes,
        .field_count = settings->max_header_count,
    };
    worker->service.limits = (struct http_conn_limits){
        .head = head,
        .body_bytes = settings->max_body_bytes,
        .head_timeout = setting_usec(settings->client_header_timeout_ms),
        .body_timeout = setting_usec(settings->client_body_timeout_ms),
        .idle_timeout = setting_usec(settings->client_idle_timeout_ms),
        .write_timeout = setting_usec(settings->client_write_timeout_ms),
    };
    worker->origin_limits = (struct origin_limits){
        /* Servers may be wordier than clients. */
        .head = {.line_bytes = 65536, .head_bytes = 131072, .field_count = HTTP_FIELDS_MAX},
        .connect_timeout = setting_usec(settings->connect_timeout_ms),
        .first_byte_timeout = setting_usec(settings->first_byte_timeout_ms),
        .idle_timeout = setting_usec(settings->idle_timeout_ms),
        .keep_idle = setting_usec(settings->upstream_idle_timeout_ms),
        .max_age = setting_usec(settings->upstream_max_age_ms),
        .dns_ttl = setting_usec(settings->dns_ttl_ms),
        .max_idle = settings->upstream_max_idle_connections,
    };
}

static void on_origin_closed(struct origin *origin)
{
    struct worker_origin *closed = CONTAINER_OF(origin, struct worker_origin, origin);
    free(closed);
}

static void worker_close_origin(struct worker *worker, size_t slot)
{
    struct worker_origin *old = worker->origins[slot];
    worker->origins[slot] = NULL;
    if (!old)
        return;
    gate_unref_server(&worker->gateway->gate, old->server);
    old->server = NULL;
    origin_close(&old->origin, on_origin_closed);
}

/* Servers that the configuration no longer names: their connections go, as soon as nothing runs on them. */
static void worker_close_stale_origins(struct worker *worker)
{
    for (size_t slot = 0; slot < GATEWAY_SLOTS; slot++)
        if (worker->origins[slot] && !table_config_of(worker->table, worker->origins[slot]->server))
            worker_close_origin(worker, slot);
}

static void on_table(struct message *message)
{
    struct table_message *news = CONTAINER_OF(message, struct table_message, message);
    struct worker *worker = news->worker;
    gate_drop_table(&worker->gateway->gate, worker->table);
    worker->table = news->table;
    struct gateway_ticket *ticket = news->ticket;
    free(news);
    worker_apply_settings(worker);
    worker_close_stale_origins(worker);
    LIST_EACH (node, &worker->requests)
        request_reroute(LIST_ITEM(node, struct request, node), worker->table);
    gateway_ticket_take(ticket);
}

void worker_post_table(struct worker *worker, struct table *table, struct gateway_ticket *ticket)
{
    struct table_message *news = malloc(sizeof(*news));
    if (!news) { /* the worker keeps the configuration it has */
        gate_drop_table(&worker->gateway->gate, table);
        gateway_ticket_take(ticket);
        return;
    }
    *news = (struct table_message){.worker = worker, .table = table, .ticket = ticket};
    news->message.on_delivery = on_table;
    loop_post(&worker->loop, &news->message);
}

/* ---- the end ---- */

static void worker_end_if_idle(struct worker *worker)
{
    if (worker->is_draining && worker->request_count == 0 && worker->service.conn_count == 0)
        loop_stop(&worker->loop);
}

void worker_request_ended(struct worker *worker)
{
    worker->request_count--;
    counter_add(&worker->totals.in_flight, UINT64_MAX); /* minus one */
    worker_end_if_idle(worker);
}

static void on_service_empty(struct http_service *service)
{
    worker_end_if_idle(service->owner);
}

static void on_drain_limit(struct wheel_timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, drain_limit);
    LIST_EACH (node, &worker->requests)
        request_abort(LIST_ITEM(node, struct request, node), FAULT_DRAINING);
    http_service_close_all(&worker->service);
}

static void on_drain(struct message *message)
{
    struct drain_message *order = CONTAINER_OF(message, struct drain_message, message);
    struct worker *worker = order->worker;
    usec_t limit = order->limit;
    free(order);
    for (size_t i = 0; i < worker->listener_count && !worker->is_draining; i++)
        listener_close(&worker->listeners[i].listener, NULL);
    worker->is_draining = true;
    timer_start(&worker->loop, &worker->drain_limit, limit);
    http_service_drain(&worker->service);
    worker_end_if_idle(worker);
}

void worker_post_drain(struct worker *worker, usec_t limit)
{
    struct drain_message *order = malloc(sizeof(*order));
    if (!order)
        return;
    *order = (struct drain_message){.worker = worker, .limit = limit};
    order->message.on_delivery = on_drain;
    loop_post(&worker->loop, &order->message);
}

/* ---- the access log ---- */

static void worker_hand_over_log(struct worker *worker)
{
    if (worker->log_lines.len > 0 && !log_sink_write(worker->gateway->log, &worker->log_lines))
        counter_add(&worker->totals.log_buffers_dropped, 1);
}

static void on_log_flush(struct wheel_timer *timer)
{
    worker_hand_over_log(CONTAINER_OF(timer, struct worker, log_flush));
}

struct buf *worker_log_line(struct worker *worker)
{
    if (!worker->gateway->log)
        return NULL;
    if (!buf_reserve(&worker->log_lines, LOG_BUFFER - MIN(LOG_BUFFER, worker->log_lines.len))) {
        counter_add(&worker->totals.log_buffers_dropped, 1);
        buf_clear(&worker->log_lines);
    }
    return &worker->log_lines;
}

void worker_log_done(struct worker *worker)
{
    if (worker->log_lines.len >= LOG_BUFFER)
        worker_hand_over_log(worker);
    else if (!wheel_timer_is_running(&worker->log_flush))
        timer_start(&worker->loop, &worker->log_flush, LOG_DELAY);
}

/* ---- for requests ---- */

struct server_counters *worker_counters(struct worker *worker, const struct server *server)
{
    size_t slot = server ? server->slot : GATEWAY_SLOTS;
    struct server_counters *counters = atomic_load_explicit(&worker->counters[slot], memory_order_relaxed);
    ASSERT(counters);
    return counters;
}

/* Counters exist from the moment a worker first uses a server, and start at nothing when its slot had another. */
static enum err worker_make_counters(struct worker *worker, size_t slot)
{
    struct server_counters *counters = atomic_load_explicit(&worker->counters[slot], memory_order_relaxed);
    if (counters) {
        memset(counters, 0, sizeof(*counters));
        return ERR_OK;
    }
    counters = calloc(1, sizeof(*counters));
    if (!counters)
        return ERR_NO_MEMORY;
    atomic_store_explicit(&worker->counters[slot], counters, memory_order_release);
    return ERR_OK;
}

static struct worker_origin *worker_open_origin(struct worker *worker, struct server *server,
                                                const struct server_config *config, SSL_CTX *tls)
{
    struct worker_origin *origin = calloc(1, sizeof(*origin));
    if (!origin)
        return NULL;
    if (origin_init(&origin->origin, &worker->loop, &worker->origin_limits, config->endpoint.host,
                    config->endpoint.port, tls) != ERR_OK) {
        free(origin);
        return NULL;
    }
    origin->server = server_ref(server);
    worker->origins[server->slot] = origin;
    return origin;
}

struct origin *worker_origin(struct worker *worker, struct server *server, const struct server_config *config)
{
    struct worker_origin *origin = worker->origins[server->slot];
    SSL_CTX *tls = gateway_client_tls(worker->gateway, config);
    bool is_same_server = origin && origin->server == server;
    if (is_same_server && origin->origin.tls == tls)
        return &origin->origin;
    if (origin)
        worker_close_origin(worker, server->slot);
    if (!is_same_server && worker_make_counters(worker, server->slot) != ERR_OK)
        return NULL;
    origin = worker_open_origin(worker, server, config, tls);
    return origin ? &origin->origin : NULL;
}

/* ---- birth and death ---- */

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
    struct worker_listener *mine = CONTAINER_OF(listener, struct worker_listener, listener);
    counter_add(&mine->worker->totals.connections, 1);
    http_service_accept(&mine->worker->service, fd, peer, mine->shared->tls, mine->shared);
}

static enum err worker_open_listeners(struct worker *worker)
{
    struct gateway *gateway = worker->gateway;
    worker->listeners = calloc(gateway->listener_count + 1, sizeof(*worker->listeners));
    if (!worker->listeners)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < gateway->listener_count; i++) {
        struct gateway_listener *shared = &gateway->listeners[i];
        if (!(shared->serves & SERVES_INFERENCE))
            continue;
        struct worker_listener *mine = &worker->listeners[worker->listener_count];
        enum err err = listener_open(&mine->listener, &worker->loop, &shared->address,
                                     worker->index == 0 ? shared->reserved_fd : -1, on_accept);
        if (err != ERR_OK)
            return err;
        if (worker->index == 0)
            shared->reserved_fd = -1;
        mine->worker = worker;
        mine->shared = shared;
        worker->listener_count++;
    }
    return ERR_OK;
}

enum err worker_init(struct worker *worker, struct gateway *gateway, unsigned index)
{
    worker->index = index;
    worker->gateway = gateway;
    worker->table = table_ref(gateway->table);
    worker->journal = gateway->journal ? journal_writer(gateway->journal, index) : NULL;
    list_init(&worker->requests);
    list_init(&worker->live_parts);
    block_cache_init(&worker->blocks, BLOCKS_KEPT);
    body_pool_init(&worker->bodies, BODIES_KEPT);
    rng_init_random(&worker->rng);
    buf_init(&worker->log_lines, LOG_BUFFER + LOG_LINE_MAX);
    wheel_timer_init(&worker->log_flush, on_log_flush);
    wheel_timer_init(&worker->drain_limit, on_drain_limit);
    enum err err = loop_init(&worker->loop);
    if (err != ERR_OK)
        return err;
    http_service_init(&worker->service, &worker->loop, &request_handler, &worker->bodies, worker);
    worker->service.on_empty = on_service_empty;
    worker_apply_settings(worker);
    worker->json = json_reader_new(JSON_BODY_MAX); /* max_body_bytes decides, and may change */
    if (!worker->json || match_scratch_init(&worker->scratch) != ERR_OK)
        return ERR_NO_MEMORY;
    err = model_counters_init(&worker->models);
    if (err == ERR_OK)
        err = worker_make_counters(worker, GATEWAY_SLOTS);
    return err == ERR_OK ? worker_open_listeners(worker) : err;
}

static void worker_run(void *argument)
{
    struct worker *worker = argument;
    loop_run(&worker->loop);
    worker->ended.on_delivery = worker->gateway->on_worker_ended;
    loop_post(worker->gateway->control, &worker->ended);
}

enum err worker_start(struct worker *worker)
{
    return uv_thread_create(&worker->thread, worker_run, worker) == 0 ? ERR_OK : ERR_SYSTEM;
}

void worker_join(struct worker *worker)
{
    struct gate *gate = &worker->gateway->gate;
    uv_thread_join(&worker->thread);
    loop_deliver(&worker->loop); /* what came too late still owns something */
    for (size_t slot = 0; slot < GATEWAY_SLOTS; slot++)
        worker_close_origin(worker, slot);
    timer_stop(&worker->loop, &worker->drain_limit);
    timer_stop(&worker->loop, &worker->log_flush);
    worker_hand_over_log(worker);
    loop_fini(&worker->loop);
    gate_drop_table(gate, worker->table);
    json_reader_free(worker->json);
    match_scratch_fini(&worker->scratch);
    block_cache_fini(&worker->blocks);
    body_pool_fini(&worker->bodies);
    buf_free(&worker->log_lines);
    for (size_t slot = 0; slot <= GATEWAY_SLOTS; slot++)
        free(atomic_load(&worker->counters[slot]));
    model_counters_fini(&worker->models);
    free(worker->listeners);
}
