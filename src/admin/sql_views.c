/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_views.h"

#include <stdio.h>
#include <stdlib.h>

#define GUESSED_ROWS 1000 /* for the planner, which then prefers a table of the file as the inner side */

const struct sql_view sql_views[] = {
#define VIEW(schema, name, fill, columns) {#schema, #name, columns, fill, NULL},
#define MODULE_VIEW(schema, name, module, columns) {#schema, #name, columns, NULL, &module},
#include "admin/sql_views.def"
};
const size_t sql_view_count = ARRAY_LEN(sql_views);

const struct sql_named_view sql_named_views[] = {
    {"stats_users",
     "SELECT username AS user, sum(requests) AS requests, sum(errors) AS errors, sum(cache_hits) AS "
     "cache_hits, "
     "sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens, "
     "sum(cache_write_tokens) AS "
     "cache_write_tokens, sum(output_tokens) AS output_tokens, sum(reasoning_tokens) AS reasoning_tokens, "
     "sum(cost_nano_usd) / 1e9 AS cost_usd, max(hour) AS last_hour FROM main.usage_ledger GROUP BY username"},
    {"stats_ai_servers",
     "SELECT s.name AS server, count(r.id) AS requests, coalesce(sum(r.state = 'ok'), 0) AS success, "
     "coalesce(sum(r.state <> 'ok'), 0) AS errors, round(avg(r.duration_ms), 1) AS avg_latency FROM "
     "main.ai_servers s LEFT "
     "JOIN (SELECT * FROM request_log WHERE ended_at >= datetime('now', '-1 hour')) r ON r.server = s.name "
     "GROUP BY s.name"},
    {"stats_ai_requests", "SELECT ended_at AS timestamp, server, model, status, duration_ms AS latency FROM "
                          "request_log ORDER BY ended_at DESC "
                          "LIMIT 20"},
    {"ai_request_logs",
     "SELECT request_id, user AS username, server AS server_name, model, path AS endpoint, input_tokens + "
     "cache_read_tokens + "
     "cache_write_tokens AS prompt_tokens, output_tokens + reasoning_tokens AS output_tokens, input_tokens + "
     "cache_read_tokens + cache_write_tokens + output_tokens + reasoning_tokens AS total_tokens, duration_ms "
     "AS latency_ms, "
     "first_byte_ms, status AS status_code, error AS error_message, stream AS streaming, ended_at AS "
     "timestamp FROM "
     "request_log"},
};
const size_t sql_named_view_count = ARRAY_LEN(sql_named_views);

_Static_assert(ARRAY_LEN(sql_views) <= SQL_VIEW_MAX, "room in struct sql_session");

struct view_cursor {
    sqlite3_vtab_cursor base;
    size_t at;
};

struct sql_view_table *sql_view_table_of(sqlite3_vtab *base)
{
    return CONTAINER_OF(base, struct sql_view_table, base);
}

static struct view_cursor *cursor_of(sqlite3_vtab_cursor *base)
{
    return CONTAINER_OF(base, struct view_cursor, base);
}

/* Commas outside of brackets, and one. */
static size_t count_columns(const char *columns)
{
    size_t count = 1;
    unsigned depth = 0;
    for (; *columns; columns++) {
        depth += *columns == '(';
        depth -= *columns == ')';
        count += *columns == ',' && depth == 0;
    }
    return count;
}

int sql_view_connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret_vtab,
                     char **ret_error)
{
    struct sql_view_link *link = context;
    (void)argc;
    (void)argv;
    (void)ret_error;
    char *declaration = sqlite3_mprintf("CREATE TABLE x(%s)", link->view->columns);
    struct sql_view_table *table = calloc(1, sizeof(*table));
    bool was_internal = link->session->db.is_internal;
    link->session->db.is_internal = true; /* the authorizer is asked as for a real table */
    int code = declaration && table ? sqlite3_declare_vtab(db, declaration) : SQLITE_NOMEM;
    link->session->db.is_internal = was_internal;
    sqlite3_free(declaration);
    if (code != SQLITE_OK) {
        free(table);
        return code;
    }
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    table->link = link;
    table->width = count_columns(link->view->columns);
    *ret_vtab = &table->base;
    return SQLITE_OK;
}

int sql_view_disconnect(sqlite3_vtab *vtab)
{
    free(sql_view_table_of(vtab));
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    info->estimatedCost = GUESSED_ROWS;
    info->estimatedRows = GUESSED_ROWS;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor)
{
    (void)vtab;
    struct view_cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        return SQLITE_NOMEM;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *base)
{
    free(cursor_of(base));
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    const struct sql_view_table *table = sql_view_table_of(base->pVtab);
    struct sql_view_link *link = table->link;
    (void)plan;
    (void)text;
    (void)argc;
    (void)argv;
    cursor_of(base)->at = 0;
    if (!link->is_filled) {
        link->is_filled = true;
        link->rows = sql_rows_of(&link->session->arena, table->width);
        link->view->fill(link->session, &link->rows);
    }
    if (link->session->error.number != SQL_ERR_NONE)
        return SQLITE_ERROR;
    return link->rows.is_failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *base)
{
    cursor_of(base)->at++;
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *base)
{
    return cursor_of(base)->at >= sql_view_table_of(base->pVtab)->link->rows.count;
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct sql_rows *rows = &sql_view_table_of(base->pVtab)->link->rows;
    const struct sql_value *value = &sql_rows_get(rows, cursor_of(base)->at)[column];
    switch (value->type) {
    case SQL_NULL:
        break;
    case SQL_INTEGER:
        sqlite3_result_int64(context, value->integer);
        break;
    case SQL_DOUBLE:
        sqlite3_result_double(context, value->real);
        break;
    case SQL_TEXT:
    case SQL_DATETIME:
        sqlite3_result_text64(context, value->text.ptr ? value->text.ptr : "", value->text.len, SQLITE_STATIC,
                              SQLITE_UTF8);
        break;
    case SQL_BLOB:
        sqlite3_result_blob64(context, value->text.ptr ? value->text.ptr : "", value->text.len,
                              SQLITE_STATIC);
        break;
    }
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
    *ret_rowid = (sqlite3_int64)cursor_of(base)->at;
    return SQLITE_OK;
}

/* Without xCreate they exist by their names alone, and nothing of them is in the file. */
static const sqlite3_module filled = {
    .xConnect = sql_view_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = sql_view_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

bool sql_views_open(struct sql_session *session)
{
    for (size_t i = 0; i < sql_view_count; i++) {
        const struct sql_view *view = &sql_views[i];
        session->views[i] = (struct sql_view_link){.session = session, .view = view};
        if (sqlite3_create_module(session->db.handle, view->name, view->module ? view->module : &filled,
                                  &session->views[i]) != SQLITE_OK)
            return false;
    }
    return true;
}

bool sql_named_views_open(struct sql_session *session)
{
    struct buf sql;
    bool is_good = true;
    buf_init(&sql, 16384);
    for (size_t i = 0; i < sql_named_view_count && is_good; i++) {
        buf_clear(&sql);
        buf_printf(&sql, "CREATE TEMP VIEW %s AS %s", sql_named_views[i].name, sql_named_views[i].select);
        buf_add_char(&sql, '\0');
        is_good = buf_ok(&sql) && sql_session_exec(session, sql.ptr);
    }
    buf_free(&sql);
    return is_good;
}

void sql_views_reset(struct sql_session *session)
{
    for (size_t i = 0; i < sql_view_count; i++)
        session->views[i].is_filled = false;
}
