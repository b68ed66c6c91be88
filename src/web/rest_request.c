/* SPDX-License-Identifier: Apache-2.0 */
#include "web/rest_request.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>

/* What no browser may do with an answer of ours: guess its type, frame it, run anything in it, keep it. */
#define SECURITY_FIELDS                                                                                      \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"                                \
    "X-Frame-Options: DENY\r\n"                                                                              \
    "X-Content-Type-Options: nosniff\r\n"                                                                    \
    "Referrer-Policy: no-referrer\r\n"                                                                       \
    "Cache-Control: no-store\r\n"

#define MESSAGE_MAX 4096

static void on_go_on(struct task *task);

/* ---- beginning and end ---- */

void rest_request_init(struct rest_request *req, struct rest *rest, struct http_conn *conn)
{
    req->rest = rest;
    req->conn = conn;
    conn->request = req;
    list_push_back(&rest->requests, &req->node);
    rest->request_count++;
    task_init(&req->go_on, on_go_on);
    arena_init(&req->arena, NULL);
    buf_init(&req->statement, REST_BODY_MAX);
    buf_init(&req->answer, REST_ANSWER_MAX);
    buf_init_fixed(&req->fields, req->field_bytes, sizeof(req->field_bytes));
    json_write_init(&req->json, &req->answer);
}

static void wipe_secrets(struct rest_request *req)
{
    for (size_t i = 0; req->object && i < req->object->field_count; i++) {
        struct str text = req->values[i].value.text;
        if (text.len > 0)
            OPENSSL_cleanse((void *)(uintptr_t)text.ptr, text.len);
    }
    if (req->made_key.len > 0)
        OPENSSL_cleanse((void *)(uintptr_t)req->made_key.ptr, req->made_key.len);
    if (req->statement.len > 0)
        OPENSSL_cleanse(req->statement.ptr, req->statement.len);
    if (req->answer.len > 0)
        OPENSSL_cleanse(req->answer.ptr, req->answer.len);
}

void rest_request_free(struct rest_request *req)
{
    task_cancel(&req->go_on);
    if (req->session)
        sql_session_free(req->session);
    if (req->conn)
        req->conn->request = NULL;
    wipe_secrets(req);
    buf_free(&req->statement);
    buf_free(&req->answer);
    arena_fini(&req->arena);
    list_remove(&req->node);
    req->rest->request_count--;
    free(req);
}

/* ---- answers ---- */

void rest_answer(struct rest_request *req, int status, struct str content_type, struct str body)
{
    struct http_conn *conn = req->conn;
    buf_add(&req->fields, STR(SECURITY_FIELDS));
    ASSERT(buf_ok(&req->fields));
    if (conn) {
        req->conn = NULL;
        http_conn_reply(conn, status, content_type, buf_str(&req->fields), body);
    }
    rest_request_free(req);
}

void rest_answer_json(struct rest_request *req, int status)
{
    if (buf_ok(&req->answer))
        rest_answer(req, status, JSON_TYPE, buf_str(&req->answer));
    else
        rest_fail(req, 400, STR("limit"),
                  "The answer would be longer than %zu bytes: ask for parts of it with limit and offset.",
                  REST_ANSWER_MAX);
}

void rest_answer_ok(struct rest_request *req)
{
    rest_answer(req, 200, JSON_TYPE, STR("{\"status\":\"ok\"}"));
}

static struct str error_code(int status)
{
    switch (status) {
    case 401:
        return STR("unauthorized");
    case 403:
        return STR("forbidden");
    case 404:
        return STR("not_found");
    case 405:
        return STR("method_not_allowed");
    case 413:
        return STR("request_too_large");
    case 409:
        return STR("conflict");
    case 429:
        return STR("too_many_requests");
    case 503:
        return STR("busy");
    default:
        return status < 500 ? STR("invalid_request") : STR("internal_error");
    }
}

static void write_error(struct buf *out, int status, struct str param, struct str message)
{
    struct json_writer w;
    json_write_init(&w, out);
    json_object_begin(&w);
    json_key(&w, STR("error"));
    json_object_begin(&w);
    json_key(&w, STR("message"));
    json_string(&w, message);
    json_key(&w, STR("type"));
    json_string(&w, status < 500 ? STR("invalid_request_error") : STR("server_error"));
    json_key(&w, STR("param"));
    if (param.len > 0)
        json_string(&w, param);
    else
        json_null(&w);
    json_key(&w, STR("code"));
    json_string(&w, error_code(status));
    json_object_end(&w);
    json_object_end(&w);
}

static void fail_text(struct rest_request *req, int status, struct str param, struct str message)
{
    buf_clear(&req->answer);
    write_error(&req->answer, status, param, message);
    if (status == 503)
        buf_add(&req->fields, STR("Retry-After: 1\r\n"));
    rest_answer(req, status, JSON_TYPE, buf_ok(&req->answer) ? buf_str(&req->answer) : STR("{}"));
}

void rest_fail(struct rest_request *req, int status, struct str param, const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fail_text(req, status, param, (struct str){text, MIN((size_t)MAX(len, 0), sizeof(text) - 1)});
}

void rest_refuse(struct http_conn *conn, int status, struct str more_fields, const char *message)
{
    char body_bytes[1024], field_bytes[REST_FIELDS_BYTES];
    struct buf body, fields;
    buf_init_fixed(&body, body_bytes, sizeof(body_bytes));
    buf_init_fixed(&fields, field_bytes, sizeof(field_bytes));
    if (message)
        write_error(&body, status, STR_NONE, str_from(message));
    buf_add(&fields, more_fields);
    buf_add(&fields, STR(SECURITY_FIELDS));
    http_conn_reply(conn, status, JSON_TYPE, buf_str(&fields), buf_str(&body));
}

/* ---- statements ---- */

/* What MySQL's numbers come to (MySQL 8.0 Error Message Reference). */
static int status_of(const struct sql_outcome *outcome)
{
    switch (outcome->error) {
    case 1062: /* duplicate */
    case 1451: /* is referred to */
    case 1452: /* refers to nothing */
    case 1644: /* a trigger's word: rows of the file */
        return 409;
    case 1142: /* table, column or server that may not be written */
    case 1143:
    case 1290:
        return 403;
    case 1193: /* no such variable */
        return 404;
    case 1205: /* another writer, or a statement that was ended */
    case 1213:
    case 1317:
    case 3024:
        return 503;
    case 1021: /* disk, file, memory */
    case 1026:
    case 1030:
    case 1037:
        return 500;
    default:
        return 400;
    }
}

void rest_fail_sql(struct rest_request *req)
{
    fail_text(req, status_of(&req->outcome), STR_NONE, req->outcome.message);
}

static void on_columns(struct sql_sink *sink, const struct sql_column *columns, size_t count)
{
    struct rest_request *req = CONTAINER_OF(sink, struct rest_request, sink);
    struct sql_column *copy = ARENA_NEW_ARRAY(&req->arena, struct sql_column, count);
    req->columns = copy;
    req->column_count = copy ? count : 0;
    for (size_t i = 0; i < req->column_count; i++)
        copy[i] =
            (struct sql_column){.name = arena_dup(&req->arena, columns[i].name), .type = columns[i].type};
}

static bool on_row(struct sql_sink *sink, const struct sql_value *values, size_t count)
{
    struct rest_request *req = CONTAINER_OF(sink, struct rest_request, sink);
    req->row_count++;
    if (req->row && count <= req->column_count)
        req->row(req, values, count);
    return true;
}

static void on_done(struct sql_sink *sink, const struct sql_outcome *outcome)
{
    struct rest_request *req = CONTAINER_OF(sink, struct rest_request, sink);
    req->outcome = *outcome;
    req->outcome.message = arena_dup(&req->arena, outcome->message);
    loop_defer(req->rest->loop, &req->go_on);
}

static void on_go_on(struct task *task)
{
    struct rest_request *req = CONTAINER_OF(task, struct rest_request, go_on);
    if (req->outcome.error != 0)
        rest_fail_sql(req);
    else
        req->then(req);
}

static struct str address_host(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    struct str host = address_format(address, text);
    while (host.len > 0 && host.ptr[host.len - 1] != ':')
        host.len--;
    if (host.len > 0)
        host.len--;
    return host;
}

static bool open_session(struct rest_request *req)
{
    if (req->session)
        return true;
    struct sql_identity identity = {
        .user = STR("admin"),
        .host = req->conn ? address_host(&req->conn->peer, req->host) : STR_NONE,
        .may_write = !str_eq(req->route->method, STR("GET")),
    };
    req->session = sql_session_new(req->rest->engine, &identity);
    return req->session != NULL;
}

void rest_run(struct rest_request *req, void (*row)(struct rest_request *, const struct sql_value *, size_t),
              void (*then)(struct rest_request *))
{
    if (!buf_ok(&req->statement) || !open_session(req)) {
        rest_fail(req, 503, STR_NONE, "The store cannot be asked now.");
        return;
    }
    req->row = row;
    req->then = then;
    req->row_count = 0;
    req->sink = (struct sql_sink){.columns = on_columns, .row = on_row, .done = on_done};
    sql_session_run(req->session, buf_str(&req->statement), req->params, req->param_count, &req->sink);
}

void rest_statement_clear(struct rest_request *req)
{
    buf_clear(&req->statement);
    req->param_count = 0;
}

void rest_param_add(struct rest_request *req, struct sql_value value)
{
    ASSERT(req->param_count < REST_PARAMS_MAX);
    req->params[req->param_count++] = value;
}

/* ---- rows ---- */

void rest_write_value(struct rest_request *req, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_NULL:
        json_null(&req->json);
        break;
    case SQL_INTEGER:
        json_i64(&req->json, value->integer);
        break;
    case SQL_DOUBLE:
        json_double(&req->json, value->real);
        break;
    default:
        json_string(&req->json, value->text);
    }
}

void rest_write_row(struct rest_request *req, const struct sql_value *values, size_t count)
{
    json_object_begin(&req->json);
    for (size_t i = 0; i < count; i++) {
        json_key(&req->json, req->columns[i].name);
        rest_write_value(req, &values[i]);
    }
    json_object_end(&req->json);
}
