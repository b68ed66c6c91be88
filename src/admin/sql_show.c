/* SPDX-License-Identifier: Apache-2.0 */
/* SHOW and DESCRIBE: each is a SELECT that nobody wants to type. */
#include "admin/sql_commands.h"

#include "admin/sql_views.h"

#include <stdio.h>

static const struct sql_facts select_facts = {.verb = SQL_VERB_SELECT};

/* Never called: the pattern says that the statement is SQL after all. */
void sql_plain(struct sql_session *session, const struct sql_call *call)
{
    (void)session;
    (void)call;
    ASSERT(false);
}

/* `select` with what was captured in the place of $0, $1... */
static void add_select(struct sql_session *session, const struct sql_call *call, const char *select)
{
    for (; *select; select++) {
        if (*select != '$') {
            buf_add_char(&session->sql, *select);
            continue;
        }
        size_t capture = (size_t)(*++select - '0');
        if (sql_call_has(call, capture))
            sql_quote_text(sql_call_text(session, call, capture), &session->sql);
        else
            buf_add(&session->sql, STR("NULL"));
    }
}

static void add_like(struct sql_session *session, struct sql_lexer *lexer, const char *column)
{
    struct buf content;
    struct sql_token pattern = sql_lexer_next(lexer), behind = sql_lexer_next(lexer);
    if ((pattern.kind != SQL_TOKEN_STRING && pattern.kind != SQL_TOKEN_MARK) ||
        (behind.kind != SQL_TOKEN_END && !sql_token_is_sign(&behind, ';'))) {
        sql_error_set(&session->error, SQL_ERR_SYNTAX,
                      "You have an error in your SQL syntax: LIKE wants one text");
        return;
    }
    buf_printf(&session->sql, " WHERE `%s` LIKE ", column);
    if (pattern.kind == SQL_TOKEN_MARK) {
        buf_add_char(&session->sql, '?');
        return;
    }
    buf_init(&content, SQL_STATEMENT_MAX);
    sql_token_content(&pattern, &content);
    sql_quote_text(buf_str(&content), &session->sql);
    buf_free(&content);
}

static void add_where(struct sql_session *session, const struct sql_lexer *lexer)
{
    struct sql_facts facts;
    struct str expression = str_from_offset(lexer->statement, lexer->at);
    while (expression.len > 0 && strchr("; \t\r\n", expression.ptr[expression.len - 1]))
        expression.len--;
    buf_add(&session->sql, STR(" WHERE ("));
    if (sql_text_translate_expression(expression, &session->sql, &facts, &session->error) == ERR_NO_MEMORY)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
    buf_add_char(&session->sql, ')');
}

/* The rows of `select`, filtered as the statement says. */
static void show(struct sql_session *session, const struct sql_call *call, const char *select,
                 const char *like_column)
{
    struct sql_lexer lexer = call->lexer;
    struct sql_token first = sql_lexer_next(&lexer);
    bool is_like = sql_token_is(&first, STR("LIKE")), is_where = sql_token_is(&first, STR("WHERE"));
    if (is_like || is_where)
        buf_add(&session->sql, STR("SELECT * FROM ("));
    add_select(session, call, select);
    if (is_like || is_where)
        buf_add_char(&session->sql, ')');
    if (is_like)
        add_like(session, &lexer, like_column);
    else if (is_where)
        add_where(session, &lexer);
    if (session->error.number == SQL_ERR_NONE)
        sql_session_prepare(session, &select_facts);
}

void sql_show(struct sql_session *session, const struct sql_call *call)
{
    show(session, call, call->command->select, call->command->like_column);
}

/* ---- tables ---- */

/* With what was captured as `[schema .] table`, the table alone stands in capture 0 afterwards. Sets the error when there
 * is no such table. */
static bool find_table(struct sql_session *session, const struct sql_call *call, struct sql_call *ret_call)
{
    *ret_call = *call;
    if (sql_call_has(call, 1) && call->captures[1].kind != SQL_TOKEN_MARK)
        ret_call->captures[0] = call->captures[1];
    struct str name = sql_call_text(session, ret_call, 0);
    if (str_eq_nocase(name, STR("routing_rules"))) {
        name = STR("ai_routing_rules");
        ret_call->captures[0].text = name;
        ret_call->captures[0].kind = SQL_TOKEN_WORD;
    }
    sqlite3_stmt *stmt =
        sql_session_query(session, "SELECT 1 FROM TABLES WHERE lower(table_name) = lower(?)");
    if (!stmt)
        return false;
    db_bind_str(stmt, 1, name);
    bool is_found = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    if (!is_found)
        sql_error_set(&session->error, SQL_ERR_NO_TABLE, "Table 'fairlead." STR_FMT "' doesn't exist",
                      STR_ARG(name));
    return is_found;
}

#define PLAIN_COLUMNS                                                                                        \
    "SELECT column_name AS Field, column_type AS Type, is_nullable AS `Null`, column_key AS `Key`, "         \
    "column_default AS "                                                                                     \
    "`Default`, extra AS Extra FROM COLUMNS WHERE lower(table_name) = lower($0)"
#define FULL_COLUMNS                                                                                         \
    "SELECT column_name AS Field, column_type AS Type, collation_name AS Collation, is_nullable AS `Null`, " \
    "column_key "                                                                                            \
    "AS `Key`, column_default AS `Default`, extra AS Extra, privileges AS Privileges, column_comment AS "    \
    "Comment FROM "                                                                                          \
    "COLUMNS WHERE lower(table_name) = lower($0)"
#define INDEXES                                                                                              \
    "SELECT table_name AS `Table`, non_unique AS Non_unique, index_name AS Key_name, seq_in_index AS "       \
    "Seq_in_index, "                                                                                         \
    "column_name AS Column_name, collation AS Collation, cardinality AS Cardinality, sub_part AS Sub_part, " \
    "packed AS "                                                                                             \
    "Packed, nullable AS `Null`, index_type AS Index_type, comment AS Comment, index_comment AS "            \
    "Index_comment FROM "                                                                                    \
    "STATISTICS WHERE lower(table_name) = lower($0)"

void sql_show_columns(struct sql_session *session, const struct sql_call *call)
{
    struct sql_call found;
    if (find_table(session, call, &found))
        show(session, &found, PLAIN_COLUMNS, "Field");
}

void sql_show_full_columns(struct sql_session *session, const struct sql_call *call)
{
    struct sql_call found;
    if (find_table(session, call, &found))
        show(session, &found, FULL_COLUMNS, "Field");
}

void sql_show_index(struct sql_session *session, const struct sql_call *call)
{
    struct sql_call found;
    if (find_table(session, call, &found))
        show(session, &found, INDEXES, "Key_name");
}

/* DESCRIBE t column: capture 2. */
void sql_describe_table(struct sql_session *session, const struct sql_call *call)
{
    struct sql_call found;
    if (!find_table(session, call, &found))
        return;
    add_select(session, &found,
               sql_call_has(call, 2) ? PLAIN_COLUMNS " AND column_name LIKE $2" : PLAIN_COLUMNS);
    sql_session_prepare(session, &select_facts);
}

static const struct sql_view *find_view(struct str name)
{
    for (size_t i = 0; i < sql_view_count; i++)
        if (str_eq_nocase(str_from(sql_views[i].name), name))
            return &sql_views[i];
    return NULL;
}

void sql_show_create_table(struct sql_session *session, const struct sql_call *call)
{
    struct sql_call found;
    if (!find_table(session, call, &found))
        return;
    const struct sql_view *view = find_view(sql_call_text(session, &found, 0));
    if (!view) {
        add_select(
            session, &found,
            "SELECT name AS `Table`, sql AS `Create Table` FROM (SELECT name, sql FROM main.sqlite_schema "
            "UNION ALL "
            "SELECT name, sql FROM temp.sqlite_schema ORDER BY 2) WHERE lower(name) = lower($0) LIMIT 1");
    } else {
        buf_add(&session->sql, STR("SELECT "));
        sql_quote_text(str_from(view->name), &session->sql);
        buf_add(&session->sql, STR(" AS `Table`, "));
        struct str columns = str_from(view->columns);
        buf_add(&session->sql, STR("'CREATE TABLE ' || "));
        sql_quote_text(str_from(view->name), &session->sql);
        buf_add(&session->sql, STR(" || ' (' || "));
        sql_quote_text(columns, &session->sql);
        buf_add(&session->sql, STR(" || ')' AS `Create Table`"));
    }
    sql_session_prepare(session, &select_facts);
}

void sql_use(struct sql_session *session, const struct sql_call *call)
{
    struct str name = sql_call_text(session, call, 0);
    if (!sql_session_use(session, name))
        sql_error_set(&session->error, SQL_ERR_BAD_SCHEMA, "Unknown database '" STR_FMT "'", STR_ARG(name));
}
