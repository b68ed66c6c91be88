/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_column.h"

#include "admin/sql_text.h"

static bool contains(const char *declared, const char *word)
{
    return strcasestr(declared, word) != NULL;
}

static enum sql_type type_declared(const char *declared)
{
    if (contains(declared, "INT") || contains(declared, "BOOL"))
        return SQL_INTEGER;
    if (contains(declared, "DOUBLE") || contains(declared, "REAL") || contains(declared, "FLOAT"))
        return SQL_DOUBLE;
    if (contains(declared, "DATETIME") || contains(declared, "TIMESTAMP"))
        return SQL_DATETIME;
    return contains(declared, "BLOB") ? SQL_BLOB : SQL_TEXT;
}

static enum sql_type type_stored(int type)
{
    return type == SQLITE_INTEGER ? SQL_INTEGER
           : type == SQLITE_FLOAT ? SQL_DOUBLE
           : type == SQLITE_BLOB  ? SQL_BLOB
                                  : SQL_TEXT;
}

/* A text alone is named by its content, as MySQL does it. */
static struct str plain_name(const char *name)
{
    struct str text = str_from(name);
    bool is_quoted = text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'' &&
                     !memchr(text.ptr + 1, '\'', text.len - 2);
    return is_quoted ? (struct str){text.ptr + 1, text.len - 2} : text;
}

void sql_column_describe(sqlite3_stmt *stmt, int i, bool has_row, struct sql_column *ret)
{
    const char *declared = sqlite3_column_decltype(stmt, i);
    const char *table = sqlite3_column_table_name(stmt, i);
    ret->name = plain_name(sqlite3_column_name(stmt, i));
    ret->table = table && !str_starts(str_from(table), STR(SQL_RESERVED_PREFIX)) ? str_from(table) : STR("");
    ret->type = declared  ? type_declared(declared)
                : has_row ? type_stored(sqlite3_column_type(stmt, i))
                          : SQL_TEXT;
}

void sql_column_read(sqlite3_stmt *stmt, int i, enum sql_type declared, struct sql_value *ret)
{
    ret->type = type_stored(sqlite3_column_type(stmt, i));
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_NULL:
        ret->type = SQL_NULL;
        break;
    case SQLITE_INTEGER:
        ret->integer = sqlite3_column_int64(stmt, i);
        break;
    case SQLITE_FLOAT:
        ret->real = sqlite3_column_double(stmt, i);
        break;
    default:
        ret->text.ptr = sqlite3_column_blob(stmt, i);
        ret->text.len = (size_t)sqlite3_column_bytes(stmt, i);
        if (ret->type == SQL_TEXT && declared == SQL_DATETIME)
            ret->type = SQL_DATETIME;
    }
}
