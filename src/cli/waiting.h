/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a descriptor and for Ctrl-C at once. While it is on, SIGINT is blocked and read from a descriptor: it
 * comes only where somebody waits or asks for it. */
#pragma once

#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>

enum waited {
    WAITED_READY,
    WAITED_TIMEOUT,
    WAITED_INTERRUPT, /* Ctrl-C */
    WAITED_SIGNAL,    /* another signal was handled in between */
};

/* Switches it on for this process. Off, waiting_for never gives WAITED_INTERRUPT, and SIGINT ends the program. */
MUST_USE enum err waiting_start(void);

/* `events`: of poll. `timeout`: milliseconds, -1 is none. */
enum waited waiting_for(int fd, short events, int timeout);

/* Whether Ctrl-C has come since the last time that somebody knew of it. */
bool waiting_interrupted(void);
