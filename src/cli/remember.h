/* SPDX-License-Identifier: Apache-2.0 */
/* What of a statement goes into the history. Pure. */
#pragma once

#include "base/buf.h"

/* Statements that name passwords, keys or secrets stay out: their values would lie in a file in clear. */
bool is_confidential(struct str statement);

/* The statement on one line, so that it can be recalled and edited: comments left out, line ends made spaces; those
 * within quotations stay. */
void remember_line(struct str statement, struct buf *out);
