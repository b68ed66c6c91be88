/* SPDX-License-Identifier: Apache-2.0 */
/* From MySQL's SQL to SQLite's: texts and escapes, comments, @@variables, names of tables and schemas. Everything else
 * stays as it is written. Pure. */
#pragma once

#include "admin/sql_error.h"
#include "admin/sql_lexer.h"
#include "base/err.h"

/* Names that begin so are the guard's; no statement may contain it (SQLite takes texts for names). */
#define SQL_RESERVED_PREFIX "\001mask\001"

enum sql_verb {
    SQL_VERB_OTHER,
    SQL_VERB_SELECT,
    SQL_VERB_INSERT,
    SQL_VERB_UPDATE,
    SQL_VERB_DELETE,
    SQL_VERB_EXPLAIN
};

struct sql_facts {
    enum sql_verb verb; /* of the statement as a whole; REPLACE is INSERT */
    size_t marks;       /* question marks */
    size_t with_at;     /* offset in our part of `out` where a WITH clause, or more of it, can be inserted */
    bool has_with;      /* there is one: behind the word */
};

/* Appends the statement for SQLite to `out`. Writes name the schema `main`; reads
 * name none, so that the guard can put something in front of a table (sql_guard.h). ERR_INVALID: `error` says why; ERR_NO_MEMORY: `out` has reached its cap. */
MUST_USE enum err sql_text_translate(struct str statement, struct buf *out, struct sql_facts *ret_facts,
                                     struct sql_error *error);

/* An expression, which is added to a statement of our own: what would end that one is refused. */
MUST_USE enum err sql_text_translate_expression(struct str expression, struct buf *out,
                                                struct sql_facts *ret_facts, struct sql_error *error);
