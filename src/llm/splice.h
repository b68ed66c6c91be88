/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a body that leave every other byte as it is: places where bytes are cut and others put in. */
#pragma once

#include "base/str.h"

#include <sys/uio.h>

struct splice {
    size_t at, cut; /* offset in the body, and how many bytes go */
    struct str insert;
};

#define SPLICES_MAX 2

struct splices {
    size_t count;
    struct splice items[SPLICES_MAX];
};

/* Pieces that splices_apply can make. */
#define SPLICE_PIECES_MAX (2 * SPLICES_MAX + 1)

/* Adds one; the items stay in order of `at`. */
void splices_add(struct splices *splices, size_t at, size_t cut, struct str insert);

/* Length of `body` after the changes. */
size_t splices_length(const struct splices *splices, struct str body);

/* Views of `body` and of the inserts, in order, whose concatenation is the changed body. Returns their number. */
size_t splices_apply(const struct splices *splices, struct str body, struct iovec out[SPLICE_PIECES_MAX]);
