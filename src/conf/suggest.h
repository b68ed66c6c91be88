/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean ...?": the nearest of some known words. Pure. */
#pragma once

#include "base/str.h"

/* Offer every known word, then read `best`. */
struct suggestion {
    struct str word; /* what was written; borrowed */
    struct str best; /* nearest offer so far, borrowed from the caller; empty: none is near */
    size_t distance; /* of `best` */
};

void suggestion_init(struct suggestion *suggestion, struct str word);

/* A word is near when at most two edits (fewer for short words) lead to it, case aside, or when one of the
 * two begins with the other. Among equally near ones the first offered wins. */
void suggestion_offer(struct suggestion *suggestion, struct str known);
