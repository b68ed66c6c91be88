/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as clients of MySQL know them: a number, a SQLSTATE, a sentence. */
#pragma once

#include "base/buf.h"

#include <sqlite3.h>

#define SQL_ERROR_MESSAGE_MAX 2304

enum sql_error_number {
    SQL_ERR_NONE,
#define SQL_ERROR(name, number, sqlstate) name = number,
#include "admin/sql_error.def"
#undef SQL_ERROR
};

struct sql_error {
    enum sql_error_number number; /* SQL_ERR_NONE: no error */
    char message[SQL_ERROR_MESSAGE_MAX];
};

/* Five letters, never NULL. */
const char *sql_error_state(enum sql_error_number number);

/* The first error of a statement stays. */
void sql_error_set(struct sql_error *error, enum sql_error_number number, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* What SQLite says of its last failure on `db`, translated. */
void sql_error_from_sqlite(struct sql_error *error, sqlite3 *db);
