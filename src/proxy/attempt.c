/* SPDX-License-Identifier: Apache-2.0 */
/* One try on one server: CONNECT and SEND, and the one place where a request goes back. */
#include "proxy/heads.h"
#include "proxy/request.h"
#include "proxy/worker.h"
#include "route/backoff.h"

/* Statuses that say "not now" or "not here": another server, or another moment, may do better. */
static bool status_is_retryable(int status)
{
    switch (status) {
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 529: /* Anthropic's "overloaded" */
        return true;
    default:
        return false;
    }
}

/* ---- CONNECT: the request as this server wants it ---- */

static size_t request_pieces(struct request *req, struct str head, struct iovec *out)
{
    out[0] = (struct iovec){.iov_base = (void *)(uintptr_t)head.ptr, .iov_len = head.len};
    if (req->body.len == 0)
        return 1;
    return 1 + splices_apply(&req->splices, body_str(&req->body), out + 1);
}

enum step phase_connect(struct request *req)
{
    struct worker *worker = req->worker;
    req->server = table_config_of(req->table, req->grant.server);
    struct origin *origin = req->server ? worker_origin(worker, req->grant.server, req->server) : NULL;
    if (!origin)
        return request_fail(req, FAULT_INTERNAL);
    req->server_name = req->server->name;
    req->last_server = req->grant.server;

    struct upstream_head head = {
        .client = req->head,
        .server = req->server,
        .request_id = req->id,
        .has_body = req->head->framing != HTTP_BODY_NONE,
        .body_size = splices_length(&req->splices, body_str(&req->body)),
    };
    size_t size = upstream_head_size(&head);
    struct buf text;
    buf_init_fixed(&text, arena_take(&req->draft, size), size);
    if (!text.ptr)
        return request_fail(req, FAULT_INTERNAL);
    upstream_head_write(&text, &head);
    ASSERT(buf_ok(&text));
    req->exchange.origin = origin;
    req->exchange.piece_count = (uint8_t)request_pieces(req, buf_str(&text), req->exchange.pieces);
    return STEP_NEXT;
}

/* ---- SEND ---- */

static const struct exchange_handler attempt_handler;

enum step phase_send(struct request *req)
{
    struct exchange *exchange = &req->exchange;
    if (exchange_is_running(exchange))
        return STEP_WAIT;
    req->attempts++;
    tried_add(&req->tried, req->grant.server);
    counter_add(&worker_counters(req->worker, req->grant.server)->attempts, 1);
    struct iovec pieces[EXCHANGE_PIECES];
    size_t count = exchange->piece_count;
    memcpy(pieces, exchange->pieces, count * sizeof(pieces[0]));
    req->attempt_at = clock_monotonic();
    if (req->sent_at == 0)
        req->sent_at = req->attempt_at;
    exchange_start(exchange, exchange->origin, &attempt_handler, str_eq(req->method, STR("HEAD")), pieces,
                   count);
    if (exchange->is_reused)
        counter_add(&worker_counters(req->worker, req->grant.server)->reused_connections, 1);
    return STEP_WAIT;
}

/* ---- the way back ---- */

static usec_t own_backoff(struct request *req)
{
    const struct settings *settings = &req->table->policy->config->settings;
    struct backoff_limits limits = {
        .initial = setting_usec(settings->retry_initial_delay_ms),
        .max = setting_usec(settings->retry_max_delay_ms),
        .multiplier = settings->retry_multiplier,
    };
    return backoff_delay(&limits, req->attempts - 1, &req->worker->rng);
}

/* Whether the request may be tried once more; takes from the retry budget if so. */
static bool may_retry(struct request *req)
{
    const struct settings *settings = &req->table->policy->config->settings;
    return req->sent != SENT_CONTENT && req->attempts <= settings->max_retries && !req->worker->is_draining &&
           gate_may_retry(&req->worker->gateway->gate, loop_now(&req->worker->loop));
}

static void go_back(struct request *req, usec_t retry_after)
{
    counter_add(&worker_counters(req->worker, req->grant.server)->retries, 1);
    req->backoff = MAX(own_backoff(req), retry_after);
    req->backoff_is_over = false;
    relay_reset(req);
    req->phase = PHASE_ROUTE;
}

static void attempt_release(struct request *req, const struct attempt_failure *failure)
{
    struct gate *gate = &req->worker->gateway->gate;
    usec_t now = loop_now(&req->worker->loop);
    if (failure->retry_after > 0)
        gate_cool_down(gate, req->grant.server, now + failure->retry_after);
    gate_release(gate, &req->grant, failure->outcome, now);
}

void attempt_over(struct request *req, const struct attempt_failure *failure)
{
    exchange_cancel(&req->exchange);
    bool again = may_retry(req);
    if (again)
        go_back(req, failure->retry_after);
    attempt_release(req, failure);
    /* Kept for the case that no server is left to go back to. */
    req->fault = failure->fault;
    req->retry_after = failure->retry_after;
    if (!again)
        request_fail(req, failure->fault);
}

/* ---- what comes from the server ---- */

/* How long the server asks us to stay away; 0: it does not say. */
static usec_t asked_pause(const struct http_head *head)
{
    usec_t pause = 0;
    if (retry_after_ms_parse(http_head_value(head, STR("retry-after-ms")), &pause) ||
        retry_after_ms_parse(http_head_value(head, STR("x-ms-retry-after-ms")), &pause) ||
        retry_after_parse(http_head_value(head, STR("Retry-After")), clock_realtime(), &pause))
        return pause;
    return 0;
}

/* A server that is busy is not broken: 429 and an announced pause do not count against its circuit. */
static enum server_outcome outcome_of(int status, usec_t pause)
{
    if (status == 429 || (status == 503 && pause > 0))
        return OUTCOME_NEUTRAL;
    return status >= 500 ? OUTCOME_BAD : OUTCOME_GOOD;
}

/* Whether waiting out `pause` is worth it: it is short, or another server is free now. */
static bool pause_is_bearable(struct request *req, usec_t pause)
{
    const struct settings *settings = &req->table->policy->config->settings;
    struct gate_question question = request_question(req, false);
    return pause <= setting_usec(settings->retry_max_delay_ms) ||
           gate_has_other(&req->worker->gateway->gate, &question);
}

static void attempt_on_head(struct exchange *exchange, const struct http_head *head)
{
    struct request *req = CONTAINER_OF(exchange, struct request, exchange);
    usec_t now = loop_now(&req->worker->loop);
    req->connected_at = exchange->connected_at;
    req->first_byte_at = now;
    if (status_is_retryable(head->status)) {
        usec_t pause = asked_pause(head);
        struct attempt_failure failure = {
            .fault = head->status == 429 ? FAULT_UPSTREAM_LIMIT : FAULT_UPSTREAM_STATUS,
            .outcome = outcome_of(head->status, pause),
            .retry_after = pause,
        };
        counter_add(&worker_counters(req->worker, req->grant.server)->error_statuses, 1);
        if (pause_is_bearable(req, pause) && may_retry(req)) {
            exchange_cancel(exchange);
            go_back(req, pause);
            attempt_release(req, &failure);
            req->fault = failure.fault;
            req->retry_after = pause;
            request_run(req);
            return;
        }
        /* The last word: the server's own answer is passed on, and its place kept until it is through. */
        gate_settle(&req->worker->gateway->gate, &req->grant, failure.outcome, now);
        req->relay.is_final = true;
    }
    relay_begin(req, head);
}

static void attempt_on_data(struct exchange *exchange, struct str data)
{
    relay_data(CONTAINER_OF(exchange, struct request, exchange), data);
}

static void attempt_on_turn(struct exchange *exchange)
{
    relay_turn(CONTAINER_OF(exchange, struct request, exchange));
}

static enum fault fault_of(enum err err)
{
    switch (err) {
    case ERR_RESOLVE:
    case ERR_REFUSED:
    case ERR_TLS:
        return FAULT_UNREACHABLE;
    case ERR_TIMEOUT:
        return FAULT_UPSTREAM_TIMEOUT;
    case ERR_PROTOCOL:
    case ERR_LIMIT:
        return FAULT_UPSTREAM_PROTOCOL;
    case ERR_NO_MEMORY:
        return FAULT_INTERNAL;
    default:
        return FAULT_UPSTREAM_BROKE;
    }
}

static void count_failure(struct request *req, enum fault fault)
{
    struct server_counters *counters = worker_counters(req->worker, req->grant.server);
    if (fault == FAULT_UNREACHABLE)
        counter_add(&counters->connect_failures, 1);
    else if (fault == FAULT_UPSTREAM_TIMEOUT)
        counter_add(&counters->timeouts, 1);
    else
        counter_add(&counters->broken_answers, 1);
}

static void attempt_on_end(struct exchange *exchange, enum err err)
{
    struct request *req = CONTAINER_OF(exchange, struct request, exchange);
    if (req->phase == PHASE_RELAY) {
        relay_end(req, err);
        return;
    }
    struct attempt_failure failure = {.fault = fault_of(err), .outcome = OUTCOME_BAD};
    count_failure(req, failure.fault);
    attempt_over(req, &failure);
    request_run(req);
}

static const struct exchange_handler attempt_handler = {
    .on_head = attempt_on_head,
    .on_data = attempt_on_data,
    .on_turn = attempt_on_turn,
    .on_end = attempt_on_end,
};
