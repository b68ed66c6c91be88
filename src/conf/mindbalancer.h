/* SPDX-License-Identifier: Apache-2.0 */
/* mindbalancer.cnf: the configuration of MindBalancer, read into ours. Each of its keys does here what it says, or is refused by
 * name (mindbalancer.def). It names no servers: those come from the store. Pure but for the config_env. */
#pragma once

#include "conf/config.h"
#include "conf/diagnostics.h"
#include "conf/env.h"

/* By its name, or by what it begins with. */
bool mindbalancer_is(struct str path, struct str text);

/* Reads `text` into a new configuration with default settings. Reports what is wrong; unless there is memory for none of it, the
 * result is ERR_OK, and the caller looks at the diagnostics. */
MUST_USE enum err mindbalancer_load(struct str text, const struct config_env *env, struct config *io_config,
                                    struct diagnostics *io_diagnostics);
