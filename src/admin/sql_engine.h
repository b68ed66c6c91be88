/* SPDX-License-Identifier: Apache-2.0 */
/* What all SQL sessions share. Lifetime: process; store thread. */
#pragma once

#include "admin/generation.h"
#include "admin/sql.h"
#include "base/list.h"

/* In the handshake, VERSION() and @@version: the name that MindBalancer's users know, a number that clients accept. */
#define SQL_SERVER_VERSION "5.7.0-MindBalancer"
#define SQL_VERSION_COMMENT "Fairlead " FAIRLEAD_VERSION

struct json_reader;

struct sql_engine {
    /* Of the one who makes it; all borrowed. */
    const char *path; /* of the store */
    struct generation *generation;
    struct gateway *gateway;
    struct loop *loop; /* the store thread's */

    /* Its own. */
    struct list sessions; /* of struct sql_session */
    struct list publishes; /* of struct sql_publish: changes that are on their way to the workers */
    struct match_scratch scratch;
    struct json_reader *json;
};

/* The fields above are set before; the others may hold anything. */
MUST_USE enum err sql_engine_init(struct sql_engine *engine);

/* All sessions have been freed. What they published may still be under way when the process ends: that memory stays. */
void sql_engine_fini(struct sql_engine *engine);
