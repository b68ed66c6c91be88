/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration may ask of the world around it: variables and files. A table of functions, so that
 * tests and fuzzing bring a world of their own. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

struct config_env {
    /* Value of an environment variable, NULL when it is not set. Stays valid during the load. */
    const char *(*variable)(void *context, const char *name);

    /* Appends the whole file to `out`. ERR_NOT_FOUND, ERR_LIMIT (does not fit into `out`), ERR_SYSTEM (not
     * readable). What was appended before a failure may stay. */
    enum err (*read_file)(void *context, struct str path, struct buf *out);

    /* Whether this process may read the file. */
    bool (*is_readable)(void *context, struct str path);

    /* Whether a rule's pattern compiles; `why` then gets the reason. `is_search`: it is searched for in a text, else it
     * has to match a whole one. NULL: patterns are not checked here. */
    bool (*is_pattern)(void *context, const struct match_config *pattern, bool is_search, struct buf *why);

    void *context;
};

/* The real environment and file system. May wait for the disk. */
extern const struct config_env config_env_process;

/* Why read_file failed, for people. */
const char *config_env_reason(enum err err);
