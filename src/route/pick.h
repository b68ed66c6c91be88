/* SPDX-License-Identifier: Apache-2.0 */
/* The one decision: which server takes this request now. Called with the gate held. */
#pragma once

#include "route/strategy.h"

#define TRIED_MAX 21 /* attempts that the largest max_retries allows */

/* Servers that this request was sent to before. Lifetime: request. Zeroed is none. */
struct tried_servers {
    const struct server *servers[TRIED_MAX]; /* borrowed: the request's routing table keeps them */
    size_t count;
};

/* Harmless for one that is in it already, and when it is full. */
void tried_add(struct tried_servers *tried, const struct server *server);
bool tried_has(const struct tried_servers *tried, const struct server *server);

struct pick_question {
    struct candidates candidates;
    const struct strategy_vtable *strategy;
    const struct tried_servers *tried;
    bool allow_tried; /* servers in `tried` may be used when no other is ready */
    usec_t now;
    const struct server_limits *limits;
    struct rng *rng;
};

enum pick_verdict {
    PICK_SERVER,     /* here it goes: answer.grant is to be released */
    PICK_WAIT,       /* some candidate only lacks room: wait for a release */
    PICK_ONLY_TRIED, /* allow_tried is false, and only servers in `tried` could take it: pause, then allow
                        them */
    PICK_NONE        /* all candidates are down */
};

/* Without PICK_SERVER: `back_at` is when time alone may change the answer, because a candidate's pause or
 * open circuit ends (a request that waits has to be looked at then, too), or USEC_FOREVER; `blocker` and
 * `reason` name the candidate that is nearest to taking it, NULL and "no server" if there is none. */
struct pick_answer {
    struct server_grant grant;
    usec_t back_at;
    usec_t
        pause_over; /* PICK_NONE: when the first candidate that only asked for quiet is back; USEC_FOREVER */
    const struct server *blocker; /* borrowed */
    const char *reason;
};

/* Always fills `ret_answer`. Candidates that were not tried go first. Only PICK_SERVER changes anything. */
enum pick_verdict pick_choose(const struct pick_question *question, struct pick_answer *ret_answer);
