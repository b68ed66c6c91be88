/* SPDX-License-Identifier: Apache-2.0 */
/* Statements as clients may send them. What is translated has to be one statement for SQLite too, cut where we cut it;
 * a text that SQLite reads back is the text that was written. The statement runs in no store. */
#include "admin/sql_text.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* SQLite reads the literal to the same bytes. */
static void check_text(sqlite3 *db, const struct sql_token *token)
{
    struct buf content, sql;
    sqlite3_stmt *stmt = NULL;
    buf_init(&content, 1 << 20);
    buf_init(&sql, 1 << 22);
    sql_token_content(token, &content);
    buf_add(&sql, STR("SELECT "));
    sql_quote_text(buf_str(&content), &sql);
    require(buf_ok(&content) && buf_ok(&sql));
    require(sqlite3_prepare_v2(db, sql.ptr, (int)sql.len, &stmt, NULL) == SQLITE_OK);
    require(sqlite3_step(stmt) == SQLITE_ROW);
    struct str text = {(const char *)sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    require(str_eq(text, buf_str(&content)));
    sqlite3_finalize(stmt);
    buf_free(&content);
    buf_free(&sql);
}

static void check_tokens(sqlite3 *db, struct str statement)
{
    struct sql_lexer lexer = sql_lexer_of(statement);
    size_t end = 0;
    for (;;) {
        struct sql_token token = sql_lexer_next(&lexer);
        require(token.at >= end && token.end >= token.at && token.end <= statement.len);
        end = token.end;
        if (token.kind == SQL_TOKEN_STRING)
            check_text(db, &token);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_FAULT)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3 *db;
    struct str statement = {(const char *)data, size};
    struct sql_facts facts;
    struct sql_error error = {0};
    struct buf out;
    if (!db)
        require(sqlite3_open(":memory:", &db) == SQLITE_OK);
    if (size > 4096)
        return 0;
    check_tokens(db, statement);
    buf_init(&out, 1 << 20);
    enum err err = sql_text_translate(statement, &out, &facts, &error);
    require((err == ERR_INVALID) == (error.number != SQL_ERR_NONE));
    if (err == ERR_OK) {
        const char *tail = NULL;
        sqlite3_stmt *stmt = NULL;
        require(out.len > 0 && !memchr(out.ptr, '\0', out.len) && facts.with_at <= out.len);
        if (sqlite3_prepare_v2(db, out.ptr, (int)out.len, &stmt, &tail) == SQLITE_OK) {
            require(tail == out.ptr + out.len);
            require((size_t)sqlite3_bind_parameter_count(stmt) == facts.marks);
        }
        sqlite3_finalize(stmt);
    }
    buf_free(&out);
    return 0;
}
