/* SPDX-License-Identifier: Apache-2.0 */
/* Columns and values of a SQLite statement as results show them. */
#pragma once

#include "admin/sql.h"

#include <sqlite3.h>

/* Names are views into the statement. `has_row`: there is a row, and a column that is computed has the type of its
 * value; else that is TEXT. */
void sql_column_describe(sqlite3_stmt *stmt, int i, bool has_row, struct sql_column *ret);

/* The value in the present row; a text in a column of that kind is a DATETIME. */
void sql_column_read(sqlite3_stmt *stmt, int i, enum sql_type declared, struct sql_value *ret);
