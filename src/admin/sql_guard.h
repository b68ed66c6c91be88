/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a session inside of what it may do: an authorizer, a limit on computing, and secrets that no SELECT shows.
 *
 * A statement that names a table with secrets gets a WITH clause in front, in which a common table expression of the
 * same name shows masks; writes name the schema (sql_text.h) and so reach the table itself. A read of the table's secret
 * columns is refused, but to the innermost of these expressions, whose name no statement can contain. */
#pragma once

#include "admin/sql_session.h"

/* Prepares the masks and sets the authorizer. False: session->error says why. */
MUST_USE bool sql_guard_open(struct sql_session *session);

void sql_guard_close(struct sql_session *session);

/* Puts the masks into session->sql, from offset 0 on a statement of these facts. */
void sql_guard_mask(struct sql_session *session, const struct sql_facts *facts);

/* Around sqlite3_step: computing is only counted in between. */
void sql_guard_start_clock(struct sql_session *session);
void sql_guard_stop_clock(struct sql_session *session);
