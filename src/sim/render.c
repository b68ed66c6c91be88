/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/render.h"

#include "sim/text.h"

#include <time.h>

#define CREATED ",\"created\":1700000000,\"model\":\"" /* fixed, so that equal requests get equal answers */

/* What differs between the two endpoints that answer with text. */
struct style {
    struct str id, object, event_object;
    struct str text_before, text_after;   /* in a document */
    struct str event_before, event_after; /* in an event */
};

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct style styles[] = {
    [ENDPOINT_CHAT] =
        {
            .id = LITERAL("chatcmpl-"),
            .object = LITERAL("chat.completion"),
            .event_object = LITERAL("chat.completion.chunk"),
            .text_before = LITERAL("\"message\":{\"role\":\"assistant\",\"content\":\""),
            .text_after = LITERAL("\",\"refusal\":null}"),
            .event_before = LITERAL("\"delta\":{\"content\":\""),
            .event_after = LITERAL("\"}"),
        },
    [ENDPOINT_COMPLETIONS] =
        {
            .id = LITERAL("cmpl-"),
            .object = LITERAL("text_completion"),
            .event_object = LITERAL("text_completion"),
            .text_before = LITERAL("\"text\":\""),
            .text_after = LITERAL("\""),
            .event_before = LITERAL("\"text\":\""),
            .event_after = LITERAL("\""),
        },
};

static const struct style *style_of(const struct sim_request *req)
{
    return &styles[req->endpoint];
}

/* ---- heads ---- */

static void head_begin(struct sim_request *req, struct buf *out, int status)
{
    if (req->fault.early_hints)
        buf_add(out, STR("HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preconnect\r\n\r\n"));
    buf_add(out, STR("HTTP/1.1 "));
    buf_add_u64(out, (uint64_t)status);
    buf_add_char(out, ' ');
    buf_add(out, str_from(http_status_text(status)));
}

static void head_end(struct sim_request *req, struct buf *out)
{
    buf_add(out, STR("x-sim-name: "));
    buf_add(out, req->sim->options.name);
    if (!http_conn_keeps_alive(req->conn))
        buf_add(out, STR("\r\nConnection: close"));
    buf_add(out, STR("\r\n\r\n"));
}

/* Chunked if the client understands it, else the end of the connection ends the body. */
static void head_unsized(struct sim_request *req, struct buf *out)
{
    req->is_chunked = !req->fault.close_delimited && !req->conn->is_http10;
    if (req->is_chunked)
        buf_add(out, STR("Transfer-Encoding: chunked\r\n"));
    else
        req->conn->keep_alive = false;
}

void render_head(struct sim_request *req, struct buf *out, int status, struct str content_type,
                 struct str fields, uint64_t length)
{
    head_begin(req, out, status);
    buf_add(out, STR("\r\nContent-Type: "));
    buf_add(out, content_type);
    buf_add(out, STR("\r\n"));
    bool is_text = status == 200 && req->endpoint != ENDPOINT_EMBEDDINGS;
    if (is_text && (req->fault.close_delimited || req->sim->options.unsized_head)) {
        head_unsized(req, out);
    } else {
        buf_add(out, STR("Content-Length: "));
        buf_add_u64(out, length);
        buf_add(out, STR("\r\n"));
    }
    buf_add(out, fields);
    head_end(req, out);
}

void render_stream_head(struct sim_request *req, struct buf *out)
{
    head_begin(req, out, 200);
    buf_add(out, STR("\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"));
    head_unsized(req, out);
    head_end(req, out);
}

/* ---- documents ---- */

void render_error(struct buf *out, const char *type, const char *code, struct str message)
{
    buf_add(out, STR("{\"error\":{\"message\":"));
    json_append_string(out, message);
    buf_add(out, STR(",\"type\":\""));
    buf_add(out, str_from(type));
    buf_add(out, STR("\",\"param\":null,\"code\":"));
    if (code)
        json_append_string(out, str_from(code));
    else
        buf_add(out, STR("null"));
    buf_add(out, STR("}}"));
}

/* {"id":...,"object":...,"created":...,"model":..., without the brace at the end. */
static void object_begin(const struct sim_request *req, struct buf *out, struct str object)
{
    buf_add(out, STR("{\"id\":\""));
    buf_add(out, style_of(req)->id);
    buf_add(out, (struct str){req->id, sizeof(req->id)});
    buf_add(out, STR("\",\"object\":\""));
    buf_add(out, object);
    buf_add(out, STR("\"" CREATED));
    buf_add(out, req->ask.model);
    buf_add_char(out, '"');
    if (req->sim->options.is_named) {
        buf_add(out, STR(",\"system_fingerprint\":"));
        json_append_string(out, req->sim->options.name);
    }
}

static void usage_add(const struct sim_request *req, struct buf *out)
{
    buf_add(out, STR(",\"usage\":{\"prompt_tokens\":"));
    buf_add_u64(out, req->prompt_tokens);
    buf_add(out, STR(",\"completion_tokens\":"));
    buf_add_u64(out, req->tokens);
    buf_add(out, STR(",\"total_tokens\":"));
    buf_add_u64(out, req->prompt_tokens + req->tokens);
    buf_add_char(out, '}');
}

static struct str finish_reason(const struct sim_request *req)
{
    bool is_short = req->fault.events == FAULT_NONE && req->ask.max_tokens < req->sim->settings.tokens;
    return is_short ? STR("length") : STR("stop");
}

void render_document(const struct sim_request *req, struct buf *out, size_t *ret_text_end)
{
    const struct style *style = style_of(req);
    object_begin(req, out, style->object);
    buf_add(out, STR(",\"choices\":[{\"index\":0,"));
    buf_add(out, style->text_before);
    text_add(out, 0, req->tokens);
    *ret_text_end = out->len;
    buf_add(out, style->text_after);
    buf_add(out, STR(",\"logprobs\":null,\"finish_reason\":\""));
    buf_add(out, finish_reason(req));
    buf_add(out, STR("\"}]"));
    usage_add(req, out);
    buf_add_char(out, '}');
}

/* ---- events ---- */

static void event_begin(const struct sim_request *req, struct buf *event)
{
    buf_clear(event);
    buf_add(event, STR("data: "));
    object_begin(req, event, style_of(req)->event_object);
    buf_add(event, STR(",\"choices\":["));
}

static void event_stamp(struct buf *event)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    buf_add(event, STR(",\"sim_stamp\":"));
    buf_add_u64(event, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

/* The end of an event that has no usage, with the choices' bracket. */
static void event_end(const struct sim_request *req, struct buf *event)
{
    buf_add_char(event, ']');
    if (req->ask.include_usage)
        buf_add(event, STR(",\"usage\":null"));
    if (req->fault.stamp)
        event_stamp(event);
    buf_add(event, STR("}\n\n"));
}

static void frame_add(const struct sim_request *req, struct str event, struct buf *out)
{
    if (!req->is_chunked) {
        buf_add(out, event);
        return;
    }
    if (!buf_reserve(out, event.len + CHUNKED_HEAD_MAX + 2))
        return;
    out->len += chunked_write_head(event.len, out->ptr + out->len);
    buf_add(out, event);
    buf_add(out, STR("\r\n"));
}

void render_role_event(struct sim_request *req, struct buf *out)
{
    if (req->endpoint != ENDPOINT_CHAT)
        return;
    struct buf *event = &req->sim->event;
    event_begin(req, event);
    buf_add(event,
            STR("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}"));
    event_end(req, event);
    frame_add(req, buf_str(event), out);
}

/* Makes the event as long as the fault wants it, by dots behind its last word. */
static void event_pad(const struct sim_request *req, struct buf *event, size_t word_end)
{
    uint64_t wanted = req->fault.event_bytes;
    if (wanted == FAULT_NONE || wanted <= event->len)
        return;
    size_t more = (size_t)wanted - event->len;
    if (!buf_reserve(event, more))
        return;
    memmove(event->ptr + word_end + more, event->ptr + word_end, event->len - word_end);
    memset(event->ptr + word_end, '.', more);
    event->len += more;
}

void render_content_event(struct sim_request *req, struct buf *out)
{
    const struct style *style = style_of(req);
    struct buf *event = &req->sim->event;
    uint64_t chunk = req->sim->settings.chunk_tokens;
    uint64_t first = req->events_made * chunk;
    event_begin(req, event);
    buf_add(event, STR("{\"index\":0,"));
    buf_add(event, style->event_before);
    text_add(event, first, MIN(chunk, req->tokens - first));
    size_t word_end = event->len - 1;
    buf_add(event, style->event_after);
    buf_add(event, STR(",\"finish_reason\":null}"));
    event_end(req, event);
    event_pad(req, event, word_end);
    frame_add(req, buf_str(event), out);
    req->events_made++;
}

static void finish_add(const struct sim_request *req, struct buf *event, struct buf *out)
{
    event_begin(req, event);
    buf_add(event, req->endpoint == ENDPOINT_CHAT ? STR("{\"index\":0,\"delta\":{}")
                                                  : STR("{\"index\":0,\"text\":\"\""));
    buf_add(event, STR(",\"finish_reason\":\""));
    buf_add(event, finish_reason(req));
    buf_add(event, STR("\"}"));
    event_end(req, event);
    frame_add(req, buf_str(event), out);
    if (!req->ask.include_usage)
        return;
    event_begin(req, event);
    buf_add_char(event, ']');
    usage_add(req, event);
    buf_add(event, STR("}\n\n"));
    frame_add(req, buf_str(event), out);
}

void render_stream_tail(struct sim_request *req, struct buf *out)
{
    struct buf *event = &req->sim->event;
    if (req->fault.error_event != FAULT_NONE) {
        req->is_faulted = true;
        buf_clear(event);
        buf_add(event, STR("data: "));
        render_error(event, "server_error", NULL, STR("scripted fault"));
        buf_add(event, STR("\n\n"));
        frame_add(req, buf_str(event), out);
    } else {
        finish_add(req, event, out);
        if (!req->fault.no_done)
            frame_add(req, STR("data: [DONE]\n\n"), out);
    }
    if (req->is_chunked)
        buf_add(out, CHUNKED_LAST);
}
