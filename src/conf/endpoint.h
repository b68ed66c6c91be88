/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them, taken apart and checked. Pure. Results are copies in `arena`; on
 * ERR_INVALID `reterr_reason` is a literal that never repeats the input (it may hold a password). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"

/* An http or https URL of a server. `base_path` is the provider's; where the URL's path ends with it, with a
 * beginning of it ("/openai" of "/openai/v1") or with a version segment ("/v1"), nothing is doubled. */
MUST_USE enum err endpoint_parse(struct str text, struct str base_path, struct arena *arena,
                                 struct endpoint *ret_endpoint, const char **reterr_reason);

/* "127.0.0.1:6034" or "[::1]:6034": a numeric address to listen on; port 0 is allowed. */
MUST_USE enum err listen_address_parse(struct str text, struct arena *arena, struct str *ret_host,
                                       uint16_t *ret_port, const char **reterr_reason);
