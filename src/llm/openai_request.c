/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/openai_request.h"

_Static_assert(JSON_DEPTH_MAX == 256, "the text of FAULT_TOO_DEEP says so");

/* Top-level fields that we act on; each may stand only once. */
enum field {
    FIELD_MODEL,
    FIELD_STREAM,
    FIELD_OPTIONS,
    FIELD_USER,
    FIELD_MESSAGES,
    FIELD_PROMPT,
    FIELD_TEMPERATURE,
    FIELD_MAX_TOKENS,
    FIELD_MAX_COMPLETION_TOKENS,
    FIELD_N,
    FIELD_COUNT_
};

static const struct str field_names[FIELD_COUNT_] = {
    [FIELD_MODEL] = {"model", 5},
    [FIELD_STREAM] = {"stream", 6},
    [FIELD_OPTIONS] = {"stream_options", 14},
    [FIELD_USER] = {"user", 4},
    [FIELD_MESSAGES] = {"messages", 8},
    [FIELD_PROMPT] = {"prompt", 6},
    [FIELD_TEMPERATURE] = {"temperature", 11},
    [FIELD_MAX_TOKENS] = {"max_tokens", 10},
    [FIELD_MAX_COMPLETION_TOKENS] = {"max_completion_tokens", 21},
    [FIELD_N] = {"n", 1},
};

struct reading {
    struct openai_request *req;
    struct arena *arena;
    struct str body;
    bool needs_text;
    unsigned seen; /* bits of enum field */
    enum field inside;
    bool in_user_message;
    struct str pending_text; /* of the message under way */
    enum fault fault;
    struct str param;
};

static enum json_visit reading_fail(struct reading *r, enum fault fault, struct str param)
{
    r->fault = fault;
    r->param = param;
    return JSON_STOP;
}

static size_t reading_offset(const struct reading *r, struct str raw)
{
    return (size_t)(raw.ptr - r->body.ptr);
}

/* A string value, kept for the request's life; false when it is none. */
static bool reading_keep_text(struct reading *r, const struct json_item *item, struct str *ret_text)
{
    struct str text;
    if (item->type != JSON_STRING || json_item_text(item, &text) != ERR_OK)
        return false;
    *ret_text = arena_dup(r->arena, text);
    return ret_text->ptr != NULL;
}

static enum field field_of(struct str key)
{
    for (enum field field = 0; field < FIELD_COUNT_; field++)
        if (str_eq(key, field_names[field]))
            return field;
    return FIELD_COUNT_;
}

static enum json_visit visit_stream(struct reading *r, const struct json_item *item)
{
    if (item->type != JSON_TRUE && item->type != JSON_FALSE && item->type != JSON_NULL)
        return reading_fail(r, FAULT_BAD_FIELD, STR("stream"));
    r->req->is_stream = item->type == JSON_TRUE;
    return JSON_SKIP;
}

static enum json_visit visit_options(struct reading *r, const struct json_item *item)
{
    if (item->type != JSON_OBJECT && item->type != JSON_NULL)
        return reading_fail(r, FAULT_BAD_FIELD, STR("stream_options"));
    r->req->options_at = reading_offset(r, item->raw);
    r->req->options_is_null = item->type == JSON_NULL;
    r->req->options_is_empty = true;
    return item->type == JSON_OBJECT ? JSON_ENTER : JSON_SKIP;
}

/* What servers judge, we only look at: a value of the wrong type counts as none. */
static void visit_temperature(struct openai_request *req, const struct json_item *item)
{
    double temperature;
    bool is_number = item->type == JSON_NUMBER && json_item_double(item, &temperature) == ERR_OK;
    req->temperature = item->type == JSON_NULL            ? TEMPERATURE_ABSENT
                       : is_number && temperature == 0.0 ? TEMPERATURE_ZERO
                                                          : TEMPERATURE_OTHER;
}

static uint64_t count_of(const struct json_item *item)
{
    uint64_t count;
    return item->type == JSON_NUMBER && json_item_u64(item, &count) == ERR_OK ? count : 0;
}

static enum json_visit visit_field(struct reading *r, const struct json_item *item)
{
    enum field field = field_of(item->key);
    if (field == FIELD_COUNT_)
        return JSON_SKIP;
    if (r->seen & (1u << field))
        return reading_fail(r, FAULT_BAD_FIELD, field_names[field]);
    r->seen |= 1u << field;
    r->inside = field;
    switch (field) {
    case FIELD_MODEL:
        if (!reading_keep_text(r, item, &r->req->model))
            return reading_fail(r, FAULT_BAD_FIELD, STR("model"));
        r->req->model_at = reading_offset(r, item->raw);
        r->req->model_size = item->raw.len;
        return JSON_SKIP;
    case FIELD_STREAM:
        return visit_stream(r, item);
    case FIELD_OPTIONS:
        return visit_options(r, item);
    case FIELD_USER:
        if (item->type == JSON_STRING && !reading_keep_text(r, item, &r->req->user))
            return reading_fail(r, FAULT_BAD_FIELD, STR("user"));
        return JSON_SKIP;
    case FIELD_PROMPT:
        if (r->needs_text && item->type == JSON_STRING && !reading_keep_text(r, item, &r->req->last_text))
            return reading_fail(r, FAULT_BAD_FIELD, STR("prompt"));
        return JSON_SKIP;
    case FIELD_TEMPERATURE:
        visit_temperature(r->req, item);
        return JSON_SKIP;
    case FIELD_MAX_TOKENS:
    case FIELD_MAX_COMPLETION_TOKENS:
        r->req->max_tokens = MAX(r->req->max_tokens, count_of(item));
        return JSON_SKIP;
    case FIELD_N:
        r->req->choices = count_of(item);
        return JSON_SKIP;
    default:
        return r->needs_text && item->type == JSON_ARRAY ? JSON_ENTER : JSON_SKIP;
    }
}

static enum json_visit visit_option(struct reading *r, const struct json_item *item)
{
    r->req->options_is_empty = false;
    if (!str_eq(item->key, STR("include_usage")))
        return JSON_SKIP;
    if (r->req->include_at > 0 || (item->type != JSON_TRUE && item->type != JSON_FALSE))
        return reading_fail(r, FAULT_BAD_FIELD, STR("stream_options.include_usage"));
    r->req->include_at = reading_offset(r, item->raw);
    r->req->include_size = item->raw.len;
    r->req->wants_usage = item->type == JSON_TRUE;
    return JSON_SKIP;
}

/* Depth 2: a message begins or ends. Depth 3: role and content. Depths 4 and 5: content parts and their text. */
static enum json_visit visit_message(struct reading *r, const struct json_item *item)
{
    struct str role;
    switch (item->depth) {
    case 2:
        if (item->closing) {
            if (r->in_user_message && r->pending_text.ptr)
                r->req->last_text = r->pending_text;
            return JSON_SKIP;
        }
        r->in_user_message = false;
        r->pending_text = STR_NONE;
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_SKIP;
    case 3:
        if (str_eq(item->key, STR("role")))
            r->in_user_message = item->type == JSON_STRING && json_item_text(item, &role) == ERR_OK &&
                                 str_eq(role, STR("user"));
        if (!str_eq(item->key, STR("content")))
            return JSON_SKIP;
        if (item->type == JSON_ARRAY)
            return JSON_ENTER;
        reading_keep_text(r, item, &r->pending_text);
        return JSON_SKIP;
    case 4:
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_SKIP;
    default:
        if (str_eq(item->key, STR("text")))
            reading_keep_text(r, item, &r->pending_text);
        return JSON_SKIP;
    }
}

static enum json_visit visit(void *context, const struct json_item *item)
{
    struct reading *r = context;
    if (item->closing && item->depth < 2)
        return JSON_SKIP;
    if (item->depth == 0) {
        if (item->type != JSON_OBJECT)
            return reading_fail(r, FAULT_BAD_JSON, STR_NONE);
        r->req->object_at = reading_offset(r, item->raw);
        return JSON_ENTER;
    }
    if (item->depth == 1)
        return visit_field(r, item);
    return r->inside == FIELD_OPTIONS ? visit_option(r, item) : visit_message(r, item);
}

enum fault openai_request_read(struct json_reader *reader, struct str body, bool needs_text,
                               struct arena *arena, struct openai_request *ret_request, struct str *ret_param)
{
    struct openai_request req = {0};
    struct reading r = {.req = &req, .arena = arena, .body = body, .needs_text = needs_text};
    enum err err = json_walk(reader, body, visit, &r);
    *ret_param = r.param;
    if (r.fault != FAULT_NONE)
        return r.fault;
    if (err == ERR_LIMIT)
        return FAULT_TOO_DEEP;
    if (err != ERR_OK)
        return FAULT_BAD_JSON;
    *ret_request = req;
    return FAULT_NONE;
}

void openai_request_rename(const struct openai_request *req, struct str json_name, struct splices *io_splices)
{
    splices_add(io_splices, req->model_at, req->model_size, json_name);
}

void openai_request_ask_usage(const struct openai_request *req, struct splices *io_splices)
{
    if (req->wants_usage)
        return;
    if (req->include_at > 0)
        splices_add(io_splices, req->include_at, req->include_size, STR("true"));
    else if (req->options_at == 0)
        splices_add(io_splices, req->object_at + 1, 0, STR("\"stream_options\":{\"include_usage\":true},"));
    else if (req->options_is_null)
        splices_add(io_splices, req->options_at, 4, STR("{\"include_usage\":true}"));
    else if (req->options_is_empty)
        splices_add(io_splices, req->options_at + 1, 0, STR("\"include_usage\":true"));
    else
        splices_add(io_splices, req->options_at + 1, 0, STR("\"include_usage\":true,"));
}
