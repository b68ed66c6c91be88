/* SPDX-License-Identifier: Apache-2.0 */
/* From rows to a configuration in force. The configuration is the file's (or what was found at the start), and over it
 * the rows of the store whose source is 'sql'. Each change is one transaction: rows are written, secrets sealed, the
 * whole is built and checked, then committed and published; or nothing has happened.
 *
 * Store thread, but for generation_open, which boots. */
#pragma once

#include "conf/config.h"
#include "proxy/gateway.h"
#include "store/db.h"
#include "store/seal.h"

#define GENERATION_WHY_MAX 2048

struct generation {
    struct db *db; /* its own connection: mirror and boot */
    struct seal *seal;
    struct gateway *gateway;
    struct config *base; /* the file's configuration; a reference */
    struct loop *loop;   /* the store thread's */
};

/* Mirrors `base` into the tables and builds the first policy. `base` is taken over on success. */
MUST_USE enum err generation_open(struct generation *generation, struct db *db, struct seal *seal,
                                  struct config *base, struct policy **ret_policy, char *why);
void generation_close(struct generation *generation);

/* Whether a write to `table` concerns the configuration. */
bool generation_covers(struct str table);

/* Before COMMIT, within the open transaction of `db`: seals what was written in clear, hashes passwords and client keys,
 * then builds and checks the configuration that the rows make, down to what the gateway needs (TLS contexts, number of
 * servers). ERR_INVALID: `why` names table, row, column and reason; the caller rolls back. */
MUST_USE enum err generation_build(struct generation *generation, struct db *db, struct policy **ret_policy, char *why);

/* A new file: replaces the mirror and the base in one transaction. `base` is taken over on success. */
MUST_USE enum err generation_replace_base(struct generation *generation, struct config *base,
                                          struct policy **ret_policy, char *why);

/* After COMMIT. `publish->in_force` comes back on the store thread's loop once every worker uses it. Takes over the
 * reference to `policy`. */
struct generation_publish {
    struct message in_force;
};
void generation_publish(struct generation *generation, struct policy *policy, struct generation_publish *publish);
