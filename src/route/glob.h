/* SPDX-License-Identifier: Apache-2.0 */
/* Shell-like patterns, compared with the whole text byte by byte.
 *
 * `*` any run of bytes, also none; `?` one byte; `[abc]`, `[a-z]` one of them; `[!abc]`, `[^abc]` one that is
 * not among them; a `]` directly behind the opening is meant literally. There is no escape: `[*]` is a star.
 * Cost is at most text x pattern steps, without recursion or memory. */
#pragma once

#include "base/str.h"

/* Whether `pattern` has a special character; without one it means plain equality. */
bool glob_has_specials(struct str pattern);

/* Offset of a `[` that is never closed, or -1. */
ssize_t glob_find_fault(struct str pattern);

/* `pattern` has no fault. */
bool glob_match(struct str pattern, struct str text);
