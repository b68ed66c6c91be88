/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and tokens per minute of every user, shared by all workers (sched/limiter.h says what is counted).
 *
 * A subject is what a limit belongs to, a user or an API key, under a 128-bit hash that the caller makes. Each shard of
 * the table has its own mutex; inside are no I/O and no wait, and an allocation only for a subject that comes up new.
 *
 * The table is bounded. A subject that nothing counts for is forgotten when another needs its place. When all places are
 * busy, those that find none share one window (one in each shard): they may get less than their limit, never more. One that
 * gets a place later begins with what that window holds. All functions: any thread. */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "sched/limiter.h"

#include <pthread.h>

#define LIMITS_SHARDS 16
#define LIMITS_SUBJECTS ((size_t)65536) /* the usual bound */

/* Any good hash of (kind, name); equal hashes share their limits. */
struct limit_subject {
    uint64_t high, low;
};

struct limited; /* one subject's window */

struct limits_shard {
    pthread_mutex_t lock;
    struct limited **chains;
    struct list recent; /* of struct limited, the one that booked last first */
    size_t count;
    struct limiter overflow;
};

struct limits {
    struct limits_shard shards[LIMITS_SHARDS];
    size_t chains, places; /* of each shard; `chains` is a power of two */
};

/* `subjects`: how many have a window of their own, rounded up to a multiple of LIMITS_SHARDS. */
MUST_USE enum err limits_init(struct limits *limits, size_t subjects);
void limits_fini(struct limits *limits);

/* What a granted request holds. Zeroed: nothing. */
struct limit_ticket {
    struct limit_subject subject;
    struct limiter_booking booking;
    bool is_open;
    bool is_shared; /* booked in the overflow window */
};

/* How the subject stands, this request included. */
struct limit_view {
    struct limit_quotas quotas;
    usec_t fits_in; /* refused: from `now` until it fits unless others come first; else 0 */
};

/* Takes one request and `reserve_tokens`. Granted: *ret_ticket has to be settled or cancelled; refused: it is empty. A rule
 * without any limit costs nothing, is counted nowhere and gives an empty ticket and view. */
MUST_USE enum limit_answer limits_take(struct limits *limits, struct limit_subject subject,
                                       const struct limit_rule *rule, uint64_t reserve_tokens, usec_t now,
                                       struct limit_ticket *ret_ticket, struct limit_view *ret_view);

/* What it really used. The ticket is empty afterwards; an empty one is ignored. */
void limits_settle(struct limits *limits, struct limit_ticket *ticket, uint64_t real_tokens, usec_t now);

/* It never ran: its tokens are given back, the request stays counted. */
void limits_cancel(struct limits *limits, struct limit_ticket *ticket, usec_t now);

/* One subject that something counts for. */
struct limit_usage {
    struct limit_subject subject;
    struct limit_quotas quotas; /* by the rule of its latest request */
};

/* Copies at most `max`, in no order, and returns how many. Holds a lock for 64 chains at a time. Subjects without a window
 * of their own are not among them. */
size_t limits_each(struct limits *limits, usec_t now, struct limit_usage *ret_usages, size_t max);
