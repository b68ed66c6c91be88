/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of SQL as the configuration is built from them. What was written in clear is sealed or hashed on the way.
 * Store thread. */
#pragma once

#include "conf/rows.h"
#include "store/db.h"
#include "store/seal.h"

struct secret;

/* Secrets are in clear here: short-lived, wiped by stored_rows_fini. */
struct stored_rows {
    struct config_rows rows;
    struct arena arena;
    struct secret *secrets;
};

/* Within the open transaction of `db`. `base` tells which settings are as they were. On failure stored_rows_fini is still
 * called, and `why` (512 bytes) names table, row and column. */
MUST_USE enum err stored_rows_read(struct stored_rows *stored, struct db *db, const struct seal *seal,
                                   const struct config *base, char *why);
void stored_rows_fini(struct stored_rows *stored);
