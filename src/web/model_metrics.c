/* SPDX-License-Identifier: Apache-2.0 */
#include "web/model_metrics.h"

#include "proxy/worker.h"

#include <stdlib.h>

#define LABEL_MAX 256
#define NANO_PER_USD 1000000000u

/* One pair of server and model, summed over the workers. */
struct pair {
    struct str server, model, provider;
    uint64_t succeeded, failed, cache_hits, cache_misses, unpriced;
    uint64_t input, cache_read, cache_write, output, reasoning, cost;
    uint64_t buckets[MODEL_BUCKETS + 1], duration;
};

static size_t count_rows(const struct gateway *gateway)
{
    size_t count = 0;
    for (size_t w = 0; w < gateway->worker_count; w++)
        for (const struct model_row *row = atomic_load(&gateway->workers[w].models.newest); row;
             row = row->next)
            count++;
    return count;
}

static struct pair read_row(const struct model_row *row)
{
    struct pair pair = {
        .server = row->server,
        .model = row->model,
        .provider = row->provider,
        .succeeded = counter_get(&row->succeeded),
        .failed = counter_get(&row->failed),
        .cache_hits = counter_get(&row->cache_hits),
        .cache_misses = counter_get(&row->cache_misses),
        .unpriced = counter_get(&row->unpriced),
        .input = counter_get(&row->input_tokens),
        .cache_read = counter_get(&row->cache_read_tokens),
        .cache_write = counter_get(&row->cache_write_tokens),
        .output = counter_get(&row->output_tokens),
        .reasoning = counter_get(&row->reasoning_tokens),
        .cost = counter_get(&row->cost),
        .duration = counter_get(&row->duration),
    };
    for (size_t i = 0; i <= MODEL_BUCKETS; i++)
        pair.buckets[i] = counter_get(&row->buckets[i]);
    return pair;
}

static void add_pair(struct pair *sum, const struct pair *more)
{
    sum->succeeded += more->succeeded;
    sum->failed += more->failed;
    sum->cache_hits += more->cache_hits;
    sum->cache_misses += more->cache_misses;
    sum->unpriced += more->unpriced;
    sum->input += more->input;
    sum->cache_read += more->cache_read;
    sum->cache_write += more->cache_write;
    sum->output += more->output;
    sum->reasoning += more->reasoning;
    sum->cost += more->cost;
    sum->duration += more->duration;
    for (size_t i = 0; i <= MODEL_BUCKETS; i++)
        sum->buckets[i] += more->buckets[i];
}

static int compare_str(struct str a, struct str b)
{
    int order = MIN(a.len, b.len) > 0 ? memcmp(a.ptr, b.ptr, MIN(a.len, b.len)) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = compare_str(left->model, right->model);
    return order != 0 ? order : compare_str(left->server, right->server);
}

/* By model, then server, each pair once. NULL when memory is short. */
static struct pair *collect(const struct gateway *gateway, size_t *ret_count)
{
    size_t room = count_rows(gateway), count = 0, unique = 0;
    struct pair *pairs = calloc(MAX(room, 1), sizeof(*pairs));
    if (!pairs)
        return NULL;
    for (size_t w = 0; w < gateway->worker_count; w++) {
        const struct model_row *row = atomic_load(&gateway->workers[w].models.newest);
        for (; row && count < room; row = row->next)
            pairs[count++] = read_row(row);
    }
    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        if (unique > 0 && compare_pairs(&pairs[unique - 1], &pairs[i]) == 0)
            add_pair(&pairs[unique - 1], &pairs[i]);
        else
            pairs[unique++] = pairs[i];
    }
    *ret_count = unique;
    return pairs;
}

void metrics_escape_label(struct str name, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len && len + 3 < size; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            out[len++] = '\\';
        out[len++] = name.ptr[i] == '\n' ? ' ' : name.ptr[i];
    }
    out[len] = '\0';
}

/* The labels of a pair as text, made once for all its series. */
struct labels {
    char server[LABEL_MAX], model[LABEL_MAX];
};

static struct labels labels_of(const struct pair *pair)
{
    struct labels labels;
    metrics_escape_label(pair->server, labels.server, sizeof(labels.server));
    metrics_escape_label(pair->model, labels.model, sizeof(labels.model));
    return labels;
}

static void write_help(struct buf *out, const char *metric, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static bool has_requests(const struct pair *pair)
{
    return pair->succeeded + pair->failed > 0;
}

static void write_requests(struct buf *out, const struct pair *pair, const struct labels *labels)
{
    buf_printf(out, "mindbalancer_requests_total{server=\"%s\",model=\"%s\",status=\"success\"} %llu\n",
               labels->server, labels->model, (unsigned long long)pair->succeeded);
    buf_printf(out, "mindbalancer_requests_total{server=\"%s\",model=\"%s\",status=\"error\"} %llu\n",
               labels->server, labels->model, (unsigned long long)pair->failed);
}

static void write_duration(struct buf *out, const struct pair *pair, const struct labels *labels)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= MODEL_BUCKETS; i++) {
        char bound[32] = "+Inf";
        count += pair->buckets[i];
        if (i < MODEL_BUCKETS)
            snprintf(bound, sizeof(bound), "%g", (double)model_bucket_bounds[i] / (double)USEC_PER_SEC);
        buf_printf(
            out, "mindbalancer_request_duration_seconds_bucket{server=\"%s\",model=\"%s\",le=\"%s\"} %llu\n",
            labels->server, labels->model, bound, (unsigned long long)count);
    }
    buf_printf(out, "mindbalancer_request_duration_seconds_sum{server=\"%s\",model=\"%s\"} %.6f\n",
               labels->server, labels->model, (double)pair->duration / (double)USEC_PER_SEC);
    buf_printf(out, "mindbalancer_request_duration_seconds_count{server=\"%s\",model=\"%s\"} %llu\n",
               labels->server, labels->model, (unsigned long long)count);
}

static void write_tokens(struct buf *out, const struct pair *pair, const struct labels *labels)
{
    const struct {
        const char *type;
        uint64_t value;
    } rows[] = {
        {"prompt", pair->input + pair->cache_read + pair->cache_write},
        {"completion", pair->output + pair->reasoning},
        {"prompt_cache_read", pair->cache_read},
        {"prompt_cache_write", pair->cache_write},
        {"completion_reasoning", pair->reasoning},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(out, "mindbalancer_tokens_total{server=\"%s\",model=\"%s\",type=\"%s\"} %llu\n",
                   labels->server, labels->model, rows[i].type, (unsigned long long)rows[i].value);
}

static void write_cost(struct buf *out, const struct pair *pair, const struct labels *labels)
{
    buf_printf(
        out,
        "mindbalancer_cost_usd_total{server=\"%s\",model=\"%s\",provider_type=\"" STR_FMT "\"} %llu.%09llu\n",
        labels->server, labels->model, STR_ARG(pair->provider),
        (unsigned long long)(pair->cost / NANO_PER_USD), (unsigned long long)(pair->cost % NANO_PER_USD));
}

static void write_unpriced(struct buf *out, const struct pair *pair, const struct labels *labels)
{
    buf_printf(out, "fairlead_unpriced_requests_total{server=\"%s\",model=\"%s\"} %llu\n", labels->server,
               labels->model, (unsigned long long)pair->unpriced);
}

static void write_family(struct buf *out, const struct pair *pairs, size_t count, const char *metric,
                         const char *type, const char *help,
                         void (*write)(struct buf *, const struct pair *, const struct labels *))
{
    write_help(out, metric, type, help);
    for (size_t i = 0; i < count; i++) {
        struct labels labels = labels_of(&pairs[i]);
        if (has_requests(&pairs[i]))
            write(out, &pairs[i], &labels);
    }
}

/* By model alone: a hit concerns no server. Pairs of one model stand together. */
static void write_cache(struct buf *out, const struct pair *pairs, size_t count, const char *metric,
                        const char *help, size_t offset)
{
    write_help(out, metric, "counter", help);
    for (size_t i = 0; i < count;) {
        uint64_t value = 0;
        size_t first = i;
        bool was_used = false;
        for (; i < count && str_eq(pairs[i].model, pairs[first].model); i++) {
            const struct pair *pair = &pairs[i];
            value += *(const uint64_t *)((const char *)pair + offset);
            was_used |= has_requests(pair) || pair->cache_hits + pair->cache_misses > 0;
        }
        struct labels labels = labels_of(&pairs[first]);
        if (was_used)
            buf_printf(out, "%s{model=\"%s\"} %llu\n", metric, labels.model, (unsigned long long)value);
    }
}

static void write_health(struct buf *out, struct gateway *gateway)
{
    struct table *table = gate_newer_table(&gateway->gate, NULL);
    if (!table)
        return;
    write_help(out, "mindbalancer_server_health", "gauge",
               "1: passes its probes or was not probed yet, 0: failed them.");
    for (size_t i = 0; i < table->server_count; i++) {
        char label[LABEL_MAX];
        struct gate_server_view view = gate_view(&gateway->gate, table->servers[i], clock_monotonic());
        metrics_escape_label(table->servers[i]->name, label, sizeof(label));
        buf_printf(out, "mindbalancer_server_health{server=\"%s\"} %d\n", label, view.health != HEALTH_BAD);
    }
    gate_drop_table(&gateway->gate, table);
}

void model_metrics_write(struct buf *out, struct gateway *gateway)
{
    size_t count;
    struct pair *pairs = collect(gateway, &count);
    if (!pairs)
        return;
    write_family(out, pairs, count, "mindbalancer_requests_total", "counter",
                 "Requests by server, model and success.", write_requests);
    write_family(out, pairs, count, "mindbalancer_request_duration_seconds", "histogram",
                 "From the request's head to the end of the answer, streams included.", write_duration);
    write_family(
        out, pairs, count, "mindbalancer_tokens_total", "counter",
        "Tokens as servers counted them; the types with an underscore are parts of prompt and completion.",
        write_tokens);
    write_family(out, pairs, count, "mindbalancer_cost_usd_total", "counter",
                 "What the tokens cost, in US dollars.", write_cost);
    write_family(out, pairs, count, "fairlead_unpriced_requests_total", "counter",
                 "Requests with usage of a model that has no price.", write_unpriced);
    write_cache(out, pairs, count, "mindbalancer_cache_hits_total", "Answers given from the cache.",
                offsetof(struct pair, cache_hits));
    write_cache(out, pairs, count, "mindbalancer_cache_misses_total",
                "Requests that the cache could have answered but for not having the answer.",
                offsetof(struct pair, cache_misses));
    free(pairs);
    write_health(out, gateway);
}
