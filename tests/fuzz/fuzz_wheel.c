/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as operations on a wheel, against a list that is kept sorted by deadline: what is due runs, in order of the
 * deadlines, and nothing else does; and whoever sleeps until wheel_next misses nothing. */
#include "base/wheel.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define TIMERS 12
#define OPS_MAX 400
#define LONGEST 41  /* bits of a delay, microseconds: twice what the wheel spans */
#define STEP_MAX 64 /* slots that wheel_next may stop at before it comes to a deadline: some a level */

struct probe {
    struct wheel_timer timer;
    uint64_t tick; /* in which it has to run */
    struct probe *next;
    bool is_in_list;
    uint8_t deed, subject; /* what its callback does, and to which one */
    usec_t delay;
};

static struct wheel wheel;
static usec_t now;
static struct probe probes[TIMERS];
static struct probe *first; /* the list */
static bool is_advancing;
static uint64_t advance_tick, last_tick; /* the present wheel_advance's, and of the timer it ran last */

/* The fuzzer's bytes; zeros behind their end. */
static const uint8_t *bytes, *bytes_end;

static uint8_t next_byte(void)
{
    return bytes < bytes_end ? *bytes++ : 0;
}

/* A number of at most 2^`bits`, of any scale: with or without a fraction of a tick, near digits' ends or not. */
static usec_t next_delay(unsigned bits)
{
    uint8_t scale = next_byte(), less = next_byte();
    usec_t delay = (usec_t)1 << (scale % bits);
    delay += (usec_t)next_byte() << (scale % bits > 8 ? scale % bits - 8 : 0);
    if (scale & 128)
        delay = delay / WHEEL_TICK * WHEEL_TICK;
    return scale & 64 ? delay - MIN(delay, less) : delay;
}

static usec_t before_now(usec_t delay)
{
    return now - MIN(now, delay);
}

/* ---- the list ---- */

static void list_take(struct probe *probe)
{
    struct probe **at = &first;
    while (*at && *at != probe)
        at = &(*at)->next;
    if (*at)
        *at = probe->next;
    probe->is_in_list = false;
}

static void list_put(struct probe *probe)
{
    struct probe **at = &first;
    while (*at && (*at)->tick <= probe->tick)
        at = &(*at)->next;
    probe->next = *at;
    *at = probe;
    probe->is_in_list = true;
}

/* ---- both ---- */

static void probe_start(struct probe *probe, usec_t deadline)
{
    uint64_t tick = deadline / WHEEL_TICK + (deadline % WHEEL_TICK > 0);
    wheel_start(&wheel, &probe->timer, deadline);
    list_take(probe);
    probe->tick = MAX(tick, now / WHEEL_TICK + 1); /* never at once */
    list_put(probe);
}

static void probe_stop(struct probe *probe)
{
    wheel_stop(&wheel, &probe->timer);
    list_take(probe);
}

static void probe_act(struct probe *probe)
{
    struct probe *subject = &probes[probe->subject % TIMERS];
    switch (probe->deed % 4) {
    case 0:
        probe_stop(subject);
        break;
    case 1:
        probe_start(subject, now + probe->delay);
        break;
    case 2:
        probe_start(subject, before_now(probe->delay));
        break;
    default:
        break;
    }
}

static void probe_on_due(struct wheel_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    CHECK(is_advancing && probe->is_in_list && !wheel_timer_is_running(timer));
    CHECK(probe->tick <= advance_tick); /* never early */
    CHECK(probe->tick >= last_tick);
    last_tick = probe->tick;
    list_take(probe);
    probe_act(probe);
}

/* At most one tick late: nothing that was due is left. */
static void advance_to(usec_t to)
{
    usec_t before = now;
    now = MAX(before, to); /* a clock that stands or goes back changes nothing */
    advance_tick = now / WHEEL_TICK;
    last_tick = 0;
    is_advancing = true;
    wheel_advance(&wheel, to);
    is_advancing = false;
    CHECK(!first || first->tick > advance_tick);
}

static void check_state(void)
{
    usec_t next = wheel_next(&wheel);
    CHECK(next > now);
    CHECK(!first || next / WHEEL_TICK <= first->tick);
    for (size_t i = 0; i < TIMERS; i++)
        CHECK(wheel_timer_is_running(&probes[i].timer) == probes[i].is_in_list);
}

/* As the loop does: sleeps from one wheel_next to the next, until something has run. */
static void advance_to_first(void)
{
    if (!first || first->tick - now / WHEEL_TICK >= (uint64_t)1 << (WHEEL_BITS * WHEEL_LEVELS))
        return;
    uint64_t tick = first->tick;
    for (unsigned steps = 0; now / WHEEL_TICK < tick; steps++) {
        CHECK(steps < STEP_MAX);
        advance_to(wheel_next(&wheel));
        CHECK(now / WHEEL_TICK <= tick);
    }
}

static void operate(void)
{
    uint8_t op = next_byte();
    struct probe *probe = &probes[next_byte() % TIMERS];
    switch (op % 8) {
    case 0:
        probe_stop(probe);
        break;
    case 1:
        probe_start(probe, before_now(next_delay(LONGEST)));
        break;
    case 2:
        probe_start(probe, USEC_FOREVER - next_byte());
        break;
    case 3:
        probe->deed = next_byte();
        probe->subject = next_byte();
        probe->delay = next_delay(LONGEST);
        break;
    case 4:
        advance_to_first();
        break;
    case 5:
        advance_to(op & 128 ? before_now(next_delay(LONGEST)) : now + next_delay(LONGEST));
        break;
    default:
        probe_start(probe, now + next_delay(LONGEST));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes = data;
    bytes_end = data + size;
    now = next_delay(60);
    first = NULL;
    wheel_init(&wheel, now);
    for (size_t i = 0; i < TIMERS; i++) {
        probes[i] = (struct probe){.deed = 3};
        wheel_timer_init(&probes[i].timer, probe_on_due);
    }
    for (unsigned ops = 0; ops < OPS_MAX && bytes < bytes_end; ops++) {
        operate();
        check_state();
    }
    return 0;
}
