/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal keeps of a request: a record when it is accepted and one when it has ended. Pure: bytes and values.
 * A record with a BEGIN and no END is of a process that was killed; src/admin/ledger.h ends it. */
#pragma once

#include "proxy/access_log.h"

/* Kinds of the journal's records. */
enum ledger_kind { LEDGER_BEGIN = 1, LEDGER_END = 2 };

#define LEDGER_TEXT_MAX ((size_t)512) /* longer texts are cut, at a character of UTF-8 */
#define LEDGER_RECORD_MAX ((size_t)8192)
#define LEDGER_NUMBER_MAX                                                                                    \
    ((uint64_t)1 << 48) /* larger tokens and costs become this: sums of them stay in 63 bits */

/* The one final state of a request. */
enum ledger_state {
    LEDGER_OK,
    LEDGER_ERROR,       /* answered with an error of ours or of the server */
    LEDGER_CLIENT_GONE, /* the client left before the answer was complete */
    LEDGER_CUT,         /* the answer broke off behind its first byte */
    LEDGER_ABORTED,     /* the process ended before the request did */
    LEDGER_STATE_COUNT_
};

enum ledger_cache {
    LEDGER_CACHE_NONE,
    LEDGER_CACHE_HIT,
    LEDGER_CACHE_MISS,
    LEDGER_CACHE_FOLLOW,
    LEDGER_CACHE_COUNT_
};

/* "ok", "error", "client_gone", "cut", "aborted". */
struct str ledger_state_text(enum ledger_state state);

/* "none", "hit", "miss", "follow". */
struct str ledger_cache_text(enum ledger_cache cache);

struct ledger_begin {
    uint64_t id; /* process-wide */
    struct str request_id, user, model, api;
};

struct ledger_end {
    uint64_t id;
    uint64_t
        run; /* 0: the request is of the run that wrote the record; else of that one (journal_instance) */
    enum ledger_state state;
    enum ledger_cache cache;
    struct usage_split tokens;
    uint64_t cost; /* nano-dollars */
    /* Its usage follows from `tokens`, but for is_known; its realtime is the time of the journal's record. */
    struct access_record access;
    struct address client; /* what a decoded access.client points to: do not copy the struct */
};

/* Into `out` of LEDGER_RECORD_MAX bytes; a view of it. */
MUST_USE struct str ledger_begin_encode(const struct ledger_begin *begin, char *out);
MUST_USE struct str ledger_end_encode(const struct ledger_end *end, char *out);

/* Checks everything. Texts point into `payload`. False: no record of this version. */
MUST_USE bool ledger_begin_decode(struct str payload, struct ledger_begin *ret_begin);
MUST_USE bool ledger_end_decode(struct str payload, usec_t realtime, struct ledger_end *ret_end);
