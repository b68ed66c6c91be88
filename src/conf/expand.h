/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables inside of a text. Pure: variables come from the config_env.
 *
 *   ${NAME}            the variable's value; an error when it is not set
 *   ${NAME:-default}   the default when it is not set or empty; the default ends at the first '}'
 *   $$                 one dollar
 * Any other dollar is an ordinary character: regular expressions need it. A value is not expanded again. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/env.h"

#define EXPAND_MAX 65536 /* bytes of an expanded text */

/* ERR_INVALID: `io_message` says why, naming the variable but no value; ERR_LIMIT: over EXPAND_MAX. The
 * result is a copy in `arena`. */
MUST_USE enum err expand_text(struct str text, const struct config_env *env, struct arena *arena,
                              struct str *ret_text, struct buf *io_message);
