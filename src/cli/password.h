/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for a password. */
#pragma once

#include "base/err.h"
#include "base/macros.h"

#include <stddef.h>

/* From the terminal, also when statements come from a pipe; what is typed is not shown. `io_text` holds `size` bytes and
 * gets the password with a NUL behind it. Ctrl-C ends the program, with the echo on again. ERR_SYSTEM: no terminal;
 * ERR_LIMIT: too long; ERR_CLOSED: no line. The caller wipes `io_text` in any case. */
MUST_USE enum err password_ask(char *io_text, size_t size);
