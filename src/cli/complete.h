/* SPDX-License-Identifier: Apache-2.0 */
/* What may follow what was typed. Pure. */
#pragma once

#include "base/arena.h"
#include "cli/catalog.h"

#define COMPLETIONS_MAX 256

struct completion {
    size_t typed;                      /* bytes before the cursor that a word would replace */
    struct str words[COMPLETIONS_MAX]; /* views into the arena, the catalog, or constant */
    size_t count;
    size_t common; /* bytes at the front that all words share, in either case */
    bool is_cut;   /* there are more words than these */
};

/* `before`: the statement up to the cursor. False: memory is short. */
MUST_USE bool complete(struct str before, const struct catalog *catalog, struct arena *arena,
                       struct completion *ret_completion);
