/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that may answer a request, and whose turn it is among them.
 *
 * Sets are shared: by all models that the same servers have, and by successive routing tables as long as
 * servers and weights stay the same. So a turn goes on over models and reloads. The gate protects references,
 * `lag`, `turn` and `ready`; the rest is fixed at birth. */
#pragma once

#include "route/server.h"

#define SLOT_WORD_BITS 64

struct candidate {
    struct server *server; /* referenced by the set */
    unsigned weight;
    int64_t lag; /* what it is owed, in weights: strategy_round_robin.c */
};

/* Lifetime: the last routing table that has it. */
struct candidate_set {
    unsigned references;
    unsigned hostgroup;
    uint64_t hash;   /* of hostgroup, servers and weights */
    uint64_t *slots; /* a bit for each member, at its server's slot */
    size_t slot_words;
    size_t turn;              /* member that goes first among equals */
    struct candidate **ready; /* room for all members, for one pick */
    size_t count;
    struct candidate members[];
};

/* A set, or the part of it that `mask` leaves: bits as in set->slots. NULL: all of it. */
struct candidates {
    struct candidate_set *set;
    const uint64_t *mask;
};

/* Identity of a set before it exists. */
uint64_t candidate_set_hash(unsigned hostgroup, const struct candidate *members, size_t count);
bool candidate_set_is(const struct candidate_set *set, unsigned hostgroup, const struct candidate *members,
                      size_t count);

/* Takes its own references to the servers; one reference is the caller's. NULL when memory is short. */
MUST_USE struct candidate_set *candidate_set_new(unsigned hostgroup, const struct candidate *members,
                                                 size_t count);

struct candidate_set *candidate_set_ref(struct candidate_set *set);

/* The last one frees it and may be the end of servers. */
void candidate_set_unref(struct candidate_set *set);

/* Reads only what is fixed. */
static inline bool candidates_have(const struct candidates *candidates, const struct server *server)
{
    const uint64_t *bits = candidates->mask ? candidates->mask : candidates->set->slots;
    size_t word = server->slot / SLOT_WORD_BITS;
    return word < candidates->set->slot_words && (bits[word] >> (server->slot % SLOT_WORD_BITS) & 1);
}
