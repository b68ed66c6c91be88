/* SPDX-License-Identifier: Apache-2.0 */
/* The manual of tables, views and commands, written from the schema and the tables of the SQL engine. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* The whole of docs/sql-reference.md, in Markdown. The same bytes in every run. `why` has DB_WHY_MAX bytes. */
MUST_USE enum err sql_document(struct buf *out, char *why);
