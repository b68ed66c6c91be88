/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared statements: their text is kept, and run with parameters. What a session keeps of them is bounded by the size
 * that a packet may have. */
#include "admin/mysql_internal.h"

#include <stdlib.h>

#define STATEMENTS_MAX 1024
#define COLUMNS_MAX 2000 /* SQLite's bound */

struct mysql_statement {
    struct list node;
    uint32_t id;
    struct str text;
    struct mysql_binding binding;
    struct buf *long_data; /* binding.count, or NULL as long as there has been none */
    bool is_overfull;      /* long data over the bound was dropped: the next execution fails */
};

static struct mysql_statement *statement_find(const struct mysql_session *session, uint64_t id)
{
    LIST_EACH (node, &session->statements) {
        struct mysql_statement *statement = LIST_ITEM(node, struct mysql_statement, node);
        if (statement->id == id)
            return statement;
    }
    return NULL;
}

static void long_data_drop(struct mysql_session *session, struct mysql_statement *statement)
{
    statement->is_overfull = false;
    for (size_t i = 0; statement->long_data && i < statement->binding.count; i++) {
        session->statement_bytes -= statement->long_data[i].len;
        buf_free(&statement->long_data[i]);
    }
}

static void statement_free(struct mysql_session *session, struct mysql_statement *statement)
{
    long_data_drop(session, statement);
    session->statement_bytes -= statement->text.len;
    session->statement_count--;
    list_remove(&statement->node);
    free(statement->long_data);
    free(statement->binding.types);
    free((char *)(uintptr_t)statement->text.ptr);
    free(statement);
}

void mysql_statements_drop(struct mysql_session *session)
{
    session->executing = NULL;
    LIST_EACH (node, &session->statements)
        statement_free(session, LIST_ITEM(node, struct mysql_statement, node));
}

/* NULL when memory is short. */
static struct mysql_statement *statement_new(struct mysql_session *session, struct str text, size_t params)
{
    struct mysql_statement *statement = calloc(1, sizeof(*statement));
    char *copy = malloc(text.len + 1);
    uint16_t *types = calloc(params + 1, sizeof(*types));
    if (!statement || !copy || !types) {
        free(statement);
        free(copy);
        free(types);
        return NULL;
    }
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    statement->id = ++session->last_statement;
    statement->text = (struct str){copy, text.len};
    statement->binding = (struct mysql_binding){.count = params, .types = types};
    list_push_back(&session->statements, &statement->node);
    session->statement_count++;
    session->statement_bytes += text.len;
    return statement;
}

static bool has_room(const struct mysql_session *session, size_t more)
{
    size_t max = mysql_session_settings(session)->sql_max_packet_bytes;
    return session->statement_bytes <= max && more <= max - session->statement_bytes;
}

/* ---- COM_STMT_PREPARE ---- */

bool mysql_describe(struct mysql_session *session, struct str text, size_t *ret_params,
                    struct sql_column **ret_columns, size_t *ret_count)
{
    struct sql_column *columns = calloc(COLUMNS_MAX, sizeof(*columns));
    struct sql_outcome outcome = {0};
    if (!columns) {
        mysql_session_fail(session, MYSQL_ERROR_OUT_OF_RESOURCES, "Out of memory");
        return false;
    }
    enum err err =
        sql_session_describe(session->sql, text, ret_params, columns, COLUMNS_MAX, ret_count, &outcome);
    if (err == ERR_OK) {
        *ret_columns = columns;
        return true;
    }
    mysql_put_outcome_error(session, &outcome);
    mysql_session_answered(session);
    free(columns);
    return false;
}

static void put_end_of_columns(struct mysql_session *session, size_t count)
{
    struct mysql_ok ok = {.status = mysql_session_status(session)};
    if (count > 0 && !(session->capabilities & MYSQL_CAN_DEPRECATE_EOF))
        mysql_put_end(&session->out, &session->in.sequence, session->capabilities, &ok);
}

static void put_prepared(struct mysql_session *session, const struct mysql_statement *statement,
                         const struct sql_column *columns, size_t count)
{
    struct sql_column param = {.name = STR("?"), .type = SQL_TEXT};
    mysql_put_prepared(&session->out, &session->in.sequence, statement->id, count, statement->binding.count,
                       0);
    for (size_t i = 0; i < statement->binding.count; i++)
        mysql_put_sql_column(session, &param, false);
    put_end_of_columns(session, statement->binding.count);
    for (size_t i = 0; i < count; i++)
        mysql_put_sql_column(session, &columns[i], false);
    put_end_of_columns(session, count);
}

void mysql_on_prepare(struct mysql_session *session, struct str text)
{
    struct sql_column *columns;
    size_t params, count;
    if (session->statement_count >= STATEMENTS_MAX || !has_room(session, text.len)) {
        mysql_session_fail(
            session, MYSQL_ERROR_TOO_MANY_STATEMENTS,
            "A session may keep %d prepared statements, and sql_max_packet_bytes of their text and data",
            STATEMENTS_MAX);
        return;
    }
    if (!mysql_describe(session, text, &params, &columns, &count))
        return;
    struct mysql_statement *statement =
        params <= MYSQL_PARAMS_MAX ? statement_new(session, text, params) : NULL;
    if (statement)
        put_prepared(session, statement, columns, count);
    else
        mysql_session_fail(session, MYSQL_ERROR_OUT_OF_RESOURCES, "Out of memory, or more than %d parameters",
                           MYSQL_PARAMS_MAX);
    free(columns);
    mysql_session_answered(session);
}

/* ---- COM_STMT_EXECUTE ---- */

/* Clients send text and bytes by the same types, and SQLite tells them apart: what is UTF-8 is text. */
static bool is_utf8(struct str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr, *end = at + bytes.len;
    while (at < end) {
        size_t more = *at < 0x80 ? 0 : *at < 0xc2 ? 4 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : *at < 0xf5 ? 3 : 4;
        if (more == 4 || (size_t)(end - at) <= more)
            return false;
        /* The second byte rules out overlong forms, surrogates, and what is past U+10FFFF. */
        if (more >= 2 && ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
                          (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f)))
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}

static struct sql_value value_of(const struct mysql_param *param)
{
    struct sql_value value = {.integer = param->integer, .real = param->real, .text = param->text};
    switch (param->kind) {
    case MYSQL_PARAM_NULL:
        value.type = SQL_NULL;
        break;
    case MYSQL_PARAM_INTEGER:
        value.type = SQL_INTEGER;
        break;
    case MYSQL_PARAM_REAL:
        value.type = SQL_DOUBLE;
        break;
    case MYSQL_PARAM_BYTES:
        value.type = is_utf8(param->text) ? SQL_TEXT : SQL_BLOB;
        break;
    case MYSQL_PARAM_TEXT:
        value.type = SQL_TEXT;
        break;
    case MYSQL_PARAM_DATETIME:
        value.type = SQL_DATETIME;
        break;
    }
    return value;
}

static void execute_failed(struct mysql_session *session, enum err err, size_t at)
{
    arena_fini(&session->arena);
    if (err == ERR_LIMIT)
        mysql_session_fail(session, MYSQL_ERROR_OUT_OF_RANGE, "Out of range value for parameter %zu", at + 1);
    else if (err == ERR_NO_MEMORY)
        mysql_session_fail(session, MYSQL_ERROR_OUT_OF_RESOURCES, "Out of memory");
    else
        mysql_session_fail(session, MYSQL_ERROR_WRONG_ARGUMENTS,
                           "Incorrect arguments to COM_STMT_EXECUTE: parameter %zu", at + 1);
}

static void execute(struct mysql_session *session, struct mysql_statement *statement, struct str bytes)
{
    size_t count = statement->binding.count, at = 0;
    struct mysql_param *params = ARENA_NEW_ARRAY(&session->arena, struct mysql_param, count + 1);
    struct sql_value *values = ARENA_NEW_ARRAY(&session->arena, struct sql_value, count + 1);
    enum err err = params && values
                       ? mysql_read_params(bytes, &statement->binding, &session->arena, params, &at)
                       : ERR_NO_MEMORY;
    if (err != ERR_OK) {
        long_data_drop(session, statement);
        execute_failed(session, err, at);
        return;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = value_of(&params[i]);
    session->executing = statement;
    mysql_run(session, statement->text, values, count, true);
}

static void unknown_statement(struct mysql_session *session, uint64_t id, const char *command)
{
    mysql_session_fail(session, MYSQL_ERROR_UNKNOWN_STATEMENT,
                       "Unknown prepared statement handler (%llu) given to %s", (unsigned long long)id,
                       command);
}

void mysql_on_execute(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    uint64_t id = mysql_take_int(&reader, 4);
    mysql_take_int(&reader, 1); /* whether a cursor is wished: all rows come at once, which the status says */
    mysql_take_int(&reader, 4); /* always 1 */
    struct mysql_statement *statement = statement_find(session, id);
    if (reader.failed) {
        mysql_session_fail(session, MYSQL_ERROR_MALFORMED, "Malformed communication packet");
    } else if (!statement) {
        unknown_statement(session, id, "COM_STMT_EXECUTE");
    } else if (statement->is_overfull) {
        long_data_drop(session, statement);
        mysql_session_fail(session, MYSQL_ERROR_PACKET_TOO_LARGE,
                           "The data sent ahead of the execution is more than sql_max_packet_bytes");
    } else {
        execute(session, statement, reader.rest);
    }
}

/* Data that was sent ahead serves one execution. */
void mysql_statement_executed(struct mysql_session *session)
{
    if (session->executing)
        long_data_drop(session, session->executing);
    session->executing = NULL;
}

/* ---- the others ---- */

static struct buf *long_data_of(const struct mysql_session *session, struct mysql_statement *statement,
                                size_t param)
{
    if (!statement->long_data) {
        statement->long_data = calloc(statement->binding.count, sizeof(*statement->long_data));
        statement->binding.long_data = statement->long_data;
        for (size_t i = 0; statement->long_data && i < statement->binding.count; i++)
            buf_init(&statement->long_data[i], 0);
    }
    if (!statement->long_data)
        return NULL;
    statement->long_data[param].max =
        MAX(mysql_session_settings(session)->sql_max_packet_bytes, statement->long_data[param].cap);
    return &statement->long_data[param];
}

/* Never answered: what is wrong shows when the statement is executed. */
void mysql_on_long_data(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    struct mysql_statement *statement = statement_find(session, mysql_take_int(&reader, 4));
    uint64_t param = mysql_take_int(&reader, 2);
    mysql_session_answered(session);
    if (reader.failed || !statement || param >= statement->binding.count)
        return;
    struct buf *data = has_room(session, reader.rest.len) ? long_data_of(session, statement, param) : NULL;
    /* Memory of its own even for nothing: an empty value is one that was given. */
    if (!data || !buf_reserve(data, MAX(reader.rest.len, 1))) {
        statement->is_overfull = true;
        return;
    }
    buf_add(data, reader.rest);
    session->statement_bytes += reader.rest.len;
}

/* Never answered. */
void mysql_on_statement_close(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    struct mysql_statement *statement = statement_find(session, mysql_take_int(&reader, 4));
    mysql_session_answered(session);
    if (statement && !reader.failed)
        statement_free(session, statement);
}

void mysql_on_statement_reset(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    uint64_t id = mysql_take_int(&reader, 4);
    struct mysql_statement *statement = statement_find(session, id);
    if (reader.failed || !statement) {
        unknown_statement(session, id, "COM_STMT_RESET");
        return;
    }
    long_data_drop(session, statement);
    mysql_session_ok(session);
}
