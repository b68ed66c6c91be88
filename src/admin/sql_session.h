/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a session, for the parts that make up the engine: commands, functions, live views, the guard.
 *
 * A statement goes through stages, each of which may have nothing to do:
 * STATEMENT  SQLite computes, rows go out      -> sql_session_resume when the sink has had enough
 * COMMIT     a change of the configuration is built and checked, then committed
 * PUBLISH    until every worker uses it        -> a message
 * ROWS       rows that a command has made go out
 * DONE       the sink's done; the session is idle before it is called */
#pragma once

#include "admin/sql_engine.h"
#include "admin/sql_error.h"
#include "admin/sql_rows.h"
#include "admin/sql_text.h"

#define SQL_STATEMENT_MAX ((size_t)1 << 31) /* bytes of a translated statement */
#define SQL_VIEW_MAX 64

enum sql_stage {
    SQL_STAGE_IDLE,
    SQL_STAGE_STATEMENT,
    SQL_STAGE_COMMIT,
    SQL_STAGE_PUBLISH,
    SQL_STAGE_ROWS,
    SQL_STAGE_DONE
};

struct sql_view;

/* What a virtual table knows of its session. */
struct sql_view_link {
    struct sql_session *session;
    const struct sql_view *view;
    struct sql_rows rows; /* of the running statement: one statement sees one state of things */
    bool is_filled;
};

/* A published change; outlives its session if need be. */
struct sql_publish {
    struct list node; /* in engine->publishes */
    struct generation_publish publish;
    struct sql_session *session; /* NULL: it is gone */
};

struct sql_session {
    struct list node; /* in engine->sessions */
    struct sql_engine *engine;
    struct arena identity_arena;
    struct sql_identity identity;
    struct db db;
    struct sql_view_link views[SQL_VIEW_MAX];
    struct buf masks;             /* the guard's: common table expressions in front of tables with secrets */
    bool uses_information_schema; /* USE: what DATABASE() says */
    bool has_autocommit;
    bool is_touched; /* the open transaction has changed the configuration */
    bool
        is_timed_out; /* the transaction was rolled back because it was open for too long: still to be told */
    struct wheel_timer transaction_limit;
    uint64_t last_insert_id;
    int64_t row_count; /* of the statement before */

    /* The running statement. */
    enum sql_stage stage;
    struct sql_sink *sink;
    const struct sql_value *params;
    size_t param_count;
    struct arena arena;
    struct table *table; /* the configuration in force, taken when first asked for; a reference */
    struct buf sql;
    sqlite3_stmt *stmt;
    const struct sql_column *columns; /* of the result, once known */
    size_t column_count;
    struct sql_value *row;  /* room for one */
    struct sql_rows result; /* stage ROWS */
    size_t result_at;
    bool has_sent_columns;
    bool is_writing;      /* the guard has seen it write */
    bool commits_at_once; /* its own transaction */
    bool begins_afterwards, begins_reading;
    bool is_describing;          /* nothing is to run */
    usec_t computed, step_began; /* time in SQLite */
    bool is_overdue;
    struct sql_publish *publish;
    struct sql_error error;
    uint64_t affected, insert_id;
    char made_key[CLIENT_KEY_SIZE + 1]; /* CREATE API KEY: shown once, then wiped */
    char inserted_table[64];            /* of an INSERT, as the guard has seen it */
};

/* The configuration in force; stays for the statement. */
struct table *sql_session_table(struct sql_session *session);
const struct settings *sql_session_settings(struct sql_session *session);

/* Our own statement without results, past the guard; failure sets session->error. */
bool sql_session_exec(struct sql_session *session, const char *sql);

/* The same, prepared for reading by the caller, who finalizes it. NULL: session->error is set. */
sqlite3_stmt *sql_session_query(struct sql_session *session, const char *sql);

/* Our own change of a table of the configuration, within sql_session_begin_write. Sets session->affected. False:
 * session->error is set. */
bool sql_session_write(struct sql_session *session, const char *sql, const struct str *values, size_t count);

/* Makes session->sql, which is SQLite's and of these facts, the statement whose rows go out. Its values are
 * session->params. */
void sql_session_prepare(struct sql_session *session, const struct sql_facts *facts);

/* Opens a transaction for a write, unless one is open. `at_once`: committed at the statement's end even where the
 * session does not commit by itself. False: session->error is set. */
bool sql_session_begin_write(struct sql_session *session, bool at_once);

/* A transaction that the client ends. */
bool sql_session_begin(struct sql_session *session, bool is_for_reading);

/* Rows of a command, to go out when all is done. The columns have to stay for the statement. */
struct sql_rows *sql_session_answer(struct sql_session *session, const struct sql_column *columns,
                                    size_t count);

/* Whether a transaction is open, the statement's own too; whether one is that the client has to end. */
bool sql_session_is_open(const struct sql_session *session);
bool sql_session_in_transaction(const struct sql_session *session);
void sql_session_rollback(struct sql_session *session);

/* After one has ended, however. */
void sql_session_transaction_ended(struct sql_session *session);

/* session->transaction_limit is due. */
void sql_session_on_limit(struct wheel_timer *timer);
