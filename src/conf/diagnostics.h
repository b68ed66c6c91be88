/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: all of it, each with its place, so that one run shows everything.
 * Belongs to whoever loads; owns its texts. Pure. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#define DIAGNOSTICS_MAX 100

/* Line and column count from 1; line 0: the file as a whole. */
struct mark {
    unsigned line, column;
};

struct diagnostic {
    struct mark mark;
    struct str message;
    struct str suggestion; /* the word that was probably meant; may be empty */
};

struct diagnostics {
    struct arena arena;
    struct diagnostic items[DIAGNOSTICS_MAX];
    size_t count;
    size_t dropped; /* beyond DIAGNOSTICS_MAX, or when memory was short */
};

void diagnostics_init(struct diagnostics *diagnostics);
void diagnostics_fini(struct diagnostics *diagnostics);

/* Copies both texts; control characters in them become '?', so that no file can write to a terminal. */
void diagnostic_add(struct diagnostics *diagnostics, struct mark mark, struct str suggestion, const char *fmt,
                    ...) PRINTF_LIKE(4, 5);

/* By place in the file; equal places keep their order. */
void diagnostics_sort(struct diagnostics *diagnostics);

static inline size_t diagnostics_total(const struct diagnostics *diagnostics)
{
    return diagnostics->count + diagnostics->dropped;
}

/* One line each: "fairlead.yaml:12:5: unknown key 'endpont' in servers[0]; did you mean 'endpoint'?" */
void diagnostics_print(const struct diagnostics *diagnostics, struct str path, struct buf *out);
