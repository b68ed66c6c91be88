/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal: how wide it is, and free of what would move the cursor. Pure, but the width of characters is the
 * locale's (wcwidth). */
#pragma once

#include "base/buf.h"

/* Adds `text` to `out` (NULL: only measures) with control characters and bytes that are not UTF-8 written as escapes
 * (\n, \x1b). Line ends stay when `is_multiline`. Returns the columns it takes. */
size_t text_show(struct buf *out, struct str text, bool is_multiline);

/* `count` times `c`. */
void text_repeat(struct buf *out, char c, size_t count);
