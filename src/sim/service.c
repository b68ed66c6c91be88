/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP side tells us: heads, whole requests, hang-ups. Recording and routing. */
#include "sim/inference.h"
#include "sim/outlet.h"
#include "sim/render.h"

#include <stdlib.h>

#define FREE_REQUESTS_MAX 20000 /* as many as there can be connections */

/* ---- requests ---- */

static struct sim_request *request_new(struct sim *sim, struct http_conn *conn)
{
    struct sim_request *req = sim->free_requests;
    if (req) {
        sim->free_requests = req->next_free;
        sim->free_count--;
        memset(req, 0, sizeof(*req));
    } else {
        req = calloc(1, sizeof(*req));
        if (!req)
            return NULL;
    }
    req->sim = sim;
    req->conn = conn;
    list_init(&req->node);
    wheel_timer_init(&req->timer, NULL);
    wheel_timer_init(&req->drip, NULL);
    fault_init(&req->fault);
    return req;
}

void sim_request_free(struct sim_request *req)
{
    struct sim *sim = req->sim;
    timer_stop(sim->loop, &req->timer);
    timer_stop(sim->loop, &req->drip);
    buf_free(&req->held);
    if (sim->free_count == FREE_REQUESTS_MAX) {
        free(req);
        return;
    }
    req->next_free = sim->free_requests;
    sim->free_requests = req;
    sim->free_count++;
}

void sim_reply(struct sim_request *req, int status, struct str content_type, struct str body)
{
    http_conn_reply(req->conn, status, content_type, STR_NONE, body);
    record_outcome(&req->sim->recorder, req->record, OUTCOME_COMPLETED);
    sim_request_free(req);
}

void sim_refuse(struct sim_request *req, int status, const char *type, const char *code, const char *why)
{
    struct buf *body = &req->sim->body;
    buf_clear(body);
    render_error(body, type, code, str_from(why));
    sim_reply(req, status, STR("application/json"), buf_str(body));
}

/* ---- heads ---- */

static bool is_bearer_of(struct str value, struct str key)
{
    struct str scheme = {value.ptr, MIN(value.len, sizeof("Bearer ") - 1)};
    return str_eq_nocase(scheme, STR("Bearer ")) && str_eq(str_from_offset(value, scheme.len), key);
}

/* False: its fault is not understood. */
static bool request_read_field(struct sim_request *req, const struct http_field *field,
                               struct str *io_fault_id, struct buf *why)
{
    struct str name = field->name;
    struct str key = req->sim->options.require_key;
    if (str_eq_nocase(name, STR("x-sim-fault"))) {
        req->has_own_fault = true;
        req->fault_key = fault_key(field->value);
        return fault_parse(field->value, &req->fault, why) == ERR_OK;
    }
    if (str_eq_nocase(name, STR("x-sim-fault-id")))
        *io_fault_id = field->value;
    else if (str_eq_nocase(name, STR("authorization")) && is_bearer_of(field->value, key))
        req->is_authorized = true;
    else if ((str_eq_nocase(name, STR("api-key")) || str_eq_nocase(name, STR("x-api-key"))) &&
             str_eq(field->value, key))
        req->is_authorized = true;
    return true;
}

static bool request_read_fields(struct sim_request *req, const struct http_head *head, struct buf *why)
{
    struct str fault_id = STR_NONE;
    req->is_authorized = req->sim->options.require_key.len == 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (!request_read_field(req, &head->fields[i], &fault_id, why))
            return false;
    }
    if (fault_id.len > 0)
        req->fault_key = fault_key(fault_id);
    return true;
}

static struct str without_query(struct str target)
{
    ssize_t mark = str_find(target, STR("?"));
    return mark < 0 ? target : (struct str){target.ptr, (size_t)mark};
}

static void request_set_route(struct sim_request *req)
{
    static const struct {
        struct str path;
        enum endpoint endpoint;
    } routes[] = {
        {{"/v1/chat/completions", 20}, ENDPOINT_CHAT},
        {{"/v1/completions", 15}, ENDPOINT_COMPLETIONS},
        {{"/v1/embeddings", 14}, ENDPOINT_EMBEDDINGS},
    };
    if (strcmp(req->method, "POST") != 0)
        return;
    struct str path = without_query((struct str){req->target, req->target_len});
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (str_eq(path, routes[i].path)) {
            req->endpoint = routes[i].endpoint;
            req->is_inference = true;
        }
    }
}

static void request_keep(struct sim_request *req, const struct http_head *head)
{
    struct sim *sim = req->sim;
    req->target_len = (uint16_t)MIN(head->target.len, sizeof(req->target));
    memcpy(req->target, head->target.ptr, req->target_len);
    memcpy(req->method, head->method.ptr, MIN(head->method.len, sizeof(req->method) - 1));
    request_set_route(req);
    if (info_is_probe(without_query(head->target)))
        sim->counts.probes++;
    else if (!sim->options.no_record && !str_starts(head->target, STR("/sim/")))
        req->record = record_head(&sim->recorder, head, loop_now(sim->loop));
}

static void service_on_head(struct http_conn *conn, const struct http_head *head)
{
    struct sim *sim = conn->service->owner;
    struct sim_request *req = request_new(sim, conn);
    if (!req) {
        http_conn_abort(conn);
        return;
    }
    conn->request = req;
    request_keep(req, head);
    char memory[256];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory) - 1);
    if (!request_read_fields(req, head, &why)) {
        memory[why.len] = '\0';
        sim_refuse(req, 400, "invalid_request_error", "bad_fault", memory);
    }
}

/* ---- whole requests ---- */

static void service_on_request(struct http_conn *conn)
{
    struct sim_request *req = conn->request;
    struct sim *sim = req->sim;
    struct str target = {req->target, req->target_len};
    struct str body = body_str(&conn->body);
    record_body(&sim->recorder, req->record, body);
    if (control_answer(req, str_from(req->method), target, body))
        return;
    if (!req->is_authorized && str_starts(target, STR("/v1/")))
        sim_refuse(req, 401, "invalid_request_error", "invalid_api_key", "incorrect API key provided");
    else if (req->is_inference)
        inference_begin(req, body);
    else if (!info_answer(req, without_query(target)))
        sim_refuse(req, 404, "invalid_request_error", "not_found", "there is nothing at this path");
}

static void service_on_hangup(struct http_conn *conn)
{
    struct sim_request *req = conn->request;
    if (req->is_counted) {
        inference_ended(req, OUTCOME_CANCELLED);
        return;
    }
    record_outcome(&req->sim->recorder, req->record, OUTCOME_CANCELLED);
    sim_request_free(req);
}

static void service_on_drained(struct http_conn *conn)
{
    struct sim_request *req = conn->request;
    if (req->is_counted)
        outlet_on_drained(req);
}

static void service_on_bad(struct http_conn *conn, int status, const char *why)
{
    struct sim *sim = conn->service->owner;
    struct sim_request *req = conn->request;
    sim->counts.malformed++;
    if (req)
        sim_request_free(req);
    struct buf *body = &sim->body;
    buf_clear(body);
    render_error(body, "invalid_request_error", NULL, str_from(why));
    http_conn_reply(conn, status, STR("application/json"), STR_NONE, buf_str(body));
}

const struct http_handler sim_handler = {
    .on_head = service_on_head,
    .on_request = service_on_request,
    .on_hangup = service_on_hangup,
    .on_drained = service_on_drained,
    .on_bad = service_on_bad,
};
