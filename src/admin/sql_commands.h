/* SPDX-License-Identifier: Apache-2.0 */
/* The statements beside SQL: a table of patterns (sql_commands.def) and what each of them does. */
#pragma once

#include "admin/sql_session.h"

#define SQL_CAPTURE_MAX 8

/* A statement that fits a pattern. Texts live in the session's arena or in the statement. */
struct sql_call {
    const struct sql_command *command;
    struct sql_token captures[SQL_CAPTURE_MAX]; /* by `$` in the pattern; kind SQL_TOKEN_END: left out */
    size_t capture_count;
    struct str rest;        /* what stands for `...` or for the filter, to the end of the statement */
    struct sql_lexer lexer; /* at the rest */
    size_t marks;           /* question marks in the statement */
};

struct sql_command {
    const char *pattern;
    void (*run)(struct sql_session *session, const struct sql_call *call);
    const char *select;      /* of SHOW commands */
    const char *like_column; /* what LIKE looks at */
    const char *help;
};

/* True when `statement` is a command; false: it is SQL. */
MUST_USE bool sql_command_find(struct str statement, struct sql_call *ret_call);

/* The content of a capture, or the value of its question mark, as a text in the session's arena. */
struct str sql_call_text(struct sql_session *session, const struct sql_call *call, size_t capture);
bool sql_call_has(const struct sql_call *call, size_t capture);

#define COMMAND(pattern, run, help) void run(struct sql_session *session, const struct sql_call *call);
#include "admin/sql_commands.def"

/* Handlers of SHOW rows of the table. */
void sql_show(struct sql_session *session, const struct sql_call *call);
