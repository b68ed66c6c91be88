/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to struct config: fairlead.yaml, or mindbalancer.cnf (by its name or its first section). Reads everything
 * before it gives up, so the diagnostics are complete. A good file may have notices. */
#pragma once

#include "conf/config.h"
#include "conf/diagnostics.h"
#include "conf/env.h"

/* `text` is the file's content, `path` its name for config->path. ERR_INVALID: the diagnostics say why,
 * sorted by place. The result is the caller's: config_free. */
MUST_USE enum err config_load(struct str text, struct str path, const struct config_env *env,
                              struct config **ret_config, struct diagnostics *io_diagnostics);

/* As config_load, with the file read through `env`; a file that cannot be read is a diagnostic too. */
MUST_USE enum err config_load_file(struct str path, const struct config_env *env, struct config **ret_config,
                                   struct diagnostics *io_diagnostics);

/* An empty one with default settings, for those who fill it; NULL when memory is short. */
MUST_USE struct config *config_new(void);

/* The configuration without a file: default settings and listeners, no servers. */
MUST_USE enum err config_defaults(struct config **ret_config);

/* Adds a server that was found at the start, before the configuration is shared: hostgroup 0, weight 1, no
 * limit, models asked from it. `endpoint` may be empty: the provider's. Copies what it is given. ERR_BUSY:
 * the name is taken; ERR_INVALID: the endpoint or the key is none. */
MUST_USE enum err config_add_server(struct config *config, struct str name, const struct provider *provider,
                                    struct str endpoint, struct str api_key);

/* One more owner; each calls config_free. Any thread. */
struct config *config_ref(struct config *config);

/* Gives back one reference; the last one wipes the secrets and frees everything. Harmless on NULL. */
void config_free(struct config *config);
