/* SPDX-License-Identifier: Apache-2.0 */
/* The answer on its way from the server to the client.
 *
 * Plain answers are held back while they fit in RELAY_HELD_MAX, so that one that is cut can still be had from another
 * server; then they flow. Streams flow event by event: an event is passed on in the turn in which its last byte came,
 * and a cut stream ends between two events, never within one. Until the first event nothing is said, so that an error
 * which comes as an event of a 200 can be retried too. */
#include "proxy/heads.h"
#include "proxy/request.h"
#include "proxy/worker.h"

static const struct settings *settings_of(const struct request *req)
{
    return &req->table->policy->config->settings;
}

void relay_reset(struct request *req)
{
    buf_free(&req->relay.kept);
    bool adds_usage = req->relay.adds_usage;
    req->relay = (struct relay){.adds_usage = adds_usage};
}

/* ---- sending ---- */

/* The client may be gone while others wait for the same answer: then only they get it. */
static void client_flush(struct request *req)
{
    if (req->conn)
        http_conn_flush(req->conn);
}

static void client_finish(struct request *req)
{
    if (req->conn)
        http_conn_finish(req->conn);
    req->conn = NULL;
}

/* From here on no retry is possible, so what one would need is freed: a stream may live for hours. */
static void relay_commit(struct request *req)
{
    struct relay *relay = &req->relay;
    if (req->sent == SENT_NOTHING && req->conn) {
        http_conn_send(req->conn, relay->head);
        req->status = relay->status;
    }
    req->sent = SENT_CONTENT;
    cache_note_head(req, relay->status, relay->content_type);
    usec_t now = loop_now(&req->worker->loop);
    gate_first_byte(&req->worker->gateway->gate, &req->grant, now - req->attempt_at, now);
    histogram_add(&worker_counters(req->worker, req->grant.server)->first_byte, now - req->attempt_at);
}

/* What was passed on so far goes to the connection, as one chunk. */
static void relay_send_run(struct request *req)
{
    struct worker_run *run = &req->worker->run;
    if (req->conn)
        http_conn_send_body(req->conn, run->pieces, run->count);
    run->count = 0;
}

/* The bytes have to stay until the next relay_send_run and flush. */
static void relay_pass(struct request *req, struct str bytes)
{
    struct worker_run *run = &req->worker->run;
    if (bytes.len == 0)
        return;
    req->bytes_out += bytes.len;
    cache_note_bytes(req, bytes);
    if (run->count == WORKER_RUN_PIECES)
        relay_send_run(req);
    run->pieces[run->count++] = bytes;
}

/* Once everything is on its way that the commit referred to. */
static void relay_drop_draft(struct request *req)
{
    bool request_is_sent = req->exchange.piece_at == req->exchange.piece_count;
    if (req->sent != SENT_CONTENT || !request_is_sent || req->relay.usage_scan || !req->head)
        return;
    req->head = NULL;
    arena_fini(&req->draft);
    body_free(&req->worker->bodies, &req->body);
}

static void relay_flush(struct request *req)
{
    relay_send_run(req);
    client_flush(req);
    relay_drop_draft(req);
    if (req->conn && http_conn_is_backed_up(req->conn) && !cache_has_followers(req))
        exchange_pause(&req->exchange);
}

/* ---- the head ---- */

static bool is_event_stream(const struct http_head *head)
{
    struct str type = http_head_value(head, STR("Content-Type"));
    struct str wanted = STR("text/event-stream");
    return type.len >= wanted.len && str_eq_nocase((struct str){type.ptr, wanted.len}, wanted);
}

static void relay_make_head(struct request *req, const struct http_head *head)
{
    struct relay *relay = &req->relay;
    struct http_conn *conn = req->conn;
    bool has_body = head->framing != HTTP_BODY_NONE;
    bool has_length = head->framing == HTTP_BODY_LENGTH && relay->kind == RELAY_PLAIN;
    if (has_body && !has_length && conn->is_http10)
        conn->keep_alive = false; /* its end is the end of the body */
    struct answer_head answer = {
        .upstream = head,
        .is_stream = relay->kind == RELAY_EVENTS,
        .is_chunked = has_body && !has_length && !conn->is_http10,
        .has_length = has_length,
        .length = head->content_length,
    };
    request_describe(req, &answer);
    conn->reply_chunked = answer.is_chunked;
    size_t size = answer_head_size(&answer);
    struct buf text;
    buf_init_fixed(&text, arena_take(&req->draft, size), size);
    if (!text.ptr)
        return;
    answer_head_write(&text, &answer);
    ASSERT(buf_ok(&text));
    relay->head = buf_str(&text);
}

static void relay_start_pulse(struct request *req)
{
    struct loop *loop = &req->worker->loop;
    usec_t interval = setting_usec(settings_of(req)->stream_keepalive_ms);
    if (req->relay.kind != RELAY_EVENTS || interval == 0 || wheel_timer_is_running(&req->pulse))
        return;
    req->pulse_due = loop_now(loop) + interval;
    wheel_start(&loop->wheel, &req->pulse, req->pulse_due);
}

void relay_begin(struct request *req, const struct http_head *head)
{
    struct relay *relay = &req->relay;
    req->phase = PHASE_RELAY;
    relay->status = head->status;
    relay->kind = is_event_stream(head) ? RELAY_EVENTS : RELAY_PLAIN;
    buf_init(&relay->kept, relay->kind == RELAY_EVENTS ? RELAY_EVENT_MAX : RELAY_HELD_MAX + JSON_PADDING);
    if (relay->kind == RELAY_PLAIN && head->status < 300 && (api_row(req->api)->flags & API_NEEDS_MODEL)) {
        relay->usage_scan = arena_take(&req->draft, sizeof(*relay->usage_scan));
        if (relay->usage_scan)
            json_scan_init(relay->usage_scan, STR("usage"));
    }
    if (cache_is_filling(req))
        relay->content_type = arena_dup(&req->draft, http_head_value(head, STR("Content-Type")));
    if (req->sent == SENT_NOTHING && req->conn) {
        relay_make_head(req, head);
        if (!relay->head.ptr)
            request_abort(req, FAULT_INTERNAL);
    }
}

bool relay_may_pulse(const struct request *req)
{
    bool is_stream = req->phase != PHASE_RELAY || req->relay.kind == RELAY_EVENTS;
    switch (req->sent) {
    case SENT_NOTHING:
        return is_stream && settings_of(req)->stream_keepalive_early;
    case SENT_HEAD:
        return true;
    default:
        return is_stream;
    }
}

void relay_send_early_head(struct request *req)
{
    struct relay *relay = &req->relay;
    if (!relay->head.ptr) {
        struct http_head none = {.status = 200, .reason = STR("OK"), .field_count = 1};
        none.fields[0] = (struct http_field){STR("Content-Type"), STR("text/event-stream")};
        none.framing = HTTP_BODY_CHUNKED;
        relay->kind = RELAY_EVENTS;
        relay->status = none.status;
        relay_make_head(req, &none);
    }
    http_conn_send(req->conn, relay->head);
    http_conn_flush(req->conn);
    req->sent = SENT_HEAD;
    req->status = relay->status;
}

/* ---- plain answers ---- */

static void relay_send_held(struct request *req)
{
    struct relay *relay = &req->relay;
    relay_commit(req);
    relay_pass(req, buf_str(&relay->kept));
    for (size_t i = 0; i < relay->held_count; i++)
        relay_pass(req, relay->held[i]);
    relay->held_count = 0;
}

/* The views of this turn die with it: what is held longer is copied. */
static void relay_keep_held(struct request *req)
{
    struct relay *relay = &req->relay;
    for (size_t i = 0; i < relay->held_count; i++)
        buf_add(&relay->kept, relay->held[i]);
    relay->held_count = 0;
}

static void relay_plain_data(struct request *req, struct str data)
{
    struct relay *relay = &req->relay;
    if (relay->usage_scan)
        json_scan_feed(relay->usage_scan, data);
    if (req->sent == SENT_CONTENT) {
        relay_pass(req, data);
        return;
    }
    if (relay->held_count == RELAY_HELD_PIECES)
        relay_keep_held(req);
    size_t held = relay->kept.len + data.len;
    for (size_t i = 0; i < relay->held_count; i++)
        held += relay->held[i].len;
    relay->held[relay->held_count++] = data;
    /* A client that already has a stream's head can only be told of this answer as an event, at its end. */
    if (held > RELAY_HELD_MAX && req->sent == SENT_NOTHING)
        relay_send_held(req);
}

/* An answer that is no stream, to a client that has been promised one (early keep-alives). */
static void relay_plain_as_event(struct request *req)
{
    struct relay *relay = &req->relay;
    for (size_t i = 0; i < relay->kept.len; i++)
        if (relay->kept.ptr[i] == '\n' || relay->kept.ptr[i] == '\r')
            relay->kept.ptr[i] = ' '; /* white space between JSON tokens: within strings they are escaped */
    cache_note_complete(req, false); /* others may want it as it is */
    relay_commit(req);
    relay_pass(req, STR("data: "));
    relay_pass(req, buf_str(&relay->kept));
    relay_pass(req, STR("\n\n"));
}

static void relay_read_plain_usage(struct request *req)
{
    struct json_scan *scan = req->relay.usage_scan;
    if (scan && scan->found)
        openai_usage_read(req->worker->json, json_scan_value(scan), &req->usage);
}

/* ---- streams ---- */

enum event_fate { EVENT_PASS, EVENT_DROP, EVENT_FAILED };

static enum event_fate relay_judge_event(struct request *req, struct str bytes)
{
    struct relay *relay = &req->relay;
    struct openai_event event;
    openai_event_read(req->worker->json, bytes, &event, &req->usage);
    relay->saw_done |= event.is_done;
    relay->saw_finish |= event.has_finish;
    relay->saw_error |= event.is_error;
    if (relay->adds_usage && event.is_usage_only)
        return EVENT_DROP;
    if (event.is_empty)
        return EVENT_PASS;
    if (event.is_error && req->sent != SENT_CONTENT && !relay->is_final)
        return EVENT_FAILED;
    req->events++;
    if (req->sent != SENT_CONTENT)
        relay_commit(req);
    return EVENT_PASS;
}

/* An error as the first event of a 200: as good as an error status. */
static void relay_failed_at_first(struct request *req)
{
    struct attempt_failure failure = {.fault = FAULT_UPSTREAM_STATUS, .outcome = OUTCOME_BAD};
    counter_add(&worker_counters(req->worker, req->grant.server)->error_statuses, 1);
    attempt_over(req, &failure);
    request_run(req);
}

/* Adds to the event under way; false when it has become too large. */
static bool relay_keep_event(struct request *req, struct str part)
{
    struct buf *kept = &req->relay.kept;
    buf_add(kept, part);
    if (buf_reserve(kept, JSON_PADDING))
        return true;
    struct attempt_failure failure = {.fault = FAULT_UPSTREAM_PROTOCOL, .outcome = OUTCOME_BAD};
    attempt_over(req, &failure);
    request_run(req);
    return false;
}

/* The event that earlier turns began. Returns the bytes of `data` that belong to it; SIZE_MAX: the request is over. */
static size_t relay_finish_kept_event(struct request *req, struct str data)
{
    struct relay *relay = &req->relay;
    size_t n = sse_split(&relay->splitter, data);
    size_t taken = n > 0 ? n : data.len;
    if (!relay_keep_event(req, (struct str){data.ptr, taken}))
        return SIZE_MAX;
    if (n == 0)
        return taken;
    switch (relay_judge_event(req, buf_str(&relay->kept))) {
    case EVENT_PASS:
        if (req->sent == SENT_CONTENT) {
            relay_pass(req, buf_str(&relay->kept));
            relay_send_run(req);
            client_flush(req); /* before the buffer takes the next one */
        }
        break;
    case EVENT_DROP:
        break;
    case EVENT_FAILED:
        relay_failed_at_first(req);
        return SIZE_MAX;
    }
    buf_clear(&relay->kept);
    return taken;
}

static void relay_event_data(struct request *req, struct str data)
{
    struct relay *relay = &req->relay;
    if (relay->kept.len > 0) {
        size_t taken = relay_finish_kept_event(req, data);
        if (taken == SIZE_MAX)
            return;
        data = str_from_offset(data, taken);
    }
    /* Whole events that are passed on one after the other go out as one run. */
    struct str run = {data.ptr, 0};
    for (size_t n; (n = sse_split(&relay->splitter, data)) > 0; data = str_from_offset(data, n)) {
        switch (relay_judge_event(req, (struct str){data.ptr, n})) {
        case EVENT_PASS:
            /* Comments before the first event wait for nothing: they are not worth a promise. */
            if (req->sent == SENT_CONTENT)
                run.len += n;
            else
                run.ptr = data.ptr + n;
            break;
        case EVENT_DROP:
            relay_pass(req, run);
            run = (struct str){data.ptr + n, 0};
            break;
        case EVENT_FAILED:
            relay_failed_at_first(req);
            return;
        }
    }
    relay_pass(req, run);
    if (data.len > 0)
        relay_keep_event(req, data);
}

/* ---- from exchange ---- */

void relay_data(struct request *req, struct str data)
{
    if (req->relay.kind == RELAY_EVENTS)
        relay_event_data(req, data);
    else
        relay_plain_data(req, data);
}

void relay_turn(struct request *req)
{
    struct relay *relay = &req->relay;
    if (!req->conn && !cache_has_followers(req)) { /* nobody is left to get it */
        req->phase = PHASE_SETTLE;
        request_run(req);
        return;
    }
    if (relay->kind == RELAY_PLAIN && req->sent != SENT_CONTENT) {
        relay_keep_held(req);
        return;
    }
    if (relay->kind == RELAY_EVENTS) {
        relay_start_pulse(req);
        req->pulse_due = loop_now(&req->worker->loop) + setting_usec(settings_of(req)->stream_keepalive_ms);
    }
    if (relay->kind == RELAY_PLAIN || req->sent == SENT_CONTENT)
        relay_flush(req);
    if (relay->kept.len == 0 && relay->kept.cap > 0)
        buf_free(&relay->kept);
}

/* A stream may be over by its framing and yet not complete: the dialect's own end has to have come. Servers that leave
 * out [DONE] are known, hence a finish_reason will do. */
static bool stream_is_complete(const struct request *req)
{
    const struct relay *relay = &req->relay;
    if (relay->saw_done || relay->saw_error)
        return true;
    if (api_row(req->api)->flags & API_ENDS_WITH_DONE)
        return relay->saw_finish;
    return req->sent == SENT_CONTENT;
}

/* The server has ended its answer well. */
static void relay_complete(struct request *req)
{
    struct relay *relay = &req->relay;
    if (relay->kind == RELAY_PLAIN && req->sent == SENT_HEAD)
        relay_plain_as_event(req);
    else if (relay->kind == RELAY_PLAIN && req->sent == SENT_NOTHING)
        relay_send_held(req);
    relay_read_plain_usage(req);
    relay_send_run(req);
    client_finish(req);
    cache_note_complete(req, !relay->saw_error);
    req->fault = FAULT_NONE;
    req->phase = PHASE_SETTLE;
    request_run(req);
}

static void relay_broke(struct request *req, enum fault fault)
{
    struct server_counters *counters = worker_counters(req->worker, req->grant.server);
    struct attempt_failure failure = {.fault = fault, .outcome = OUTCOME_BAD};
    counter_add(fault == FAULT_UPSTREAM_TIMEOUT ? &counters->timeouts : &counters->broken_answers, 1);
    attempt_over(req, &failure);
    request_run(req);
}

/* An event that never ended is none (WHATWG HTML), and may be half of one. Only a bare [DONE] is let pass. */
static void relay_end_kept_event(struct request *req)
{
    struct relay *relay = &req->relay;
    struct sse_event event;
    sse_event_read(buf_str(&relay->kept), &event);
    if (str_eq(str_trim(event.data), STR("[DONE]"))) {
        relay->saw_done = true;
        relay_pass(req, buf_str(&relay->kept));
    }
}

void relay_end(struct request *req, enum err err)
{
    struct relay *relay = &req->relay;
    if (err == ERR_TIMEOUT) {
        relay_broke(req, FAULT_UPSTREAM_TIMEOUT);
        return;
    }
    if (err != ERR_OK) {
        relay_broke(req, err == ERR_PROTOCOL ? FAULT_UPSTREAM_PROTOCOL : FAULT_UPSTREAM_BROKE);
        return;
    }
    if (relay->kind == RELAY_PLAIN && req->sent == SENT_HEAD) {
        relay_keep_held(req);
        if (!buf_ok(&relay->kept)) { /* too large for an event */
            relay_broke(req, FAULT_UPSTREAM_PROTOCOL);
            return;
        }
    }
    if (relay->kind == RELAY_EVENTS)
        relay_end_kept_event(req);
    if (relay->kind == RELAY_EVENTS && !stream_is_complete(req))
        relay_broke(req, FAULT_UPSTREAM_BROKE);
    else
        relay_complete(req);
}

void relay_say_fault(struct request *req)
{
    char memory[1024];
    struct buf event;
    buf_init_fixed(&event, memory, sizeof(memory));
    openai_error_event_write(&event, req->fault, req->fault_detail);
    req->conn->keep_alive = false;
    relay_send_run(req);
    http_conn_send_body(req->conn, &(struct str){event.ptr, event.len}, 1);
    http_conn_flush(req->conn);
    http_conn_finish(req->conn);
    req->conn = NULL;
}

enum step phase_relay(struct request *req)
{
    (void)req;
    return STEP_WAIT; /* the exchange drives it */
}
