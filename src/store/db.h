/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store: one SQLite file in WAL mode, its migrations, and small helpers over the C API. Everything here is
 * for the store thread (before it runs: for the thread that boots). The request path never comes here. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <sqlite3.h>

#define DB_FILE "fairlead.db" /* in data_dir */
#define DB_WHY_MAX 512

/* Tables whose rows hold secrets. */
enum db_secret_table { DB_SERVERS, DB_USERS, DB_API_KEYS, DB_VARIABLES, DB_SECRET_TABLE_COUNT_ };

/* A connection. Several may be open at once, each with its own transaction. */
struct db {
    sqlite3 *handle;
    bool is_mirroring; /* may change rows that come from the file: SQL function is_mirroring() */
    bool is_internal;  /* statements of the program's own run: an authorizer lets them pass */
    unsigned
        clear_text; /* bits of enum db_secret_table: a secret was written there in clear, by this transaction or by one
                          * that was rolled back. SQL function wrote_clear_text(table) */
};

/* Opens `path`, which is created (mode 0600) when missing. A commit has reached the disk when it returns, foreign keys
 * are on, and what a transaction writes reaches no file before its COMMIT, so that a secret that is sealed until then is
 * never on disk in clear; db.c says what is set and why. The busy timeout is zero: who meets another writer gets
 * ERR_BUSY at once. The db has to stay where it is until db_close. `why` (DB_WHY_MAX bytes) says what went wrong. */
MUST_USE enum err db_open(struct db *db, const char *path, char *why);
void db_close(
    struct db *db); /* harmless on a zeroed one; rolls back. Every statement has been finalized before */

/* ---- migrations: src/store/schema/NNN_name.{up,down}.sql, built into the program ---- */

/* A store in memory, of the newest schema and without rows: for what is written about it. */
MUST_USE enum err db_open_empty(struct db *db, char *why);

/* Version of the schema in the file (PRAGMA user_version), and the newest that this program knows. */
unsigned db_version(struct db *db);
unsigned db_newest_version(void);

/* One transaction a step. Up goes to the newest, down goes one step. ERR_INVALID: the file is of a newer program, or of
 * another one. */
MUST_USE enum err db_migrate_up(struct db *db, char *why);
MUST_USE enum err db_migrate_down(struct db *db, char *why);

/* ---- helpers ---- */

/* Runs statements without results. */
MUST_USE enum err db_exec(struct db *db, const char *sql, char *why);

/* Prepares one statement; NULL and `why` on failure. sqlite3_finalize is the caller's. */
MUST_USE sqlite3_stmt *db_prepare(struct db *db, const char *sql, char *why);

/* One step; *ret_is_row: there is a row to read, else the statement is through. */
MUST_USE enum err db_step(struct db *db, sqlite3_stmt *stmt, bool *ret_is_row, char *why);

/* Runs a statement that gives no rows, and makes it ready for the next bindings. */
MUST_USE enum err db_run(struct db *db, sqlite3_stmt *stmt, char *why);

/* Within a transaction, after the rows have been sealed: writes the tables of db->clear_text anew, so that no byte of
 * their pages is left over from before. Overwriting what is deleted does not reach the copies that pages keep between
 * their rows when they split. */
MUST_USE enum err db_wipe_clear_text(struct db *db, char *why);

/* What the last failure on this connection comes to: ERR_BUSY (another writer), ERR_NO_MEMORY, ERR_INVALID (the
 * statement or a constraint), ERR_SYSTEM (disk, permission, damaged file). `why` gets SQLite's words. */
enum err db_error(struct db *db, char *why);

void db_bind_str(sqlite3_stmt *stmt, int index, struct str text); /* copies; empty is '', not NULL */
struct str db_column_str(sqlite3_stmt *stmt, int column);         /* until the next step; NULL is empty */
