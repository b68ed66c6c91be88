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
    struct config *base; /* the file's configuration; a reference */
    /* The caller's to set, before generation_publish; without a gateway, generation_build leaves out its checks. */
    struct gateway *gateway;
    struct loop *loop; /* the store thread's */
};

/* Mirrors `base` into the tables, which have been migrated, and builds the first policy. `base` is taken over on
 * success; it is not shared yet. Of servers that were found at the start, those go whose name a row has. */
MUST_USE enum err generation_open(struct generation *generation, struct db *db, struct seal *seal,
                                  struct config *base, struct policy **ret_policy, char *why);
void generation_close(struct generation *generation);

/* Whether a write to `table` concerns the configuration. */
bool generation_covers(struct str table);

/* Before COMMIT, within the open transaction of `db`: seals what was written in clear, hashes passwords and client keys,
 * then builds and checks the configuration that the rows make, down to what the gateway needs (TLS contexts, number of
 * servers). It runs statements of its own on `db` (with db->is_internal, for an authorizer), so the caller has asked for
 * its changes and last row id before. ERR_INVALID: `why` names table, row, column and reason; on every failure the caller
 * rolls back. */
MUST_USE enum err generation_build(struct generation *generation, struct db *db, struct policy **ret_policy,
                                   char *why);

/* A new file: replaces the mirror and the base in one transaction. `base` is taken over on success. ERR_BUSY: a session
 * is writing. */
MUST_USE enum err generation_replace_base(struct generation *generation, struct config *base,
                                          struct policy **ret_policy, char *why);

/* After COMMIT. `in_force`, whose on_delivery the caller has set, comes back on the store thread's loop once every worker
 * uses the configuration; until then the publish has to stay where it is. Takes over the reference to `policy`. On the
 * control thread gateway->on_policy hears of it. */
struct generation_publish {
    struct message in_force;
    enum err
        result; /* when it is back. Not ERR_OK: memory was short, the configuration before is still in force */
    struct message order;
    struct gateway_ticket ticket;
    struct gateway *gateway;
    struct policy *policy;
};
void generation_publish(struct generation *generation, struct policy *policy,
                        struct generation_publish *publish);
