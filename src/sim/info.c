/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of itself: models, health, version, metrics. */
#include "sim/sim.h"

#define JSON STR("application/json")

bool info_is_probe(struct str target)
{
    return str_eq(target, STR("/health")) || str_eq(target, STR("/metrics")) ||
           str_eq(target, STR("/version")) || str_eq(target, STR("/api/version")) ||
           str_eq(target, STR("/v1/models"));
}

static void model_write(struct json_writer *out, struct str id)
{
    json_object_begin(out);
    json_key(out, STR("id"));
    json_string(out, id);
    json_key(out, STR("object"));
    json_string(out, STR("model"));
    json_key(out, STR("created"));
    json_u64(out, 1700000000);
    json_key(out, STR("owned_by"));
    json_string(out, STR("fairlead-sim"));
    json_key(out, STR("max_model_len"));
    json_u64(out, 32768);
    json_object_end(out);
}

static void info_models(struct sim_request *req)
{
    const struct sim *sim = req->sim;
    struct buf *body = &req->sim->body;
    struct json_writer out;
    buf_clear(body);
    json_write_init(&out, body);
    json_object_begin(&out);
    json_key(&out, STR("object"));
    json_string(&out, STR("list"));
    json_key(&out, STR("data"));
    json_array_begin(&out);
    for (size_t i = 0; i < sim->model_count; i++)
        model_write(&out, sim->models[i].name);
    json_array_end(&out);
    json_object_end(&out);
    sim_reply(req, 200, JSON, buf_str(body));
}

static void info_model(struct sim_request *req, struct str id)
{
    const struct sim *sim = req->sim;
    struct buf *body = &req->sim->body;
    for (size_t i = 0; i < sim->model_count; i++) {
        if (!str_eq(sim->models[i].name, id))
            continue;
        struct json_writer out;
        buf_clear(body);
        json_write_init(&out, body);
        model_write(&out, id);
        sim_reply(req, 200, JSON, buf_str(body));
        return;
    }
    sim_refuse(req, 404, "invalid_request_error", "model_not_found", "the model does not exist");
}

/* ---- Prometheus text, as vLLM names it ---- */

static void metric_line(struct buf *out, const char *name, struct str model, double value)
{
    buf_printf(out, "%s{model_name=\"" STR_FMT "\"} %.15g\n", name, STR_ARG(model), value);
}

static double model_kv_usage(const struct sim *sim, const struct sim_model *model)
{
    if (sim->kv_cache_usage >= 0)
        return sim->kv_cache_usage;
    return sim->settings.batch == 0 ? 0 : (double)model->running / (double)sim->settings.batch;
}

static double metric_value(const struct sim *sim, const struct sim_model *model, size_t metric)
{
    const double values[] = {(double)model->running, (double)model->waiting, model_kv_usage(sim, model),
                             (double)model->prompt_tokens, (double)model->generation_tokens};
    return values[metric];
}

static void info_metrics(struct sim_request *req)
{
    static const struct {
        const char *name, *type, *help;
    } metrics[] = {
        {"vllm:num_requests_running", "gauge", "Requests in the batch."},
        {"vllm:num_requests_waiting", "gauge", "Requests that wait for the batch."},
        {"vllm:kv_cache_usage_perc", "gauge", "Share of the KV cache in use, 1 is all of it."},
        {"vllm:prompt_tokens_total", "counter", "Prompt tokens read."},
        {"vllm:generation_tokens_total", "counter", "Tokens written."},
    };
    const struct sim *sim = req->sim;
    struct buf *body = &req->sim->body;
    buf_clear(body);
    for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
        buf_printf(body, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help, metrics[m].name,
                   metrics[m].type);
        for (size_t i = 0; i < sim->model_count; i++)
            metric_line(body, metrics[m].name, sim->models[i].name, metric_value(sim, &sim->models[i], m));
    }
    sim_reply(req, 200, STR("text/plain; version=0.0.4; charset=utf-8"), buf_str(body));
}

/* ---- routing ---- */

/* Whether the scripted health has answered instead, or decided never to. */
static bool info_is_unwell(struct sim_request *req)
{
    int status = (int)req->sim->health_status;
    if (status == 0)
        return true;
    if (status == 200)
        return false;
    sim_refuse(req, status, "server_error", NULL, "scripted health");
    return true;
}

bool info_answer(struct sim_request *req, struct str target)
{
    if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0)
        return false;
    if (str_eq(target, STR("/health"))) {
        if (!info_is_unwell(req))
            sim_reply(req, 200, JSON, STR(""));
    } else if (str_eq(target, STR("/v1/models"))) {
        if (!info_is_unwell(req))
            info_models(req);
    } else if (str_starts(target, STR("/v1/models/"))) {
        info_model(req, str_from_offset(target, sizeof("/v1/models/") - 1));
    } else if (str_eq(target, STR("/metrics"))) {
        info_metrics(req);
    } else if (str_eq(target, STR("/version"))) {
        sim_reply(req, 200, JSON, STR("{\"version\":\"0.10.0\"}"));
    } else if (str_eq(target, STR("/api/version"))) {
        sim_reply(req, 200, JSON, STR("{\"version\":\"0.12.0\"}"));
    } else {
        return false;
    }
    return true;
}
