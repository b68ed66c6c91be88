/* SPDX-License-Identifier: Apache-2.0 */
/* The interactive session: line editing, completion, history. */
#pragma once

#include "cli/console.h"

/* Until the end of input or \q. False: the terminal cannot be used; the reason is on stderr. */
MUST_USE bool session_run(struct console *console);
