/* SPDX-License-Identifier: Apache-2.0 */
#include "web/metrics.h"

#include "proxy/worker.h"
#include "store/journal.h"
#include "web/model_metrics.h"

/* Sums of all workers for one server. */
struct sums {
    uint64_t requests[CODE_CLASS_COUNT_];
#define COUNTER(field, ...) uint64_t field;
#define HISTOGRAM(field, ...) uint64_t field[HISTOGRAM_BUCKETS + 1], field##_sum;
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
};

static void add_histogram(uint64_t *buckets, uint64_t *sum, const struct histogram *histogram)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        buckets[i] += counter_get(&histogram->buckets[i]);
    *sum += counter_get(&histogram->sum);
}

static struct sums sum_slot(const struct gateway *gateway, size_t slot)
{
    struct sums sums = {0};
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct server_counters *counters =
            atomic_load_explicit(&gateway->workers[w].counters[slot], memory_order_acquire);
        if (!counters)
            continue;
        for (size_t i = 0; i < CODE_CLASS_COUNT_; i++)
            sums.requests[i] += counter_get(&counters->requests[i]);
#define COUNTER(field, ...) sums.field += counter_get(&counters->field);
#define HISTOGRAM(field, ...) add_histogram(sums.field, &sums.field##_sum, &counters->field);
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
    }
    return sums;
}

/* One row of the page: a server's name and its sums; the last row is for requests that reached none. */
struct row {
    char label[256]; /* escaped */
    const struct server *server;
    struct sums sums;
};

static void write_help(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void write_counter(struct buf *out, const char *metric, const char *label, uint64_t value)
{
    buf_printf(out, "%s{server=\"%s\"} %llu\n", metric, label, (unsigned long long)value);
}

static void write_histogram(struct buf *out, const char *metric, const char *label, const uint64_t *buckets,
                            uint64_t sum)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += buckets[i];
        buf_printf(out, "%s_bucket{server=\"%s\",le=\"%g\"} %llu\n", metric, label,
                   (double)histogram_bound(i) / (double)USEC_PER_SEC, (unsigned long long)count);
    }
    count += buckets[HISTOGRAM_BUCKETS];
    buf_printf(out, "%s_bucket{server=\"%s\",le=\"+Inf\"} %llu\n", metric, label, (unsigned long long)count);
    buf_printf(out, "%s_sum{server=\"%s\"} %.6f\n", metric, label, (double)sum / (double)USEC_PER_SEC);
    buf_printf(out, "%s_count{server=\"%s\"} %llu\n", metric, label, (unsigned long long)count);
}

static void write_requests(struct buf *out, const struct row *rows, size_t count)
{
    write_help(out, "fairlead_requests_total", "counter",
               "Requests ended, by the answer that the client got.");
    for (size_t i = 0; i < count; i++)
        for (size_t code = 0; code < CODE_CLASS_COUNT_; code++)
            buf_printf(out, "fairlead_requests_total{server=\"%s\",code=\"%s\"} %llu\n", rows[i].label,
                       code_class_text((enum code_class)code),
                       (unsigned long long)rows[i].sums.requests[code]);
}

static void write_counted(struct buf *out, const struct row *rows, size_t count)
{
#define COUNTER(field, metric, help)                                                                         \
    write_help(out, metric, "counter", help);                                                                \
    for (size_t i = 0; i < count; i++)                                                                       \
        write_counter(out, metric, rows[i].label, rows[i].sums.field);
#define HISTOGRAM(field, metric, help)                                                                       \
    write_help(out, metric, "histogram", help);                                                              \
    for (size_t i = 0; i < count; i++)                                                                       \
        write_histogram(out, metric, rows[i].label, rows[i].sums.field, rows[i].sums.field##_sum);
#include "proxy/counters.def"
#undef COUNTER
#undef HISTOGRAM
}

static void write_gauge(struct buf *out, const char *metric, const char *help, const struct row *rows,
                        size_t count, struct gateway *gateway,
                        uint64_t (*value)(const struct gate_server_view *))
{
    usec_t now = clock_monotonic();
    write_help(out, metric, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].server)
            continue;
        struct gate_server_view view = gate_view(&gateway->gate, rows[i].server, now);
        write_counter(out, metric, rows[i].label, value(&view));
    }
}

static uint64_t value_up(const struct gate_server_view *view)
{
    return view->look.availability != SERVER_DOWN;
}

static uint64_t value_healthy(const struct gate_server_view *view)
{
    return view->health != HEALTH_BAD;
}

static uint64_t value_breaker(const struct gate_server_view *view)
{
    return view->breaker;
}

static uint64_t value_in_flight(const struct gate_server_view *view)
{
    return view->in_flight;
}

static uint64_t value_limit(const struct gate_server_view *view)
{
    return view->max_concurrent;
}

static void write_servers(struct buf *out, const struct row *rows, size_t count, struct gateway *gateway)
{
    write_gauge(out, "fairlead_server_up", "1: would take a request (perhaps after waiting), 0: down.", rows,
                count, gateway, value_up);
    write_gauge(out, "fairlead_server_healthy", "1: healthy or not probed yet, 0: failed its probes.", rows,
                count, gateway, value_healthy);
    write_gauge(out, "fairlead_server_breaker_state", "Circuit: 0 closed, 1 open, 2 half-open.", rows, count,
                gateway, value_breaker);
    write_gauge(out, "fairlead_server_in_flight", "Requests that hold a place on the server.", rows, count,
                gateway, value_in_flight);
    write_gauge(out, "fairlead_server_max_concurrent", "Its max_concurrent; 0 is no limit.", rows, count,
                gateway, value_limit);
}

static void write_single(struct buf *out, const char *metric, const char *type, const char *help,
                         uint64_t value)
{
    write_help(out, metric, type, help);
    buf_printf(out, "%s %llu\n", metric, (unsigned long long)value);
}

static void write_process(struct buf *out, struct gateway *gateway, const struct table *table)
{
    uint64_t connections = 0, in_flight = 0, dropped = 0;
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct worker_counters *totals = &gateway->workers[w].totals;
        connections += counter_get(&totals->connections);
        in_flight += counter_get(&totals->in_flight);
        dropped += counter_get(&totals->log_buffers_dropped);
    }
    write_single(out, "fairlead_client_connections_total", "counter", "Connections accepted from clients.",
                 connections);
    write_single(out, "fairlead_requests_in_flight", "gauge", "Requests between their head and their end.",
                 in_flight);
    write_single(out, "fairlead_access_log_buffers_dropped_total", "counter",
                 "Buffers of access-log lines that the log could not take in time.", dropped);
    write_single(out, "fairlead_config_generation", "gauge", "Generation of the routing table in force.",
                 table->generation);
    write_single(out, "fairlead_start_time_seconds", "gauge", "Start of the process, Unix time.",
                 gateway->started_at / USEC_PER_SEC);
    write_help(out, "fairlead_queue_length", "gauge", "Requests that wait for a free server.");
    for (size_t i = 0; i < table->group_count; i++) {
        const struct hostgroup_config *group = table->groups[i].config;
        char label[256];
        metrics_escape_label(group->name, label, sizeof(label));
        buf_printf(out, "fairlead_queue_length{hostgroup=\"%u\",name=\"%s\"} %zu\n", group->id, label,
                   gate_queue_length(&gateway->gate, group->id));
    }
    write_help(out, "fairlead_build_info", "gauge", "Version of this program.");
    buf_printf(out, "fairlead_build_info{version=\"%s\"} 1\n", FAIRLEAD_VERSION);
}

static void write_cache(struct buf *out, const struct cache *cache)
{
    struct cache_stats stats = cache_stats(cache);
    write_single(out, "fairlead_cache_hits_total", "counter", "Requests answered from the cache.", stats.hits);
    write_single(out, "fairlead_cache_misses_total", "counter",
                 "Requests that the cache could have answered but for not having the answer.", stats.misses);
    write_single(out, "fairlead_cache_follows_total", "counter",
                 "Requests that shared the answer another one was receiving.", stats.follows);
    write_single(out, "fairlead_cache_evictions_total", "counter", "Answers dropped to make room.",
                 stats.evictions);
    write_single(out, "fairlead_cache_size_bytes", "gauge", "Memory of the answers that are kept.",
                 stats.size_bytes);
    write_single(out, "fairlead_cache_items", "gauge", "Answers that are kept.", stats.item_count);
}

static void write_journal(struct buf *out, const struct journal *journal)
{
    struct journal_numbers numbers;
    journal_read_numbers(journal, &numbers);
    write_single(out, "fairlead_journal_state", "gauge",
                 "0: records are kept, 1: degraded (the disk is full or refuses), requests go on.",
                 numbers.state != JOURNAL_OK);
    write_single(out, "fairlead_journal_bytes", "gauge", "Disk space of the journal, prepared files included.",
                 numbers.bytes);
    write_single(out, "fairlead_journal_segments", "gauge", "Files of the journal.", numbers.segments);
    write_single(out, "fairlead_journal_unread_bytes", "gauge", "Bytes that the ledger has not counted yet.",
                 numbers.unread_bytes);
    write_single(out, "fairlead_journal_unsynced_bytes", "gauge", "Bytes that a power cut would take.",
                 numbers.unsynced_bytes);
    write_single(out, "fairlead_journal_dropped_records_total", "counter",
                 "Records of requests that found no room in the journal.", numbers.dropped);
    write_single(out, "fairlead_journal_torn_records_total", "counter",
                 "Damaged records that were met; their file is not read on behind them.", numbers.torn);
}

void metrics_write(struct buf *out, struct gateway *gateway)
{
    struct table *table = gate_newer_table(&gateway->gate, NULL);
    if (!table)
        return;
    size_t count = table->server_count + 1;
    struct arena arena;
    arena_init(&arena, NULL);
    struct row *rows = ARENA_NEW_ARRAY(&arena, struct row, count);
    if (rows) {
        for (size_t i = 0; i < table->server_count; i++) {
            rows[i].server = table->servers[i];
            metrics_escape_label(table->servers[i]->name, rows[i].label, sizeof(rows[i].label));
            rows[i].sums = sum_slot(gateway, table->servers[i]->slot);
        }
        rows[count - 1].sums = sum_slot(gateway, GATEWAY_SLOTS);
        write_requests(out, rows, count);
        write_counted(out, rows, count);
        write_servers(out, rows, count, gateway);
    }
    write_process(out, gateway, table);
    write_cache(out, &gateway->cache);
    if (gateway->journal)
        write_journal(out, gateway->journal);
    arena_fini(&arena);
    gate_drop_table(&gateway->gate, table);
    model_metrics_write(out, gateway);
}
