/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ledger_open_requests.h"

#include <stdlib.h>

#define SLOTS_FIRST 1024u

/* Ids count up: a multiplication spreads them (Knuth's, of the golden ratio). */
static size_t home_of(const struct open_requests *open, uint64_t run, uint64_t id)
{
    return (size_t)(((run ^ id) * 0x9e3779b97f4a7c15) >> 32) & (open->slot_count - 1);
}

/* Its slot, or the free one where it would go. */
static size_t find_slot(const struct open_requests *open, uint64_t run, uint64_t id)
{
    size_t slot = home_of(open, run, id);
    while (open->slots[slot].segment_number != 0 &&
           (open->slots[slot].run != run || open->slots[slot].id != id))
        slot = (slot + 1) & (open->slot_count - 1);
    return slot;
}

static bool grow(struct open_requests *open)
{
    struct open_requests larger = {.slot_count = MAX(2 * open->slot_count, SLOTS_FIRST),
                                   .count = open->count};
    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < open->slot_count; i++)
        if (open->slots[i].segment_number != 0)
            larger.slots[find_slot(&larger, open->slots[i].run, open->slots[i].id)] = open->slots[i];
    free(open->slots);
    *open = larger;
    return true;
}

bool open_requests_add(struct open_requests *open, uint64_t run, uint64_t id, uint64_t segment_number,
                       size_t at)
{
    ASSERT(segment_number != 0);
    if (2 * open->count >= open->slot_count && !grow(open))
        return false;
    struct open_request *slot = &open->slots[find_slot(open, run, id)];
    if (slot->segment_number == 0) {
        *slot = (struct open_request){run, id, segment_number, at};
        open->count++;
    }
    return true;
}

void open_requests_remove(struct open_requests *open, uint64_t run, uint64_t id)
{
    if (open->count == 0)
        return;
    size_t hole = find_slot(open, run, id), mask = open->slot_count - 1;
    if (open->slots[hole].segment_number == 0)
        return;
    /* Those behind that would not be found over the hole move up. */
    for (size_t i = (hole + 1) & mask; open->slots[i].segment_number != 0; i = (i + 1) & mask) {
        size_t home = home_of(open, open->slots[i].run, open->slots[i].id);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            open->slots[hole] = open->slots[i];
            hole = i;
        }
    }
    open->slots[hole] = (struct open_request){0};
    open->count--;
}

void open_requests_free(struct open_requests *open)
{
    free(open->slots);
    *open = (struct open_requests){0};
}
