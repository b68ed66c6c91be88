/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_session.h"

#include "admin/sql_column.h"
#include "admin/sql_commands.h"
#include "admin/sql_functions.h"
#include "admin/sql_guard.h"
#include "admin/sql_views.h"
#include "net/loop.h"
#include "wire/json_read.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUTE_BODY_MAX ((size_t)64 << 20) /* of a request that EXPLAIN ROUTE reads */

static void proceed(struct sql_session *session);

/* ---- the engine ---- */

enum err sql_engine_init(struct sql_engine *engine)
{
    list_init(&engine->sessions);
    list_init(&engine->publishes);
    engine->json = json_reader_new(ROUTE_BODY_MAX);
    enum err err = engine->json ? match_scratch_init(&engine->scratch) : ERR_NO_MEMORY;
    if (err != ERR_OK)
        json_reader_free(engine->json);
    return err;
}

void sql_engine_fini(struct sql_engine *engine)
{
    ASSERT(list_is_empty(&engine->sessions));
    match_scratch_fini(&engine->scratch);
    json_reader_free(engine->json);
}

/* ---- the life of a session ---- */

static bool copy_identity(struct sql_session *session, const struct sql_identity *identity)
{
    session->identity.may_write = identity->may_write;
    session->identity.id = identity->id;
    session->identity.user = arena_dup(&session->identity_arena, identity->user);
    session->identity.host = arena_dup(&session->identity_arena, identity->host);
    return session->identity.user.ptr && session->identity.host.ptr;
}

static bool open_connection(struct sql_session *session)
{
    char why[DB_WHY_MAX];
    return db_open(&session->db, session->engine->path, why) == ERR_OK && sql_functions_open(session) &&
           sql_views_open(session) && sql_named_views_open(session) && sql_guard_open(session);
}

struct sql_session *sql_session_new(struct sql_engine *engine, const struct sql_identity *identity)
{
    struct sql_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->engine = engine;
    session->has_autocommit = true;
    arena_init(&session->identity_arena, NULL);
    arena_init(&session->arena, NULL);
    buf_init(&session->sql, SQL_STATEMENT_MAX);
    wheel_timer_init(&session->transaction_limit, sql_session_on_limit);
    list_push_back(&engine->sessions, &session->node);
    if (!copy_identity(session, identity) || !open_connection(session)) {
        sql_session_free(session);
        return NULL;
    }
    return session;
}

/* What belongs to the statement; its texts stay until the next one begins, as done() shows them. */
static void release_statement(struct sql_session *session)
{
    sqlite3_finalize(session->stmt);
    session->stmt = NULL;
    OPENSSL_cleanse(session->made_key, sizeof(session->made_key));
    sql_views_reset(session);
    if (session->table)
        gate_drop_table(&session->engine->gateway->gate, session->table);
    session->table = NULL;
}

void sql_session_free(struct sql_session *session)
{
    if (!session)
        return;
    release_statement(session);
    if (session->publish)
        session->publish->session = NULL;
    timer_stop(session->engine->loop, &session->transaction_limit);
    db_close(&session->db); /* rolls back */
    list_remove(&session->node);
    sql_guard_close(session);
    buf_free(&session->sql);
    arena_fini(&session->arena);
    arena_fini(&session->identity_arena);
    free(session);
}

bool sql_session_use(struct sql_session *session, struct str schema)
{
    bool is_information = str_eq_nocase(schema, STR("information_schema"));
    if (!is_information && !str_eq_nocase(schema, STR("fairlead")) && !str_eq_nocase(schema, STR("main")))
        return false;
    session->uses_information_schema = is_information;
    return true;
}

/* ---- preparing ---- */

static void bind_value(sqlite3_stmt *stmt, int index, const struct sql_value *value)
{
    const char *text = value->text.ptr ? value->text.ptr : "";
    switch (value->type) {
    case SQL_NULL:
        sqlite3_bind_null(stmt, index);
        break;
    case SQL_INTEGER:
        sqlite3_bind_int64(stmt, index, value->integer);
        break;
    case SQL_DOUBLE:
        sqlite3_bind_double(stmt, index, value->real);
        break;
    case SQL_TEXT:
    case SQL_DATETIME:
        sqlite3_bind_text64(stmt, index, text, value->text.len, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case SQL_BLOB:
        sqlite3_bind_blob64(stmt, index, text, value->text.len, SQLITE_STATIC);
        break;
    }
}

static bool bind_params(struct sql_session *session)
{
    size_t wanted = (size_t)sqlite3_bind_parameter_count(session->stmt);
    if (wanted != session->param_count) {
        sql_error_set(&session->error, SQL_ERR_ARGUMENTS,
                      "The statement has %zu question marks, but %zu values came", wanted,
                      session->param_count);
        return false;
    }
    for (size_t i = 0; i < wanted; i++)
        bind_value(session->stmt, (int)i + 1, &session->params[i]);
    return true;
}

static bool has_nothing_left(const char *tail, const struct buf *sql)
{
    const char *end = sql->ptr + sql->len;
    while (tail < end && (*tail == ' ' || *tail == ';' || *tail == '\n'))
        tail++;
    return tail == end;
}

static sqlite3_stmt *prepare_text(struct sql_session *session, const struct sql_facts *facts)
{
    const char *tail = NULL;
    sqlite3_stmt *stmt = NULL;
    sql_guard_mask(session, facts);
    if (!buf_ok(&session->sql) || session->sql.len > INT32_MAX) {
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
        return NULL;
    }
    session->is_writing = false;
    int code =
        sqlite3_prepare_v3(session->db.handle, session->sql.ptr, (int)session->sql.len, 0, &stmt, &tail);
    if (code != SQLITE_OK)
        sql_error_from_sqlite(&session->error, session->db.handle);
    else if (!stmt)
        sql_error_set(&session->error, SQL_ERR_EMPTY, "Query was empty");
    else if (!has_nothing_left(tail, &session->sql))
        sql_error_set(&session->error, SQL_ERR_SYNTAX,
                      "You have an error in your SQL syntax: one statement at a time");
    if (session->error.number == SQL_ERR_NONE)
        return stmt;
    sqlite3_finalize(stmt);
    return NULL;
}

void sql_session_prepare(struct sql_session *session, const struct sql_facts *facts)
{
    session->stmt = prepare_text(session, facts);
    if (session->is_describing)
        return;
    if (session->stmt && bind_params(session) && session->is_writing)
        sql_session_begin_write(session, false);
}

static void run_sql(struct sql_session *session, struct str statement)
{
    struct sql_facts facts;
    enum err err = sql_text_translate(statement, &session->sql, &facts, &session->error);
    if (err == ERR_NO_MEMORY)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
    if (err == ERR_OK)
        sql_session_prepare(session, &facts);
}

struct sql_rows *sql_session_answer(struct sql_session *session, const struct sql_column *columns,
                                    size_t count)
{
    session->columns = columns;
    session->column_count = count;
    session->result = sql_rows_of(&session->arena, count);
    return &session->result;
}

/* ---- stage STATEMENT ---- */

static bool make_columns(struct sql_session *session, bool has_row)
{
    size_t count = (size_t)sqlite3_column_count(session->stmt);
    struct sql_column *columns = ARENA_NEW_ARRAY(&session->arena, struct sql_column, count);
    session->row = ARENA_NEW_ARRAY(&session->arena, struct sql_value, count);
    if (!columns || !session->row)
        return false;
    for (size_t i = 0; i < count; i++)
        sql_column_describe(session->stmt, (int)i, has_row, &columns[i]);
    session->columns = columns;
    session->column_count = count;
    return true;
}

static bool send_columns(struct sql_session *session, bool has_row)
{
    if (session->has_sent_columns)
        return true;
    if (!make_columns(session, has_row)) {
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
        return false;
    }
    session->has_sent_columns = true;
    session->sink->columns(session->sink, session->columns, session->column_count);
    return true;
}

/* False: the sink has had enough, or nothing more comes. */
static bool send_row(struct sql_session *session)
{
    if (!send_columns(session, true))
        return false;
    for (size_t i = 0; i < session->column_count; i++)
        sql_column_read(session->stmt, (int)i, session->columns[i].type, &session->row[i]);
    return session->sink->row(session->sink, session->row, session->column_count);
}

static bool has_automatic_id(sqlite3 *db, const char *table)
{
    int is_automatic = 0;
    return sqlite3_table_column_metadata(db, "main", table, "id", NULL, NULL, NULL, NULL, &is_automatic) ==
               SQLITE_OK &&
           is_automatic;
}

/* MySQL tells the first of the ids that a statement gave, SQLite the last. */
static void note_changes(struct sql_session *session)
{
    sqlite3 *db = session->db.handle;
    uint64_t id = (uint64_t)sqlite3_last_insert_rowid(db);
    session->affected = (uint64_t)sqlite3_changes64(db);
    if (session->affected == 0)
        return;
    session->is_touched = true;
    if (session->inserted_table[0] && has_automatic_id(db, session->inserted_table) &&
        id >= session->affected)
        session->last_insert_id = session->insert_id = id - session->affected + 1;
}

/* An error of SQLite may have ended the transaction too. */
static void statement_failed(struct sql_session *session)
{
    if (session->is_overdue)
        sql_error_set(&session->error, SQL_ERR_TIMEOUT,
                      "Query execution was interrupted, sql_statement_timeout_ms exceeded");
    sql_error_from_sqlite(&session->error, session->db.handle);
}

/* True: go on with the next stage; false: the sink has had enough for now. */
static bool stage_statement(struct sql_session *session)
{
    for (;;) {
        sql_guard_start_clock(session);
        int code = sqlite3_step(session->stmt);
        sql_guard_stop_clock(session);
        if (code == SQLITE_ROW) {
            if (send_row(session))
                continue;
            return session->error.number != SQL_ERR_NONE;
        }
        if (code != SQLITE_DONE)
            statement_failed(session);
        else if (session->is_writing)
            note_changes(session);
        if (code == SQLITE_DONE && sqlite3_column_count(session->stmt) > 0)
            send_columns(session, false);
        return true;
    }
}

/* ---- stages COMMIT and PUBLISH ---- */

static void on_in_force(struct message *message)
{
    struct sql_publish *publish = CONTAINER_OF(message, struct sql_publish, publish.in_force);
    struct sql_session *session = publish->session;
    enum err err = publish->publish.result;
    list_remove(&publish->node);
    free(publish);
    if (!session)
        return;
    session->publish = NULL;
    if (err != ERR_OK)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY,
                      "The change is stored, but not in force yet: %s; it will be with the next change",
                      err_text(err));
    session->stage = SQL_STAGE_ROWS;
    proceed(session);
}

static void build_failed(struct sql_session *session, enum err err, const char *why)
{
    if (err == ERR_NO_MEMORY)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
    else if (err == ERR_BUSY)
        sql_error_set(&session->error, SQL_ERR_LOCKED, "Lock wait timeout exceeded (%s)", why);
    else
        sql_error_set(&session->error, SQL_ERR_ARGUMENTS, "%s", why);
}

/* The configuration that the transaction makes, or NULL with session->error set. */
static struct policy *build(struct sql_session *session)
{
    char why[GENERATION_WHY_MAX] = "";
    struct policy *policy = NULL;
    enum err err = generation_build(session->engine->generation, &session->db, &policy, why);
    if (err == ERR_OK)
        return policy;
    build_failed(session, err, why);
    return NULL;
}

static struct sql_publish *new_publish(struct sql_session *session)
{
    struct sql_publish *publish = calloc(1, sizeof(*publish));
    if (!publish) {
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
        return NULL;
    }
    *publish = (struct sql_publish){.session = session};
    list_init(&publish->publish.in_force.node);
    publish->publish.in_force.on_delivery = on_in_force;
    return publish;
}

static void commit_change(struct sql_session *session)
{
    struct sql_publish *publish = new_publish(session);
    struct policy *policy = publish ? build(session) : NULL;
    if (!policy || !sql_session_exec(session, "COMMIT")) {
        policy_unref(policy);
        free(publish);
        sql_session_rollback(session);
        session->stage = SQL_STAGE_DONE;
        return;
    }
    sql_session_transaction_ended(session);
    session->publish = publish;
    session->stage = SQL_STAGE_PUBLISH;
    list_push_back(&session->engine->publishes, &publish->node);
    generation_publish(session->engine->generation, policy, &publish->publish);
}

static void stage_commit(struct sql_session *session)
{
    session->commits_at_once = false;
    session->stage = SQL_STAGE_ROWS;
    if (!sql_session_is_open(session))
        sql_session_transaction_ended(session);
    else if (session->is_touched)
        commit_change(session);
    else if (sql_session_exec(session, "COMMIT"))
        sql_session_transaction_ended(session);
    else
        sql_session_rollback(session);
}

/* ---- stages ROWS and DONE ---- */

static bool stage_rows(struct sql_session *session)
{
    const struct sql_rows *rows = &session->result;
    if (rows->is_failed)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
    if (rows->width == 0 || session->error.number != SQL_ERR_NONE)
        return true;
    if (!session->has_sent_columns)
        session->sink->columns(session->sink, session->columns, session->column_count);
    session->has_sent_columns = true;
    while (session->result_at < rows->count)
        if (!session->sink->row(session->sink, sql_rows_get(rows, session->result_at++), rows->width))
            return false;
    return true;
}

static void stage_done(struct sql_session *session)
{
    struct sql_sink *sink = session->sink;
    bool is_good = session->error.number == SQL_ERR_NONE;
    release_statement(session);
    if (!sql_session_is_open(session))
        sql_session_transaction_ended(session);
    session->row_count = is_good && !session->has_sent_columns ? (int64_t)session->affected : -1;
    struct sql_outcome outcome = {
        .error = session->error.number,
        .message = str_from(session->error.message),
        .affected = is_good ? session->affected : 0,
        .last_insert_id = is_good ? session->insert_id : 0,
        .in_transaction = sql_session_is_open(session),
    };
    memcpy(outcome.sqlstate, sql_error_state(session->error.number), sizeof(outcome.sqlstate));
    session->stage = SQL_STAGE_IDLE;
    sink->done(sink, &outcome);
}

/* ---- running ---- */

/* Behind a statement: what is its own transaction ends with it. */
static void after_statement(struct sql_session *session)
{
    sqlite3_finalize(session->stmt);
    session->stmt = NULL;
    session->stage = SQL_STAGE_ROWS;
    if (session->error.number == SQL_ERR_NONE && session->commits_at_once)
        session->stage = SQL_STAGE_COMMIT;
    if (session->error.number != SQL_ERR_NONE) {
        if (session->commits_at_once)
            sql_session_rollback(session);
        session->commits_at_once = false;
        session->stage = SQL_STAGE_DONE;
    }
}

static void stage_after_commit(struct sql_session *session)
{
    if (session->begins_afterwards && session->error.number == SQL_ERR_NONE)
        sql_session_begin(session, session->begins_reading);
    session->begins_afterwards = false;
}

static void proceed(struct sql_session *session)
{
    for (;;) {
        switch (session->stage) {
        case SQL_STAGE_STATEMENT:
            if (session->stmt && session->error.number == SQL_ERR_NONE && !stage_statement(session))
                return;
            after_statement(session);
            break;
        case SQL_STAGE_COMMIT:
            stage_commit(session);
            break;
        case SQL_STAGE_ROWS:
            stage_after_commit(session);
            if (!stage_rows(session))
                return;
            session->stage = SQL_STAGE_DONE;
            break;
        case SQL_STAGE_DONE:
            stage_done(session);
            return;
        case SQL_STAGE_IDLE:
        case SQL_STAGE_PUBLISH:
            return;
        }
    }
}

static void begin_statement(struct sql_session *session)
{
    arena_fini(&session->arena);
    buf_clear(&session->sql);
    session->columns = NULL;
    session->column_count = 0;
    session->result = (struct sql_rows){0};
    session->result_at = 0;
    session->has_sent_columns = session->is_writing = session->is_overdue = false;
    session->commits_at_once = session->begins_afterwards = session->begins_reading = false;
    session->computed = 0;
    session->affected = session->insert_id = 0;
    session->inserted_table[0] = '\0';
    session->error = (struct sql_error){0};
}

void sql_session_run(struct sql_session *session, struct str statement, const struct sql_value *params,
                     size_t param_count, struct sql_sink *sink)
{
    struct sql_call call;
    ASSERT(session->stage == SQL_STAGE_IDLE);
    begin_statement(session);
    session->sink = sink;
    session->params = params;
    session->param_count = param_count;
    session->stage = SQL_STAGE_STATEMENT;
    if (session->is_timed_out)
        sql_error_set(
            &session->error, SQL_ERR_ROLLED_BACK,
            "The transaction was open for longer than sql_transaction_timeout_ms and has been rolled back");
    else if (sql_command_find(statement, &call))
        call.command->run(session, &call);
    else
        run_sql(session, statement);
    session->is_timed_out = false;
    proceed(session);
}

void sql_session_resume(struct sql_session *session)
{
    ASSERT(session->stage == SQL_STAGE_STATEMENT || session->stage == SQL_STAGE_ROWS);
    proceed(session);
}

/* ---- describing ---- */

static void describe_statement(struct sql_session *session, size_t *ret_params, struct sql_column *io_columns,
                               size_t max, size_t *ret_columns)
{
    sqlite3_stmt *stmt = session->stmt;
    size_t count = MIN((size_t)sqlite3_column_count(stmt), max);
    *ret_params = (size_t)sqlite3_bind_parameter_count(stmt);
    *ret_columns = count;
    for (size_t i = 0; i < count; i++) {
        sql_column_describe(stmt, (int)i, false, &io_columns[i]);
        io_columns[i].name = arena_dup(&session->arena, io_columns[i].name);
        io_columns[i].table = arena_dup(&session->arena, io_columns[i].table);
    }
}

enum err sql_session_describe(struct sql_session *session, struct str statement, size_t *ret_params,
                              struct sql_column *io_columns, size_t max, size_t *ret_columns,
                              struct sql_outcome *ret_outcome)
{
    struct sql_call call;
    ASSERT(session->stage == SQL_STAGE_IDLE);
    begin_statement(session);
    size_t params = 0, columns = 0;
    bool is_command = sql_command_find(statement, &call);
    session->is_describing = true;
    if (!is_command)
        run_sql(session, statement);
    else if (call.command->select)
        call.command->run(session, &call);
    session->is_describing = false;
    if (session->stmt)
        describe_statement(session, &params, io_columns, max, &columns);
    else if (is_command)
        params = call.marks;
    release_statement(session);
    if (session->error.number == SQL_ERR_NONE) {
        *ret_params = params;
        *ret_columns = columns;
        return ERR_OK;
    }
    *ret_outcome = (struct sql_outcome){
        .error = session->error.number,
        .message = str_from(session->error.message),
        .in_transaction = sql_session_is_open(session),
    };
    memcpy(ret_outcome->sqlstate, sql_error_state(session->error.number), sizeof(ret_outcome->sqlstate));
    return ERR_INVALID;
}
