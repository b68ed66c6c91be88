/* SPDX-License-Identifier: Apache-2.0 */
/* Live views as virtual tables: what a running process knows, made when a SELECT asks for it. A view is a row in
 * sql_views.def and a function that makes all its rows at once; SQLite joins, filters and sorts. Within one statement a
 * view is made once, so that a statement sees one state of things. */
#pragma once

#include "admin/sql_session.h"

struct sql_view {
    const char *schema, *name;
    const char *columns; /* as in CREATE TABLE */
    /* Adds the rows, in the order of `columns`. Rows out of a failed fill are not shown. */
    void (*fill)(struct sql_session *session, struct sql_rows *rows);
    const sqlite3_module *module; /* instead of `fill`; gets the struct sql_view_link */
};

/* A view as SQLite sees it, for all of them. */
struct sql_view_table {
    sqlite3_vtab base;
    struct sql_view_link *link; /* borrowed: the session's */
    size_t width;               /* columns */
};

struct sql_view_table *sql_view_table_of(sqlite3_vtab *base);

/* xConnect and xDisconnect of every view's module. */
int sql_view_connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret_vtab,
                     char **ret_error);
int sql_view_disconnect(sqlite3_vtab *vtab);

extern const struct sql_view sql_views[];
extern const size_t sql_view_count;

/* Views over these and over tables, written in SQL; temporary ones of each session. */
struct sql_named_view {
    const char *name, *select;
};

extern const struct sql_named_view sql_named_views[];
extern const size_t sql_named_view_count;

/* Registers all views with the session's connection. */
MUST_USE bool sql_views_open(struct sql_session *session);

MUST_USE bool sql_named_views_open(struct sql_session *session);

/* Forgets rows of the statement before. */
void sql_views_reset(struct sql_session *session);

#define VIEW(schema, name, fill, columns) void fill(struct sql_session *session, struct sql_rows *rows);
#define MODULE_VIEW(schema, name, module, columns) extern const sqlite3_module module;
#include "admin/sql_views.def"
