/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/prober.h"

#include "base/log.h"
#include "llm/openai_models.h"
#include "wire/json_write.h"

#include <stdlib.h>

#define LIST_MAX ((size_t)8 << 20) /* bytes of a server's model list */
#define HEAD_MAX ((size_t)4096)
#define SUSPECT_SHARE 5 /* a server that is down, or has just failed, is looked at five times as often */

enum probe_target { PROBE_HEALTH, PROBE_MODELS };

/* One server under watch. Lifetime: as long as the newest table has it. */
struct probe {
    struct list node;
    struct prober *prober;
    struct server *server; /* reference */
    struct origin *origin; /* NULL until first used */
    struct exchange exchange;
    struct wheel_timer timer;
    enum probe_target target;
    bool was_good;
    usec_t started_at, models_due;
    int status;
    struct buf body;
    struct buf head;
};

static void probe_start(struct probe *probe, enum probe_target target);

static const struct settings *settings_of(const struct probe *probe)
{
    return &probe->prober->table->policy->config->settings;
}

static const struct server_config *config_of(const struct probe *probe)
{
    return table_config_of(probe->prober->table, probe->server);
}

/* ---- results ---- */

static void probe_rest(struct probe *probe, const struct gate_server_view *view)
{
    usec_t interval = setting_usec(settings_of(probe)->health_check_interval_ms);
    bool is_suspect = view->health != HEALTH_GOOD || !probe->was_good;
    timer_start(probe->prober->loop, &probe->timer, is_suspect ? interval / SUSPECT_SHARE : interval);
}

static void probe_note(struct probe *probe, bool is_good)
{
    struct gate *gate = &probe->prober->gateway->gate;
    usec_t now = loop_now(probe->prober->loop);
    struct probe_result result = {
        .good = is_good,
        .latency = now - probe->started_at,
        .realtime = clock_realtime(),
    };
    probe->was_good = is_good;
    if (gate_note_probe(gate, probe->server, &result, now))
        log_info("server %.*s is %s", STR_ARG(probe->server->name), is_good ? "healthy" : "unhealthy");
}

static void probe_read_models(struct probe *probe)
{
    struct prober *prober = probe->prober;
    struct arena arena;
    struct str *names;
    size_t count;
    arena_init(&arena, NULL);
    if (buf_reserve(&probe->body, JSON_PADDING) &&
        openai_models_read(prober->json, buf_str(&probe->body), &arena, &names, &count) == ERR_OK &&
        gate_set_models(&prober->gateway->gate, probe->server, names, count)) {
        log_info("server %.*s has %zu models", STR_ARG(probe->server->name), count);
        prober->on_models(prober);
    }
    arena_fini(&arena);
}

static bool asks_for_models(const struct probe *probe)
{
    const struct server_config *config = config_of(probe);
    bool wanted = true; /* names that the configuration gives need no look */
    for (size_t i = 0; i < config->model_count && wanted; i++)
        wanted = strpbrk(config->models[i].ptr, "*?[") != NULL;
    return wanted && loop_now(probe->prober->loop) >= probe->models_due;
}

static void probe_done(struct probe *probe, bool is_answered)
{
    struct prober *prober = probe->prober;
    bool health_is_list = config_of(probe)->provider->health_path.len == 0;
    if (probe->target == PROBE_HEALTH || health_is_list)
        probe_note(probe, is_answered && probe->status < 500);
    if (is_answered && probe->status == 200 && (probe->target == PROBE_MODELS || health_is_list))
        probe_read_models(probe);
    if (probe->target == PROBE_MODELS || health_is_list)
        probe->models_due =
            loop_now(prober->loop) + setting_usec(settings_of(probe)->model_discovery_interval_ms);
    else if (probe->was_good && asks_for_models(probe)) {
        probe_start(probe, PROBE_MODELS);
        return;
    }
    struct gate_server_view view = gate_view(&prober->gateway->gate, probe->server, loop_now(prober->loop));
    probe_rest(probe, &view);
}

/* ---- the exchange ---- */

static void on_head(struct exchange *exchange, const struct http_head *head)
{
    CONTAINER_OF(exchange, struct probe, exchange)->status = head->status;
}

static void on_data(struct exchange *exchange, struct str data)
{
    buf_add(&CONTAINER_OF(exchange, struct probe, exchange)->body, data);
}

static void on_turn(struct exchange *exchange)
{
    (void)exchange;
}

static void on_end(struct exchange *exchange, enum err err)
{
    probe_done(CONTAINER_OF(exchange, struct probe, exchange), err == ERR_OK);
}

static const struct exchange_handler probe_handler = {
    .on_head = on_head,
    .on_data = on_data,
    .on_turn = on_turn,
    .on_end = on_end,
};

static void probe_write_head(struct probe *probe, const struct server_config *config,
                             enum probe_target target)
{
    struct buf *head = &probe->head;
    buf_clear(head);
    buf_add(head, STR("GET "));
    if (target == PROBE_HEALTH && config->provider->health_path.len > 0) {
        buf_add(head, config->endpoint.prefix);
        buf_add(head, config->provider->health_path);
    } else {
        buf_add(head, config->endpoint.base_path);
        buf_add(head, STR("/models"));
    }
    buf_add(head, STR(" HTTP/1.1\r\nHost: "));
    buf_add(head, config->endpoint.authority);
    buf_add(head, STR("\r\nUser-Agent: fairlead/" FAIRLEAD_VERSION "\r\nAccept: application/json\r\n"));
    if (config->api_key.len > 0) {
        buf_add(head, STR("Authorization: Bearer "));
        buf_add(head, config->api_key);
        buf_add(head, STR("\r\n"));
    }
    buf_add(head, STR("\r\n"));
}

static struct origin *probe_origin(struct probe *probe, const struct server_config *config)
{
    SSL_CTX *tls = gateway_client_tls(probe->prober->gateway, config);
    if (probe->origin)
        return probe->origin;
    struct origin *origin = calloc(1, sizeof(*origin));
    if (!origin)
        return NULL;
    if (origin_init(origin, probe->prober->loop, &probe->prober->limits, config->endpoint.host,
                    config->endpoint.port, tls) != ERR_OK) {
        free(origin);
        return NULL;
    }
    probe->origin = origin;
    return origin;
}

static void probe_start(struct probe *probe, enum probe_target target)
{
    const struct server_config *config = config_of(probe);
    struct origin *origin = config ? probe_origin(probe, config) : NULL;
    if (!origin)
        return;
    probe->target = target;
    probe->status = 0;
    probe->started_at = loop_now(probe->prober->loop);
    buf_clear(&probe->body);
    probe_write_head(probe, config, target);
    if (!buf_ok(&probe->head))
        return;
    struct iovec piece = {.iov_base = probe->head.ptr, .iov_len = probe->head.len};
    exchange_start(&probe->exchange, origin, &probe_handler, false, &piece, 1);
}

static void on_due(struct wheel_timer *timer)
{
    probe_start(CONTAINER_OF(timer, struct probe, timer), PROBE_HEALTH);
}

/* ---- the set of probes ---- */

static void on_origin_closed(struct origin *origin)
{
    free(origin);
}

static void probe_free(struct probe *probe)
{
    list_remove(&probe->node);
    exchange_cancel(&probe->exchange);
    timer_stop(probe->prober->loop, &probe->timer);
    if (probe->origin)
        origin_close(probe->origin, on_origin_closed);
    gate_unref_server(&probe->prober->gateway->gate, probe->server);
    buf_free(&probe->body);
    buf_free(&probe->head);
    free(probe);
}

static struct probe *find_probe(const struct prober *prober, const struct server *server)
{
    LIST_EACH (node, &prober->probes) {
        struct probe *probe = LIST_ITEM(node, struct probe, node);
        if (probe->server == server)
            return probe;
    }
    return NULL;
}

static void add_probe(struct prober *prober, struct server *server)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    if (!probe)
        return;
    probe->prober = prober;
    probe->server = server_ref(server);
    probe->was_good = true;
    buf_init(&probe->body, LIST_MAX);
    buf_init(&probe->head, HEAD_MAX);
    wheel_timer_init(&probe->timer, on_due);
    list_push_back(&prober->probes, &probe->node);
    timer_start(prober->loop, &probe->timer, 0);
}

enum err prober_init(struct prober *prober, struct loop *loop, struct gateway *gateway,
                     void (*on_models)(struct prober *))
{
    *prober = (struct prober){.loop = loop, .gateway = gateway, .on_models = on_models};
    list_init(&prober->probes);
    prober->json = json_reader_new(LIST_MAX);
    return prober->json ? ERR_OK : ERR_NO_MEMORY;
}

void prober_sync(struct prober *prober, struct table *table)
{
    const struct settings *settings = &table->policy->config->settings;
    usec_t timeout = setting_usec(settings->health_check_timeout_ms);
    struct table *old = prober->table;
    prober->table = table_ref(table);
    prober->limits = (struct origin_limits){
        .head = {.line_bytes = 65536, .head_bytes = 131072, .field_count = HTTP_FIELDS_MAX},
        .connect_timeout = timeout,
        .first_byte_timeout = timeout,
        .idle_timeout = timeout,
        .keep_idle = 2 * setting_usec(settings->health_check_interval_ms),
        .max_age = setting_usec(settings->upstream_max_age_ms),
        .dns_ttl = setting_usec(settings->dns_ttl_ms),
        .max_idle = 1,
    };
    LIST_EACH (node, &prober->probes) {
        struct probe *probe = LIST_ITEM(node, struct probe, node);
        if (!table_config_of(table, probe->server))
            probe_free(probe);
    }
    for (size_t i = 0; i < table->server_count; i++)
        if (!find_probe(prober, table->servers[i]))
            add_probe(prober, table->servers[i]);
    gate_drop_table(&prober->gateway->gate, old);
}

void prober_fini(struct prober *prober)
{
    while (!list_is_empty(&prober->probes))
        probe_free(LIST_ITEM(prober->probes.next, struct probe, node));
    gate_drop_table(&prober->gateway->gate, prober->table);
    json_reader_free(prober->json);
}
