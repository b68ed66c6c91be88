/* SPDX-License-Identifier: Apache-2.0 */
/* Views of what runs and of what was counted. */
#include "admin/sql_views.h"

#include "conf/settings.h"
#include "proxy/cache.h"
#include "proxy/live.h"
#include "proxy/worker.h"

#include <stdlib.h>

static struct gateway *gateway_of(struct sql_session *session)
{
    return session->engine->gateway;
}

static int64_t milliseconds(usec_t usec)
{
    return (int64_t)(usec / USEC_PER_MSEC);
}

/* ---- requests and sessions ---- */

static void add_request(struct sql_rows *rows, const struct live_request *request)
{
    char text[ADDRESS_TEXT_MAX];
    sql_rows_begin(rows);
    sql_add_integer(rows, (int64_t)request->id);
    sql_add_text(rows, request->request_id);
    sql_add_text(rows, request->user);
    sql_add_copy(rows, address_format(&request->client, text));
    sql_add_text(rows, request->api);
    sql_add_text(rows, request->model);
    sql_add_text(rows, request->server);
    if (request->has_hostgroup)
        sql_add_integer(rows, request->hostgroup);
    else
        sql_add_null(rows);
    sql_add_text(rows, request->state);
    sql_add_integer(rows, request->is_stream);
    sql_add_integer(rows, request->attempts);
    sql_add_integer(rows, (int64_t)request->events);
    sql_add_integer(rows, (int64_t)request->bytes_out);
    sql_add_integer(rows, milliseconds(request->age));
    if (request->first_byte > 0)
        sql_add_integer(rows, milliseconds(request->first_byte));
}

void fill_requests(struct sql_session *session, struct sql_rows *rows)
{
    struct live_request *requests = NULL;
    size_t count = 0;
    enum err err = live_snapshot(gateway_of(session), &session->arena, &requests, &count);
    if (err == ERR_TIMEOUT)
        sql_error_set(&session->error, SQL_ERR_OTHER, "A worker has not told its requests within a second");
    if (err != ERR_OK) {
        rows->is_failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        add_request(rows, &requests[i]);
}

void fill_sessions(struct sql_session *session, struct sql_rows *rows)
{
    static const char *const stages[] = {
        [SQL_STAGE_IDLE] = "idle",       [SQL_STAGE_STATEMENT] = "running", [SQL_STAGE_COMMIT] = "committing",
        [SQL_STAGE_PUBLISH] = "waiting", [SQL_STAGE_ROWS] = "running",      [SQL_STAGE_DONE] = "running"};
    LIST_EACH (node, &session->engine->sessions) {
        const struct sql_session *other = LIST_ITEM(node, struct sql_session, node);
        sql_rows_begin(rows);
        if (other->identity.id > 0)
            sql_add_integer(rows, other->identity.id);
        else
            sql_add_null(rows);
        sql_add_text(rows, other->identity.user);
        sql_add_text(rows, other->identity.host);
        sql_add_text(rows, str_from(stages[other->stage]));
        sql_add_integer(rows, sql_session_in_transaction(other));
    }
}

/* ---- counters ---- */

struct counted {
    uint64_t requests[CODE_CLASS_COUNT_];
#define COUNTER(field, ...) uint64_t field;
#define HISTOGRAM(field, ...) uint64_t field##_count, field##_sum;
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
};

static uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        count += counter_get(&histogram->buckets[i]);
    return count;
}

static void add_counters(struct counted *sums, const struct server_counters *counters)
{
    for (size_t i = 0; i < CODE_CLASS_COUNT_; i++)
        sums->requests[i] += counter_get(&counters->requests[i]);
#define COUNTER(field, ...) sums->field += counter_get(&counters->field);
#define HISTOGRAM(field, ...)                                                                                \
    sums->field##_count += histogram_count(&counters->field);                                                \
    sums->field##_sum += counter_get(&counters->field.sum);
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
}

/* Of one server's slot, all workers together. */
static struct counted count_slot(const struct gateway *gateway, size_t slot)
{
    struct counted sums = {0};
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct server_counters *counters =
            atomic_load_explicit(&gateway->workers[w].counters[slot], memory_order_acquire);
        if (counters)
            add_counters(&sums, counters);
    }
    return sums;
}

static void add_average(struct sql_rows *rows, uint64_t sum, uint64_t count)
{
    if (count > 0)
        sql_add_real(rows, (double)sum / (double)count / (double)USEC_PER_MSEC);
    else
        sql_add_null(rows);
}

static void add_server_state(struct sql_rows *rows, const struct server_config *config,
                             const struct gate_server_view *view)
{
    static const char *const statuses[SERVER_STATUS_COUNT_] = {"ONLINE", "OFFLINE", "SHUNNED", "DRAINING"};
    static const char *const availabilities[] = {
        [SERVER_READY] = "ready", [SERVER_FULL] = "full", [SERVER_DOWN] = "down"};
    static const char *const healths[HEALTH_STATE_COUNT_] = {"unknown", "good", "bad"};
    static const char *const circuits[BREAKER_STATE_COUNT_] = {"closed", "open", "half_open"};
    sql_add_text(rows, str_from(statuses[config->status]));
    sql_add_text(rows, str_from(availabilities[view->look.availability]));
    sql_add_text(rows, view->look.reason ? str_from(view->look.reason) : STR(""));
    sql_add_text(rows, str_from(healths[view->health]));
    sql_add_text(rows, str_from(circuits[view->breaker]));
    sql_add_integer(rows, config->weight);
    sql_add_integer(rows, view->in_flight);
    sql_add_integer(rows, view->max_concurrent);
}

static void add_server_counts(struct sql_rows *rows, const struct counted *sums)
{
    const uint64_t *requests = sums->requests;
    uint64_t success = requests[CODE_2XX] + requests[CODE_3XX],
             errors = requests[CODE_4XX] + requests[CODE_5XX];
    const uint64_t counts[] = {success + errors + requests[CODE_CLIENT_GONE],
                               success,
                               errors,
                               requests[CODE_CLIENT_GONE],
                               sums->attempts,
                               sums->retries,
                               sums->connect_failures,
                               sums->timeouts,
                               sums->broken_answers,
                               sums->error_statuses,
                               sums->reused_connections,
                               sums->input_tokens,
                               sums->cached_tokens,
                               sums->output_tokens,
                               sums->reasoning_tokens};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        sql_add_integer(rows, (int64_t)counts[i]);
    add_average(rows, sums->duration_sum, sums->duration_count);
    add_average(rows, sums->first_byte_sum, sums->first_byte_count);
}

/* Calls `each` for the servers of the configuration in force. */
static void each_server(struct sql_session *session, struct sql_rows *rows,
                        void (*each)(struct sql_session *session, struct sql_rows *rows,
                                     const struct server *server, const struct server_config *config))
{
    const struct table *table = sql_session_table(session);
    for (size_t i = 0; i < table->server_count; i++)
        each(session, rows, table->servers[i], &table->policy->config->servers[i]);
}

static void add_server(struct sql_session *session, struct sql_rows *rows, const struct server *server,
                       const struct server_config *config)
{
    struct gate_server_view view = gate_view(&gateway_of(session)->gate, server, clock_monotonic());
    struct counted sums = count_slot(gateway_of(session), server->slot);
    sql_rows_begin(rows);
    sql_add_text(rows, config->name);
    sql_add_integer(rows, config->hostgroup);
    sql_add_text(rows, config->provider->name);
    add_server_state(rows, config, &view);
    add_server_counts(rows, &sums);
}

void fill_servers(struct sql_session *session, struct sql_rows *rows)
{
    each_server(session, rows, add_server);
}

/* The row of all others is there from the start. */
static bool is_used(const struct model_row *row)
{
    return counter_get(&row->succeeded) + counter_get(&row->failed) + counter_get(&row->cache_hits) +
               counter_get(&row->cache_misses) >
           0;
}

/* Workers count apart: rows of the same names are one. */
static void add_model(struct sql_rows *rows, const struct model_row *row)
{
    const counter_t *const counts[] = {&row->succeeded,          &row->failed,        &row->cache_hits,
                                       &row->cache_misses,       &row->input_tokens,  &row->cache_read_tokens,
                                       &row->cache_write_tokens, &row->output_tokens, &row->reasoning_tokens};
    sql_rows_begin(rows);
    sql_add_text(rows, row->server);
    sql_add_text(rows, row->model);
    sql_add_text(rows, row->provider);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        sql_add_integer(rows, (int64_t)counter_get(counts[i]));
    sql_add_real(rows, (double)counter_get(&row->cost)); /* nano-dollars, until all workers are added */
    sql_add_integer(rows, (int64_t)counter_get(&row->unpriced));
    sql_add_real(rows, (double)counter_get(&row->duration));
}

#define MODEL_NAMES 3 /* values of a row that name it; the others are numbers */
#define MODEL_COST 12
#define MODEL_DURATION 14

static int compare_models(const void *left, const void *right)
{
    const struct sql_value *a = left, *b = right;
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        size_t length = MIN(a[i].text.len, b[i].text.len);
        int order = length > 0 ? memcmp(a[i].text.ptr, b[i].text.ptr, length) : 0;
        if (order != 0)
            return order;
        if (a[i].text.len != b[i].text.len)
            return a[i].text.len < b[i].text.len ? -1 : 1;
    }
    return 0;
}

static void merge_row(struct sql_value *into, const struct sql_value *from, size_t width)
{
    for (size_t i = MODEL_NAMES; i < width; i++) {
        into[i].integer += from[i].integer;
        into[i].real += from[i].real;
    }
}

static void finish_model(struct sql_value *row)
{
    double requests = (double)(row[MODEL_NAMES].integer + row[MODEL_NAMES + 1].integer);
    row[MODEL_COST].real /= 1e9;
    if (requests > 0)
        row[MODEL_DURATION].real /= requests * (double)USEC_PER_MSEC;
    else
        row[MODEL_DURATION].type = SQL_NULL;
}

static void merge_models(struct sql_rows *rows)
{
    size_t kept = 0, width = rows->width;
    if (rows->count > 0)
        qsort(rows->values, rows->count, width * sizeof(*rows->values), compare_models);
    for (size_t i = 0; i < rows->count; i++) {
        struct sql_value *row = rows->values + i * width, *last = rows->values + (kept - (kept > 0)) * width;
        if (kept > 0 && compare_models(last, row) == 0)
            merge_row(last, row, width);
        else
            memmove(rows->values + kept++ * width, row, width * sizeof(*row));
    }
    rows->count = kept;
    for (size_t i = 0; i < kept; i++)
        finish_model(rows->values + i * width);
}

void fill_models(struct sql_session *session, struct sql_rows *rows)
{
    const struct gateway *gateway = gateway_of(session);
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct model_row *row =
            atomic_load_explicit(&gateway->workers[w].models.newest, memory_order_acquire);
        for (; row; row = row->next)
            if (is_used(row))
                add_model(rows, row);
    }
    if (!rows->is_failed)
        merge_models(rows);
}

/* ---- queues, health ---- */

void fill_queue(struct sql_session *session, struct sql_rows *rows)
{
    const struct table *table = sql_session_table(session);
    for (size_t i = 0; i < table->group_count; i++) {
        const struct table_group *group = &table->groups[i];
        sql_rows_begin(rows);
        sql_add_integer(rows, group->config->id);
        sql_add_text(rows, group->config->name);
        sql_add_text(rows, group->strategy->name);
        sql_add_integer(rows, (int64_t)gate_queue_length(&gateway_of(session)->gate, group->config->id));
        sql_add_integer(rows, (int64_t)sql_session_settings(session)->queue_max_length);
    }
}

static void add_health(struct sql_session *session, struct sql_rows *rows, const struct server *server,
                       const struct server_config *config)
{
    struct gate_server_view view = gate_view(&gateway_of(session)->gate, server, clock_monotonic());
    bool has_latency = view.probes > 0 && view.last_probe.good;
    sql_rows_begin(rows);
    sql_add_text(rows, config->name);
    sql_add_text(rows, view.health != HEALTH_BAD ? STR("Yes") : STR("No"));
    if (has_latency)
        sql_add_printf(rows, "%lldms", (long long)milliseconds(view.last_probe.latency));
    else
        sql_add_text(rows, STR("-"));
    sql_add_time(rows, view.probes > 0 ? view.last_probe.realtime : 0);
    if (has_latency)
        sql_add_integer(rows, milliseconds(view.last_probe.latency));
    else
        sql_add_null(rows);
    sql_add_integer(rows, (int64_t)view.probes);
}

void fill_health(struct sql_session *session, struct sql_rows *rows)
{
    each_server(session, rows, add_health);
}

/* ---- names and values ---- */

static void add_pair(struct sql_rows *rows, const char *name, uint64_t value)
{
    sql_rows_begin(rows);
    sql_add_text(rows, str_from(name));
    sql_add_printf(rows, "%llu", (unsigned long long)value);
}

/* MindBalancer's four facts. */
void fill_overview(struct sql_session *session, struct sql_rows *rows)
{
    const struct table *table = sql_session_table(session);
    uint64_t healthy = 0;
    for (size_t i = 0; i < table->server_count; i++) {
        struct gate_server_view view =
            gate_view(&gateway_of(session)->gate, table->servers[i], clock_monotonic());
        healthy += view.look.availability != SERVER_DOWN;
    }
    struct buf algorithm;
    buf_init(&algorithm, SETTING_TEXT_MAX);
    setting_get(setting_find(STR("load_balancing_algorithm")), sql_session_settings(session), &algorithm);
    sql_rows_begin(rows);
    sql_add_text(rows, STR("algorithm"));
    sql_add_copy(rows, buf_str(&algorithm));
    buf_free(&algorithm);
    add_pair(rows, "total_servers", table->server_count);
    add_pair(rows, "healthy_servers", healthy);
    add_pair(rows, "hostgroups", table->group_count);
}

/* The first seven are MindBalancer's, in its order. */
void fill_cache(struct sql_session *session, struct sql_rows *rows)
{
    struct cache_stats stats = cache_stats(&session->engine->gateway->cache);
    sql_rows_begin(rows);
    sql_add_text(rows, STR("status"));
    sql_add_text(rows, sql_session_settings(session)->cache_enabled ? STR("enabled") : STR("disabled"));
    add_pair(rows, "hits", stats.hits);
    add_pair(rows, "misses", stats.misses);
    sql_rows_begin(rows);
    sql_add_text(rows, STR("hit_rate"));
    sql_add_printf(rows, "%.2f", stats.hit_rate);
    add_pair(rows, "evictions", stats.evictions);
    add_pair(rows, "size_bytes", stats.size_bytes);
    add_pair(rows, "item_count", stats.item_count);
    add_pair(rows, "deduplicated", stats.follows);
    add_pair(rows, "expirations", stats.expirations);
    add_pair(rows, "avg_item_size", stats.item_count > 0 ? stats.size_bytes / stats.item_count : 0);
}

void fill_status(struct sql_session *session, struct sql_rows *rows)
{
    const struct gateway *gateway = gateway_of(session);
    uint64_t connections = 0, in_flight = 0, sessions = 0;
    for (size_t w = 0; w < gateway->worker_count; w++) {
        connections += counter_get(&gateway->workers[w].totals.connections);
        in_flight += counter_get(&gateway->workers[w].totals.in_flight);
    }
    LIST_EACH (node, &session->engine->sessions)
        sessions++;
    add_pair(rows, "Uptime", (clock_realtime() - gateway->started_at) / USEC_PER_SEC);
    add_pair(rows, "Threads_connected", sessions);
    add_pair(rows, "Threads_running", in_flight);
    add_pair(rows, "Connections", connections);
    add_pair(rows, "Configuration_generation", sql_session_table(session)->generation);
}

static void add_metric(struct sql_rows *rows, const char *metric, const char *suffix, struct str server,
                       double value, const char *help)
{
    sql_rows_begin(rows);
    sql_add_printf(rows, "%s%s", metric, suffix);
    sql_add_text(rows, server);
    sql_add_real(rows, value);
    sql_add_text(rows, str_from(help));
}

static void add_metrics(struct sql_rows *rows, struct str server, const struct counted *sums)
{
#define COUNTER(field, metric, help) add_metric(rows, metric, "", server, (double)sums->field, help);
#define HISTOGRAM(field, metric, help)                                                                       \
    add_metric(rows, metric, "_count", server, (double)sums->field##_count, help);                           \
    add_metric(rows, metric, "_sum", server, (double)sums->field##_sum / (double)USEC_PER_SEC, help);
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
}

/* The counters of each server; the empty name stands for requests that reached none. */
void fill_metrics(struct sql_session *session, struct sql_rows *rows)
{
    const struct table *table = sql_session_table(session);
    for (size_t i = 0; i < table->server_count; i++) {
        struct counted sums = count_slot(gateway_of(session), table->servers[i]->slot);
        add_metrics(rows, table->policy->config->servers[i].name, &sums);
    }
    struct counted rest = count_slot(gateway_of(session), GATEWAY_SLOTS);
    add_metrics(rows, STR(""), &rest);
}

void fill_dual(struct sql_session *session, struct sql_rows *rows)
{
    (void)session;
    sql_rows_begin(rows);
    sql_add_text(rows, STR("X"));
}
