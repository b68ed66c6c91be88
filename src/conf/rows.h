/* SPDX-License-Identifier: Apache-2.0 */
/* From rows of tables to a configuration: a base (the file's, or what was found at the start), and over it what the rows
 * say. The rules that hold for the file hold for the rows, by the same code; messages name table, row and column.
 *
 * A cell whose text is empty counts as left out, whatever its column. A hostgroup that rules or users
 * name need not be there yet, since rows come one statement after the other. Cells of columns that have no meaning here (id,
 * created_at ...) are passed over. Pure but for the config_env. */
#pragma once

#include "conf/config.h"
#include "conf/diagnostics.h"
#include "conf/env.h"

/* Texts end with a NUL. */
struct cell {
    struct str column, text; /* text: empty for NULL */
};

struct row {
    struct str where; /* for messages: "ai_servers, name 'node-a'" */
    const struct cell *cells;
    size_t cell_count;
};

struct row_list {
    const struct row *items;
    size_t count;
};

/* Columns as in src/store/schema. Secrets are in clear: api_key_encrypted of a server, values of SECRET variables. */
struct config_rows {
    struct row_list servers, hostgroups, rules, users, api_keys, prices, aliases, variables;
};

/* `io_diagnostics` comes empty. `base` is unchanged; the result holds a reference to it and is the caller's: config_free. ERR_INVALID: the diagnostics
 * say why; what lies behind the first kind of fault may not have been looked at. */
MUST_USE enum err config_from_rows(struct config *base, const struct config_rows *rows,
                                   const struct config_env *env, struct config **ret_config,
                                   struct diagnostics *io_diagnostics);
