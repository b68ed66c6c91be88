/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inference.h"

#include "sim/answer.h"
#include "sim/outlet.h"
#include "sim/render.h"

#include <xxhash.h>

#define HASHED_MAX ((size_t)16384) /* of a body, for the answer's id */

static void inference_start(struct sim_request *req);
static void inference_on_timer(struct wheel_timer *timer);

/* ---- reading ---- */

/* Equal requests get equal ids; of a long body both ends are looked at. */
static void request_set_id(struct sim_request *req, struct str body)
{
    static const char digits[] = "0123456789abcdef";
    size_t front = MIN(body.len, HASHED_MAX);
    uint64_t hash = XXH3_64bits_withSeed(body.ptr, front, body.len);
    if (body.len > front) {
        size_t back = MIN(body.len - front, HASHED_MAX);
        hash = XXH3_64bits_withSeed(body.ptr + body.len - back, back, hash);
    }
    for (size_t i = 0; i < sizeof(req->id); i++)
        req->id[i] = digits[hash >> (60 - 4 * i) & 15];
}

/* Which fault befalls the request: its own header's, its model's, or the server's. */
static enum err request_choose_fault(struct sim_request *req, struct buf *why)
{
    struct sim *sim = req->sim;
    struct str model = req->ask.model;
    if (!req->has_own_fault && str_starts(model, STR("fault:"))) {
        struct str spec = str_from_offset(model, sizeof("fault:") - 1);
        if (fault_parse(spec, &req->fault, why) != ERR_OK)
            return ERR_INVALID;
        req->fault_key = fault_key(spec);
    } else if (!req->has_own_fault) {
        req->fault = sim->fault;
        req->fault_key = fault_key(buf_str(&sim->fault_spec));
    }
    if (req->fault.times != FAULT_NONE && !fault_tally_use(&sim->tally, req->fault_key, req->fault.times))
        fault_init(&req->fault);
    return ERR_OK;
}

/* The counters of the request's model; NULL: the model is not served. */
static struct sim_model *model_find(struct sim *sim, struct str name)
{
    if (sim->options.models.len == 0 || str_starts(name, STR("fault:")))
        return &sim->models[0];
    for (size_t i = 0; i < sim->model_count; i++) {
        if (str_eq(sim->models[i].name, name))
            return &sim->models[i];
    }
    return NULL;
}

static bool request_read_body(struct sim_request *req, struct str body)
{
    struct sim *sim = req->sim;
    const char *why = NULL;
    if (ask_read(sim->reader, body, &req->ask, &why) != ERR_OK) {
        answer_fail(req, 400, "invalid_request_error", NULL, why);
        return false;
    }
    if (req->ask.model.len > MODEL_NAME_MAX) {
        answer_fail(req, 400, "invalid_request_error", NULL, "the model's name is too long");
        return false;
    }
    memcpy(req->model, req->ask.model.ptr, req->ask.model.len);
    req->ask.model.ptr = req->model;
    req->counter = model_find(sim, req->ask.model);
    if (!req->counter) {
        answer_fail(req, 404, "invalid_request_error", "model_not_found", "the model does not exist");
        return false;
    }
    request_set_id(req, body);
    return true;
}

/* False: it cannot be answered as it wants, and has been told so. */
static bool request_read(struct sim_request *req, struct str body)
{
    const struct fault *known = req->has_own_fault ? &req->fault : &req->sim->fault;
    if (known->blind) {
        req->counter = &req->sim->models[0];
        req->ask = (struct ask){.model = req->counter->name, .max_tokens = ASK_NO_LIMIT};
        memset(req->id, '0', sizeof(req->id));
    } else if (!request_read_body(req, body)) {
        return false;
    }
    char memory[512];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory) - 1);
    if (request_choose_fault(req, &why) == ERR_OK)
        return true;
    memory[why.len] = '\0';
    answer_fail(req, 400, "invalid_request_error", "bad_fault", memory);
    return false;
}

static uint64_t given(uint64_t number, uint64_t otherwise)
{
    return number == FAULT_NONE ? otherwise : number;
}

/* How long the answer is and how fast it comes. */
static void request_plan(struct sim_request *req)
{
    const struct sim_settings *settings = &req->sim->settings;
    const struct fault *fault = &req->fault;
    uint64_t chunk = settings->chunk_tokens;
    req->prompt_tokens = MAX(req->ask.prompt_bytes / 4, 1);
    if (fault->events == FAULT_NONE)
        req->tokens = MIN(settings->tokens, req->ask.max_tokens);
    else
        req->tokens = fault->events * chunk;
    if (!req->ask.stream)
        req->tokens = MIN(req->tokens, RENDER_TOKENS_MAX);
    req->event_count = MIN((req->tokens + chunk - 1) / chunk, fault->error_event);
    uint64_t decode = settings->decode_rate == 0 ? 0 : chunk * USEC_PER_SEC / settings->decode_rate;
    req->interval = given(fault->interval, decode);
    if (req->ask.stream && fault->body != FAULT_NONE && fault->event_bytes == FAULT_NONE &&
        req->event_count > 0)
        req->fault.event_bytes = MIN(fault->body / req->event_count, RENDER_EVENT_MAX);
}

void inference_begin(struct sim_request *req, struct str body)
{
    struct sim *sim = req->sim;
    sim->counts.received++;
    sim->counts.in_flight++;
    sim->counts.max_in_flight = MAX(sim->counts.max_in_flight, sim->counts.in_flight);
    req->is_counted = true;
    outlet_init(req);
    wheel_timer_init(&req->timer, inference_on_timer);
    if (!request_read(req, body))
        return;
    request_plan(req);
    if (req->endpoint != ENDPOINT_EMBEDDINGS) /* those are read again when they are answered */
        body_free(&sim->bodies, &req->conn->body);
    uint64_t batch = sim->settings.batch;
    bool has_room = batch == 0 || sim->running < batch;
    if (has_room && list_is_empty(&sim->queue)) {
        inference_start(req);
    } else if (sim->queued >= sim->settings.queue) {
        answer_fail(req, 503, "server_error", "overloaded", "the queue is full");
    } else {
        req->stage = STAGE_QUEUED;
        req->counter->waiting++;
        sim->queued++;
        list_push_back(&sim->queue, &req->node);
    }
}

/* ---- waiting ---- */

static void request_leave_queue(struct sim_request *req)
{
    list_remove(&req->node);
    req->sim->queued--;
    req->counter->waiting--;
}

void inference_admit_waiting(struct sim *sim)
{
    if (sim->is_admitting) /* one that ends at once lets the next in: by this loop, not by recursion */
        return;
    sim->is_admitting = true;
    while (!list_is_empty(&sim->queue) && (sim->settings.batch == 0 || sim->running < sim->settings.batch)) {
        struct sim_request *req = LIST_ITEM(sim->queue.next, struct sim_request, node);
        request_leave_queue(req);
        inference_start(req);
    }
    sim->is_admitting = false;
}

static usec_t request_delay(const struct sim_request *req)
{
    const struct sim_settings *settings = &req->sim->settings;
    usec_t delay = settings->first_byte;
    if (req->fault.first_byte_millis != FAULT_NONE)
        delay = req->fault.first_byte_millis * USEC_PER_MSEC;
    if (req->fault.status != FAULT_NONE)
        return delay;
    if (settings->prefill_rate > 0)
        delay += req->prompt_tokens * USEC_PER_SEC / settings->prefill_rate;
    if (!req->ask.stream && req->endpoint != ENDPOINT_EMBEDDINGS && settings->decode_rate > 0)
        delay += req->tokens * USEC_PER_SEC / settings->decode_rate;
    return delay;
}

static void inference_on_timer(struct wheel_timer *timer)
{
    struct sim_request *req = CONTAINER_OF(timer, struct sim_request, timer);
    if (req->stage == STAGE_DELAYED)
        answer_begin(req);
    else
        inference_continue(req);
}

static void inference_start(struct sim_request *req)
{
    struct sim *sim = req->sim;
    req->is_running = true;
    sim->running++;
    req->counter->running++;
    req->counter->prompt_tokens += req->prompt_tokens;
    req->stage = STAGE_DELAYED;
    usec_t delay = request_delay(req);
    if (delay == 0)
        answer_begin(req);
    else
        timer_start(sim->loop, &req->timer, delay);
}

void inference_continue(struct sim_request *req)
{
    if (req->stage == STAGE_STREAMING)
        answer_continue(req);
}

void inference_ended(struct sim_request *req, enum outcome outcome)
{
    struct sim *sim = req->sim;
    sim->counts.in_flight--;
    if (outcome == OUTCOME_COMPLETED)
        sim->counts.completed++;
    else if (outcome == OUTCOME_FAULTED)
        sim->counts.faulted++;
    else
        sim->counts.cancelled++;
    if (req->stage == STAGE_QUEUED)
        request_leave_queue(req);
    if (req->is_running) {
        sim->running--;
        req->counter->running--;
    }
    record_outcome(&sim->recorder, req->record, outcome);
    sim_request_free(req);
    inference_admit_waiting(sim);
}
