/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that show what the file says, for people who read tables. Nothing reads them back. Store thread. */
#pragma once

#include "conf/config.h"
#include "store/db.h"

/* Puts servers, hostgroups, rules and settings of `base` in place of those of an earlier one, within the open
 * transaction. Ids are negative, so that they never meet those of SQL. ERR_INVALID: a row of SQL has the name. */
MUST_USE enum err mirror_write(struct db *db, const struct config *base, char *why);

/* The settings only: those that no row of SQL has. `why` has DB_WHY_MAX bytes. */
MUST_USE enum err mirror_write_settings(struct db *db, const struct config *base, char *why);
