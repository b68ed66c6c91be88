/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/limiter.h"

static unsigned age_of_oldest(const struct limiter_window *window)
{
    return 63 - (unsigned)__builtin_clzll(window->ages);
}

static unsigned age_of_newest(const struct limiter_window *window)
{
    return (unsigned)__builtin_ctzll(window->ages);
}

static usec_t leaves_at(uint64_t second)
{
    return (second + LIMITER_SECONDS) * USEC_PER_SEC;
}

static uint64_t *amount_of(struct limiter_window *window, uint64_t second)
{
    return &window->amounts[second % LIMITER_SECONDS];
}

/* `steps` seconds later than `second`, the running one until now. */
static void window_advance(struct limiter_window *window, uint64_t second, uint64_t steps)
{
    uint64_t staying = steps < LIMITER_SECONDS ? ((uint64_t)1 << (LIMITER_SECONDS - steps)) - 1 : 0;
    for (uint64_t leaving = window->ages & ~staying; leaving; leaving &= leaving - 1) {
        uint64_t *amount = amount_of(window, second - (uint64_t)__builtin_ctzll(leaving));
        window->used -= *amount;
        *amount = 0;
    }
    window->ages = staying ? (window->ages & staying) << steps : 0;
}

static void limiter_advance(struct limiter *limiter, usec_t now)
{
    uint64_t second = now / USEC_PER_SEC;
    if (second <= limiter->second)
        return;
    window_advance(&limiter->requests, limiter->second, second - limiter->second);
    window_advance(&limiter->tokens, limiter->second, second - limiter->second);
    limiter->second = second;
}

static void window_book(struct limiter_window *window, uint64_t second, uint64_t amount)
{
    if (amount == 0)
        return;
    *amount_of(window, second) += amount;
    window->used += amount;
    window->ages |= 1;
}

static void window_give_back(struct limiter_window *window, uint64_t second, uint64_t booked_at,
                             uint64_t amount)
{
    uint64_t age = second - booked_at;
    if (amount == 0 || age >= LIMITER_SECONDS)
        return;
    uint64_t *left = amount_of(window, booked_at);
    ASSERT(amount <= *left);
    *left -= amount;
    window->used -= amount;
    if (*left == 0)
        window->ages &= ~((uint64_t)1 << age);
}

static bool fits(const struct limiter_window *window, uint64_t need, uint64_t limit)
{
    return limit == 0 || window->used + need <= limit || (need > limit && window->used == 0);
}

/* When `need` fits; 0 is now. */
static usec_t fits_at(struct limiter_window *window, uint64_t second, uint64_t need, uint64_t limit)
{
    if (fits(window, need, limit))
        return 0;
    if (need > limit)
        return leaves_at(second - age_of_newest(window));
    uint64_t excess = window->used + need - limit;
    for (uint64_t ages = window->ages;;) {
        unsigned oldest = 63 - (unsigned)__builtin_clzll(ages);
        uint64_t amount = *amount_of(window, second - oldest);
        if (amount >= excess)
            return leaves_at(second - oldest);
        excess -= amount;
        ages &= ~((uint64_t)1 << oldest);
    }
}

enum limit_answer limiter_take(struct limiter *limiter, const struct limit_rule *rule, uint64_t tokens,
                               usec_t now, struct limiter_booking *ret_booking, usec_t *ret_fits_at)
{
    limiter_advance(limiter, now);
    tokens = MIN(tokens, LIMITER_AMOUNT_MAX);
    usec_t requests_at = fits_at(&limiter->requests, limiter->second, 1, rule->requests_per_minute);
    usec_t tokens_at = fits_at(&limiter->tokens, limiter->second, tokens, rule->tokens_per_minute);
    if (requests_at > 0 || tokens_at > 0) {
        *ret_fits_at = MAX(requests_at, tokens_at);
        return requests_at >= tokens_at ? LIMIT_REQUESTS : LIMIT_TOKENS;
    }
    window_book(&limiter->requests, limiter->second, 1);
    window_book(&limiter->tokens, limiter->second, tokens);
    *ret_booking = (struct limiter_booking){limiter->second, tokens};
    return LIMIT_GRANTED;
}

void limiter_settle(struct limiter *limiter, const struct limiter_booking *booking, uint64_t real_tokens,
                    usec_t now)
{
    limiter_advance(limiter, now);
    real_tokens = MIN(real_tokens, LIMITER_AMOUNT_MAX);
    if (real_tokens > booking->tokens)
        window_book(&limiter->tokens, limiter->second, real_tokens - booking->tokens);
    else
        window_give_back(&limiter->tokens, limiter->second, booking->second, booking->tokens - real_tokens);
}

bool limiter_is_empty(struct limiter *limiter, usec_t now)
{
    limiter_advance(limiter, now);
    return limiter->requests.used == 0 && limiter->tokens.used == 0;
}

static struct limit_quota quota_of(const struct limiter_window *window, uint64_t second, uint64_t limit,
                                   usec_t now)
{
    struct limit_quota quota = {.limit = limit, .used = window->used};
    quota.remaining = limit > window->used ? limit - window->used : 0;
    if (window->ages) {
        quota.some_free_in = leaves_at(second - age_of_oldest(window)) - now;
        quota.all_free_in = leaves_at(second - age_of_newest(window)) - now;
    }
    return quota;
}

struct limit_quotas limiter_quotas(struct limiter *limiter, const struct limit_rule *rule, usec_t now)
{
    limiter_advance(limiter, now);
    return (struct limit_quotas){
        .requests = quota_of(&limiter->requests, limiter->second, rule->requests_per_minute, now),
        .tokens = quota_of(&limiter->tokens, limiter->second, rule->tokens_per_minute, now),
    };
}
