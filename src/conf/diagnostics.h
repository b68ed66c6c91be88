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
    bool is_notice;        /* good to know, and no fault */
};

struct diagnostics {
    struct arena arena;
    struct diagnostic items[DIAGNOSTICS_MAX];
    size_t count;
    size_t notices; /* of count */
    size_t dropped; /* faults beyond DIAGNOSTICS_MAX, or when memory was short */
};

void diagnostics_init(struct diagnostics *diagnostics);
void diagnostics_fini(struct diagnostics *diagnostics);

/* Copies both texts; control characters in them become '?', so that no file can write to a terminal. */
void diagnostic_add(struct diagnostics *diagnostics, struct mark mark, struct str suggestion, const char *fmt,
                    ...) PRINTF_LIKE(4, 5);

/* As diagnostic_add, for what the operator should know although the configuration is good. */
void diagnostic_notice(struct diagnostics *diagnostics, struct mark mark, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* By place in the file; equal places keep their order. */
void diagnostics_sort(struct diagnostics *diagnostics);

/* Faults; notices do not count. */
static inline size_t diagnostics_total(const struct diagnostics *diagnostics)
{
    return diagnostics->count - diagnostics->notices + diagnostics->dropped;
}

/* One line each: "fairlead.yaml:12:5: unknown key 'endpont' in servers[0]; did you mean 'endpoint'?"; a notice
 * has the word in front of its message. */
void diagnostics_print(const struct diagnostics *diagnostics, struct str path, struct buf *out);
