/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store: one SQLite file in WAL mode, its migrations, and small helpers over the C API. Everything here is
 * for the store thread (before it runs: for the thread that boots). The request path never comes here. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <sqlite3.h>

#define DB_FILE "fairlead.db" /* in data_dir */
#define DB_WHY_MAX 512

/* A connection. Several may be open at once, each with its own transaction. */
struct db {
    sqlite3 *handle;
    bool is_mirroring; /* may change rows that come from the file: SQL function is_mirroring() */
};

/* Opens `path`, which is created (mode 0600) when missing. Sets: WAL, synchronous=NORMAL... see db.c for each and why;
 * foreign keys on, secure_delete on, no cache spill (so that a secret that is sealed before its transaction commits
 * never reaches the disk in clear), and a busy timeout of zero: writers that meet another one get ERR_BUSY at once.
 * The db has to stay where it is until db_close. `why` (DB_WHY_MAX bytes) says what went wrong. */
MUST_USE enum err db_open(struct db *db, const char *path, char *why);
void db_close(struct db *db); /* harmless on a zeroed one */

/* ---- migrations: src/store/schema/NNN_name.{up,down}.sql, built into the program ---- */

/* Version of the schema in the file (PRAGMA user_version), and the newest that this program knows. */
unsigned db_version(struct db *db);
unsigned db_newest_version(void);

/* One transaction a step. Up goes to the newest, down goes one step. ERR_INVALID: the file is of a newer program. */
MUST_USE enum err db_migrate_up(struct db *db, char *why);
MUST_USE enum err db_migrate_down(struct db *db, char *why);

/* ---- helpers ---- */

/* Runs statements without results. */
MUST_USE enum err db_exec(struct db *db, const char *sql, char *why);

/* Prepares one statement; NULL and `why` on failure. sqlite3_finalize is the caller's. */
MUST_USE sqlite3_stmt *db_prepare(struct db *db, const char *sql, char *why);

void db_bind_str(sqlite3_stmt *stmt, int index, struct str text);
struct str db_column_str(sqlite3_stmt *stmt, int column); /* until the next step; NULL is empty */
