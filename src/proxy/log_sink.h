/* SPDX-License-Identifier: Apache-2.0 */
/* Where access-log lines go: workers hand over full buffers, one thread writes them. A slow disk or a full pipe makes
 * lines wait and, beyond a bound, be dropped and counted; it never makes a request wait. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct log_sink;

/* `target`: "stdout", "off" (then *ret_sink is NULL and success) or a file's path, opened for append. */
MUST_USE enum err log_sink_open(struct str target, struct log_sink **ret_sink);

/* Takes what is in `io_lines`, which is left empty, perhaps with the memory of lines written before. Any thread.
 * False: too much is waiting, the lines are dropped. */
bool log_sink_write(struct log_sink *sink, struct buf *io_lines);

/* Opens the file anew, for log rotation. Any thread. */
void log_sink_reopen(struct log_sink *sink);

/* Writes what waits, ends the thread. NULL is fine. */
void log_sink_close(struct log_sink *sink);
