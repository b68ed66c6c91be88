/* SPDX-License-Identifier: Apache-2.0 */
/* /sim/...: what tests ask and order. */
#include "sim/inference.h"

#define LIST_DEFAULT 20
#define LIST_BYTES_MAX ((size_t)3 << 20) /* what a connection takes in one piece */

static void control_refuse(struct sim_request *req, int status, const char *why)
{
    sim_refuse(req, status, "invalid_request_error", NULL, why);
}

static void control_done(struct sim_request *req)
{
    sim_reply(req, 200, STR("application/json"), STR("{}"));
}

static void number_write(struct json_writer *out, const char *key, uint64_t value)
{
    json_key(out, str_from(key));
    json_u64(out, value);
}

static void control_state(struct sim_request *req, struct str body)
{
    const struct sim *sim = req->sim;
    struct buf *answer = &req->sim->body;
    struct json_writer out;
    (void)body;
    buf_clear(answer);
    json_write_init(&out, answer);
    json_object_begin(&out);
    number_write(&out, "in_flight", sim->counts.in_flight);
    number_write(&out, "max_in_flight", sim->counts.max_in_flight);
    number_write(&out, "received", sim->counts.received);
    number_write(&out, "completed", sim->counts.completed);
    number_write(&out, "cancelled", sim->counts.cancelled);
    number_write(&out, "faulted", sim->counts.faulted);
    number_write(&out, "running", sim->running);
    number_write(&out, "queued", sim->queued);
    number_write(&out, "malformed", sim->counts.malformed);
    number_write(&out, "probes", sim->counts.probes);
    number_write(&out, "open_connections", sim->service.conn_count);
    number_write(&out, "accepted_connections", sim->counts.accepted);
    json_object_end(&out);
    sim_reply(req, 200, STR("application/json"), buf_str(answer));
}

static uint64_t query_last(const struct sim_request *req)
{
    struct str target = {req->target, req->target_len};
    ssize_t at = str_find(target, STR("?last="));
    uint64_t last = LIST_DEFAULT;
    if (at >= 0 && !str_to_u64(str_from_offset(target, (size_t)at + 6), &last))
        last = LIST_DEFAULT;
    return MIN(last, (uint64_t)RECORD_SLOTS);
}

static void control_requests(struct sim_request *req, struct str body)
{
    struct buf *answer = &req->sim->body;
    struct json_writer out;
    (void)body;
    buf_clear(answer);
    json_write_init(&out, answer);
    recorder_write(&req->sim->recorder, query_last(req), &out);
    if (!buf_ok(answer) || answer->len > LIST_BYTES_MAX)
        control_refuse(req, 400, "that is too much in one answer: ask for fewer with ?last=N");
    else
        sim_reply(req, 200, STR("application/json"), buf_str(answer));
}

static bool set_fault(struct sim *sim, struct str spec, struct buf *why)
{
    if (fault_parse(spec, &sim->fault, why) != ERR_OK)
        return false;
    buf_clear(&sim->fault_spec);
    buf_add(&sim->fault_spec, spec);
    return true;
}

bool sim_reset(struct sim *sim, struct buf *why)
{
    sim->settings = sim->options.settings;
    sim->tally = (struct fault_tally){0};
    sim->counts = (struct sim_counts){
        .in_flight = sim->counts.in_flight,
        .max_in_flight = sim->counts.in_flight,
        .accepted = sim->counts.accepted,
    };
    sim->health_status = 200;
    sim->kv_cache_usage = -1;
    recorder_clear(&sim->recorder);
    return set_fault(sim, sim->options.fault, why);
}

static void control_reset(struct sim_request *req, struct str body)
{
    struct buf *why = &req->sim->body;
    (void)body;
    buf_clear(why);
    if (!sim_reset(req->sim, why)) /* --fault was understood when the server started */
        control_refuse(req, 500, "--fault is not understood");
    else
        control_done(req);
}

static void control_fault(struct sim_request *req, struct str body)
{
    char memory[256];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory) - 1);
    if (set_fault(req->sim, str_trim(body), &why)) {
        control_done(req);
        return;
    }
    memory[why.len] = '\0';
    control_refuse(req, 400, memory);
}

static enum json_visit config_visitor(void *context, const struct json_item *item)
{
    struct sim_settings *settings = &((struct sim *)context)->settings;
    if (item->depth == 0)
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_STOP;
    uint64_t number = 0;
    double usage = 0;
    struct sim *sim = context;
    if (str_eq(item->key, STR("kv_cache_usage")) && json_item_double(item, &usage) == ERR_OK)
        sim->kv_cache_usage = usage;
    else if (json_item_u64(item, &number) != ERR_OK ||
             sim_settings_set(settings, item->key, number) != ERR_OK)
        sim->is_config_bad = true;
    return JSON_SKIP;
}

static void control_config(struct sim_request *req, struct str body)
{
    struct sim *sim = req->sim;
    struct sim_settings before = sim->settings;
    sim->is_config_bad = false;
    if (json_walk(sim->reader, body, config_visitor, sim) != ERR_OK || sim->is_config_bad) {
        sim->settings = before;
        control_refuse(req, 400, "a JSON object of known settings and numbers in range is expected");
        return;
    }
    control_done(req);
    inference_admit_waiting(sim);
}

static enum json_visit health_visitor(void *context, const struct json_item *item)
{
    uint64_t *status = context;
    if (item->depth == 0)
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_STOP;
    if (str_eq(item->key, STR("status")) && json_item_u64(item, status) != ERR_OK)
        *status = UINT64_MAX;
    return JSON_SKIP;
}

/* {"status":503}; 0: take the question and never answer it. */
static void control_health(struct sim_request *req, struct str body)
{
    uint64_t status = UINT64_MAX;
    if (json_walk(req->sim->reader, body, health_visitor, &status) != ERR_OK || status > 599 ||
        (status > 0 && status < 200)) {
        control_refuse(req, 400, "{\"status\":N} is expected");
        return;
    }
    req->sim->health_status = status;
    control_done(req);
}

bool control_answer(struct sim_request *req, struct str method, struct str target, struct str body)
{
    static const struct {
        const char *method, *path;
        void (*answer)(struct sim_request *, struct str body);
    } routes[] = {
        {"GET", "/sim/state", control_state},    {"GET", "/sim/requests", control_requests},
        {"POST", "/sim/reset", control_reset},   {"POST", "/sim/fault", control_fault},
        {"POST", "/sim/config", control_config}, {"POST", "/sim/health", control_health},
    };
    if (!str_starts(target, STR("/sim/")))
        return false;
    ssize_t mark = str_find(target, STR("?"));
    struct str path = {target.ptr, mark < 0 ? target.len : (size_t)mark};
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (str_eq(path, str_from(routes[i].path)) && str_eq(method, str_from(routes[i].method))) {
            routes[i].answer(req, body);
            return true;
        }
    }
    control_refuse(req, 404, "no such control");
    return true;
}
