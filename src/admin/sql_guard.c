/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_guard.h"

#include "conf/settings.h"
#include "net/loop.h"

#include <stdio.h>

#define STEPS_BETWEEN_LOOKS 5000 /* of SQLite's machine, some hundred microseconds */

/* Columns that a SELECT shows through a function of sql_functions.c. */
static const struct {
    const char *table, *column, *expression;
} secrets[] = {
    {"ai_servers", "api_key_encrypted", "mask_sealed(api_key_encrypted)"},
    {"ai_users", "password_hash", "mask_secret(password_hash)"},
    {"ai_api_keys", "api_key", "mask_secret(api_key)"},
    {"ai_api_keys", "key_digest", "mask_secret(key_digest)"},
    {"global_variables", "variable_value", "mask_variable(variable_name, variable_value)"},
};

static const char *const guarded_tables[] = {"ai_servers", "ai_users", "ai_api_keys", "global_variables"};

static const char *secret_expression(const char *table, const char *column)
{
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (sqlite3_stricmp(secrets[i].table, table) == 0 && sqlite3_stricmp(secrets[i].column, column) == 0)
            return secrets[i].expression;
    return NULL;
}

/* ---- masks ---- */

static bool add_columns(struct sql_session *session, const char *table, struct buf *sql)
{
    size_t count = 0;
    char query[128];
    snprintf(query, sizeof(query), "SELECT name FROM pragma_table_info('%s')", table);
    sqlite3_stmt *stmt = sql_session_query(session, query);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(stmt, 0);
        const char *expression = secret_expression(table, column);
        buf_printf(sql, "%s%s AS %s", count++ > 0 ? ", " : "", expression ? expression : column, column);
    }
    sqlite3_finalize(stmt);
    return count > 0;
}

/* The inner one alone may read secrets; the outer one has the table's name. */
static void add_masks(struct sql_session *session, const char *table, struct buf *out)
{
    size_t before = out->len;
    buf_printf(out, "%s`" SQL_RESERVED_PREFIX "%s` AS (SELECT ", before > 0 ? ", " : "", table);
    if (add_columns(session, table, out))
        buf_printf(out, " FROM main.%s), %s AS (SELECT * FROM `" SQL_RESERVED_PREFIX "%s`)", table, table,
                   table);
    else
        out->len = before; /* a store that is not migrated yet has no such table */
}

static bool begins_guarded(struct str rest)
{
    for (size_t i = 0; i < ARRAY_LEN(guarded_tables); i++) {
        struct str name = str_from(guarded_tables[i]);
        if (rest.len >= name.len && str_eq_nocase((struct str){rest.ptr, name.len}, name))
            return true;
    }
    return false;
}

/* A name within another, or within a text, does no harm. */
static bool names_guarded(struct str sql)
{
    for (size_t at = 0; at < sql.len; at++) {
        char first = sql.ptr[at] | 0x20; /* lower case, if it is a letter */
        if ((first == 'a' || first == 'g') && begins_guarded(str_from_offset(sql, at)))
            return true;
    }
    return false;
}

void sql_guard_mask(struct sql_session *session, const struct sql_facts *facts)
{
    struct buf masked;
    struct str sql = buf_str(&session->sql), masks = buf_str(&session->masks);
    bool can_have_with = facts->verb != SQL_VERB_OTHER;
    if (!buf_ok(&session->sql) || !can_have_with || masks.len == 0 || !names_guarded(sql))
        return;
    buf_init(&masked, SQL_STATEMENT_MAX);
    buf_add(&masked, (struct str){sql.ptr, facts->with_at});
    buf_add(&masked, facts->has_with ? STR(" ") : STR(" WITH "));
    buf_add(&masked, masks);
    buf_add(&masked, facts->has_with ? STR(",") : STR(" "));
    buf_add(&masked, str_from_offset(sql, facts->with_at));
    buf_free(&session->sql);
    session->sql = masked;
}

/* ---- authorizer ---- */

static int deny(struct sql_session *session, enum sql_error_number number, const char *what,
                const char *object)
{
    sql_error_set(&session->error, number, "%s command denied to user '" STR_FMT "' for '%s'", what,
                  STR_ARG(session->identity.user), object ? object : "");
    return SQLITE_DENY;
}

/* Triggers of the schema are named after their tables; who could borrow such a name cannot name the schema. */
static bool is_trigger_of(const char *context, const char *table)
{
    size_t length = strlen(table);
    return sqlite3_strnicmp(context, table, (int)length) == 0 && context[length] == '_';
}

static int judge_read(struct sql_session *session, const char *table, const char *column, const char *schema,
                      const char *context)
{
    if (!secret_expression(table, column) || !schema || sqlite3_stricmp(schema, "main") != 0)
        return SQLITE_OK;
    if (context && (str_starts(str_from(context), STR(SQL_RESERVED_PREFIX)) || is_trigger_of(context, table)))
        return SQLITE_OK;
    sql_error_set(&session->error, SQL_ERR_DENIED_COLUMN,
                  "Column '%s' of '%s' is write-only here; SELECT ... FROM %s shows a mask", column, table,
                  table);
    return SQLITE_DENY;
}

static bool is_ours(const char *column)
{
    return sqlite3_stricmp(column, "source") == 0 || sqlite3_stricmp(column, "created_at") == 0;
}

/* `column` is only known of updates; `context` is a trigger that writes. */
static int judge_write(struct sql_session *session, const char *verb, const char *table, const char *column,
                       const char *schema, const char *context)
{
    if (strncmp(table, "sqlite_", 7) == 0)
        return deny(session, SQL_ERR_DENIED_TABLE, "CREATE, ALTER or DROP", "the schema");
    if (!session->identity.may_write || !schema || sqlite3_stricmp(schema, "main") != 0 ||
        !generation_covers(str_from(table)))
        return deny(session, SQL_ERR_DENIED_TABLE, verb, table);
    if (column && !context && is_ours(column)) {
        sql_error_set(&session->error, SQL_ERR_DENIED_COLUMN, "Column '%s' of '%s' cannot be written", column,
                      table);
        return SQLITE_DENY;
    }
    session->is_writing = true;
    if (!context && strcmp(verb, "INSERT") == 0)
        snprintf(session->inserted_table, sizeof(session->inserted_table), "%s", table);
    return SQLITE_OK;
}

static int judge_pragma(struct sql_session *session, const char *name, const char *argument)
{
    static const char *const always[] = {"table_info",       "table_xinfo",     "table_list",
                                         "index_list",       "index_info",      "index_xinfo",
                                         "foreign_key_list", "integrity_check", "quick_check",
                                         "compile_options",  "database_list",   "foreign_key_check"};
    static const char *const without_value[] = {"user_version", "page_count", "page_size", "freelist_count",
                                                "journal_mode"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (sqlite3_stricmp(name, always[i]) == 0)
            return SQLITE_OK;
    for (size_t i = 0; i < ARRAY_LEN(without_value) && !argument; i++)
        if (sqlite3_stricmp(name, without_value[i]) == 0)
            return SQLITE_OK;
    return deny(session, SQL_ERR_DENIED_TABLE, "PRAGMA", name);
}

static int judge_other(struct sql_session *session, int action, const char *first)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_FUNCTION:
        return SQLITE_OK;
    case SQLITE_ATTACH:
        return deny(session, SQL_ERR_DENIED_TABLE, "ATTACH", first);
    case SQLITE_DETACH:
        return deny(session, SQL_ERR_DENIED_TABLE, "DETACH", first);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return deny(session, SQL_ERR_DENIED_TABLE, "This form of a transaction", "");
    default:
        return deny(session, SQL_ERR_DENIED_TABLE, "CREATE, ALTER or DROP", first);
    }
}

static int authorize(void *context, int action, const char *first, const char *second, const char *schema,
                     const char *trigger)
{
    struct sql_session *session = context;
    if (session->db.is_internal)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_READ:
        return judge_read(session, first, second, schema, trigger);
    case SQLITE_INSERT:
        return judge_write(session, "INSERT", first, NULL, schema, trigger);
    case SQLITE_UPDATE:
        return judge_write(session, "UPDATE", first, second, schema, trigger);
    case SQLITE_DELETE:
        return judge_write(session, "DELETE", first, NULL, schema, trigger);
    case SQLITE_PRAGMA:
        return judge_pragma(session, first, second);
    default:
        return judge_other(session, action, first);
    }
}

/* ---- clock ---- */

static int look_at_clock(void *context)
{
    struct sql_session *session = context;
    if (session->step_began == 0)
        return 0;
    usec_t limit = setting_usec(sql_session_settings(session)->sql_statement_timeout_ms);
    session->is_overdue = session->computed + (clock_monotonic() - session->step_began) > limit;
    return session->is_overdue;
}

void sql_guard_start_clock(struct sql_session *session)
{
    session->step_began = clock_monotonic();
}

void sql_guard_stop_clock(struct sql_session *session)
{
    session->computed += clock_monotonic() - session->step_began;
    session->step_began = 0;
}

bool sql_guard_open(struct sql_session *session)
{
    buf_init(&session->masks, 65536);
    for (size_t i = 0; i < ARRAY_LEN(guarded_tables); i++)
        add_masks(session, guarded_tables[i], &session->masks);
    /* To learn their columns SQLite makes tables, which the authorizer could not tell from others: so once, before. */
    sqlite3_finalize(sql_session_query(
        session,
        "SELECT 1 FROM pragma_table_info(''), pragma_table_xinfo(''), pragma_table_list(''), "
        "pragma_index_list(''), "
        "pragma_index_info(''), pragma_index_xinfo(''), pragma_foreign_key_list(''), pragma_database_list"));
    sqlite3_set_authorizer(session->db.handle, authorize, session);
    sqlite3_progress_handler(session->db.handle, STEPS_BETWEEN_LOOKS, look_at_clock, session);
    return buf_ok(&session->masks) && session->error.number == SQL_ERR_NONE;
}

void sql_guard_close(struct sql_session *session)
{
    buf_free(&session->masks);
}
