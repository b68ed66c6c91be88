/* SPDX-License-Identifier: Apache-2.0 */
/* From what a SQL session gives to packets. SQLite types values, not columns: in the text protocol a value is written
 * as it is; in the binary one it has to be of its column's type, and what cannot be converted without loss is an error. */
#include "admin/mysql_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA STR("fairlead")
#define NUMBER_TEXT_MAX 64
#define COLUMN_SHOWN_MAX 128
#define INT64_LIMIT 9223372036854775808.0 /* 2^63 */

static enum mysql_type type_of(enum sql_type type)
{
    switch (type) {
    case SQL_INTEGER:
        return MYSQL_TYPE_LONGLONG;
    case SQL_DOUBLE:
        return MYSQL_TYPE_DOUBLE;
    case SQL_DATETIME:
        return MYSQL_TYPE_DATETIME;
    case SQL_BLOB:
        return MYSQL_TYPE_BLOB;
    case SQL_NULL:
    case SQL_TEXT:
        break;
    }
    return MYSQL_TYPE_VAR_STRING;
}

void mysql_put_sql_column(struct mysql_session *session, const struct sql_column *column, bool is_field_list)
{
    struct mysql_column shown = {
        .schema = column->table.len > 0 ? SCHEMA : STR_NONE,
        .table = column->table,
        .name = column->name,
        .type = type_of(column->type),
    };
    mysql_put_column(&session->out, &session->in.sequence, &shown, is_field_list);
}

void mysql_put_outcome_error(struct mysql_session *session, const struct sql_outcome *outcome)
{
    mysql_put_error(&session->out, &session->in.sequence, outcome->error, outcome->sqlstate,
                    outcome->message);
}

/* ---- values ---- */

static bool text_number(struct str text, char *out)
{
    if (text.len == 0 || text.len >= NUMBER_TEXT_MAX || text.ptr[0] == ' ')
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool as_integer(const struct sql_value *value, int64_t *ret_integer)
{
    char text[NUMBER_TEXT_MAX], *end = text;
    switch (value->type) {
    case SQL_INTEGER:
        *ret_integer = value->integer;
        return true;
    case SQL_DOUBLE:
        if (value->real != floor(value->real) || value->real < -INT64_LIMIT || value->real >= INT64_LIMIT)
            return false;
        *ret_integer = (int64_t)value->real;
        return true;
    case SQL_TEXT:
        if (!text_number(value->text, text))
            return false;
        errno = 0;
        *ret_integer = strtoll(text, &end, 10);
        return errno == 0 && end == text + value->text.len;
    default:
        return false;
    }
}

static bool as_double(const struct sql_value *value, double *ret_real)
{
    char text[NUMBER_TEXT_MAX], *end = text;
    switch (value->type) {
    case SQL_INTEGER:
        *ret_real = (double)value->integer;
        return true;
    case SQL_DOUBLE:
        *ret_real = value->real;
        return true;
    case SQL_TEXT:
        if (!text_number(value->text, text))
            return false;
        *ret_real = strtod(text, &end);
        return end == text + value->text.len;
    default:
        return false;
    }
}

static void put_text(struct buf *out, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_NULL:
        mysql_put_text_null(out);
        return;
    case SQL_INTEGER:
        mysql_put_text_integer(out, value->integer);
        return;
    case SQL_DOUBLE:
        mysql_put_text_double(out, value->real);
        return;
    case SQL_TEXT:
    case SQL_BLOB:
    case SQL_DATETIME:
        mysql_put_lenenc_str(out, value->text);
        return;
    }
}

/* False: the value is not of the column's type, nothing is written. */
static bool put_binary(struct buf *out, enum sql_type type, const struct sql_value *value)
{
    int64_t integer;
    double real;
    switch (type) {
    case SQL_INTEGER:
        if (!as_integer(value, &integer))
            return false;
        mysql_put_int(out, (uint64_t)integer, 8);
        return true;
    case SQL_DOUBLE:
        if (!as_double(value, &real))
            return false;
        mysql_put_double(out, real);
        return true;
    case SQL_DATETIME:
        return (value->type == SQL_TEXT || value->type == SQL_DATETIME) &&
               mysql_put_datetime(out, value->text);
    case SQL_NULL:
    case SQL_TEXT:
    case SQL_BLOB:
        break;
    }
    put_text(out, value);
    return true;
}

/* ---- rows ---- */

static void spoil(struct mysql_result *result, const char *why, struct str column)
{
    result->is_spoilt = true;
    snprintf(result->why, sizeof(result->why), "%s: column '" STR_FMT "', row %llu", why,
             (int)MIN(column.len, COLUMN_SHOWN_MAX), column.ptr, (unsigned long long)result->rows);
}

static void put_binary_values(struct mysql_session *session, const struct sql_value *values, size_t count)
{
    struct mysql_result *result = &session->result;
    size_t map = mysql_put_binary_row(&session->out, count);
    for (size_t i = 0; i < count; i++) {
        if (values[i].type == SQL_NULL) {
            mysql_set_binary_null(&session->out, map, i);
        } else if (!put_binary(&session->out, result->columns[i].type, &values[i])) {
            spoil(result, "A value is not of the type of its column", result->columns[i].name);
            return;
        }
    }
}

static void put_row(struct mysql_session *session, const struct sql_value *values, size_t count)
{
    struct buf *out = &session->out;
    size_t start = mysql_packet_begin(out);
    session->result.rows++;
    if (session->result.is_binary)
        put_binary_values(session, values, count);
    else
        for (size_t i = 0; i < count; i++)
            put_text(out, &values[i]);
    uint8_t before = session->in.sequence;
    mysql_packet_end(out, start, &session->in.sequence);
    if (!buf_ok(out))
        spoil(&session->result, "The row is too large to be sent", STR("*"));
    if (session->result.is_spoilt) {
        out->failed = false;
        out->len = start;
        session->in.sequence = before;
    }
}

/* ---- the sink ---- */

static void go_on(struct mysql_session *session)
{
    if (!session->is_advancing)
        loop_defer(session->server->loop, &session->after);
}

static bool keep_columns(struct mysql_session *session, const struct sql_column *columns, size_t count)
{
    struct mysql_result *result = &session->result;
    result->columns = ARENA_NEW_ARRAY(&session->arena, struct sql_column, count);
    for (size_t i = 0; result->columns && i < count; i++) {
        result->columns[i].type = columns[i].type;
        result->columns[i].name = arena_dup(&session->arena, columns[i].name);
    }
    return result->columns;
}

static void result_on_columns(struct sql_sink *sink, const struct sql_column *columns, size_t count)
{
    struct mysql_session *session = CONTAINER_OF(sink, struct mysql_session, sink);
    struct mysql_ok ok = {.status = mysql_session_status(session)};
    session->result.has_columns = true;
    session->result.column_count = count;
    if (!keep_columns(session, columns, count))
        spoil(&session->result, "Out of memory", STR("*"));
    mysql_put_column_count(&session->out, &session->in.sequence, count);
    for (size_t i = 0; i < count; i++)
        mysql_put_sql_column(session, &columns[i], false);
    if (!(session->capabilities & MYSQL_CAN_DEPRECATE_EOF))
        mysql_put_end(&session->out, &session->in.sequence, session->capabilities, &ok);
}

static bool result_on_row(struct sql_sink *sink, const struct sql_value *values, size_t count)
{
    struct mysql_session *session = CONTAINER_OF(sink, struct mysql_session, sink);
    ASSERT(session->result.has_columns && count == session->result.column_count);
    if (session->result.is_spoilt)
        return true;
    put_row(session, values, count);
    session->is_paused = session->out.len > MYSQL_OUT_HIGH;
    if (session->is_paused)
        go_on(session);
    return !session->is_paused;
}

static void note_transaction(struct mysql_session *session, bool is_open)
{
    if (is_open && !session->in_transaction)
        session->transaction_since = loop_now(session->server->loop);
    session->in_transaction = is_open;
}

static void put_done(struct mysql_session *session, const struct sql_outcome *outcome)
{
    struct mysql_ok ok = {
        .affected = outcome->affected,
        .last_insert_id = outcome->last_insert_id,
        .status = mysql_session_status(session),
        .warnings = (uint16_t)MIN(outcome->warnings, UINT16_MAX),
    };
    if (outcome->error != 0) {
        mysql_put_outcome_error(session, outcome);
    } else if (session->result.is_spoilt) {
        mysql_session_fail(session, MYSQL_ERROR_WRONG_VALUE, "%s", session->result.why);
    } else if (session->result.has_columns) {
        mysql_put_end(&session->out, &session->in.sequence, session->capabilities, &ok);
    } else {
        ok.info = outcome->message;
        mysql_put_ok(&session->out, &session->in.sequence, &ok);
    }
}

static void result_on_done(struct sql_sink *sink, const struct sql_outcome *outcome)
{
    struct mysql_session *session = CONTAINER_OF(sink, struct mysql_session, sink);
    note_transaction(session, outcome->in_transaction);
    put_done(session, outcome);
    session->is_running = session->is_paused = false;
    mysql_statement_executed(session);
    arena_fini(&session->arena);
    mysql_session_answered(session);
    go_on(session);
}

void mysql_result_init(struct mysql_session *session)
{
    session->sink = (struct sql_sink){result_on_columns, result_on_row, result_on_done};
}

void mysql_run(struct mysql_session *session, struct str statement, const struct sql_value *params,
               size_t param_count, bool is_binary)
{
    session->result = (struct mysql_result){.is_binary = is_binary};
    session->is_running = true;
    sql_session_run(session->sql, statement, params, param_count, &session->sink);
}
