/* SPDX-License-Identifier: Apache-2.0 */
#include "route/candidates.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Addresses may stand for servers: a set of a living table keeps its servers alive, so no address comes
 * twice. */
uint64_t candidate_set_hash(unsigned hostgroup, const struct candidate *members, size_t count)
{
    uint64_t hash = hostgroup;
    for (size_t i = 0; i < count; i++) {
        uint64_t pair[2] = {(uint64_t)(uintptr_t)members[i].server, members[i].weight};
        hash = XXH3_64bits_withSeed(pair, sizeof(pair), hash);
    }
    return hash;
}

bool candidate_set_is(const struct candidate_set *set, unsigned hostgroup, const struct candidate *members,
                      size_t count)
{
    if (set->hostgroup != hostgroup || set->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (set->members[i].server != members[i].server || set->members[i].weight != members[i].weight)
            return false;
    return true;
}

static size_t slot_words_needed(const struct candidate *members, size_t count)
{
    size_t highest = 0;
    for (size_t i = 0; i < count; i++)
        highest = MAX(highest, members[i].server->slot);
    return highest / SLOT_WORD_BITS + 1;
}

/* One piece of memory: the set with its members, the list of ready ones, the bits. */
static struct candidate_set *set_allocate(size_t count, size_t slot_words)
{
    size_t fixed = sizeof(struct candidate_set) + count * sizeof(struct candidate);
    size_t ready = count * sizeof(struct candidate *);
    struct candidate_set *set = calloc(1, fixed + ready + slot_words * sizeof(uint64_t));
    if (!set)
        return NULL;
    char *behind = (char *)set + fixed;
    set->ready = (struct candidate **)(void *)behind;
    set->slots = (uint64_t *)(void *)(behind + ready);
    set->slot_words = slot_words;
    set->count = count;
    return set;
}

struct candidate_set *candidate_set_new(unsigned hostgroup, const struct candidate *members, size_t count)
{
    struct candidate_set *set = set_allocate(count, slot_words_needed(members, count));
    if (!set)
        return NULL;
    set->references = 1;
    set->hostgroup = hostgroup;
    set->hash = candidate_set_hash(hostgroup, members, count);
    for (size_t i = 0; i < count; i++) {
        struct server *server = server_ref(members[i].server);
        set->members[i] = (struct candidate){.server = server, .weight = members[i].weight};
        set->slots[server->slot / SLOT_WORD_BITS] |= (uint64_t)1 << (server->slot % SLOT_WORD_BITS);
    }
    return set;
}

struct candidate_set *candidate_set_ref(struct candidate_set *set)
{
    set->references++;
    return set;
}

void candidate_set_unref(struct candidate_set *set)
{
    ASSERT(set->references > 0);
    if (--set->references > 0)
        return;
    for (size_t i = 0; i < set->count; i++)
        server_unref(set->members[i].server);
    free(set);
}
