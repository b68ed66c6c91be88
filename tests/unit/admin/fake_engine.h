/* SPDX-License-Identifier: Apache-2.0 */
/* A SQL engine that knows a few statements, for tests of the sessions above it:
 *   TYPES       a row of every type, and one of NULLs        ECHO         a row a parameter: type and value
 *   ROWS n      n rows of 100 bytes                          BIG n        one value of n bytes
 *   MIXED       text in a column of integers                 LATER        its end comes with fake_finish()
 *   BEGIN, COMMIT, SET..., USE...                            COUNT n      n rows affected
 *   SELECT...   one row "fake"                               anything else: error 1064 */
#pragma once

#include "admin/sql.h"
#include "store/seal.h"

#include <stdio.h>
#include <stdlib.h>

struct sql_session {
    struct sql_sink *sink;
    bool in_transaction, is_running;
    unsigned long rows_left, row;
    char user[32], host[64], schema[32];
};

static unsigned fake_sessions, fake_runs, fake_resumes;
static struct sql_session *fake_last;
static char fake_statement[256];
static bool fake_is_broken; /* no session can be made */
static char fake_long_row[100];

static struct sql_session *fake_new(const struct sql_identity *identity)
{
    struct sql_session *session = calloc(1, sizeof(*session));
    snprintf(session->user, sizeof(session->user), STR_FMT, STR_ARG(identity->user));
    snprintf(session->host, sizeof(session->host), STR_FMT, STR_ARG(identity->host));
    fake_sessions++;
    fake_last = session;
    return session;
}

struct sql_session *sql_session_new(struct sql_engine *engine, const struct sql_identity *identity)
{
    (void)engine;
    return fake_is_broken ? NULL : fake_new(identity);
}

void sql_session_free(struct sql_session *session)
{
    fake_sessions--;
    if (fake_last == session)
        fake_last = NULL;
    free(session);
}

bool sql_session_use(struct sql_session *session, struct str schema)
{
    snprintf(session->schema, sizeof(session->schema), STR_FMT, STR_ARG(schema));
    return str_eq(schema, STR("fairlead")) || str_eq(schema, STR("main"));
}

static void fake_done(struct sql_session *session, unsigned error, const char *message, uint64_t affected)
{
    struct sql_outcome outcome = {.error = error,
                                  .sqlstate = "00000",
                                  .message = str_from(message),
                                  .affected = affected,
                                  .in_transaction = session->in_transaction};
    if (error)
        memcpy(outcome.sqlstate, "42000", 6);
    session->is_running = false;
    session->sink->done(session->sink, &outcome);
}

static void fake_rows(struct sql_session *session)
{
    while (session->rows_left > 0) {
        struct sql_value values[] = {{.type = SQL_INTEGER, .integer = (int64_t)session->row++},
                                     {.type = SQL_TEXT, .text = {fake_long_row, sizeof(fake_long_row)}}};
        session->rows_left--;
        if (!session->sink->row(session->sink, values, 2))
            return;
    }
    fake_done(session, 0, "", 0);
}

void sql_session_resume(struct sql_session *session)
{
    fake_resumes++;
    fake_rows(session);
}

static void fake_one(struct sql_session *session, struct str name, enum sql_type type, struct sql_value value)
{
    struct sql_column column = {.name = name, .type = type};
    session->sink->columns(session->sink, &column, 1);
    session->sink->row(session->sink, &value, 1);
    fake_done(session, 0, "", 0);
}

static void fake_types(struct sql_session *session)
{
    static const struct sql_column columns[] = {
        {STR("i"), STR("t"), SQL_INTEGER},  {STR("d"), STR("t"), SQL_DOUBLE},
        {STR("s"), STR("t"), SQL_TEXT},     {STR("b"), STR("t"), SQL_BLOB},
        {STR("w"), STR("t"), SQL_DATETIME}, {STR("n"), STR("t"), SQL_NULL}};
    static const struct sql_value full[] = {{.type = SQL_INTEGER, .integer = -42},
                                            {.type = SQL_DOUBLE, .real = 2.5},
                                            {.type = SQL_TEXT, .text = STR("gr\xc3\xbc\xc3\x9f")},
                                            {.type = SQL_BLOB, .text = STR("\0\xff")},
                                            {.type = SQL_DATETIME, .text = STR("2026-01-31 23:59:58")},
                                            {.type = SQL_NULL}};
    static const struct sql_value empty[6];
    session->sink->columns(session->sink, columns, 6);
    session->sink->row(session->sink, full, 6);
    session->sink->row(session->sink, empty, 6);
    fake_done(session, 0, "", 0);
}

static void fake_echo(struct sql_session *session, const struct sql_value *params, size_t count)
{
    static const char *const names[] = {"null", "integer", "double", "text", "blob", "datetime"};
    static const struct sql_column columns[] = {{STR("type"), STR(""), SQL_TEXT},
                                                {STR("value"), STR(""), SQL_TEXT}};
    session->sink->columns(session->sink, columns, 2);
    for (size_t i = 0; i < count; i++) {
        struct sql_value row[] = {{.type = SQL_TEXT, .text = str_from(names[params[i].type])}, params[i]};
        session->sink->row(session->sink, row, 2);
    }
    fake_done(session, 0, "", 0);
}

static void fake_big(struct sql_session *session, unsigned long size)
{
    char *big = malloc(size + 1);
    memset(big, 'x', size);
    fake_one(session, STR("big"), SQL_TEXT, (struct sql_value){.type = SQL_TEXT, .text = {big, size}});
    free(big);
}

static void fake_begin_rows(struct sql_session *session, unsigned long count)
{
    static const struct sql_column columns[] = {{STR("n"), STR(""), SQL_INTEGER},
                                                {STR("text"), STR(""), SQL_TEXT}};
    memset(fake_long_row, 'r', sizeof(fake_long_row));
    session->rows_left = count;
    session->row = 0;
    session->sink->columns(session->sink, columns, 2);
    fake_rows(session);
}

void sql_session_run(struct sql_session *session, struct str statement, const struct sql_value *params,
                     size_t param_count, struct sql_sink *sink)
{
    unsigned long number = 0;
    session->sink = sink;
    session->is_running = true;
    fake_runs++;
    snprintf(fake_statement, sizeof(fake_statement), STR_FMT, STR_ARG(statement));
    if (str_eq(statement, STR("TYPES"))) {
        fake_types(session);
    } else if (str_starts(statement, STR("ECHO"))) {
        fake_echo(session, params, param_count);
    } else if (sscanf(fake_statement, "ROWS %lu", &number) == 1) {
        fake_begin_rows(session, number);
    } else if (sscanf(fake_statement, "BIG %lu", &number) == 1) {
        fake_big(session, number);
    } else if (sscanf(fake_statement, "COUNT %lu", &number) == 1) {
        fake_done(session, 0, "", number);
    } else if (str_eq(statement, STR("MIXED"))) {
        fake_one(session, STR("m"), SQL_INTEGER, (struct sql_value){.type = SQL_TEXT, .text = STR("word")});
    } else if (str_eq(statement, STR("BEGIN")) || str_eq(statement, STR("COMMIT"))) {
        session->in_transaction = str_eq(statement, STR("BEGIN"));
        fake_done(session, 0, "", 0);
    } else if (str_starts(statement, STR("SET")) || str_starts(statement, STR("KILL")) ||
               str_starts(statement, STR("ROLLBACK"))) {
        fake_done(session, 0, "", 0);
    } else if (str_starts(statement, STR("SELECT")) || str_starts(statement, STR("select"))) {
        fake_one(session, STR("fake"), SQL_TEXT, (struct sql_value){.type = SQL_TEXT, .text = STR("fake")});
    } else if (!str_eq(statement, STR("LATER"))) {
        fake_done(session, 1064, "You have an error in your SQL syntax", 0);
    }
}

/* Ends a statement LATER. */
static inline void fake_finish(struct sql_session *session)
{
    fake_done(session, 0, "", 0);
}

enum err sql_session_describe(struct sql_session *session, struct str statement, size_t *ret_params,
                              struct sql_column *io_columns, size_t max, size_t *ret_columns,
                              struct sql_outcome *ret_outcome)
{
    (void)session, (void)max;
    if (str_starts(statement, STR("BAD")) || str_find(statement, STR("missing")) >= 0) {
        *ret_outcome =
            (struct sql_outcome){.error = 1146, .sqlstate = "42S02", .message = STR("No such table")};
        return ERR_NOT_FOUND;
    }
    *ret_params = 0;
    for (size_t i = 0; i < statement.len; i++)
        *ret_params += statement.ptr[i] == '?';
    *ret_columns = 0;
    if (str_starts(statement, STR("ECHO"))) {
        *ret_columns = 2;
        io_columns[0] = (struct sql_column){.name = STR("type"), .type = SQL_TEXT};
        io_columns[1] = (struct sql_column){.name = STR("value"), .type = SQL_TEXT};
    } else if (str_starts(statement, STR("SELECT"))) {
        *ret_columns = 1;
        io_columns[0] = (struct sql_column){.name = STR("fake"), .type = SQL_TEXT};
    }
    return ERR_OK;
}

/* A "hash" is "$fake$" and the password. */
bool password_is(struct str password, struct str hash)
{
    return str_starts(hash, STR("$fake$")) && str_eq(str_from_offset(hash, 6), password);
}
