/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "wire/json_write.h"

#include <stdio.h>

static void add_number(struct json_writer *out, const char *key, double value)
{
    json_key(out, str_from(key));
    json_double(out, value);
}

static void add_count(struct json_writer *out, const char *key, uint64_t value)
{
    json_key(out, str_from(key));
    json_u64(out, value);
}

static void add_histogram(struct json_writer *out, const char *key, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    json_key(out, str_from(key));
    json_object_begin(out);
    add_count(out, "count", histogram->count);
    add_number(out, "mean", histogram->count > 0 ? (double)histogram->sum / (double)histogram->count : 0);
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        add_count(out, points[i].name, histogram_at(histogram, points[i].share));
    add_count(out, "max", histogram->max);
    json_object_end(out);
}

static void add_errors(struct json_writer *out, const uint64_t *errors)
{
    uint64_t total = 0;
    json_key(out, STR("errors"));
    json_object_begin(out);
    for (size_t i = VERIFY_OK + 1; i < VERIFY_COUNT_; i++) {
        total += errors[i];
        if (errors[i] > 0)
            add_count(out, verify_name((enum verify_result)i), errors[i]);
    }
    add_count(out, "total", total);
    json_object_end(out);
}

static double per(uint64_t nanos, uint64_t count)
{
    return count == 0 ? 0 : (double)nanos / 1000.0 / (double)count;
}

static void add_watch(struct json_writer *out, const struct watch *watch, const struct load *load)
{
    uint64_t cpu = watch->cpu_end - watch->cpu_start;
    double wall = (double)(load->measure_end - load->measure_start) * 1000.0;
    json_object_begin(out);
    add_count(out, "pid", watch->pid);
    add_number(out, "cpu_us", (double)cpu / 1000.0);
    add_number(out, "cpu_share", (double)cpu / wall);
    add_number(out, "cpu_us_per_request", per(cpu, load->measures.requests));
    add_number(out, "cpu_us_per_chunk", per(cpu, load->measures.chunks));
    add_count(out, "rss_before_bytes", watch->rss_before);
    add_count(out, "rss_bytes", watch->rss_plateau);
    add_count(out, "pss_before_bytes", watch->pss_before);
    add_count(out, "pss_bytes", watch->pss_plateau);
    json_object_end(out);
}

void report_print(const struct load *load)
{
    const struct measures *measures = &load->measures;
    double seconds = (double)(load->measure_end - load->measure_start) / (double)USEC_PER_SEC;
    struct buf text;
    struct json_writer out;
    buf_init(&text, 1 << 20);
    json_write_init(&out, &text);
    json_object_begin(&out);
    add_number(&out, "seconds", seconds);
    add_count(&out, "requests", measures->requests);
    add_count(&out, "chunks", measures->chunks);
    add_number(&out, "requests_per_s", (double)measures->requests / seconds);
    add_number(&out, "chunks_per_s", (double)measures->chunks / seconds);
    add_errors(&out, measures->errors);
    add_histogram(&out, "latency_us", &measures->latency);
    add_histogram(&out, "delay_us", &measures->delay);
    add_histogram(&out, "gap_us", &measures->gap);
    add_count(&out, "connections_opened", load->opened);
    add_count(&out, "connections_open", load->open_at_end);
    add_count(&out, "requests_under_way", load->under_way_at_end);
    add_count(&out, "requests_not_sent", load->planned - load->begun);
    add_number(&out, "own_cpu_us", (double)load->own_cpu / 1000.0);
    json_key(&out, STR("watch"));
    json_array_begin(&out);
    for (size_t i = 0; i < load->options.watched_count; i++)
        add_watch(&out, &load->watches[i], load);
    json_array_end(&out);
    json_object_end(&out);
    buf_add_char(&text, '\n');
    fwrite(text.ptr, 1, text.len, stdout);
    buf_free(&text);
}
