/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/proxy/limits.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#define SEC USEC_PER_SEC
#define THREADS 64
#define GIVE_UP 60 /* seconds; the alarm then ends the process */

static struct limits limits;
static struct limit_view view;

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    return limits_init(&limits, LIMITS_SUBJECTS) == ERR_OK ? 0 : -1;
}

/* One place a shard. */
static int begin_small(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    return limits_init(&limits, 1) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    limits_fini(&limits);
    alarm(0);
    return 0;
}

/* All in one shard. */
static struct limit_subject subject(uint64_t number)
{
    return (struct limit_subject){number * LIMITS_SHARDS, number};
}

static enum limit_answer take(uint64_t number, uint64_t requests, uint64_t tokens, uint64_t reserve,
                              usec_t now, struct limit_ticket *ret_ticket)
{
    struct limit_rule rule = {requests, tokens};
    return limits_take(&limits, subject(number), &rule, reserve, now, ret_ticket, &view);
}

static void test_subjects_are_apart(void **state)
{
    struct limit_ticket ticket;
    (void)state;
    assert_int_equal(take(1, 1, 0, 0, 10 * SEC, &ticket), LIMIT_GRANTED);
    assert_true(ticket.is_open);
    assert_int_equal(view.quotas.requests.remaining, 0);
    assert_int_equal(take(2, 1, 0, 0, 10 * SEC, &ticket), LIMIT_GRANTED);
    assert_int_equal(take(1, 1, 0, 0, 11 * SEC, &ticket), LIMIT_REQUESTS);
    assert_false(ticket.is_open);
    assert_int_equal(view.fits_in, 60 * SEC);
    assert_int_equal(take(1, 2, 0, 0, 11 * SEC, &ticket), LIMIT_GRANTED); /* another rule acts at once */
    assert_int_equal(view.fits_in, 0);
}

static void test_settle_and_cancel(void **state)
{
    struct limit_ticket first, second;
    (void)state;
    assert_int_equal(take(1, 3, 100, 60, 10 * SEC, &first), LIMIT_GRANTED);
    assert_int_equal(take(1, 3, 100, 60, 10 * SEC, &second), LIMIT_TOKENS);
    limits_settle(&limits, &second, 1000, 10 * SEC); /* refused: nothing to settle */
    limits_settle(&limits, &first, 40, 10 * SEC);
    limits_settle(&limits, &first, 0, 10 * SEC); /* once only */
    assert_int_equal(take(1, 3, 100, 60, 10 * SEC, &second), LIMIT_GRANTED);
    assert_int_equal(view.quotas.tokens.remaining, 0);
    limits_cancel(&limits, &second, 11 * SEC);
    assert_int_equal(take(1, 3, 100, 60, 11 * SEC, &second), LIMIT_GRANTED);
    assert_int_equal(view.quotas.requests.remaining, 0); /* the cancelled one stays counted */
    limits_settle(&limits, &second, 200, 12 * SEC);
    assert_int_equal(take(1, 9, 100, 1, 70 * SEC, &second), LIMIT_TOKENS);
    limits_cancel(&limits, &second, 70 * SEC);
}

static void test_no_rule_no_count(void **state)
{
    struct limit_ticket ticket;
    struct limit_usage usage;
    (void)state;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(take(1, 0, 0, 1000, 10 * SEC, &ticket), LIMIT_GRANTED);
    assert_false(ticket.is_open);
    limits_settle(&limits, &ticket, 5, 10 * SEC);
    assert_int_equal(limits_each(&limits, 10 * SEC, &usage, 1), 0);
}

static void test_each(void **state)
{
    struct limit_ticket ticket;
    struct limit_usage usages[8];
    uint64_t seen = 0;
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        for (uint64_t n = 0; n < i; n++)
            assert_int_equal(limits_take(&limits, (struct limit_subject){i, i << 8},
                                         &(struct limit_rule){50, 500}, 10, (10 + i) * SEC, &ticket, &view),
                             LIMIT_GRANTED);
    assert_int_equal(limits_each(&limits, 20 * SEC, usages, 3), 3);
    assert_int_equal(limits_each(&limits, 20 * SEC, usages, ARRAY_LEN(usages)), 5);
    for (size_t i = 0; i < 5; i++) {
        uint64_t number = usages[i].subject.high;
        seen |= (uint64_t)1 << number;
        assert_int_equal(usages[i].quotas.requests.used, number);
        assert_int_equal(usages[i].quotas.requests.limit, 50);
        assert_int_equal(usages[i].quotas.tokens.remaining, 500 - 10 * number);
    }
    assert_int_equal(seen, 0x3e);
    assert_int_equal(limits_each(&limits, 73 * SEC, usages, ARRAY_LEN(usages)),
                     3); /* two are out of the window */
}

static void test_idle_ones_make_room(void **state)
{
    struct limit_ticket ticket, late;
    (void)state;
    assert_int_equal(take(1, 1, 0, 10, 10 * SEC, &late), LIMIT_GRANTED);
    assert_int_equal(take(2, 1, 0, 0, 71 * SEC, &ticket), LIMIT_GRANTED); /* in the place of 1 */
    assert_false(ticket.is_shared);
    limits_settle(&limits, &late, 0, 72 * SEC); /* its window is gone: nothing to give back to */
    assert_int_equal(take(2, 1, 0, 0, 73 * SEC, &ticket), LIMIT_REQUESTS);
    assert_int_equal(limits.shards[0].count, 1);
}

static void test_all_busy(void **state)
{
    struct limit_ticket own, shared, ticket;
    (void)state;
    assert_int_equal(take(1, 2, 100, 50, 10 * SEC, &own), LIMIT_GRANTED);
    assert_int_equal(take(2, 2, 100, 50, 11 * SEC, &shared), LIMIT_GRANTED);
    assert_true(shared.is_shared);
    assert_int_equal(take(3, 2, 100, 50, 11 * SEC, &ticket), LIMIT_GRANTED);
    assert_int_equal(take(4, 2, 100, 0, 12 * SEC, &ticket), LIMIT_REQUESTS); /* 2 and 3 have had it */
    limits_settle(&limits, &shared, 20, 12 * SEC);
    assert_int_equal(take(4, 9, 100, 30, 12 * SEC, &ticket), LIMIT_GRANTED);
    assert_int_equal(view.quotas.tokens.remaining, 0);
    limits_settle(&limits, &ticket, 130, 13 * SEC); /* the excess too is everybody's */
    assert_int_equal(take(1, 2, 100, 50, 14 * SEC, &ticket), LIMIT_GRANTED); /* own window, untouched */
    assert_int_equal(take(5, 9, 100, 1, 15 * SEC, &ticket), LIMIT_TOKENS);
    /* 1 is idle at 75 s; who takes its place is not rid of what it shared in. */
    assert_int_equal(take(2, 9, 100, 1, 73 * SEC, &ticket), LIMIT_TOKENS);
    assert_int_equal(take(2, 9, 100, 1, 75 * SEC, &ticket), LIMIT_GRANTED);
    assert_false(ticket.is_shared);
}

static void test_a_newcomer_inherits_what_it_shared(void **state)
{
    struct limit_ticket ticket;
    (void)state;
    assert_int_equal(take(1, 2, 0, 0, 10 * SEC, &ticket), LIMIT_GRANTED);
    assert_int_equal(take(2, 2, 0, 0, 69 * SEC, &ticket), LIMIT_GRANTED);
    assert_int_equal(take(2, 2, 0, 0, 70 * SEC, &ticket), LIMIT_GRANTED);
    assert_true(ticket.is_shared);
    assert_int_equal(take(2, 2, 0, 0, 71 * SEC, &ticket), LIMIT_REQUESTS); /* in the place of 1 now */
    assert_int_equal(take(2, 2, 0, 0, 130 * SEC, &ticket), LIMIT_GRANTED);
    assert_false(ticket.is_shared);
}

/* ---- many threads, one user ---- */

static struct limit_rule real_rule;
static struct limit_subject real_subject;
static _Atomic uint64_t granted, tokens_held;
static pthread_barrier_t gun;

/* Counted late when taken and early when given back, so it is never above the truth. */
static void check_tokens(uint64_t more)
{
    ASSERT(atomic_fetch_add(&tokens_held, more) + more <= real_rule.tokens_per_minute);
}

static void *run_real(void *argument)
{
    struct rng rng;
    rng_init(&rng, (uintptr_t)argument + 1);
    pthread_barrier_wait(&gun);
    for (size_t i = 0; i < 500; i++) {
        struct limit_ticket ticket;
        struct limit_view seen;
        uint64_t reserved = 1 + rng_below(&rng, 200);
        if (limits_take(&limits, real_subject, &real_rule, reserved, clock_monotonic(), &ticket, &seen))
            continue;
        ASSERT(atomic_fetch_add(&granted, 1) + 1 <= real_rule.requests_per_minute);
        check_tokens(reserved);
        uint64_t real = rng_below(&rng, reserved + 1);
        atomic_fetch_sub(&tokens_held, reserved - real);
        limits_settle(&limits, &ticket, real, clock_monotonic());
    }
    return NULL;
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&gun, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&gun);
}

/* Far less than a minute: everything is within one window. */
static void run_real_with(uint64_t requests, uint64_t tokens)
{
    struct limit_usage usage;
    usec_t began = clock_monotonic();
    real_rule = (struct limit_rule){requests, tokens};
    granted = tokens_held = 0;
    run_threads(run_real);
    usec_t now = clock_monotonic();
    assert_true(now - began < 60 * SEC);
    assert_int_equal(limits_each(&limits, now, &usage, 1), 1);
    assert_int_equal(usage.quotas.requests.used, granted);
    assert_int_equal(usage.quotas.tokens.used, tokens_held);
}

static void test_threads_real_clock_requests(void **state)
{
    (void)state;
    real_subject = subject(7);
    run_real_with(1000, 1000000);
    assert_int_equal(granted, 1000);
}

static void test_threads_real_clock_tokens(void **state)
{
    (void)state;
    real_subject = subject(8);
    run_real_with(1000000, 30000);
    assert_true(tokens_held > 30000 - 200); /* less than the largest reservation is left */
}

#define VIRTUAL_SECONDS 400
#define VIRTUAL_RPM 300
#define VIRTUAL_TPM 9000

static _Atomic uint64_t virtual_now, requests_at[VIRTUAL_SECONDS + 2], tokens_at[VIRTUAL_SECONDS + 2];

/* Each reads the clock, and may be late with what it read; refusals make time go on. */
static void *run_virtual(void *argument)
{
    struct rng rng;
    rng_init(&rng, (uintptr_t)argument + 1000);
    pthread_barrier_wait(&gun);
    for (usec_t now; (now = virtual_now) < VIRTUAL_SECONDS * SEC;) {
        struct limit_rule rule = {VIRTUAL_RPM, VIRTUAL_TPM};
        struct limit_ticket ticket;
        struct limit_view seen;
        uint64_t reserved = 1 + rng_below(&rng, 50);
        if (limits_take(&limits, subject(7), &rule, reserved, now, &ticket, &seen) != LIMIT_GRANTED) {
            atomic_fetch_add(&virtual_now, SEC / 128);
            continue;
        }
        uint64_t second =
            ticket.booking.second; /* that it was booked in: between reading the clock and here */
        ASSERT(second >= now / SEC && second <= virtual_now / SEC);
        uint64_t real = rng_below(&rng, 5) ? rng_below(&rng, reserved + 1) : reserved;
        limits_settle(&limits, &ticket, real, virtual_now);
        if (second < ARRAY_LEN(requests_at)) {
            atomic_fetch_add(&requests_at[second], 1);
            atomic_fetch_add(&tokens_at[second], real);
        }
    }
    return NULL;
}

static void test_threads_virtual_clock(void **state)
{
    (void)state;
    run_threads(run_virtual);
    bool was_reached = false;
    for (size_t from = 0; from + LIMITER_SECONDS <= VIRTUAL_SECONDS; from++) {
        uint64_t requests = 0, tokens = 0;
        for (size_t i = from; i < from + LIMITER_SECONDS; i++) {
            requests += requests_at[i];
            tokens += tokens_at[i];
        }
        assert_true(requests <= VIRTUAL_RPM);
        assert_true(tokens <= VIRTUAL_TPM);
        was_reached |= requests == VIRTUAL_RPM;
    }
    assert_true(was_reached);
}

/* Subjects come and go in a table that is too small for them. */
static void *run_crowd(void *argument)
{
    struct rng rng;
    rng_init(&rng, (uintptr_t)argument + 2000);
    pthread_barrier_wait(&gun);
    for (size_t i = 0; i < 500; i++) {
        struct limit_rule rule = {5, 100};
        struct limit_ticket ticket;
        struct limit_view seen;
        struct limit_usage usages[4];
        usec_t now = atomic_fetch_add(&virtual_now, SEC / 8);
        struct limit_subject who = {rng_below(&rng, 50), rng_below(&rng, 3)};
        uint64_t reserved = rng_below(&rng, 50);
        if (limits_take(&limits, who, &rule, reserved, now, &ticket, &seen) == LIMIT_GRANTED)
            limits_settle(&limits, &ticket, rng_below(&rng, 60), now + rng_below(&rng, 90 * SEC));
        if (i % 100 == 0)
            ASSERT(limits_each(&limits, now, usages, ARRAY_LEN(usages)) <= ARRAY_LEN(usages));
    }
    return NULL;
}

static void test_threads_in_a_crowd(void **state)
{
    (void)state;
    virtual_now = 0;
    run_threads(run_crowd);
    for (size_t i = 0; i < LIMITS_SHARDS; i++)
        assert_true(limits.shards[i].count <= limits.places);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_SMALL(name) cmocka_unit_test_setup_teardown(name, begin_small, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_subjects_are_apart),
        TEST(test_settle_and_cancel),
        TEST(test_no_rule_no_count),
        TEST(test_each),
        TEST_SMALL(test_idle_ones_make_room),
        TEST_SMALL(test_all_busy),
        TEST_SMALL(test_a_newcomer_inherits_what_it_shared),
        TEST(test_threads_real_clock_requests),
        TEST(test_threads_real_clock_tokens),
        TEST(test_threads_virtual_clock),
        TEST_SMALL(test_threads_in_a_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
