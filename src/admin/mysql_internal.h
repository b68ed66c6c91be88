/* SPDX-License-Identifier: Apache-2.0 */
/* Between the sources of a MySQL session: mysql_session.c (its life), mysql_authenticate.c (who it is),
 * mysql_command.c (what it asks), mysql_statement.c (what it prepared), mysql_result.c (what it gets). */
#pragma once

#include "admin/mysql_session.h"

#define MYSQL_HOST_TEXT_MAX ADDRESS_TEXT_MAX

enum mysql_error {
#define MYSQL_ERROR(name, number, sqlstate) MYSQL_ERROR_##name = number,
#include "admin/mysql_error.def"
#undef MYSQL_ERROR
};

/* ---- mysql_session.c ---- */

/* The peer's address without its port, into MYSQL_HOST_TEXT_MAX bytes. */
struct str mysql_session_host(const struct mysql_session *session, char *out);

/* Answers the present command; it is then over. */
void mysql_session_ok(struct mysql_session *session);
void mysql_session_fail(struct mysql_session *session, enum mysql_error error, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Ends the answer whose packets were put into `out`: the next command begins with sequence number 0. */
void mysql_session_answered(struct mysql_session *session);

/* Tells the error and ends the session. */
void mysql_session_refuse(struct mysql_session *session, enum mysql_error error, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

uint16_t mysql_session_status(const struct mysql_session *session);
const struct settings *mysql_session_settings(const struct mysql_session *session);

/* The login has ended well: waits for commands, or for their time to be over. */
void mysql_session_await_command(struct mysql_session *session);

/* A login, or a change of the user, has so much time. */
void mysql_session_await_login(struct mysql_session *session, enum mysql_session_state state);

/* Ends the SQL session, with its transaction, and all prepared statements. */
void mysql_session_drop_sql(struct mysql_session *session);

/* ---- mysql_authenticate.c ---- */

MUST_USE bool mysql_greet(struct mysql_session *session); /* false: no random numbers */
void mysql_on_login(struct mysql_session *session, struct str payload);
void mysql_on_auth(struct mysql_session *session, struct str payload);
void mysql_on_change_user(struct mysql_session *session, struct str payload);

/* A SQL session of the same user and database, in place of the one before. False: refused, the session ends. */
MUST_USE bool mysql_open_sql(struct mysql_session *session);

/* ---- mysql_command.c ---- */

void mysql_on_command(struct mysql_session *session, struct str payload);

/* ---- mysql_result.c ---- */

void mysql_result_init(struct mysql_session *session); /* once */

/* Runs a statement, whose answer goes to the client. */
void mysql_run(struct mysql_session *session, struct str statement, const struct sql_value *params,
               size_t param_count, bool is_binary);
void mysql_put_sql_column(struct mysql_session *session, const struct sql_column *column, bool is_field_list);
void mysql_put_outcome_error(struct mysql_session *session, const struct sql_outcome *outcome);

/* ---- mysql_statement.c ---- */

void mysql_on_prepare(struct mysql_session *session, struct str text);
void mysql_on_execute(struct mysql_session *session, struct str payload);
void mysql_on_long_data(struct mysql_session *session, struct str payload);
void mysql_on_statement_close(struct mysql_session *session, struct str payload);
void mysql_on_statement_reset(struct mysql_session *session, struct str payload);
void mysql_statements_drop(struct mysql_session *session);
void mysql_statement_executed(struct mysql_session *session);

/* A describe with room for all columns that a statement can have. False: told to the client. `*ret_columns` is the
 * caller's to free. */
MUST_USE bool mysql_describe(struct mysql_session *session, struct str text, size_t *ret_params,
                             struct sql_column **ret_columns, size_t *ret_count);
