/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that no server gives: lists and health from memory, and the gateway's own errors in the caller's dialect. */
#include "llm/openai_models.h"
#include "proxy/heads.h"
#include "proxy/request.h"
#include "proxy/worker.h"

#include <stdio.h>

#define ANSWER_MAX ((size_t)4 << 20)
#define JSON_TYPE STR("application/json")

static void reply(struct request *req, int status, struct str body, struct str more_fields)
{
    struct answer_head head = {0};
    char memory[2 * OWN_FIELDS_SIZE];
    struct buf fields;
    request_describe(req, &head);
    buf_init_fixed(&fields, memory, sizeof(memory));
    own_fields_write(&fields, &head);
    buf_add(&fields, more_fields);
    req->status = status;
    req->bytes_out = body.len;
    http_conn_reply(req->conn, status, JSON_TYPE, buf_str(&fields), body);
    req->conn = NULL;
}

/* ---- from memory ---- */

/* Aliases of models that are there, unless a model has the name itself. */
static void write_aliases(const struct table *table, struct json_writer *w)
{
    const struct config *config = table->policy->config;
    for (size_t i = 0; i < config->alias_count; i++) {
        const struct alias_config *alias = table->policy->aliases[i];
        const struct table_model *model = table_find_model(table, alias->model);
        if (model && !table_find_model(table, alias->alias))
            openai_model_write(w, alias->alias, model->owner);
    }
}

static void write_models(struct request *req, struct buf *out)
{
    const struct table *table = req->table;
    struct json_writer w;
    json_write_init(&w, out);
    json_object_begin(&w);
    json_key(&w, STR("object"));
    json_string(&w, STR("list"));
    json_key(&w, STR("data"));
    json_array_begin(&w);
    for (size_t i = 0; i < table->model_count; i++)
        openai_model_write(&w, table->models[i].name, table->models[i].owner);
    write_aliases(table, &w);
    json_array_end(&w);
    json_object_end(&w);
}

/* A model's name may hold slashes and, percent-encoded, anything (RFC 3986 section 2.1). */
static struct str percent_decode(struct arena *arena, struct str text)
{
    struct str copy = arena_dup(arena, text);
    char *out = (char *)(uintptr_t)copy.ptr;
    if (!out)
        return text;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned value;
        char digits[3] = {0};
        if (text.ptr[i] == '%' && i + 2 < text.len) {
            memcpy(digits, text.ptr + i + 1, 2);
            if (strspn(digits, "0123456789abcdefABCDEF") == 2 && sscanf(digits, "%2x", &value) == 1) {
                out[len++] = (char)value;
                i += 2;
                continue;
            }
        }
        out[len++] = text.ptr[i];
    }
    return (struct str){out, len};
}

static enum fault write_model(struct request *req, struct buf *out)
{
    struct str name = percent_decode(&req->draft, api_path_rest(API_MODEL, req->head->target));
    const struct table_model *model =
        table_find_model(req->table, policy_real_model(req->table->policy, name));
    if (!model)
        return FAULT_MODEL_NOT_FOUND;
    struct json_writer w;
    json_write_init(&w, out);
    openai_model_write(&w, name, model->owner);
    return FAULT_NONE;
}

static bool is_ready(struct request *req)
{
    struct worker *worker = req->worker;
    return !worker->is_draining &&
           gate_is_usable(&worker->gateway->gate, req->table, loop_now(&worker->loop));
}

void answer_from_memory(struct request *req)
{
    struct buf body;
    int status = 200;
    buf_init(&body, ANSWER_MAX);
    switch (req->api) {
    case API_MODELS:
        write_models(req, &body);
        break;
    case API_MODEL:
        req->fault = write_model(req, &body);
        break;
    case API_READYZ:
        if (!is_ready(req))
            status = 503;
        buf_add(&body, status == 200 ? STR("{\"status\":\"ready\"}") : STR("{\"status\":\"not_ready\"}"));
        break;
    case API_ROOT:
        buf_add(&body, STR("{\"name\":\"Fairlead\",\"version\":\"" FAIRLEAD_VERSION "\",\"status\":\"running\"}"));
        break;
    default:
        buf_add(&body, STR("{\"status\":\"healthy\"}"));
    }
    if (!buf_ok(&body))
        req->fault = FAULT_INTERNAL;
    if (req->fault == FAULT_NONE)
        reply(req, status, buf_str(&body), status == 503 ? STR("Retry-After: 1\r\n") : STR_NONE);
    buf_free(&body);
}

/* ---- errors ---- */

/* Fields that a fault's status asks for (RFC 9110: 401, 405, 429 and 503). */
static void fault_fields(const struct request *req, int status, struct buf *out)
{
    bool wants_pause = status == 429 || status == 503;
    if (wants_pause || req->retry_after > 0) {
        usec_t seconds = (req->retry_after + USEC_PER_SEC - 1) / USEC_PER_SEC;
        buf_add(out, STR("Retry-After: "));
        buf_add_u64(out, MAX(seconds, 1));
        buf_add(out, STR("\r\n"));
    }
    if (status == 401)
        buf_add(out, STR("WWW-Authenticate: Bearer\r\n"));
    if (status == 405)
        buf_add(out, str_eq(api_row(req->api)->method, STR("GET")) ? STR("Allow: GET, HEAD\r\n")
                                                                   : STR("Allow: POST\r\n"));
}

/* Says what could not be had; the model's name is the caller's own word. */
static void describe_model_fault(struct request *req)
{
    struct str model = req->model;
    if (req->fault != FAULT_MODEL_NOT_FOUND || req->fault_detail.len > 0)
        return;
    if (req->api == API_MODEL)
        model = percent_decode(&req->draft, api_path_rest(API_MODEL, req->head->target));
    struct buf text;
    size_t room = model.len + 64;
    buf_init_fixed(&text, arena_take(&req->draft, room), room);
    buf_printf(&text, "The model '" STR_FMT "' does not exist on any server.", STR_ARG(model));
    if (text.ptr && buf_ok(&text))
        req->fault_detail = buf_str(&text);
}

void answer_fault(struct request *req)
{
    if (req->sent == SENT_CONTENT && req->relay.kind == RELAY_PLAIN) {
        req->worker->run.count = 0;
        http_conn_abort(req->conn); /* half an answer must not look whole */
        req->conn = NULL;
        return;
    }
    if (req->sent != SENT_NOTHING) {
        relay_say_fault(req);
        return;
    }
    char memory[256];
    struct buf fields, body;
    int status = fault_row(req->fault)->status;
    describe_model_fault(req);
    buf_init_fixed(&fields, memory, sizeof(memory));
    fault_fields(req, status, &fields);
    buf_init(&body, ANSWER_MAX);
    openai_error_write(&body, req->fault, req->fault_detail, req->fault_param);
    reply(req, status, buf_str(&body), buf_str(&fields));
    buf_free(&body);
}
