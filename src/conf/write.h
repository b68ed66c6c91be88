/* SPDX-License-Identifier: Apache-2.0 */
/* From struct config back to a fairlead.yaml that loads to the same one. Pure but for the config_env. */
#pragma once

#include "conf/config.h"
#include "conf/env.h"

/* Appends the file: settings that are not the default, and every listener, hostgroup, server and rule. No secret is in it:
 * in its place stands ${NAME}, with a comment that asks for the variable; where the provider's own variable holds the
 * secret already, that one. The caller looks at buf_ok. */
void config_write(const struct config *config, const struct config_env *env, struct buf *out);
