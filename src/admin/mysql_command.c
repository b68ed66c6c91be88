/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: the first byte of a packet says which. Those of prepared statements are in mysql_statement.c. */
#include "admin/mysql_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define OPTION_MULTI_STATEMENTS_ON 0
#define OPTION_MULTI_STATEMENTS_OFF 1
#define TABLE_NAME_MAX 256

static void malformed(struct mysql_session *session)
{
    mysql_session_fail(session, MYSQL_ERROR_MALFORMED, "Malformed communication packet");
}

static void on_init_db(struct mysql_session *session, struct str schema)
{
    if (!sql_session_use(session->sql, schema)) {
        mysql_session_fail(session, MYSQL_ERROR_UNKNOWN_DATABASE, "Unknown database '" STR_FMT "'",
                           (int)MIN(schema.len, TABLE_NAME_MAX), schema.ptr);
        return;
    }
    buf_clear(&session->database);
    buf_add(&session->database, schema);
    mysql_session_ok(session);
}

static void on_statistics(struct mysql_session *session)
{
    const struct mysql_server *server = session->server;
    size_t start = mysql_packet_begin(&session->out);
    buf_printf(&session->out, "Uptime: %llu  Threads: %zu  Questions: %llu",
               (unsigned long long)((loop_now(server->loop) - server->started) / USEC_PER_SEC),
               server->session_count, (unsigned long long)server->questions);
    mysql_packet_end(&session->out, start, &session->in.sequence);
    mysql_session_answered(session);
}

static void put_end(struct mysql_session *session)
{
    struct mysql_ok ok = {.status = mysql_session_status(session)};
    mysql_put_end(&session->out, &session->in.sequence, session->capabilities, &ok);
}

static void on_set_option(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    uint64_t option = mysql_take_int(&reader, 2);
    if (reader.failed) {
        malformed(session);
    } else if (option == OPTION_MULTI_STATEMENTS_OFF) {
        put_end(session);
        mysql_session_answered(session);
    } else if (option == OPTION_MULTI_STATEMENTS_ON) {
        mysql_session_fail(session, MYSQL_ERROR_NOT_SUPPORTED,
                           "Several statements in one text are not supported");
    } else {
        mysql_session_fail(session, MYSQL_ERROR_UNKNOWN_COMMAND, "Unknown command");
    }
}

static void on_process_kill(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    uint64_t id = mysql_take_int(&reader, 4);
    char text[32];
    if (reader.failed) {
        malformed(session);
        return;
    }
    int len = snprintf(text, sizeof(text), "KILL %llu", (unsigned long long)id);
    struct str statement = arena_dup(&session->arena, (struct str){text, (size_t)len});
    if (statement.ptr)
        mysql_run(session, statement, NULL, 0, false);
    else
        mysql_session_fail(session, MYSQL_ERROR_OUT_OF_RESOURCES, "Out of memory");
}

/* The columns of a table, as an older client asks for them to complete names. */
static void on_field_list(struct mysql_session *session, struct str payload)
{
    struct mysql_reader reader = {.rest = payload};
    struct str table = mysql_take_text(&reader), pattern = mysql_take_rest(&reader);
    char memory[2 * TABLE_NAME_MAX + 32];
    struct buf text;
    struct sql_column *columns;
    size_t params, count;
    buf_init_fixed(&text, memory, sizeof(memory));
    buf_add(&text, STR("SELECT * FROM `"));
    for (size_t i = 0; i < table.len; i++) {
        if (table.ptr[i] == '`')
            buf_add_char(&text, '`');
        buf_add_char(&text, table.ptr[i]);
    }
    buf_add_char(&text, '`');
    if (reader.failed || !buf_ok(&text)) {
        malformed(session);
        return;
    }
    if (pattern.len > 0 && !str_eq(pattern, STR("%"))) {
        mysql_session_fail(session, MYSQL_ERROR_NOT_SUPPORTED,
                           "COM_FIELD_LIST with a pattern is not supported");
        return;
    }
    if (!mysql_describe(session, buf_str(&text), &params, &columns, &count))
        return;
    for (size_t i = 0; i < count; i++)
        mysql_put_sql_column(session, &columns[i], true);
    free(columns);
    put_end(session);
    mysql_session_answered(session);
}

static void on_reset_connection(struct mysql_session *session)
{
    if (mysql_open_sql(session))
        mysql_session_ok(session);
}

static void on_unknown(struct mysql_session *session)
{
    mysql_session_fail(session, MYSQL_ERROR_UNKNOWN_COMMAND, "Unknown command");
}

void mysql_on_command(struct mysql_session *session, struct str payload)
{
    struct str rest = str_from_offset(payload, 1);
    session->server->questions++;
    switch (payload.len > 0 ? (uint8_t)payload.ptr[0] : 0) {
    case MYSQL_COM_QUIT:
        mysql_session_close(session);
        return;
    case MYSQL_COM_INIT_DB:
        on_init_db(session, rest);
        return;
    case MYSQL_COM_QUERY:
        mysql_run(session, rest, NULL, 0, false);
        return;
    case MYSQL_COM_FIELD_LIST:
        on_field_list(session, rest);
        return;
    case MYSQL_COM_STATISTICS:
        on_statistics(session);
        return;
    case MYSQL_COM_PROCESS_KILL:
        on_process_kill(session, rest);
        return;
    case MYSQL_COM_PING:
        mysql_session_ok(session);
        return;
    case MYSQL_COM_CHANGE_USER:
        mysql_on_change_user(session, payload);
        return;
    case MYSQL_COM_STMT_PREPARE:
        mysql_on_prepare(session, rest);
        return;
    case MYSQL_COM_STMT_EXECUTE:
        mysql_on_execute(session, rest);
        return;
    case MYSQL_COM_STMT_SEND_LONG_DATA:
        mysql_on_long_data(session, rest);
        return;
    case MYSQL_COM_STMT_CLOSE:
        mysql_on_statement_close(session, rest);
        return;
    case MYSQL_COM_STMT_RESET:
        mysql_on_statement_reset(session, rest);
        return;
    case MYSQL_COM_SET_OPTION:
        on_set_option(session, rest);
        return;
    case MYSQL_COM_RESET_CONNECTION:
        on_reset_connection(session);
        return;
    default:
        on_unknown(session);
    }
}
