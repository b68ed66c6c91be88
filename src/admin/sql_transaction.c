/* SPDX-License-Identifier: Apache-2.0 */
/* What a session does in its own name: statements past the guard, and the borders of transactions. */
#include "admin/sql_session.h"

#include "net/loop.h"

/* ---- our own statements ---- */

struct table *sql_session_table(struct sql_session *session)
{
    if (!session->table)
        session->table = gate_newer_table(&session->engine->gateway->gate, NULL);
    return session->table;
}

const struct settings *sql_session_settings(struct sql_session *session)
{
    return &sql_session_table(session)->policy->config->settings;
}

bool sql_session_exec(struct sql_session *session, const char *sql)
{
    bool was_trusted = session->db.is_internal;
    session->db.is_internal = true;
    int code = sqlite3_exec(session->db.handle, sql, NULL, NULL, NULL);
    session->db.is_internal = was_trusted;
    if (code != SQLITE_OK)
        sql_error_from_sqlite(&session->error, session->db.handle);
    return code == SQLITE_OK;
}

sqlite3_stmt *sql_session_query(struct sql_session *session, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    bool was_trusted = session->db.is_internal;
    session->db.is_internal = true;
    if (sqlite3_prepare_v2(session->db.handle, sql, -1, &stmt, NULL) != SQLITE_OK)
        sql_error_from_sqlite(&session->error, session->db.handle);
    session->db.is_internal = was_trusted;
    return stmt;
}

bool sql_session_write(struct sql_session *session, const char *sql, const struct str *values, size_t count)
{
    sqlite3_stmt *stmt = sql_session_query(session, sql);
    if (!stmt)
        return false;
    for (size_t i = 0; i < count; i++)
        db_bind_str(stmt, (int)i + 1, values[i]);
    session->db.is_internal = true;
    int code = sqlite3_step(stmt);
    session->db.is_internal = false;
    if (code == SQLITE_DONE) {
        session->affected = (uint64_t)sqlite3_changes64(session->db.handle);
        session->is_touched = session->is_touched || session->affected > 0;
    } else {
        sql_error_from_sqlite(&session->error, session->db.handle);
    }
    sqlite3_finalize(stmt);
    return code == SQLITE_DONE;
}

/* ---- transactions ---- */

bool sql_session_is_open(const struct sql_session *session)
{
    return !sqlite3_get_autocommit(session->db.handle);
}

bool sql_session_in_transaction(const struct sql_session *session)
{
    return sql_session_is_open(session) && !session->commits_at_once;
}

void sql_session_transaction_ended(struct sql_session *session)
{
    timer_stop(session->engine->loop, &session->transaction_limit);
    session->is_touched = false;
}

void sql_session_rollback(struct sql_session *session)
{
    if (sql_session_is_open(session)) {
        struct sql_error kept = session->error;
        sql_session_exec(session, "ROLLBACK");
        session->error = kept;
    }
    sql_session_transaction_ended(session);
}

bool sql_session_begin(struct sql_session *session, bool is_for_reading)
{
    usec_t limit = setting_usec(sql_session_settings(session)->sql_transaction_timeout_ms);
    if (!sql_session_exec(session, is_for_reading ? "BEGIN" : "BEGIN IMMEDIATE"))
        return false;
    timer_start(session->engine->loop, &session->transaction_limit, limit);
    return true;
}

bool sql_session_begin_write(struct sql_session *session, bool at_once)
{
    if (!session->identity.may_write) {
        sql_error_set(&session->error, SQL_ERR_READ_ONLY, "This session may only read");
        return false;
    }
    if (sql_session_is_open(session))
        return true;
    if (!session->has_autocommit && !at_once)
        return sql_session_begin(session, false);
    if (!sql_session_exec(session, "BEGIN IMMEDIATE"))
        return false;
    session->commits_at_once = true;
    return true;
}

/* A statement that is still giving rows is let go on; the transaction ends behind it. */
void sql_session_on_limit(struct wheel_timer *timer)
{
    struct sql_session *session = CONTAINER_OF(timer, struct sql_session, transaction_limit);
    if (session->stage != SQL_STAGE_IDLE) {
        timer_start(session->engine->loop, timer, USEC_PER_SEC);
        return;
    }
    sql_session_rollback(session);
    session->error = (struct sql_error){0};
    session->is_timed_out = true;
}
