/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and tokens of one subject (a user, an API key) over a sliding minute.
 *
 * Amounts are kept by the second in which they were booked and count while that second is one of the 60 before the
 * running one or the running one itself, which is 60 to 61 seconds. So no 60 seconds, wherever they begin, ever hold
 * more than the limit; the price is that an amount may count up to a second too long.
 *
 * Tokens are reserved before a request runs and settled by what it really used. Less is given back to the second of
 * the reservation. More is booked at once even where it passes the limit: a debt, and further requests wait until
 * enough of it is out. Only a settlement can make one.
 *
 * Pure; the caller's lock. `now` is of CLOCK_MONOTONIC; one earlier than that of a former call counts as that one. */
#pragma once

#include "base/clock.h"

#include <stdbool.h>

#define LIMITER_SECONDS 61 /* that count: the running one and 60 before it */
#define LIMITER_AMOUNT_MAX                                                                                   \
    ((uint64_t)1 << 40) /* tokens of one request: more count as this, beyond any limit */

/* Given at each call, so that a changed limit acts at once. 0 is no limit. */
struct limit_rule {
    uint64_t requests_per_minute, tokens_per_minute;
};

/* Amounts by second. The amount of second s is at s % LIMITER_SECONDS. */
struct limiter_window {
    uint64_t used; /* sum of all amounts */
    uint64_t ages; /* bit n: the second n before the running one has an amount */
    uint64_t amounts[LIMITER_SECONDS];
};

/* Zeroed is unused. */
struct limiter {
    uint64_t second; /* the running one: of the latest call */
    struct limiter_window requests, tokens;
};

/* What one request holds, for its settlement. */
struct limiter_booking {
    uint64_t second, tokens;
};

enum limit_answer { LIMIT_GRANTED, LIMIT_REQUESTS, LIMIT_TOKENS };

/* One request and `tokens` of it. LIMIT_REQUESTS, LIMIT_TOKENS: nothing was booked, that limit forbids it (of both the
 * one that does so longer), and *ret_fits_at is when it fits unless others come first; settlements may bring it forward.
 *
 * A reservation that alone is larger than the limit could never fit; it is granted when no tokens are in the window, and
 * nothing else is granted until it is settled or out. */
MUST_USE enum limit_answer limiter_take(struct limiter *limiter, const struct limit_rule *rule,
                                        uint64_t tokens, usec_t now, struct limiter_booking *ret_booking,
                                        usec_t *ret_fits_at);

/* What the request really used; 0 when it never ran. The request itself stays counted. */
void limiter_settle(struct limiter *limiter, const struct limiter_booking *booking, uint64_t real_tokens,
                    usec_t now);

/* Nothing is in the window: as good as a new one. */
bool limiter_is_empty(struct limiter *limiter, usec_t now);

/* For headers and views. */
struct limit_quota {
    uint64_t limit; /* 0: none, and then `remaining` says nothing */
    uint64_t used;
    uint64_t remaining;
    usec_t some_free_in; /* from now until the oldest amount is out; 0: nothing is used */
    usec_t all_free_in;  /* until all is out */
};

struct limit_quotas {
    struct limit_quota requests, tokens;
};

struct limit_quotas limiter_quotas(struct limiter *limiter, const struct limit_rule *rule, usec_t now);
