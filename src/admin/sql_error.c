/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_error.h"

#include <stdarg.h>
#include <stdio.h>

const char *sql_error_state(enum sql_error_number number)
{
    switch (number) {
    case SQL_ERR_NONE:
        return "00000";
#define SQL_ERROR(name, number_, sqlstate)                                                                   \
    case name:                                                                                               \
        return sqlstate;
#include "admin/sql_error.def"
#undef SQL_ERROR
    }
    return "HY000";
}

void sql_error_set(struct sql_error *error, enum sql_error_number number, const char *fmt, ...)
{
    if (error->number != SQL_ERR_NONE)
        return;
    error->number = number;
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->message, sizeof(error->message), fmt, args);
    va_end(args);
}

/* Result codes that mean one thing, whatever the text. `format` has one %s, for the part of SQLite's text behind
 * `prefix`; a text without the prefix is given whole. */
static const struct {
    int code;
    enum sql_error_number number;
    const char *prefix, *format;
} codes[] = {
    {SQLITE_CONSTRAINT_UNIQUE, SQL_ERR_DUPLICATE,
     "UNIQUE constraint failed: ", "Duplicate entry for key '%s'"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, SQL_ERR_DUPLICATE,
     "UNIQUE constraint failed: ", "Duplicate entry for key '%s'"},
    {SQLITE_CONSTRAINT_ROWID, SQL_ERR_DUPLICATE,
     "UNIQUE constraint failed: ", "Duplicate entry for key '%s'"},
    {SQLITE_CONSTRAINT_NOTNULL, SQL_ERR_NULL, "NOT NULL constraint failed: ", "Column '%s' cannot be null"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, SQL_ERR_REFERENCE, "",
     "Cannot add or update a child row: a foreign key constraint fails (%s)"},
    {SQLITE_CONSTRAINT_CHECK, SQL_ERR_CHECK,
     "CHECK constraint failed: ", "Check constraint '%s' is violated"},
    {SQLITE_CONSTRAINT_TRIGGER, SQL_ERR_SIGNAL, "", "%s"},
    {SQLITE_BUSY, SQL_ERR_LOCKED, "",
     "Lock wait timeout exceeded; another session has a transaction open (%s)"},
    {SQLITE_LOCKED, SQL_ERR_LOCKED, "", "Lock wait timeout exceeded (%s)"},
    {SQLITE_INTERRUPT, SQL_ERR_INTERRUPTED, "", "Query execution was interrupted (%s)"},
    {SQLITE_FULL, SQL_ERR_DISK_FULL, "", "The disk is full, or the file may not grow (%s)"},
    {SQLITE_IOERR, SQL_ERR_READ, "", "The store could not be read or written (%s)"},
    {SQLITE_CORRUPT, SQL_ERR_READ, "", "The store is damaged (%s)"},
    {SQLITE_NOTADB, SQL_ERR_READ, "", "The store is damaged (%s)"},
    {SQLITE_NOMEM, SQL_ERR_NO_MEMORY, "", "Out of memory (%s)"},
    {SQLITE_READONLY, SQL_ERR_READ_ONLY, "", "The store cannot be written (%s)"},
    {SQLITE_TOOBIG, SQL_ERR_TOO_LONG, "", "A text or the statement is too long (%s)"},
    {SQLITE_MISMATCH, SQL_ERR_TYPE, "", "Incorrect value for an integer column (%s)"},
};

/* Beginnings of SQLite's texts for SQLITE_ERROR. */
static const struct {
    const char *prefix;
    enum sql_error_number number;
    const char *format;
} texts[] = {
    {"no such table: main.", SQL_ERR_NO_TABLE, "Table '%s' doesn't exist"},
    {"no such table: ", SQL_ERR_NO_TABLE, "Table '%s' doesn't exist"},
    {"no such column: ", SQL_ERR_BAD_COLUMN, "Unknown column '%s'"},
    {"no such function: ", SQL_ERR_NO_ROUTINE, "FUNCTION %s does not exist"},
    {"no such savepoint: ", SQL_ERR_NO_ROUTINE, "SAVEPOINT %s does not exist"},
    {"ambiguous column name: ", SQL_ERR_AMBIGUOUS, "Column '%s' is ambiguous"},
    {"misuse of aggregate", SQL_ERR_GROUPING, "Invalid use of group function%s"},
    {"incomplete input", SQL_ERR_SYNTAX,
     "You have an error in your SQL syntax: the statement is not complete%s"},
};

/* Words within SQLite's texts. */
static const struct {
    const char *part;
    enum sql_error_number number;
} parts[] = {
    {" has no column named ", SQL_ERR_BAD_COLUMN},
    {" values for ", SQL_ERR_COLUMN_COUNT},
    {" values were supplied", SQL_ERR_COLUMN_COUNT},
    {"wrong number of arguments to function", SQL_ERR_NATIVE_ARGUMENTS},
    {" may not be modified", SQL_ERR_DENIED_TABLE},
    {"cannot modify ", SQL_ERR_DENIED_TABLE},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are those of the tables above */

static bool set_by_code(struct sql_error *error, int code, const char *text)
{
    for (int wanted = code;; wanted &= 0xff) { /* the extended code first, then its family */
        for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
            if (codes[i].code != wanted)
                continue;
            size_t skipped = strlen(codes[i].prefix);
            bool has_prefix = strncmp(text, codes[i].prefix, skipped) == 0;
            sql_error_set(error, codes[i].number, codes[i].format, text + (has_prefix ? skipped : 0));
            return true;
        }
        if (wanted == (wanted & 0xff))
            return false;
    }
}

static bool set_by_text(struct sql_error *error, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t skipped = strlen(texts[i].prefix);
        if (strncmp(text, texts[i].prefix, skipped) == 0) {
            sql_error_set(error, texts[i].number, texts[i].format, text + skipped);
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strstr(text, parts[i].part)) {
            sql_error_set(error, parts[i].number, "%s", text);
            return true;
        }
    }
    return false;
}

#pragma GCC diagnostic pop

/* A text in quotes may be a secret in the wrong place: it is not repeated. */
void sql_error_from_sqlite(struct sql_error *error, sqlite3 *db)
{
    const char *text = sqlite3_errmsg(db);
    if (set_by_code(error, sqlite3_extended_errcode(db), text) || set_by_text(error, text))
        return;
    bool is_syntax = strstr(text, "syntax error") || strstr(text, "unrecognized token");
    if (is_syntax && strchr(text, '\''))
        sql_error_set(error, SQL_ERR_SYNTAX, "You have an error in your SQL syntax: near a text in quotes");
    else if (is_syntax)
        sql_error_set(error, SQL_ERR_SYNTAX, "You have an error in your SQL syntax: %s", text);
    else
        sql_error_set(error, SQL_ERR_OTHER, "%s", text);
}
