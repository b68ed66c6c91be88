/* SPDX-License-Identifier: Apache-2.0 */
/* information_schema: tables, columns and indexes as graphical tools ask for them. */
#include "admin/sql_views.h"

#include <stdio.h>

#define CATALOG STR("def")
#define CHARSET STR("utf8mb4")
#define COLLATION STR("utf8mb4_bin")
#define SCHEMA STR("fairlead")
#define TABLES_SHOWN                                                                                         \
    "SELECT name, (SELECT seq FROM sqlite_sequence q WHERE q.name = m.name) FROM main.sqlite_schema m "      \
    "WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ORDER BY name"

void fill_nothing(struct sql_session *session, struct sql_rows *rows)
{
    (void)session;
    (void)rows;
}

void fill_schemata(struct sql_session *session, struct sql_rows *rows)
{
    const struct str names[] = {STR("fairlead"), STR("information_schema")};
    (void)session;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sql_rows_begin(rows);
        sql_add_text(rows, CATALOG);
        sql_add_text(rows, names[i]);
        sql_add_text(rows, CHARSET);
        sql_add_text(rows, COLLATION);
    }
}

/* ---- TABLES ---- */

static void add_table(struct sql_rows *rows, struct str schema, struct str name, bool is_view,
                      int64_t next_id)
{
    sql_rows_begin(rows);
    sql_add_text(rows, CATALOG);
    sql_add_text(rows, schema);
    sql_add_copy(rows, name);
    sql_add_text(rows, !is_view                 ? STR("BASE TABLE")
                       : str_eq(schema, SCHEMA) ? STR("VIEW")
                                                : STR("SYSTEM VIEW"));
    if (is_view)
        sql_add_null(rows);
    else
        sql_add_text(rows, STR("SQLite"));
    sql_add_integer(rows, 10);
    for (int i = 0; i < 7; i++) /* ROW_FORMAT to DATA_FREE */
        sql_add_null(rows);
    if (next_id > 0)
        sql_add_integer(rows, next_id);
    else
        sql_add_null(rows);
    for (int i = 0; i < 3; i++) /* CREATE_TIME to CHECK_TIME */
        sql_add_null(rows);
    sql_add_text(rows, COLLATION);
    sql_add_null(rows);
    sql_add_text(rows, STR(""));
    sql_add_text(rows, STR(""));
}

/* Calls `each` for every table and view. */
static void each_relation(struct sql_session *session, struct sql_rows *rows,
                          void (*each)(struct sql_session *session, struct sql_rows *rows, struct str schema,
                                       struct str name, bool is_view, int64_t next_id))
{
    sqlite3_stmt *stmt = sql_session_query(session, TABLES_SHOWN);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        each(session, rows, SCHEMA, db_column_str(stmt, 0), false, sqlite3_column_int64(stmt, 1) + 1);
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < sql_view_count; i++)
        each(session, rows, str_from(sql_views[i].schema), str_from(sql_views[i].name), true, 0);
    for (size_t i = 0; i < sql_named_view_count; i++)
        each(session, rows, SCHEMA, str_from(sql_named_views[i].name), true, 0);
}

static void on_table(struct sql_session *session, struct sql_rows *rows, struct str schema, struct str name,
                     bool is_view, int64_t next_id)
{
    (void)session;
    add_table(rows, schema, name, is_view, next_id);
}

void fill_tables(struct sql_session *session, struct sql_rows *rows)
{
    each_relation(session, rows, on_table);
}

/* ---- COLUMNS ---- */

/* "VARCHAR(64)" to "varchar" and 64; SQLite's INTEGER is MySQL's bigint. */
struct column_type {
    char name[64], full[64];
    long long length; /* characters; 0: no text */
};

static void lower_to(const char *from, char *out, size_t size)
{
    size_t i = 0;
    for (; from[i] && i + 1 < size; i++)
        out[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] + ('a' - 'A') : from[i]);
    out[i] = '\0';
}

static struct column_type type_of(const char *declared)
{
    struct column_type type = {.length = 0};
    lower_to(declared && *declared ? declared : "text", type.full, sizeof(type.full));
    if (strcmp(type.full, "integer") == 0)
        snprintf(type.full, sizeof(type.full), "bigint");
    if (strcmp(type.full, "boolean") == 0)
        snprintf(type.full, sizeof(type.full), "tinyint(1)");
    size_t length = strcspn(type.full, "(");
    snprintf(type.name, sizeof(type.name), "%.*s", (int)length, type.full);
    if (strcmp(type.name, "varchar") == 0)
        (void)sscanf(type.full + length, "(%lld)", &type.length);
    if (strcmp(type.name, "text") == 0)
        type.length = INT32_MAX;
    return type;
}

static void add_default(struct sql_rows *rows, struct str text)
{
    bool is_quoted = text.len >= 2 && text.ptr[0] == '\'';
    if (!text.ptr)
        sql_add_null(rows);
    else
        sql_add_copy(rows, is_quoted ? (struct str){text.ptr + 1, text.len - 2} : text);
}

static void add_length(struct sql_rows *rows, long long length)
{
    if (length > 0)
        sql_add_integer(rows, length);
    else
        sql_add_null(rows);
}

/* Columns of the query: cid, name, type, notnull, default, pk, is unique, is automatic. */
static void add_column(struct sql_rows *rows, struct str schema, struct str table, sqlite3_stmt *stmt)
{
    struct column_type type = type_of((const char *)sqlite3_column_text(stmt, 2));
    bool is_key = sqlite3_column_int(stmt, 5) > 0, is_unique = sqlite3_column_int(stmt, 6) > 0;
    bool is_required = sqlite3_column_int(stmt, 3) || is_key;
    sql_rows_begin(rows);
    sql_add_text(rows, CATALOG);
    sql_add_text(rows, schema);
    sql_add_copy(rows, table);
    sql_add_copy(rows, db_column_str(stmt, 1));
    sql_add_integer(rows, sqlite3_column_int64(stmt, 0) + 1);
    add_default(rows, db_column_str(stmt, 4));
    sql_add_text(rows, is_required ? STR("NO") : STR("YES"));
    sql_add_copy(rows, str_from(type.name));
    add_length(rows, type.length);
    add_length(rows, MIN(type.length, INT32_MAX / 4) * 4);
    add_length(rows, strcmp(type.name, "bigint") == 0 ? 19 : strcmp(type.name, "double") == 0 ? 22 : 0);
    sql_add_null(rows);
    if (strcmp(type.name, "datetime") == 0)
        sql_add_integer(rows, 0);
    else
        sql_add_null(rows);
    if (type.length > 0) {
        sql_add_text(rows, CHARSET);
        sql_add_text(rows, COLLATION);
    } else {
        sql_add_null(rows);
        sql_add_null(rows);
    }
    sql_add_copy(rows, str_from(type.full));
    sql_add_text(rows, is_key ? STR("PRI") : is_unique ? STR("UNI") : STR(""));
    sql_add_text(rows, sqlite3_column_int(stmt, 7) ? STR("auto_increment") : STR(""));
    sql_add_text(rows, STR("select,insert,update,references"));
    sql_add_text(rows, STR(""));
    sql_add_text(rows, STR(""));
}

static void on_table_columns(struct sql_session *session, struct sql_rows *rows, struct str schema,
                             struct str name, bool is_view, int64_t next_id)
{
    char query[768];
    struct str table = arena_dup(&session->arena, name);
    (void)is_view;
    (void)next_id;
    snprintf(
        query, sizeof(query),
        "SELECT c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, (SELECT count(*) FROM "
        "pragma_index_list('%.*s') l WHERE l.\"unique\" AND l.partial = 0 AND (SELECT count(*) FROM "
        "pragma_index_info(l.name)) = 1 AND c.name = (SELECT name FROM pragma_index_info(l.name))), c.pk AND "
        "EXISTS "
        "(SELECT 1 FROM main.sqlite_schema s WHERE s.name = '%.*s' AND s.sql LIKE '%%AUTOINCREMENT%%') FROM "
        "pragma_table_info('%.*s') c",
        STR_ARG(table), STR_ARG(table), STR_ARG(table));
    sqlite3_stmt *stmt = sql_session_query(session, query);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        add_column(rows, schema, table, stmt);
    sqlite3_finalize(stmt);
}

void fill_columns(struct sql_session *session, struct sql_rows *rows)
{
    each_relation(session, rows, on_table_columns);
}

/* ---- indexes and keys ---- */

/* table, index, is unique, position, column; the primary key as an index of that name */
#define INDEXED_COLUMNS                                                                                      \
    "SELECT m.name, 'PRIMARY', 1, c.pk, c.name FROM main.sqlite_schema m, pragma_table_info(m.name) c "      \
    "WHERE "                                                                                                 \
    "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' AND c.pk > 0 UNION ALL SELECT m.name, l.name, "       \
    "l.\"unique\", "                                                                                         \
    "i.seqno + 1, i.name FROM main.sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) " \
    "i WHERE "                                                                                               \
    "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' AND l.origin <> 'pk' ORDER BY 1, 3 DESC, 2, 4"

/* SQLite names the index of a UNIQUE column after itself; MySQL after the column. */
static struct str index_name(sqlite3_stmt *stmt)
{
    struct str name = db_column_str(stmt, 1);
    return str_starts(name, STR("sqlite_autoindex_")) ? db_column_str(stmt, 4) : name;
}

void fill_statistics(struct sql_session *session, struct sql_rows *rows)
{
    sqlite3_stmt *stmt = sql_session_query(session, INDEXED_COLUMNS);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        sql_rows_begin(rows);
        sql_add_text(rows, CATALOG);
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, db_column_str(stmt, 0));
        sql_add_integer(rows, !sqlite3_column_int(stmt, 2));
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, index_name(stmt));
        sql_add_integer(rows, sqlite3_column_int64(stmt, 3));
        sql_add_copy(rows, db_column_str(stmt, 4));
        sql_add_text(rows, STR("A"));
        for (int i = 0; i < 3; i++) /* CARDINALITY to PACKED */
            sql_add_null(rows);
        sql_add_text(rows, STR(""));
        sql_add_text(rows, STR("BTREE"));
        sql_add_text(rows, STR(""));
        sql_add_text(rows, STR(""));
    }
    sqlite3_finalize(stmt);
}

void fill_constraints(struct sql_session *session, struct sql_rows *rows)
{
    sqlite3_stmt *stmt = sql_session_query(session, INDEXED_COLUMNS);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        if (!sqlite3_column_int(stmt, 2) || sqlite3_column_int(stmt, 3) != 1)
            continue;
        bool is_primary = str_eq(db_column_str(stmt, 1), STR("PRIMARY"));
        sql_rows_begin(rows);
        sql_add_text(rows, CATALOG);
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, index_name(stmt));
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, db_column_str(stmt, 0));
        sql_add_text(rows, is_primary ? STR("PRIMARY KEY") : STR("UNIQUE"));
    }
    sqlite3_finalize(stmt);
}

void fill_key_columns(struct sql_session *session, struct sql_rows *rows)
{
    sqlite3_stmt *stmt = sql_session_query(session, INDEXED_COLUMNS);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        if (!sqlite3_column_int(stmt, 2))
            continue;
        sql_rows_begin(rows);
        sql_add_text(rows, CATALOG);
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, index_name(stmt));
        sql_add_text(rows, CATALOG);
        sql_add_text(rows, SCHEMA);
        sql_add_copy(rows, db_column_str(stmt, 0));
        sql_add_copy(rows, db_column_str(stmt, 4));
        sql_add_integer(rows, sqlite3_column_int64(stmt, 3));
    }
    sqlite3_finalize(stmt);
}

/* ---- character sets, engines ---- */

void fill_collations(struct sql_session *session, struct sql_rows *rows)
{
    (void)session;
    sql_rows_begin(rows);
    sql_add_text(rows, COLLATION);
    sql_add_text(rows, CHARSET);
    sql_add_integer(rows, 46);
    sql_add_text(rows, STR("Yes"));
    sql_add_text(rows, STR("Yes"));
    sql_add_integer(rows, 1);
}

void fill_character_sets(struct sql_session *session, struct sql_rows *rows)
{
    (void)session;
    sql_rows_begin(rows);
    sql_add_text(rows, CHARSET);
    sql_add_text(rows, COLLATION);
    sql_add_text(rows, STR("UTF-8 Unicode"));
    sql_add_integer(rows, 4);
}

void fill_engines(struct sql_session *session, struct sql_rows *rows)
{
    const struct str texts[] = {STR("SQLite"), STR("DEFAULT"), STR("Embedded store"),
                                STR("YES"),    STR("NO"),      STR("YES")};
    (void)session;
    sql_rows_begin(rows);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        sql_add_text(rows, texts[i]);
}
