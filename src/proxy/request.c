/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request.h"

#include "proxy/heads.h"
#include "proxy/worker.h"
#include "wire/json_write.h"

#include <stdlib.h>

/*
 *   client                      request                                   server
 *     | head -> on_head         HEAD AUTH  the table of phases is
 *     | body -> on_request      BODY PARSE phase.def; request_run()
 *     |                         ROUTE      walks it
 *     |                         ADMIT  <-- gate (a place becomes free)
 *     |                         CONNECT SEND -- exchange_start ----------> |
 *     |                         SEND  <-- attempt.c: on_head ------------- |
 *     | <- relay_data --------- RELAY <-- on_data, on_turn, on_end ------- |
 *     | <- answer_fault         SETTLE END
 */

#define REQUEST_ID_MAX 128

typedef enum step (*step_function)(struct request *req);

static enum step phase_head(struct request *req);
static enum step phase_body(struct request *req);
static enum step phase_parse(struct request *req);
static enum step phase_route(struct request *req);
static enum step phase_admit(struct request *req);

static const step_function steps[PHASE_COUNT_] = {
#define PHASE(name, step, ...) [name] = step,
#include "proxy/phase.def"
#undef PHASE
};

void request_run(struct request *req)
{
    for (;;) {
        ASSERT(req->phase < PHASE_COUNT_);
        switch (steps[req->phase](req)) {
        case STEP_NEXT:
            req->phase++;
            break;
        case STEP_AGAIN:
            break;
        case STEP_WAIT:
        case STEP_GONE:
            return;
        }
    }
}

enum step request_fail(struct request *req, enum fault fault)
{
    req->fault = fault;
    req->phase = PHASE_SETTLE;
    return STEP_AGAIN;
}

static void stop_waiting(struct request *req);

void request_abort(struct request *req, enum fault fault)
{
    if (req->phase >= PHASE_SETTLE)
        return;
    request_fail(req, fault);
    request_run(req);
}

/* Under the newer configuration from here on. Takes over the reference. */
static void request_move_to(struct request *req, struct table *table)
{
    gate_drop_table(&req->worker->gateway->gate, req->table);
    req->table = table;
    req->account = identity_user(&table->policy->identities, req->user);
    req->server = NULL; /* these were the old table's */
    req->last_server = NULL;
    req->server_name = STR_NONE;
    req->phase = PHASE_ROUTE;
}

void request_reroute(struct request *req, struct table *table)
{
    if (req->phase != PHASE_ADMIT || !gate_leave(&req->worker->gateway->gate, &req->waiter))
        return;
    stop_waiting(req);
    request_move_to(req, table_ref(table));
    request_run(req);
}

/* ---- birth: a head has come ---- */

static void on_pause_over(struct wheel_timer *timer);
static void on_lifetime_over(struct wheel_timer *timer);
static void on_pulse(struct wheel_timer *timer);
static void on_grant(struct gate_waiter *waiter);

static struct request *request_new(struct worker *worker)
{
    struct arena arena;
    arena_init(&arena, &worker->blocks);
    struct request *req = ARENA_NEW(&arena, struct request);
    if (!req)
        return NULL;
    req->arena = arena;
    arena_init(&req->draft, &worker->blocks);
    req->worker = worker;
    req->table = table_ref(worker->table);
    wheel_timer_init(&req->pause, on_pause_over);
    wheel_timer_init(&req->lifetime, on_lifetime_over);
    wheel_timer_init(&req->pulse, on_pulse);
    gate_waiter_init(&req->waiter, &worker->loop, on_grant);
    req->number = ++worker->request_number << WORKER_INDEX_BITS | worker->index;
    list_push_back(&worker->requests, &req->node);
    worker->request_count++;
    counter_add(&worker->totals.in_flight, 1);
    return req;
}

/* The head outlives the buffer it was read from: its text is copied once, and the views moved along. */
static struct http_head *head_keep(struct arena *arena, const struct http_head *head)
{
    size_t kept = offsetof(struct http_head, fields) + head->field_count * sizeof(head->fields[0]);
    struct http_head *copy = arena_take(arena, kept);
    const char *from = head->method.ptr;
    const char *end = head->target.ptr + head->target.len;
    if (head->field_count > 0) {
        const struct http_field *last = &head->fields[head->field_count - 1];
        end = last->value.ptr + last->value.len;
    }
    struct str text = arena_dup(arena, (struct str){from, (size_t)(end - from)});
    if (!copy || !text.ptr)
        return NULL;
    memcpy(copy, head, kept);
    ptrdiff_t shift = text.ptr - from;
    copy->method.ptr += shift;
    copy->target.ptr += shift;
    for (size_t i = 0; i < copy->field_count; i++) {
        copy->fields[i].name.ptr += shift;
        copy->fields[i].value.ptr += shift;
    }
    return copy;
}

static bool id_is_sane(struct str id)
{
    if (id.len == 0 || id.len > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~' || id.ptr[i] == '"')
            return false;
    return true;
}

/* RFC 9562 version 4. */
static struct str id_make(struct request *req)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t random[2] = {rng_next(&req->worker->rng), rng_next(&req->worker->rng)};
    random[0] = (random[0] & ~(uint64_t)0xf000) | 0x4000;
    random[1] = (random[1] & ~((uint64_t)3 << 62)) | (uint64_t)1 << 63;
    char *text = arena_take(&req->arena, 36);
    if (!text)
        return STR_NONE;
    for (unsigned i = 0, at = 0; i < 32; i++) {
        if (at == 8 || at == 13 || at == 18 || at == 23)
            text[at++] = '-';
        text[at++] = hex[random[i / 16] >> (60 - 4 * (i % 16)) & 15];
    }
    return (struct str){text, 36};
}

static bool request_keep(struct request *req, const struct http_head *head)
{
    ssize_t query = str_find(head->target, STR("?"));
    struct str path = head->target;
    if (query >= 0)
        path.len = (size_t)query;
    req->head = head_keep(&req->draft, head);
    req->method = arena_dup(&req->arena, head->method);
    req->path = arena_dup(&req->arena, path);
    struct str id = http_head_value(head, STR("X-Request-Id"));
    req->id = id_is_sane(id) ? arena_dup(&req->arena, id) : id_make(req);
    return req->head && req->method.ptr && req->path.ptr && req->id.ptr;
}

static void on_head(struct http_conn *conn, const struct http_head *head)
{
    struct worker *worker = conn->service->owner;
    struct request *req = request_new(worker);
    if (!req) {
        http_conn_reply(conn, 503, STR("text/plain"), STR("Retry-After: 1\r\n"), STR("out of memory\n"));
        return;
    }
    req->conn = conn;
    req->client = conn->peer;
    req->arrived_at = conn->head_at;
    conn->request = req;
    if (!request_keep(req, head))
        request_fail(req, FAULT_INTERNAL);
    request_run(req);
}

static void on_request(struct http_conn *conn)
{
    struct request *req = conn->request;
    req->body = conn->body;
    conn->body = (struct body){0};
    req->body_is_here = true;
    req->body_at = loop_now(&req->worker->loop);
    request_run(req);
}

/* ---- HEAD, BODY, PARSE ---- */

static enum step phase_head(struct request *req)
{
    switch (api_find(req->head->method, req->head->target, &req->api)) {
    case API_NO_PATH:
        req->api = API_OTHER;
        return request_fail(req, FAULT_UNKNOWN_PATH);
    case API_NO_METHOD:
        return request_fail(req, FAULT_METHOD);
    case API_FOUND:
        break;
    }
    if (req->worker->is_draining && !(api_row(req->api)->flags & API_IS_OPEN)) {
        req->retry_after = USEC_PER_SEC;
        return request_fail(req, FAULT_DRAINING);
    }
    return STEP_NEXT;
}

static enum step phase_body(struct request *req)
{
    if (!req->body_is_here)
        return STEP_WAIT;
    req->bytes_in = req->body.len;
    if (!(api_row(req->api)->flags & API_ANSWERS_ITSELF))
        return STEP_NEXT;
    answer_from_memory(req);
    req->phase = PHASE_SETTLE;
    return STEP_AGAIN;
}

static bool body_is_json(const struct request *req)
{
    if (req->api != API_OTHER)
        return true;
    struct str type = http_head_value(req->head, STR("Content-Type"));
    return req->body.len > 0 && str_find(type, STR("json")) >= 0;
}

static enum step phase_parse(struct request *req)
{
    const struct api_row *api = api_row(req->api);
    if (!body_is_json(req))
        return STEP_NEXT;
    enum fault fault = FAULT_BAD_JSON;
    if (req->body.len > 0)
        fault = openai_request_read(req->worker->json, body_str(&req->body), table_needs_text(req->table),
                                    &req->draft, &req->facts, &req->fault_param);
    if (fault != FAULT_NONE && req->api == API_OTHER) /* not ours to judge */
        return STEP_NEXT;
    if (fault != FAULT_NONE)
        return request_fail(req, fault);
    if ((api->flags & API_NEEDS_MODEL) && req->facts.model.len == 0) {
        req->fault_param = STR("model");
        return request_fail(req, FAULT_MODEL_MISSING);
    }
    req->model = arena_dup(&req->arena, req->facts.model);
    req->is_stream = req->facts.is_stream;
    return STEP_NEXT;
}

/* ---- ROUTE ---- */

static void start_lifetime(struct request *req)
{
    const struct settings *settings = &req->table->policy->config->settings;
    usec_t limit =
        setting_usec(req->is_stream ? settings->stream_total_timeout_ms : settings->total_timeout_ms);
    if (limit > 0 && !wheel_timer_is_running(&req->lifetime))
        timer_start(&req->worker->loop, &req->lifetime, limit);
    usec_t pulse = setting_usec(settings->stream_keepalive_ms);
    if (req->is_stream && pulse > 0 && settings->stream_keepalive_early &&
        !wheel_timer_is_running(&req->pulse)) {
        req->pulse_due = loop_now(&req->worker->loop) + pulse;
        timer_start(&req->worker->loop, &req->pulse, pulse);
    }
}

static void plan_splices(struct request *req)
{
    struct str model = req->route.model;
    req->splices.count = 0;
    if (req->facts.model_size > 0 && !str_eq(model, req->model)) {
        size_t room = 6 * model.len + 2; /* every byte escaped, and the quotes */
        struct buf json;
        buf_init_fixed(&json, arena_take(&req->draft, room), room);
        json_append_string(&json, model);
        openai_request_rename(&req->facts, buf_str(&json), &req->splices);
    }
    if ((api_row(req->api)->flags & API_TELLS_USAGE) && req->is_stream && !req->facts.wants_usage) {
        openai_request_ask_usage(&req->facts, &req->splices);
        req->relay.adds_usage = true;
    }
}

static enum step phase_route(struct request *req)
{
    struct route_facts facts = {
        .model = req->model,
        .user = req->user,
        .last_text = req->facts.last_text,
        .default_hostgroup = req->account ? req->account->default_hostgroup : 0,
    };
    switch (table_route(req->table, &facts, &req->worker->scratch, &req->draft, &req->route)) {
    case ROUTE_NO_MODEL:
        req->fault_param = STR("model");
        return request_fail(req, FAULT_MODEL_NOT_FOUND);
    case ROUTE_NO_SERVERS:
        return request_fail(req, FAULT_NO_SERVERS);
    case ROUTE_NO_MEMORY:
        return request_fail(req, FAULT_INTERNAL);
    case ROUTE_FOUND:
        break;
    }
    plan_splices(req);
    if (req->parsed_at == 0) {
        req->parsed_at = clock_monotonic();
        start_lifetime(req);
        ledger_note_begin(req);
    }
    return STEP_NEXT;
}

/* ---- ADMIT ---- */

static void stop_waiting(struct request *req)
{
    if (req->waiting_since > 0)
        req->queue_time += loop_now(&req->worker->loop) - req->waiting_since;
    req->waiting_since = 0;
    timer_stop(&req->worker->loop, &req->pause);
}

static usec_t wait_left(const struct request *req)
{
    usec_t limit = setting_usec(req->table->policy->config->settings.queue_max_wait_ms);
    return limit > req->queue_time ? limit - req->queue_time : 0;
}

/* Sleeps until the queue's limit, or until time alone may have brought a server back. */
static void sleep_in_queue(struct request *req, usec_t back_at)
{
    struct loop *loop = &req->worker->loop;
    wheel_start(&loop->wheel, &req->pause, MIN(back_at, req->waiting_since + wait_left(req)));
}

static void start_waiting(struct request *req, usec_t back_at)
{
    req->waiting_since = loop_now(&req->worker->loop);
    sleep_in_queue(req, back_at);
}

/* All that is left is what failed before: a pause first. */
static enum step back_off(struct request *req)
{
    req->backoff_time += req->backoff;
    timer_start(&req->worker->loop, &req->pause, req->backoff);
    return STEP_WAIT;
}

/* Nobody is left; unless a reload has put others in their place. */
static enum step no_server(struct request *req, usec_t back_at)
{
    struct table *newer = gate_newer_table(&req->worker->gateway->gate, req->table);
    if (newer) {
        request_move_to(req, newer);
        return STEP_AGAIN;
    }
    usec_t now = loop_now(&req->worker->loop);
    req->retry_after = back_at != USEC_FOREVER && back_at > now ? back_at - now : USEC_PER_SEC;
    /* After failed attempts their reason says more than that nobody is left. */
    return request_fail(req, req->fault != FAULT_NONE ? req->fault : FAULT_NO_SERVERS);
}

struct gate_question request_question(struct request *req, bool allow_tried)
{
    return (struct gate_question){
        .route = &req->route,
        .tried = &req->tried,
        .allow_tried = allow_tried,
        .is_first_attempt = req->attempts == 0,
        .max_wait = wait_left(req),
        .rng = &req->worker->rng,
        .now = loop_now(&req->worker->loop),
    };
}

static enum step phase_admit(struct request *req)
{
    if (req->grant.server) /* given while we waited */
        return STEP_NEXT;
    struct gate_question question = request_question(req, req->attempts == 0 || req->backoff_is_over);
    usec_t back_at = USEC_FOREVER;
    switch (gate_enter(&req->worker->gateway->gate, &question, &req->waiter, &req->grant, &back_at)) {
    case GATE_GRANTED:
        return STEP_NEXT;
    case GATE_TRIED:
        return back_off(req);
    case GATE_QUEUED:
        start_waiting(req, back_at);
        return STEP_WAIT;
    case GATE_QUEUE_FULL:
        req->retry_after = USEC_PER_SEC;
        return request_fail(req, FAULT_QUEUE_FULL);
    case GATE_NO_SERVER:
        return no_server(req, back_at);
    }
    return STEP_WAIT;
}

static void on_grant(struct gate_waiter *waiter)
{
    struct request *req = CONTAINER_OF(waiter, struct request, waiter);
    req->grant = gate_waiter_take(waiter);
    stop_waiting(req);
    request_run(req);
}

/* ---- what the request has to say about itself ---- */

static usec_t elapsed(usec_t from, usec_t to)
{
    return from > 0 && to > from ? to - from : 0;
}

struct timing request_timing(const struct request *req)
{
    usec_t waited = req->queue_time + req->backoff_time;
    usec_t until_sent = elapsed(req->body_at, req->sent_at);
    return (struct timing){
        .parse = elapsed(req->body_at, req->parsed_at),
        .queue = req->queue_time,
        .connect = elapsed(req->attempt_at, req->connected_at),
        .first_byte = elapsed(req->attempt_at, req->first_byte_at),
        .overhead = until_sent > waited ? until_sent - waited : 0,
    };
}

void request_describe(const struct request *req, struct answer_head *ret_head)
{
    ret_head->request_id = req->id;
    ret_head->server_name = req->server_name;
    ret_head->retries = req->attempts > 0 ? req->attempts - 1 : 0;
    ret_head->keep_alive = req->conn && http_conn_keeps_alive(req->conn);
    ret_head->timing = request_timing(req);
    ret_head->cache = cache_use_text(req->cache_use);
    if (req->limit) {
        ret_head->quotas = &req->limit->view.quotas;
        ret_head->realtime = clock_realtime();
    }
}

/* ---- timers ---- */

static void on_pause_over(struct wheel_timer *timer)
{
    struct request *req = CONTAINER_OF(timer, struct request, pause);
    if (req->waiting_since == 0) {
        req->backoff_is_over = true;
        request_run(req);
        return;
    }
    usec_t now = loop_now(&req->worker->loop);
    if (now < req->waiting_since + wait_left(req)) {
        usec_t back_at;
        gate_ask_again(&req->worker->gateway->gate, &req->waiter, now, &back_at);
        sleep_in_queue(req, back_at);
        return;
    }
    gate_leave(&req->worker->gateway->gate, &req->waiter);
    stop_waiting(req);
    req->retry_after = USEC_PER_SEC;
    request_abort(req, FAULT_QUEUE_TIMEOUT);
}

static void on_lifetime_over(struct wheel_timer *timer)
{
    request_abort(CONTAINER_OF(timer, struct request, lifetime), FAULT_TOTAL_TIMEOUT);
}

/* The client of a silent stream gets a comment (WHATWG HTML: a line that starts with a colon). */
static void on_pulse(struct wheel_timer *timer)
{
    struct request *req = CONTAINER_OF(timer, struct request, pulse);
    struct loop *loop = &req->worker->loop;
    usec_t interval = setting_usec(req->table->policy->config->settings.stream_keepalive_ms);
    if (loop_now(loop) < req->pulse_due) {
        wheel_start(&loop->wheel, timer, req->pulse_due);
        return;
    }
    if (!req->conn)
        return;
    bool may_pulse = relay_may_pulse(req);
    if (may_pulse && req->sent == SENT_NOTHING)
        relay_send_early_head(req);
    if (may_pulse && !http_conn_is_backed_up(req->conn)) {
        http_conn_send_body(req->conn, &STR(": keep-alive\n\n"), 1);
        http_conn_flush(req->conn);
    }
    req->pulse_due = loop_now(loop) + interval;
    wheel_start(&loop->wheel, timer, req->pulse_due);
}

/* ---- the client's side of the connection ---- */

static void on_hangup(struct http_conn *conn)
{
    struct request *req = conn->request;
    req->conn = NULL;
    req->status = 499;
    if (cache_has_followers(req))
        return; /* others wait for the same answer */
    req->phase = PHASE_SETTLE;
    request_run(req);
}

static void on_drained(struct http_conn *conn)
{
    struct request *req = conn->request;
    if (req->phase != PHASE_CACHE)
        exchange_resume(&req->exchange);
    else if (req->cache->rest.len > 0)
        request_run(req);
}

static void on_bad(struct http_conn *conn, int status, const char *why)
{
    struct request *req = conn->request;
    enum fault fault = fault_of_http_status(status);
    if (req) {
        req->fault_detail = str_from(why);
        request_abort(req, fault);
        return;
    }
    char memory[512];
    struct buf body;
    buf_init_fixed(&body, memory, sizeof(memory));
    openai_error_write(&body, fault, str_from(why), STR_NONE);
    http_conn_reply(conn, status, STR("application/json"), STR_NONE, buf_str(&body));
}

const struct http_handler request_handler = {
    .on_head = on_head,
    .on_request = on_request,
    .on_hangup = on_hangup,
    .on_drained = on_drained,
    .on_bad = on_bad,
};
