/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/limits.h"

#include <stdlib.h>
#include <string.h>

#define CHAINS_AT_ONCE ((size_t)64)

struct limited {
    struct limited *next; /* of the same chain */
    struct list recent;
    struct limit_subject subject;
    struct limit_rule rule; /* of its latest request, for views */
    struct limiter limiter;
};

static size_t power_of_two_from(size_t count)
{
    size_t power = 1;
    while (power < count)
        power *= 2;
    return power;
}

enum err limits_init(struct limits *limits, size_t subjects)
{
    size_t places = MAX((subjects + LIMITS_SHARDS - 1) / LIMITS_SHARDS, (size_t)1);
    *limits = (struct limits){.places = places, .chains = power_of_two_from(places)};
    for (size_t i = 0; i < LIMITS_SHARDS; i++) {
        struct limits_shard *shard = &limits->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        list_init(&shard->recent);
        shard->chains = calloc(limits->chains, sizeof(*shard->chains));
    }
    for (size_t i = 0; i < LIMITS_SHARDS; i++) {
        if (limits->shards[i].chains)
            continue;
        limits_fini(limits);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

void limits_fini(struct limits *limits)
{
    for (size_t i = 0; i < LIMITS_SHARDS; i++) {
        struct limits_shard *shard = &limits->shards[i];
        LIST_EACH (node, &shard->recent) {
            free(LIST_ITEM(node, struct limited, recent));
        }
        free(shard->chains);
        pthread_mutex_destroy(&shard->lock);
    }
}

/* ---- finding the window of a subject; all with the shard's lock ---- */

static struct limits_shard *shard_of(struct limits *limits, struct limit_subject subject)
{
    return &limits->shards[subject.high % LIMITS_SHARDS];
}

static struct limited **chain_of(const struct limits *limits, struct limits_shard *shard,
                                 struct limit_subject subject)
{
    return &shard->chains[subject.low & (limits->chains - 1)];
}

static struct limited *find(const struct limits *limits, struct limits_shard *shard,
                            struct limit_subject subject)
{
    struct limited *limited = *chain_of(limits, shard, subject);
    while (limited && (limited->subject.low != subject.low || limited->subject.high != subject.high))
        limited = limited->next;
    return limited;
}

/* The place of the one that booked least recently, if nothing counts for it any more. */
static struct limited *take_idle(const struct limits *limits, struct limits_shard *shard, usec_t now)
{
    if (list_is_empty(&shard->recent))
        return NULL;
    struct limited *limited = LIST_ITEM(shard->recent.prev, struct limited, recent);
    if (!limiter_is_empty(&limited->limiter, now))
        return NULL;
    struct limited **link = chain_of(limits, shard, limited->subject);
    while (*link != limited)
        link = &(*link)->next;
    *link = limited->next;
    list_remove(&limited->recent);
    shard->count--;
    return limited;
}

/* NULL: no place, or no memory for one. */
static struct limited *add(const struct limits *limits, struct limits_shard *shard,
                           struct limit_subject subject, usec_t now)
{
    struct limited *limited = take_idle(limits, shard, now);
    if (!limited && shard->count < limits->places)
        limited = malloc(sizeof(*limited));
    if (!limited)
        return NULL;
    struct limited **chain = chain_of(limits, shard, subject);
    *limited = (struct limited){.next = *chain, .subject = subject};
    if (!limiter_is_empty(&shard->overflow, now)) /* it may have booked there, so that counts on */
        limited->limiter = shard->overflow;
    *chain = limited;
    list_push_front(&shard->recent, &limited->recent);
    shard->count++;
    return limited;
}

static struct limited *find_or_add(const struct limits *limits, struct limits_shard *shard,
                                   struct limit_subject subject, usec_t now)
{
    struct limited *limited = find(limits, shard, subject);
    return limited ? limited : add(limits, shard, subject, now);
}

static void note_booking(struct limits_shard *shard, struct limited *limited)
{
    list_remove(&limited->recent);
    list_push_front(&shard->recent, &limited->recent);
}

/* ---- for requests ---- */

enum limit_answer limits_take(struct limits *limits, struct limit_subject subject,
                              const struct limit_rule *rule, uint64_t reserve_tokens, usec_t now,
                              struct limit_ticket *ret_ticket, struct limit_view *ret_view)
{
    *ret_ticket = (struct limit_ticket){0};
    *ret_view = (struct limit_view){0};
    if (rule->requests_per_minute == 0 && rule->tokens_per_minute == 0)
        return LIMIT_GRANTED;
    struct limits_shard *shard = shard_of(limits, subject);
    struct limit_ticket ticket = {.subject = subject, .is_open = true};
    usec_t fits_at = now;
    pthread_mutex_lock(&shard->lock);
    struct limited *limited = find_or_add(limits, shard, subject, now);
    struct limiter *limiter = limited ? &limited->limiter : &shard->overflow;
    ticket.is_shared = !limited;
    enum limit_answer answer = limiter_take(limiter, rule, reserve_tokens, now, &ticket.booking, &fits_at);
    if (limited)
        limited->rule = *rule;
    if (limited && answer == LIMIT_GRANTED)
        note_booking(shard, limited);
    ret_view->quotas = limiter_quotas(limiter, rule, now);
    pthread_mutex_unlock(&shard->lock);
    ret_view->fits_in = fits_at - now;
    if (answer == LIMIT_GRANTED)
        *ret_ticket = ticket;
    return answer;
}

/* What is given back goes to where it was booked, what is added to where the subject's next request will look. */
static void settle_locked(struct limits *limits, struct limits_shard *shard,
                          const struct limit_ticket *ticket, uint64_t real_tokens, usec_t now)
{
    bool is_more = real_tokens > ticket->booking.tokens;
    struct limited *limited = NULL;
    if (is_more)
        limited = find_or_add(limits, shard, ticket->subject, now);
    else if (!ticket->is_shared)
        limited = find(limits, shard, ticket->subject);
    if (limited)
        limiter_settle(&limited->limiter, &ticket->booking, real_tokens, now);
    else if (is_more || ticket->is_shared)
        limiter_settle(&shard->overflow, &ticket->booking, real_tokens, now);
    if (limited && is_more)
        note_booking(shard, limited);
}

void limits_settle(struct limits *limits, struct limit_ticket *ticket, uint64_t real_tokens, usec_t now)
{
    if (!ticket->is_open)
        return;
    struct limits_shard *shard = shard_of(limits, ticket->subject);
    pthread_mutex_lock(&shard->lock);
    settle_locked(limits, shard, ticket, real_tokens, now);
    pthread_mutex_unlock(&shard->lock);
    *ticket = (struct limit_ticket){0};
}

void limits_cancel(struct limits *limits, struct limit_ticket *ticket, usec_t now)
{
    limits_settle(limits, ticket, 0, now);
}

/* ---- for views ---- */

static size_t copy_chains(struct limits_shard *shard, size_t from, size_t to, usec_t now,
                          struct limit_usage *ret_usages, size_t max)
{
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        for (struct limited *limited = shard->chains[i]; limited && count < max; limited = limited->next) {
            if (limiter_is_empty(&limited->limiter, now))
                continue;
            struct limit_quotas quotas = limiter_quotas(&limited->limiter, &limited->rule, now);
            ret_usages[count++] = (struct limit_usage){limited->subject, quotas};
        }
    }
    return count;
}

size_t limits_each(struct limits *limits, usec_t now, struct limit_usage *ret_usages, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < LIMITS_SHARDS; i++) {
        struct limits_shard *shard = &limits->shards[i];
        for (size_t from = 0; from < limits->chains; from += CHAINS_AT_ONCE) {
            size_t to = MIN(from + CHAINS_AT_ONCE, limits->chains);
            pthread_mutex_lock(&shard->lock);
            count += copy_chains(shard, from, to, now, ret_usages + count, max - count);
            pthread_mutex_unlock(&shard->lock);
        }
    }
    return count;
}
