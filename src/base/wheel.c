/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wheel.h"

#define SLOT_MASK (WHEEL_SLOTS - 1)
#define SPAN_TICKS ((uint64_t)1 << (WHEEL_BITS * WHEEL_LEVELS))

static unsigned shift_of(unsigned level)
{
    return level * WHEEL_BITS;
}

void wheel_init(struct wheel *wheel, usec_t now)
{
    wheel->now = now / WHEEL_TICK;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void wheel_timer_init(struct wheel_timer *timer, void (*on_due)(struct wheel_timer *timer))
{
    list_init(&timer->node);
    timer->deadline = 0;
    timer->on_due = on_due;
}

/* The level is where the deadline's digits (base 64) first differ from now's: the coarsest one decides. */
static void wheel_file(struct wheel *wheel, struct wheel_timer *timer)
{
    uint64_t at = MIN(timer->deadline, wheel->now + SPAN_TICKS - 1);
    uint64_t differs = at ^ wheel->now;
    unsigned level = differs == 0 ? 0 : (unsigned)(63 - __builtin_clzll(differs)) / WHEEL_BITS;
    level = MIN(level, WHEEL_LEVELS - 1);
    unsigned slot = (unsigned)(at >> shift_of(level)) & SLOT_MASK;
    list_push_back(&wheel->slots[level][slot], &timer->node);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

void wheel_start(struct wheel *wheel, struct wheel_timer *timer, usec_t deadline)
{
    list_remove(&timer->node); /* its old slot's bit may stay set: an empty slot is passed over */
    uint64_t ticks = deadline / WHEEL_TICK + (deadline % WHEEL_TICK != 0);
    timer->deadline = MAX(ticks, wheel->now + 1);
    wheel_file(wheel, timer);
}

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
    (void)wheel;
    list_remove(&timer->node);
}

/* Next tick after now at which an occupied slot begins; UINT64_MAX when there is none. */
static uint64_t wheel_next_tick(const struct wheel *wheel)
{
    uint64_t next = UINT64_MAX;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (wheel->occupied[level] == 0)
            continue;
        uint64_t position = wheel->now >> shift_of(level);
        unsigned turn = (unsigned)(position + 1) & SLOT_MASK;
        uint64_t ahead = wheel->occupied[level] >> turn;
        if (turn > 0)
            ahead |= wheel->occupied[level] << (WHEEL_SLOTS - turn);
        uint64_t start = (position + 1 + (unsigned)__builtin_ctzll(ahead)) << shift_of(level);
        next = MIN(next, start);
    }
    return next;
}

/* Empties the slots that begin at the present tick into `ret_due`; timers of coarse levels are filed anew. */
static void wheel_collect(struct wheel *wheel, struct list *ret_due)
{
    for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
        if ((wheel->now & (((uint64_t)1 << shift_of(level)) - 1)) != 0)
            continue;
        unsigned slot = (unsigned)(wheel->now >> shift_of(level)) & SLOT_MASK;
        wheel->occupied[level] &= ~((uint64_t)1 << slot);
        struct list moved;
        list_init(&moved);
        list_splice_back(&moved, &wheel->slots[level][slot]);
        for (struct list *node; (node = list_pop_front(&moved));) {
            struct wheel_timer *timer = LIST_ITEM(node, struct wheel_timer, node);
            if (timer->deadline <= wheel->now)
                list_push_back(ret_due, node);
            else
                wheel_file(wheel, timer);
        }
    }
}

void wheel_advance(struct wheel *wheel, usec_t now)
{
    uint64_t target = now / WHEEL_TICK;
    struct list due;
    list_init(&due);
    for (uint64_t next; (next = wheel_next_tick(wheel)) <= target;) {
        wheel->now = next;
        wheel_collect(wheel, &due);
    }
    wheel->now = MAX(wheel->now, target);
    for (struct list *node; (node = list_pop_front(&due));) {
        struct wheel_timer *timer = LIST_ITEM(node, struct wheel_timer, node);
        timer->on_due(timer);
    }
}

usec_t wheel_next(const struct wheel *wheel)
{
    uint64_t next = wheel_next_tick(wheel);
    return next == UINT64_MAX ? USEC_FOREVER : next * WHEEL_TICK;
}
