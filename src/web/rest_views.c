/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at, not kept: health, numbers, the cache, the generation, /metrics. */
#include "proxy/worker.h"
#include "web/metrics.h"
#include "web/rest_handlers.h"
#include "web/rest_request.h"

#define PROMETHEUS_TYPE STR("text/plain; version=0.0.4; charset=utf-8")
#define METRICS_MAX ((size_t)32 << 20)
#define REQUESTS_DEFAULT 20
#define REQUESTS_MAX 10000

/* ---- small JSON ---- */

static void put_text(struct rest_request *req, const char *key, struct str value)
{
    json_key(&req->json, str_from(key));
    json_string(&req->json, value);
}

static void put_number(struct rest_request *req, const char *key, uint64_t value)
{
    json_key(&req->json, str_from(key));
    json_u64(&req->json, value);
}

static void put_double(struct rest_request *req, const char *key, double value)
{
    json_key(&req->json, str_from(key));
    json_double(&req->json, value);
}

/* ---- open to everyone ---- */

void rest_answer_root(struct rest_request *req)
{
    json_object_begin(&req->json);
    put_text(req, "name", STR("Fairlead"));
    put_text(req, "version", STR(FAIRLEAD_VERSION));
    put_text(req, "status", STR("running"));
    json_object_end(&req->json);
    rest_answer_json(req, 200);
}

void rest_answer_alive(struct rest_request *req)
{
    rest_answer(req, 200, JSON_TYPE, STR("{\"status\":\"healthy\"}"));
}

void rest_answer_ready(struct rest_request *req)
{
    struct gateway *gateway = req->rest->gateway;
    struct table *table = gate_newer_table(&gateway->gate, NULL);
    bool ready = table && !atomic_load(&gateway->is_draining) &&
                 gate_is_usable(&gateway->gate, table, loop_now(req->rest->loop));
    if (table)
        gate_drop_table(&gateway->gate, table);
    if (!ready)
        buf_add(&req->fields, STR("Retry-After: 1\r\n"));
    rest_answer(req, ready ? 200 : 503, JSON_TYPE,
                ready ? STR("{\"status\":\"ready\"}") : STR("{\"status\":\"not_ready\"}"));
}

void rest_answer_metrics(struct rest_request *req)
{
    struct buf page;
    buf_init(&page, METRICS_MAX);
    metrics_write(&page, req->rest->gateway);
    if (buf_ok(&page))
        rest_answer(req, 200, PROMETHEUS_TYPE, buf_str(&page));
    else
        rest_fail(req, 500, STR_NONE, "The page would be longer than %zu bytes.", METRICS_MAX);
    buf_free(&page);
}

/* ---- numbers ---- */

/* Sums over all workers. */
struct totals {
    uint64_t codes[CODE_CLASS_COUNT_];
    uint64_t in_flight, ended, duration;
};

static void add_counters(struct totals *totals, const struct server_counters *counters)
{
    for (size_t i = 0; i < CODE_CLASS_COUNT_; i++)
        totals->codes[i] += counter_get(&counters->requests[i]);
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        totals->ended += counter_get(&counters->duration.buckets[i]);
    totals->duration += counter_get(&counters->duration.sum);
}

static struct totals sum_totals(const struct gateway *gateway)
{
    struct totals totals = {0};
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct worker *worker = &gateway->workers[w];
        totals.in_flight += counter_get(&worker->totals.in_flight);
        for (size_t slot = 0; slot <= GATEWAY_SLOTS; slot++) {
            const struct server_counters *counters =
                atomic_load_explicit(&worker->counters[slot], memory_order_acquire);
            if (counters)
                add_counters(&totals, counters);
        }
    }
    return totals;
}

struct health_count {
    size_t servers, healthy;
};

static void write_server(struct rest_request *req, const struct server *server,
                         const struct gate_server_view *view)
{
    static const char *const breakers[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half-open"};
    static const char *const availabilities[] = {
        [SERVER_READY] = "ready", [SERVER_FULL] = "full", [SERVER_DOWN] = "down"};
    json_object_begin(&req->json);
    put_text(req, "server", server->name);
    json_key(&req->json, STR("healthy"));
    json_bool(&req->json, view->health != HEALTH_BAD);
    put_text(req, "availability", str_from(availabilities[view->look.availability]));
    if (view->look.availability == SERVER_DOWN)
        put_text(req, "reason", str_from(view->look.reason));
    put_text(req, "circuit", str_from(breakers[view->breaker]));
    put_number(req, "in_flight", view->in_flight);
    put_number(req, "max_connections", view->max_concurrent);
    json_object_end(&req->json);
}

/* Counts the servers of `table`; writes each one too if `writes`. */
static struct health_count look_at_servers(struct rest_request *req, const struct table *table, bool writes)
{
    struct gateway *gateway = req->rest->gateway;
    struct health_count count = {.servers = table->server_count};
    usec_t now = loop_now(req->rest->loop);
    for (size_t i = 0; i < table->server_count; i++) {
        struct gate_server_view view = gate_view(&gateway->gate, table->servers[i], now);
        count.healthy += view.look.availability != SERVER_DOWN;
        if (writes)
            write_server(req, table->servers[i], &view);
    }
    return count;
}

static void write_totals(struct rest_request *req, const struct table *table)
{
    const struct gateway *gateway = req->rest->gateway;
    struct totals totals = sum_totals(gateway);
    struct health_count health = look_at_servers(req, table, false);
    uint64_t all = 0, good = totals.codes[CODE_2XX] + totals.codes[CODE_3XX];
    for (size_t i = 0; i < CODE_CLASS_COUNT_; i++)
        all += totals.codes[i];
    put_number(req, "total_requests", all);
    put_number(req, "successful_requests", good);
    put_number(req, "failed_requests", all - good);
    put_double(req, "success_rate", all > 0 ? (double)good / (double)all : 0);
    put_double(req, "avg_latency_ms",
               totals.ended > 0 ? (double)totals.duration / (double)totals.ended / (double)USEC_PER_MSEC : 0);
    put_number(req, "requests_in_flight", totals.in_flight);
    put_number(req, "total_servers", health.servers);
    put_number(req, "healthy_servers", health.healthy);
    put_number(req, "hostgroups", table->group_count);
    put_number(req, "generation", table->generation);
    put_number(req, "uptime_seconds", (clock_realtime() - gateway->started_at) / USEC_PER_SEC);
}

/* The table in force, or NULL and the request is answered. */
static struct table *hold_table(struct rest_request *req)
{
    struct table *table = gate_newer_table(&req->rest->gateway->gate, NULL);
    if (!table)
        rest_fail(req, 503, STR_NONE, "No configuration is in force yet.");
    return table;
}

void rest_stats_totals(struct rest_request *req)
{
    struct gateway *gateway = req->rest->gateway;
    struct table *table = hold_table(req);
    if (!table)
        return;
    json_object_begin(&req->json);
    write_totals(req, table);
    json_object_end(&req->json);
    gate_drop_table(&gateway->gate, table);
    rest_answer_json(req, 200);
}

static const char *health_word(const struct health_count *count)
{
    if (count->healthy == count->servers)
        return "healthy";
    return count->healthy > 0 ? "degraded" : "unhealthy";
}

void rest_stats_health(struct rest_request *req)
{
    struct gateway *gateway = req->rest->gateway;
    struct table *table = hold_table(req);
    if (!table)
        return;
    json_object_begin(&req->json);
    json_key(&req->json, STR("servers"));
    json_array_begin(&req->json);
    struct health_count count = look_at_servers(req, table, true);
    json_array_end(&req->json);
    put_text(req, "status", str_from(health_word(&count)));
    put_number(req, "total_servers", count.servers);
    put_number(req, "healthy_servers", count.healthy);
    json_object_end(&req->json);
    gate_drop_table(&gateway->gate, table);
    rest_answer_json(req, 200);
}

void rest_stats_generation(struct rest_request *req)
{
    struct gateway *gateway = req->rest->gateway;
    struct table *table = hold_table(req);
    if (!table)
        return;
    json_object_begin(&req->json);
    put_number(req, "generation", table->generation);
    json_object_end(&req->json);
    gate_drop_table(&gateway->gate, table);
    rest_answer_json(req, 200);
}

/* ---- live views of SQL ---- */

static void list_done(struct rest_request *req)
{
    json_array_end(&req->json);
    rest_answer_json(req, 200);
}

void rest_stats_servers(struct rest_request *req)
{
    rest_statement_clear(req);
    buf_add(&req->statement, STR("SELECT * FROM stats_servers"));
    json_array_begin(&req->json);
    rest_run(req, rest_write_row, list_done);
}

/* Who asked and what went wrong is nobody's business without a login; these columns are everybody's on this machine. */
static bool is_public(struct str column)
{
    static const char *const names[] = {"ended_at", "request_id",    "api",          "model",
                                        "server",   "hostgroup",     "status",       "stream",
                                        "attempts", "cache",         "input_tokens", "output_tokens",
                                        "queue_ms", "first_byte_ms", "duration_ms"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(column, str_from(names[i])))
            return true;
    return false;
}

static void write_request(struct rest_request *req, const struct sql_value *values, size_t count)
{
    json_object_begin(&req->json);
    for (size_t i = 0; i < count; i++) {
        if (!req->is_admin && !is_public(req->columns[i].name))
            continue;
        json_key(&req->json, req->columns[i].name);
        rest_write_value(req, &values[i]);
    }
    json_object_end(&req->json);
}

void rest_stats_requests(struct rest_request *req)
{
    uint64_t limit = REQUESTS_DEFAULT, offset = 0;
    if (!rest_read_number(req, STR("limit"), REQUESTS_MAX, &limit) ||
        !rest_read_number(req, STR("offset"), INT64_MAX, &offset))
        return;
    rest_statement_clear(req);
    buf_add(&req->statement, STR("SELECT * FROM request_log ORDER BY ended_at DESC LIMIT ? OFFSET ?"));
    rest_param_add(req, rest_integer(limit));
    rest_param_add(req, rest_integer(offset));
    json_array_begin(&req->json);
    rest_run(req, write_request, list_done);
}

/* ---- the cache ---- */

static bool is_number(struct str text)
{
    size_t digits = 0, points = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits += text.ptr[i] >= '0' && text.ptr[i] <= '9';
        points += text.ptr[i] == '.' && i > 0 && i + 1 < text.len;
    }
    return digits > 0 && points <= 1 && digits + points == text.len;
}

/* Rows of SHOW CACHE STATUS: a name and a value as text. */
static void write_cache_fact(struct rest_request *req, const struct sql_value *values, size_t count)
{
    if (count < 2)
        return;
    struct str name = values[0].text, value = values[1].text;
    if (str_eq(name, STR("status"))) {
        json_key(&req->json, STR("enabled"));
        json_bool(&req->json, str_eq(value, STR("enabled")));
        return;
    }
    json_key(&req->json, name);
    if (values[1].type == SQL_TEXT && is_number(value))
        json_raw(&req->json, value);
    else
        rest_write_value(req, &values[1]);
}

static void cache_shown(struct rest_request *req)
{
    json_object_end(&req->json);
    rest_answer_json(req, 200);
}

void rest_cache_show(struct rest_request *req)
{
    rest_statement_clear(req);
    buf_add(&req->statement, STR("SHOW CACHE STATUS"));
    json_object_begin(&req->json);
    rest_run(req, write_cache_fact, cache_shown);
}

static void cache_switched(struct rest_request *req)
{
    bool enabled = req->values[0].value.integer != 0;
    rest_answer(req, 200, JSON_TYPE,
                enabled ? STR("{\"status\":\"ok\",\"cache\":\"enabled\"}")
                        : STR("{\"status\":\"ok\",\"cache\":\"disabled\"}"));
}

void rest_cache_switch(struct rest_request *req)
{
    rest_statement_clear(req);
    buf_add(&req->statement, req->values[0].value.integer != 0 ? STR("CACHE ENABLE") : STR("CACHE DISABLE"));
    rest_run(req, NULL, cache_switched);
}

static void cache_cleared(struct rest_request *req)
{
    rest_answer(req, 200, JSON_TYPE, STR("{\"status\":\"ok\",\"message\":\"Cache cleared\"}"));
}

void rest_cache_clear(struct rest_request *req)
{
    rest_statement_clear(req);
    buf_add(&req->statement, STR("CACHE CLEAR"));
    rest_run(req, NULL, cache_cleared);
}

/* ---- reload ---- */

void rest_reload_start(struct rest_request *req)
{
    struct rest *rest = req->rest;
    if (!rest->reload) {
        rest_fail(req, 409, STR_NONE, "There is no configuration file to read.");
        return;
    }
    rest->reload(rest->reload_context);
    rest_answer(
        req, 202, JSON_TYPE,
        STR("{\"status\":\"ok\",\"message\":\"Reload started: /api/generation tells when it is in force\"}"));
}
