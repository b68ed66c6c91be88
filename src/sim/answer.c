/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/answer.h"

#include "sim/inference.h"
#include "sim/outlet.h"
#include "sim/render.h"

#define PIECE_MAX ((size_t)65536)  /* of an answer, made at a time */
#define TURN_MAX ((size_t)1 << 20) /* made for one request before others get their turn */

/* ---- in one piece: errors and embeddings ---- */

static void answer_whole(struct sim_request *req, int status, struct str fields, struct str body)
{
    struct buf *head = &req->sim->head;
    buf_clear(head);
    render_head(req, head, status, STR("application/json"), fields, body.len);
    outlet_arm_after_head(req, head->len);
    outlet_send(req, buf_str(head));
    outlet_send(req, body);
    outlet_finish(req);
}

void answer_fail(struct sim_request *req, int status, const char *type, const char *code, const char *why)
{
    struct buf *body = &req->sim->body;
    buf_clear(body);
    render_error(body, type, code, str_from(why));
    answer_whole(req, status, STR_NONE, buf_str(body));
}

static void answer_status(struct sim_request *req)
{
    struct buf *fields = &req->sim->event;
    buf_clear(fields);
    if (req->fault.retry_after != FAULT_NONE)
        buf_printf(fields, "Retry-After: %llu\r\n", (unsigned long long)req->fault.retry_after);
    if (req->fault.retry_after_millis != FAULT_NONE)
        buf_printf(fields, "Retry-After-Ms: %llu\r\n", (unsigned long long)req->fault.retry_after_millis);
    int status = (int)req->fault.status;
    const char *type = status == 429 ? "requests" : status >= 500 ? "server_error" : "invalid_request_error";
    struct buf *body = &req->sim->body;
    buf_clear(body);
    render_error(body, type, status == 429 ? "rate_limit_exceeded" : NULL, STR("scripted fault"));
    req->is_faulted = true;
    answer_whole(req, status, buf_str(fields), buf_str(body));
}

static void answer_embeddings(struct sim_request *req)
{
    struct body *received = &req->conn->body;
    struct buf *body = &req->sim->body;
    buf_clear(body);
    render_embeddings(req, body_str(received), body);
    body_free(&req->sim->bodies, received);
    answer_whole(req, 200, STR_NONE, buf_str(body));
}

/* ---- one JSON document, perhaps padded to any length ---- */

/* Body bytes in the answer's framing; one piece between two pushes, for the chunk's size is kept in one
 * place. */
static void padded_send(struct sim_request *req, struct str bytes)
{
    if (!req->is_chunked) {
        outlet_send(req, bytes);
        return;
    }
    size_t len = chunked_write_head(bytes.len, req->sim->frame);
    outlet_send(req, (struct str){req->sim->frame, len});
    outlet_send(req, bytes);
    outlet_send(req, STR("\r\n"));
}

/* The document from byte `from` on, and the end. */
static void padded_finish(struct sim_request *req, struct str from)
{
    padded_send(req, from);
    if (req->is_chunked)
        outlet_send(req, CHUNKED_LAST);
    outlet_finish(req);
}

static void padded_begin(struct sim_request *req)
{
    struct buf *body = &req->sim->body;
    struct buf *head = &req->sim->head;
    size_t text_end = 0;
    buf_clear(body);
    buf_clear(head);
    render_document(req, body, &text_end);
    req->filler =
        req->fault.body != FAULT_NONE && req->fault.body > body->len ? req->fault.body - body->len : 0;
    render_head(req, head, 200, STR("application/json"), STR_NONE, body->len + req->filler);
    outlet_arm_after_head(req, head->len);
    outlet_send(req, buf_str(head));
    if (req->filler == 0) {
        padded_finish(req, buf_str(body));
        return;
    }
    padded_send(req, (struct str){body->ptr, text_end});
    if (outlet_push(req))
        inference_continue(req);
}

static void padded_continue(struct sim_request *req)
{
    for (size_t made = 0; req->filler > 0;) {
        size_t n = (size_t)MIN((uint64_t)PADDING_SIZE, req->filler);
        padded_send(req, (struct str){req->sim->padding, n});
        req->filler -= n;
        made += n;
        if (!outlet_push(req) || req->stage != STAGE_STREAMING)
            return;
        if (outlet_is_backed_up(req))
            return;
        if (made > TURN_MAX) {
            timer_start(req->sim->loop, &req->timer, 0);
            return;
        }
    }
    struct buf *body = &req->sim->body;
    size_t text_end = 0;
    buf_clear(body);
    render_document(req, body, &text_end);
    padded_finish(req, str_from_offset(buf_str(body), text_end));
}

/* ---- a stream of events ---- */

/* Head and events that are due, up to a piece; true when the stream is whole. */
static bool stream_make(struct sim_request *req, struct buf *out)
{
    if (!req->is_head_made) {
        render_stream_head(req, out);
        req->is_head_made = true;
        outlet_arm_after_head(req, out->len);
        render_role_event(req, out);
    }
    usec_t now = loop_now(req->sim->loop);
    while (req->events_made < req->event_count && out->len < PIECE_MAX &&
           req->first_at + req->events_made * req->interval <= now)
        render_content_event(req, out);
    if (req->events_made < req->event_count)
        return false;
    render_stream_tail(req, out);
    return true;
}

static void stream_continue(struct sim_request *req)
{
    struct loop *loop = req->sim->loop;
    struct buf *out = &req->sim->body;
    for (size_t made = 0;;) {
        buf_clear(out);
        bool is_whole = stream_make(req, out);
        made += out->len;
        outlet_send(req, buf_str(out));
        if (is_whole) {
            outlet_finish(req);
            return;
        }
        if (!outlet_push(req) || req->stage != STAGE_STREAMING)
            return;
        if (outlet_is_backed_up(req))
            return;
        usec_t due = req->first_at + req->events_made * req->interval;
        if (due > loop_now(loop) || made > TURN_MAX) {
            timer_start(loop, &req->timer, due > loop_now(loop) ? due - loop_now(loop) : 0);
            return;
        }
    }
}

/* ---- any answer ---- */

void answer_begin(struct sim_request *req)
{
    if (req->fault.reset_before_head) {
        http_conn_abort(req->conn);
        inference_ended(req, OUTCOME_FAULTED);
    } else if (req->fault.status != FAULT_NONE) {
        answer_status(req);
    } else if (req->endpoint == ENDPOINT_EMBEDDINGS) {
        answer_embeddings(req);
    } else {
        req->counter->generation_tokens += req->tokens;
        req->first_at = loop_now(req->sim->loop);
        req->stage = STAGE_STREAMING;
        if (req->ask.stream)
            stream_continue(req);
        else
            padded_begin(req);
    }
}

void answer_continue(struct sim_request *req)
{
    if (req->ask.stream)
        stream_continue(req);
    else
        padded_continue(req);
}
