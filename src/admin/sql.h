/* SPDX-License-Identifier: Apache-2.0 */
/* SQL sessions: statements in, rows out. The SQL is SQLite's, read with MySQL's eyes (quotes, escapes, comments,
 * @@variables), beside it the commands of sql_commands.def. The MySQL protocol, REST and the console are different
 * faces of the same sessions.
 *
 * Everything runs on the store thread. A statement that changes the configuration ends when the change is in force
 * everywhere, so its end may come in a later turn of the loop. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct sql_engine;  /* one a process */
struct sql_session; /* one a connection: a transaction, a SQLite connection, variables */

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_DOUBLE, SQL_TEXT, SQL_BLOB, SQL_DATETIME };

struct sql_value {
    enum sql_type type; /* SQL_DATETIME is carried as text: "YYYY-MM-DD HH:MM:SS" */
    int64_t integer;
    double real;
    struct str text; /* TEXT, BLOB, DATETIME; a view, valid within the callback */
};

/* `type` is what most rows will have; single values may differ (SQLite is dynamically typed). */
struct sql_column {
    struct str name, table; /* table: origin, may be empty */
    enum sql_type type;
};

struct sql_outcome {
    unsigned error; /* MySQL's number; 0: success */
    char sqlstate[6];
    struct str message;      /* error, or additional information; valid within the callback */
    uint64_t affected, last_insert_id;
    unsigned warnings;
    bool in_transaction;
};

/* Where a statement's result goes. Order: columns (only if there is a result set), rows, done exactly once. None of them
 * may free the session. */
struct sql_sink {
    void (*columns)(struct sql_sink *sink, const struct sql_column *columns, size_t count);
    /* False: enough for now; the engine stops after this row, and goes on at sql_session_resume. */
    bool (*row)(struct sql_sink *sink, const struct sql_value *values, size_t count);
    void (*done)(struct sql_sink *sink, const struct sql_outcome *outcome);
};

/* Who opened the session: shown by live views, and the base of what it may do. */
struct sql_identity {
    struct str user; /* "admin" */
    struct str host; /* text of the peer's address */
    bool may_write;
    uint32_t id; /* number of the connection, as its client knows it; 0: it has none */
};

/* NULL when memory is short or the store cannot be opened. */
MUST_USE struct sql_session *sql_session_new(struct sql_engine *engine, const struct sql_identity *identity);

/* Rolls back, and ends a running statement without further calls of its sink. */
void sql_session_free(struct sql_session *session);

/* Runs one statement; one at a time. `params` are for its question marks. Statement, parameters and sink have to stay
 * until done. Several statements in one text are refused. */
void sql_session_run(struct sql_session *session, struct str statement, const struct sql_value *params,
                     size_t param_count, struct sql_sink *sink);

/* After row() has returned false. */
void sql_session_resume(struct sql_session *session);

/* What a statement would need and give, without running it. Columns (into `io_columns`, up to `max`) may be none for
 * commands whose columns are known only when they run. On failure `ret_outcome` carries the error. */
MUST_USE enum err sql_session_describe(struct sql_session *session, struct str statement, size_t *ret_params,
                                       struct sql_column *io_columns, size_t max, size_t *ret_columns,
                                       struct sql_outcome *ret_outcome);

/* COM_INIT_DB: false when there is no such schema ("fairlead", "main", "information_schema" are known). */
bool sql_session_use(struct sql_session *session, struct str schema);
