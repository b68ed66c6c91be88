/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: fairlead [COMMAND] [OPTIONS]. Each command returns the process's exit status:
 * 0 well, 1 it failed, 2 the command line is wrong. */
#pragma once

#include "base/str.h"

struct cli {
    struct str config_path; /* empty: none given */
    struct str data_dir;    /* empty: as configured */
};

int cli_serve(const struct cli *cli);
int cli_check(const struct cli *cli);

/* `direction`: up, down or status. */
int cli_migrate(const struct cli *cli, struct str direction);

/* Prints the fairlead.yaml of any configuration file. */
int cli_import(struct str path);

/* Prints a password's hash; `given` is STR_NONE when the password is to be asked for. */
int cli_hash_password(struct str given);
