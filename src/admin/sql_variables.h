/* SPDX-License-Identifier: Apache-2.0 */
/* What @@name and SHOW VARIABLES show: MySQL's variables as clients expect them, and our settings as they are in force. */
#pragma once

#include "admin/sql_session.h"

/* False: there is none of that name (any case). The text lives in the session's arena. */
MUST_USE bool sql_variable_get(struct sql_session *session, struct str name, struct sql_value *ret_value);

/* Whether it is one of MySQL's, which SET takes and forgets. */
bool sql_variable_is_mysql(struct str name);
