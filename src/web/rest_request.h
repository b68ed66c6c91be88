/* SPDX-License-Identifier: Apache-2.0 */
/* One request to REST, from its head to its answer. Internal to REST.
 *
 *   on_head: path, method, guard -> on_request: body -> handler -> rest_run (a statement) -> then -> ... -> answer
 *
 * Everything of it is freed by the answer. A client that hangs up loses the answer, not the change it asked for. */
#pragma once

#include "web/rest.h"
#include "web/rest_routes.h"
#include "wire/json_write.h"

#define REST_PARAMS_MAX (REST_FIELDS_MAX + 4)
#define REST_FIELDS_BYTES 1024 /* own header fields of an answer */
#define JSON_TYPE STR("application/json")

/* A field of the request's object. */
struct rest_value {
    bool is_given;
    struct sql_value value;
};

struct rest_request {
    struct rest *rest;
    struct http_conn *conn; /* NULL: the client is gone */
    struct list node;       /* in rest->requests */
    struct task go_on;      /* after a statement: its session must not be touched from within */
    struct arena arena;
    const struct rest_route *route;
    const struct rest_object *object; /* the route's; may be NULL */
    struct str part;                  /* what the path names, decoded */
    struct str query;
    struct str token;                          /* of the session it came with, or empty */
    bool is_admin;                             /* false: only what is open to this machine */
    bool is_form;                              /* the body is one */
    struct rest_value values[REST_FIELDS_MAX]; /* as object->fields */

    /* the statement under way */
    struct sql_session *session;
    char host[ADDRESS_TEXT_MAX];
    struct sql_sink sink;
    struct buf statement;
    struct sql_value params[REST_PARAMS_MAX];
    size_t param_count;
    struct sql_outcome outcome;
    void (*row)(struct rest_request *req, const struct sql_value *values, size_t count);
    void (*then)(struct rest_request *req);

    /* the answer */
    struct buf answer;
    struct json_writer json;
    const struct sql_column *columns; /* copied */
    size_t column_count, row_count;
    struct buf fields; /* header fields */
    char field_bytes[REST_FIELDS_BYTES];
    struct str made_key; /* a client's key that has to be told now */
};

/* For the service. */
void rest_request_init(struct rest_request *req, struct rest *rest, struct http_conn *conn);
void rest_request_free(struct rest_request *req);

/* ---- statements ---- */

/* Runs req->statement; its rows go to `row` (may be NULL). On success `then` goes on, in a later task; failures are
 * answered. */
void rest_run(struct rest_request *req, void (*row)(struct rest_request *, const struct sql_value *, size_t),
              void (*then)(struct rest_request *));

/* Begins the next statement. */
void rest_statement_clear(struct rest_request *req);
void rest_param_add(struct rest_request *req, struct sql_value value);

static inline struct sql_value rest_text(struct str text)
{
    return (struct sql_value){.type = SQL_TEXT, .text = text};
}

static inline struct sql_value rest_integer(uint64_t value)
{
    return (struct sql_value){.type = SQL_INTEGER, .integer = (int64_t)value};
}

/* A row as an object, by the columns' own types. */
void rest_write_row(struct rest_request *req, const struct sql_value *values, size_t count);
void rest_write_value(struct rest_request *req, const struct sql_value *value);

/* ---- answers: each ends the request, which is gone afterwards ---- */

void rest_answer(struct rest_request *req, int status, struct str content_type, struct str body);

/* req->answer as JSON; too large a one is an error. */
void rest_answer_json(struct rest_request *req, int status);
void rest_answer_ok(struct rest_request *req); /* {"status":"ok"} */

/* {"error":{"message","type","param","code"}}; `param` names the field at fault and may be empty. */
void rest_fail(struct rest_request *req, int status, struct str param, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* The same from a failed statement. */
void rest_fail_sql(struct rest_request *req);

/* For the service, when there is no request yet. `more_fields` are complete lines; without a message there is no body. */
void rest_refuse(struct http_conn *conn, int status, struct str more_fields, const char *message);

/* ---- reading ---- */

/* The body into req->values. False: answered. */
MUST_USE bool rest_read_body(struct rest_request *req);

/* A number of the query; false: answered. Left out, *io_value stays. */
MUST_USE bool rest_read_number(struct rest_request *req, struct str name, uint64_t max, uint64_t *io_value);

/* "abcd...wxyz" or asterisks: what answers show in place of a secret. */
bool rest_is_mask(struct str text);
