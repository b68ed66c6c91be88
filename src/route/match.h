/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled match criteria of routing rules and of servers' model names: nothing, a glob (glob.h) or PCRE2
 * over UTF-8.
 *
 * The cost of a regular expression is bounded: a test that takes more than MATCH_STEPS_MAX steps counts as no
 * match. One that searches looks at the first MATCH_SEARCH_BYTES_MAX bytes, and not behind bytes that are not
 * UTF-8. Steps are counted over all the places where it could begin, for which it is compiled with a prefix
 * that skips; so recursion into the whole pattern `(?R)`, leading `(*VERBS)` and an extended comment up to
 * the very end do not work in it. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

#define MATCH_STEPS_MAX 1000000u
#define MATCH_SEARCH_BYTES_MAX ((size_t)32768)

/* What a regular expression has to cover. A glob always covers the whole text. */
enum match_scope { MATCH_WHOLE, MATCH_SEARCH };

enum match_verdict { VERDICT_NO, VERDICT_YES, VERDICT_LIMIT };

/* Immutable after match_compile: any number of threads may test at once. */
struct match {
    enum match_kind kind;
    enum match_scope scope;
    bool literal;       /* a glob without specials */
    struct str pattern; /* in the arena of match_compile */
    void *code;         /* pcre2_code, MATCH_REGEX only */
};

/* Working memory of one thread for regular expressions: with it a test allocates nothing. */
struct match_scratch {
    void *data, *context, *stack; /* pcre2_match_data, pcre2_match_context, pcre2_jit_stack */
    uint64_t limit_hits;          /* tests that gave VERDICT_LIMIT, for a counter */
};

MUST_USE enum err match_scratch_init(struct match_scratch *scratch);

/* Harmless on a zeroed one. */
void match_scratch_fini(struct match_scratch *scratch);

/* For config_env.is_pattern: conf/ does not know the compiler. `context` is not used. */
bool match_is_pattern(void *context, const struct match_config *config, bool is_search, struct buf *why);

/* ERR_INVALID: `error` (may be NULL) then says what is wrong and at which byte of the pattern. */
MUST_USE enum err match_compile(struct arena *arena, const struct match_config *config,
                                enum match_scope scope, struct buf *error, struct match *ret_match);

/* Harmless on a zeroed one. */
void match_fini(struct match *match);

/* VERDICT_LIMIT is to be taken as no match. Only regular expressions use `scratch`. */
enum match_verdict match_test(const struct match *match, struct str text, struct match_scratch *scratch);
