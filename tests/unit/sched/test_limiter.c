/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/sched/limiter.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define SEC USEC_PER_SEC

static usec_t at;

static enum limit_answer take(struct limiter *limiter, uint64_t requests, uint64_t tokens, uint64_t reserve,
                              usec_t now)
{
    struct limiter_booking booking;
    return limiter_take(limiter, &(struct limit_rule){requests, tokens}, reserve, now, &booking, &at);
}

static void test_requests(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 2, 0, 0, 100 * SEC + 999999), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 0, 0, 105 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 0, 0, 106 * SEC), LIMIT_REQUESTS);
    assert_int_equal(at, 161 * SEC);
    assert_int_equal(take(&limiter, 2, 0, 0, 161 * SEC - 1), LIMIT_REQUESTS);
    assert_int_equal(take(&limiter, 2, 0, 0, 161 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 0, 0, 161 * SEC), LIMIT_REQUESTS);
    assert_int_equal(at, 166 * SEC);
}

static void test_tokens(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 0, 100, 30, 10 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 30, 20 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 41, 30 * SEC), LIMIT_TOKENS);
    assert_int_equal(at, 71 * SEC);
    assert_int_equal(take(&limiter, 0, 100, 71, 30 * SEC), LIMIT_TOKENS);
    assert_int_equal(at, 81 * SEC);
    assert_int_equal(take(&limiter, 0, 100, 40, 30 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 1, 70 * SEC), LIMIT_TOKENS);
    assert_int_equal(take(&limiter, 0, 100, 30, 71 * SEC), LIMIT_GRANTED);
}

static void test_the_longer_limit_is_named(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 2, 10, 1, 10 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 10, 9, 15 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 10, 1, 20 * SEC), LIMIT_REQUESTS);
    assert_int_equal(at, 71 * SEC);
    assert_int_equal(take(&limiter, 2, 10, 2, 20 * SEC), LIMIT_TOKENS);
    assert_int_equal(at, 76 * SEC);
}

static void test_larger_than_the_limit(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 0, 100, 1, 10 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 500, 11 * SEC), LIMIT_TOKENS);
    assert_int_equal(at, 71 * SEC);
    assert_int_equal(take(&limiter, 0, 100, 500, 71 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 1, 72 * SEC), LIMIT_TOKENS);
    assert_int_equal(at, 132 * SEC);
    assert_int_equal(take(&limiter, 0, 100, 500, 131 * SEC), LIMIT_TOKENS);
    assert_int_equal(take(&limiter, 0, 100, 500, 132 * SEC), LIMIT_GRANTED);
}

static void test_settling(void **state)
{
    (void)state;
    const struct limit_rule rule = {0, 100};
    struct limiter limiter = {0};
    struct limiter_booking booking;
    assert_int_equal(limiter_take(&limiter, &rule, 100, 10 * SEC, &booking, &at), LIMIT_GRANTED);
    limiter_settle(&limiter, &booking, 40, 30 * SEC); /* the rest is free at once ... */
    assert_int_equal(limiter_quotas(&limiter, &rule, 30 * SEC).tokens.remaining, 60);
    assert_int_equal(limiter_quotas(&limiter, &rule, 70 * SEC).tokens.used, 40);
    assert_int_equal(limiter_quotas(&limiter, &rule, 71 * SEC).tokens.used,
                     0); /* ... what stays leaves as if reserved so */

    assert_int_equal(limiter_take(&limiter, &rule, 90, 100 * SEC, &booking, &at), LIMIT_GRANTED);
    limiter_settle(&limiter, &booking, 290, 140 * SEC);
    assert_int_equal(limiter_quotas(&limiter, &rule, 140 * SEC).tokens.used, 290);
    assert_int_equal(limiter_quotas(&limiter, &rule, 140 * SEC).tokens.remaining, 0);
    assert_int_equal(take(&limiter, 0, 100, 0, 161 * SEC), LIMIT_TOKENS); /* a debt of 100 */
    assert_int_equal(at, 201 * SEC);
    assert_int_equal(take(&limiter, 0, 100, 100, 201 * SEC), LIMIT_GRANTED);

    assert_int_equal(limiter_take(&limiter, &rule, 0, 300 * SEC, &booking, &at), LIMIT_GRANTED);
    limiter_settle(&limiter, &booking, 7, 400 * SEC); /* long out of the window: still paid for */
    assert_int_equal(limiter_quotas(&limiter, &rule, 400 * SEC).tokens.used, 7);
    assert_int_equal(limiter_take(&limiter, &rule, 50, 500 * SEC, &booking, &at), LIMIT_GRANTED);
    limiter_settle(&limiter, &booking, 10, 561 * SEC); /* gave back too late: nothing changes */
    assert_true(limiter_is_empty(&limiter, 561 * SEC));
}

static void test_quotas(void **state)
{
    (void)state;
    const struct limit_rule rule = {10, 0};
    struct limiter limiter = {0};
    struct limit_quotas quotas = limiter_quotas(&limiter, &rule, 5 * SEC);
    assert_int_equal(quotas.requests.limit, 10);
    assert_int_equal(quotas.requests.remaining, 10);
    assert_int_equal(quotas.requests.some_free_in, 0);
    assert_int_equal(quotas.requests.all_free_in, 0);
    assert_int_equal(take(&limiter, 10, 0, 7, 10 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 10, 0, 8, 40 * SEC), LIMIT_GRANTED);
    quotas = limiter_quotas(&limiter, &rule, 50 * SEC + 1);
    assert_int_equal(quotas.requests.used, 2);
    assert_int_equal(quotas.requests.remaining, 8);
    assert_int_equal(quotas.requests.some_free_in, 21 * SEC - 1);
    assert_int_equal(quotas.requests.all_free_in, 51 * SEC - 1);
    assert_int_equal(quotas.tokens.limit, 0);
    assert_int_equal(quotas.tokens.used, 15);
    quotas = limiter_quotas(&limiter, &(struct limit_rule){1, 0}, 50 * SEC); /* lowered under what is used */
    assert_int_equal(quotas.requests.remaining, 0);
}

static void test_a_clock_that_lags(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 2, 0, 0, 100 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 0, 0, 39 * SEC), LIMIT_GRANTED); /* counts as at 100 s */
    assert_int_equal(take(&limiter, 2, 0, 0, 160 * SEC), LIMIT_REQUESTS);
    assert_int_equal(take(&limiter, 2, 0, 0, 161 * SEC), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 2, 0, 0, 161 * SEC), LIMIT_GRANTED);
}

static void test_absurd_amounts(void **state)
{
    (void)state;
    struct limiter limiter = {0};
    assert_int_equal(take(&limiter, 0, 100, UINT64_MAX, 0), LIMIT_GRANTED);
    assert_int_equal(take(&limiter, 0, 100, 1, 60 * SEC), LIMIT_TOKENS);
    assert_int_equal(take(&limiter, 0, 1000000000000, UINT64_MAX, 60 * SEC), LIMIT_TOKENS);
    assert_int_equal(take(&limiter, 0, 100, 1, 61 * SEC), LIMIT_GRANTED);
}

/* ---- against a log of everything ---- */

#define LOG_MAX 4000
#define SPAN (60 * SEC)

struct logged {
    usec_t when;
    uint64_t tokens; /* as now known */
    bool is_request; /* else what a settlement added */
    bool is_open;
    struct limiter_booking booking;
};

struct model {
    struct logged log[LOG_MAX];
    size_t count;
};

struct sums {
    uint64_t requests, tokens;
};

/* All that `from` <= when. */
static struct sums sum_since(const struct model *model, usec_t from)
{
    struct sums sums = {0};
    for (size_t i = model->count; i > 0 && model->log[i - 1].when >= from; i--) {
        sums.requests += model->log[i - 1].is_request;
        sums.tokens += model->log[i - 1].tokens;
    }
    return sums;
}

static bool allows(struct sums sums, const struct limit_rule *rule, uint64_t tokens)
{
    bool requests_fit = !rule->requests_per_minute || sums.requests + 1 <= rule->requests_per_minute;
    bool tokens_fit = !rule->tokens_per_minute || sums.tokens + tokens <= rule->tokens_per_minute ||
                      (tokens > rule->tokens_per_minute && sums.tokens == 0);
    return requests_fit && tokens_fit;
}

/* Start of the oldest second that counts at `now`. */
static usec_t oldest_counted(usec_t now)
{
    uint64_t second = now / SEC;
    return second < 60 ? 0 : (second - 60) * SEC;
}

static void model_take(struct model *model, struct limiter *limiter, const struct limit_rule *rule,
                       uint64_t tokens, usec_t now)
{
    struct logged entry = {.when = now, .tokens = tokens, .is_request = true, .is_open = true};
    usec_t fits = 0;
    bool is_granted = limiter_take(limiter, rule, tokens, now, &entry.booking, &fits) == LIMIT_GRANTED;
    assert_int_equal(is_granted, allows(sum_since(model, oldest_counted(now)), rule, tokens));
    if (is_granted) { /* never too much in the 60 seconds that end now, both ends included */
        assert_true(allows(sum_since(model, now < SPAN ? 0 : now - SPAN), rule, tokens));
        model->log[model->count++] = entry;
        return;
    }
    /* Never more than a second too strict, and it fits exactly when it was said to. */
    assert_false(allows(sum_since(model, now < SPAN + SEC ? 0 : now - SPAN - SEC + 1), rule, tokens));
    assert_true(fits > now && fits <= now + SPAN + SEC);
    assert_true(allows(sum_since(model, oldest_counted(fits)), rule, tokens));
    assert_false(allows(sum_since(model, oldest_counted(fits - 1)), rule, tokens));
}

static void model_settle(struct model *model, struct limiter *limiter, struct rng *rng, usec_t now)
{
    struct logged *entry = &model->log[rng_below(rng, model->count)];
    if (!entry->is_open)
        return;
    entry->is_open = false;
    uint64_t real =
        rng_below(rng, 4) ? rng_below(rng, entry->tokens + 1) : rng_below(rng, 2 * entry->tokens + 10);
    limiter_settle(limiter, &entry->booking, real, now);
    if (real <= entry->tokens)
        entry->tokens = real;
    else
        model->log[model->count++] = (struct logged){.when = now, .tokens = real - entry->tokens};
}

static void run_against_log(uint64_t seed)
{
    static struct model model;
    struct limiter limiter = {0};
    struct rng rng;
    rng_init(&rng, seed);
    model.count = 0;
    struct limit_rule rule = {rng_below(&rng, 3) ? 1 + rng_below(&rng, 60) : 0,
                              rng_below(&rng, 4) ? 1 + rng_below(&rng, 5000) : 0};
    usec_t now = rng_below(&rng, 200 * SEC), pace = 1 + rng_below(&rng, 3 * SEC);
    while (model.count < LOG_MAX - 1 && now < 900 * SEC) {
        now += rng_below(&rng, 500) ? rng_below(&rng, pace) : rng_below(&rng, 130 * SEC);
        if (rng_below(&rng, 3) || model.count == 0)
            model_take(&model, &limiter, &rule, rng_below(&rng, rng_below(&rng, 50) ? 400 : 9000), now);
        else
            model_settle(&model, &limiter, &rng, now);
        struct sums sums = sum_since(&model, oldest_counted(now));
        struct limit_quotas quotas = limiter_quotas(&limiter, &rule, now);
        assert_int_equal(quotas.requests.used, sums.requests);
        assert_int_equal(quotas.tokens.used, sums.tokens);
        if (rng_below(&rng, 300) == 0)
            rule.tokens_per_minute = 1 + rng_below(&rng, 5000);
    }
}

static void test_against_log(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_against_log(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_the_longer_limit_is_named),
        cmocka_unit_test(test_larger_than_the_limit),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_a_clock_that_lags),
        cmocka_unit_test(test_absurd_amounts),
        cmocka_unit_test(test_against_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
