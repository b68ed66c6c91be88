/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel against a model that knows every deadline. */
/* links: src/base/rng.c src/base/clock.c src/base/assert.c */
#include "../../../src/base/wheel.c"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define TIMERS 2000
#define SPAN (SPAN_TICKS * WHEEL_TICK)

static struct wheel wheel;
static usec_t now;

struct probe {
    struct wheel_timer timer;
    usec_t deadline; /* as asked for, or the moment of asking when it was past already */
    bool is_running;
    unsigned fired;
    struct probe *to_stop, *to_start; /* what its callback does */
    usec_t start_delay;
};

static struct probe probes[TIMERS];

static void probe_start(struct probe *probe, usec_t deadline)
{
    wheel_start(&wheel, &probe->timer, deadline);
    probe->deadline = MAX(deadline, now);
    probe->is_running = true;
    assert_true(wheel_timer_is_running(&probe->timer));
}

static void probe_stop(struct probe *probe)
{
    wheel_stop(&wheel, &probe->timer);
    probe->is_running = false;
    assert_false(wheel_timer_is_running(&probe->timer));
}

static void probe_on_due(struct wheel_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    assert_true(probe->is_running);
    assert_false(wheel_timer_is_running(timer));
    assert_true(now >= probe->deadline); /* never early */
    probe->is_running = false;
    probe->fired++;
    if (probe->to_stop)
        probe_stop(probe->to_stop);
    if (probe->to_start)
        probe_start(probe->to_start, now + probe->start_delay);
}

static void wheel_begin(usec_t start)
{
    now = start;
    wheel_init(&wheel, now);
    for (size_t i = 0; i < TIMERS; i++) {
        probes[i] = (struct probe){0};
        wheel_timer_init(&probes[i].timer, probe_on_due);
    }
}

/* The wheel promises: what was due a tick ago has run, and the next thing to do is not later than the next deadline
 * (rounded up to a tick, because none is early). */
static void check_against_model(void)
{
    usec_t first = USEC_FOREVER;
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(probes[i].is_running, wheel_timer_is_running(&probes[i].timer));
        if (!probes[i].is_running)
            continue;
        if (probes[i].deadline + WHEEL_TICK <= now)
            fail_msg("timer %zu of %lu has not run at %lu", i, probes[i].deadline, now);
        first = MIN(first, probes[i].deadline);
    }
    usec_t next = wheel_next(&wheel);
    if (first != USEC_FOREVER)
        assert_true(next <= first + WHEEL_TICK);
    else
        assert_int_equal(next == USEC_FOREVER || next > now, true);
}

static void advance_to(usec_t to)
{
    now = to;
    wheel_advance(&wheel, now);
}

/* Delays of every scale, with and without a fraction of a tick. */
static usec_t random_delay(struct rng *rng, usec_t longest)
{
    unsigned bits = (unsigned)rng_below(rng, 46);
    usec_t delay = rng_below(rng, ((usec_t)1 << bits) + 1);
    return MIN(delay, longest);
}

static void run_random(uint64_t seed, usec_t start, usec_t longest_step)
{
    struct rng rng;
    rng_init(&rng, seed);
    wheel_begin(start);
    for (unsigned step = 0; step < 600; step++) {
        for (unsigned i = 0; i < 40; i++) {
            struct probe *probe = &probes[rng_below(&rng, TIMERS)];
            probe->to_stop = rng_below(&rng, 4) == 0 ? &probes[rng_below(&rng, TIMERS)] : NULL;
            probe->to_start = rng_below(&rng, 4) == 0 ? &probes[rng_below(&rng, TIMERS)] : NULL;
            probe->start_delay = random_delay(&rng, 3 * SPAN);
            usec_t past = rng_below(&rng, 3 * WHEEL_TICK);
            unsigned choice = (unsigned)rng_below(&rng, 8);
            if (choice < 2)
                probe_stop(probe);
            else if (choice < 7)
                probe_start(probe, now + random_delay(&rng, 3 * SPAN));
            else
                probe_start(probe, now - MIN(now, past)); /* past deadlines are allowed */
        }
        advance_to(now + random_delay(&rng, longest_step));
        check_against_model();
    }
    for (size_t i = 0; i < TIMERS; i++)
        probes[i].to_start = NULL;
    advance_to(now + 4 * SPAN);
    advance_to(now + 2 * WHEEL_TICK);
    for (size_t i = 0; i < TIMERS; i++)
        assert_false(probes[i].is_running);
}

static void test_random_small_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_random(seed, 0, 40 * WHEEL_TICK);
}

static void test_random_all_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 14; seed++)
        run_random(seed, 1234567891011u * seed, 2 * SPAN);
}

static void test_starts_across_every_digit(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 42; bits++) {
        for (int around = -2; around <= 2; around++) {
            usec_t start = (((usec_t)1 << bits) + 7) * WHEEL_TICK + (usec_t)(around + 2);
            wheel_begin(start);
            usec_t deadline =
                start + (((usec_t)1 << MIN(bits, 31u)) * WHEEL_TICK) + (usec_t)(around + 2) * 333;
            probe_start(&probes[0], deadline);
            while (probes[0].fired == 0) { /* as the loop does: from one wheel_next to the next */
                usec_t next = wheel_next(&wheel);
                assert_true(next > now && next < deadline + WHEEL_TICK);
                advance_to(next);
            }
            assert_true(now >= deadline && now < deadline + WHEEL_TICK);
            assert_int_equal(wheel_next(&wheel), USEC_FOREVER);
        }
    }
}

static void test_beyond_the_span(void **state)
{
    (void)state;
    wheel_begin(777);
    probe_start(&probes[0], 3 * SPAN + 5);
    probe_start(&probes[1], USEC_FOREVER);
    advance_to(3 * SPAN);
    assert_int_equal(probes[0].fired, 0);
    advance_to(3 * SPAN + WHEEL_TICK + 5);
    assert_int_equal(probes[0].fired, 1);
    advance_to(50 * SPAN);
    assert_int_equal(probes[1].fired, 0);
    probe_stop(&probes[1]);
}

static void test_restart_in_own_callback_waits_a_turn(void **state)
{
    (void)state;
    wheel_begin(0);
    probes[0].to_start = &probes[0];
    probes[0].start_delay = 0;
    probe_start(&probes[0], 1);
    for (unsigned turn = 1; turn <= 5; turn++) {
        advance_to(turn * WHEEL_TICK);
        assert_int_equal(probes[0].fired, turn);
    }
}

static void test_stop_of_another_due_timer(void **state)
{
    (void)state;
    wheel_begin(0);
    for (size_t i = 0; i < 3; i++)
        probe_start(&probes[i], 5 * WHEEL_TICK);
    probes[0].to_stop = &probes[1];
    advance_to(5 * WHEEL_TICK);
    assert_int_equal(probes[0].fired, 1);
    assert_int_equal(probes[1].fired, 0);
    assert_int_equal(probes[2].fired, 1);
}

static void test_restart_of_another_due_timer(void **state)
{
    (void)state;
    wheel_begin(0);
    probe_start(&probes[0], 5 * WHEEL_TICK);
    probe_start(&probes[1], 5 * WHEEL_TICK);
    probes[0].to_start = &probes[1];
    probes[0].start_delay = 100 * WHEEL_TICK;
    advance_to(5 * WHEEL_TICK);
    assert_int_equal(probes[1].fired, 0);
    advance_to(105 * WHEEL_TICK);
    assert_int_equal(probes[1].fired, 1);
}

static void test_stop_twice_and_time_that_stands(void **state)
{
    (void)state;
    wheel_begin(10 * USEC_PER_SEC);
    probe_stop(&probes[0]);
    probe_start(&probes[0], now);
    probe_stop(&probes[0]);
    probe_stop(&probes[0]);
    probe_start(&probes[1], 0); /* long past */
    wheel_advance(&wheel, now);
    wheel_advance(&wheel, now - USEC_PER_SEC);
    assert_int_equal(probes[1].fired, 0);
    advance_to(now + WHEEL_TICK);
    assert_int_equal(probes[0].fired, 0);
    assert_int_equal(probes[1].fired, 1);
}

static void test_same_deadline_keeps_order_of_starts(void **state)
{
    (void)state;
    wheel_begin(0);
    for (size_t i = 0; i < 8; i++)
        probe_start(&probes[i], 3 * WHEEL_TICK);
    /* Each stops the one before it: had the order been another, a stopped one would have fired. */
    for (size_t i = 0; i + 1 < 8; i += 2)
        probes[i].to_stop = &probes[i + 1];
    advance_to(3 * WHEEL_TICK);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(probes[i].fired, i % 2 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_small_steps),
        cmocka_unit_test(test_random_all_steps),
        cmocka_unit_test(test_starts_across_every_digit),
        cmocka_unit_test(test_beyond_the_span),
        cmocka_unit_test(test_restart_in_own_callback_waits_a_turn),
        cmocka_unit_test(test_stop_of_another_due_timer),
        cmocka_unit_test(test_restart_of_another_due_timer),
        cmocka_unit_test(test_stop_twice_and_time_that_stands),
        cmocka_unit_test(test_same_deadline_keeps_order_of_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
