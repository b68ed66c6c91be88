/* SPDX-License-Identifier: Apache-2.0 */
/* What happens once before the loops run: reading the configuration, locking the data folder, looking around. */
#pragma once

#include "conf/load.h"
#include "main/cli.h"

#include <time.h>

/* Reads `path` and prints every fault and notice to stderr. NULL when there is a fault. */
struct config *startup_load(struct str path);

/* Without --config: takes the first file that is there of fairlead.yaml and mindbalancer.cnf in the working folder,
 * /etc/mindbalancer/mindbalancer.cnf and ~/.mindbalancer/mindbalancer.cnf. Prints which one is used. */
void startup_find_config(struct cli *io_cli);

/* When the file was last changed; zero when it cannot be told. */
struct timespec startup_file_time(struct str path);

/* Makes the folder and those above it if they are missing, and locks it for this process, for its life. On failure `why` says who has it. */
#define STARTUP_WHY_MAX 512
MUST_USE enum err startup_lock(struct str data_dir, char *why);

/* Adds what it finds: local inference servers on their usual ports, and providers whose key is in the environment.
 * Prints what it found and what it cannot use. May take about 300 ms. */
void startup_discover(struct config *config);

/* Starts fairlead-sim, which stands beside this program, as a server named "sim"; it ends with this process. */
MUST_USE enum err startup_simulator(struct config *config, char *why);
