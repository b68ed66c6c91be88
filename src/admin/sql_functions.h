/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that MySQL's clients call and SQLite does not have, and those that mask secrets. */
#pragma once

#include "admin/sql_session.h"

/* Registers them with the session's connection. */
MUST_USE bool sql_functions_open(struct sql_session *session);

/* MySQL's LIKE: `%`, `_`, backslash (or `escape`) before a character that is meant literally; ASCII letters compare
 * equal in both cases. Pure. */
bool sql_like(struct str pattern, struct str text, char escape);
