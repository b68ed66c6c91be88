/* SPDX-License-Identifier: Apache-2.0 */
/* The routing table: which candidates a request has, by one configuration and by what the servers have told
 * about their models. Immutable; a reload, or a server with a new list of models, makes another one.
 *
 * Where a model is: names written in the configuration or told by a server are in a hash map, with a set of
 * candidates for each hostgroup. A server whose list is not known yet is *open*: it takes each name that its
 * globs allow, or any. Open servers are merged into the sets of known names; for all other names their globs
 * are asked at the time of the request, which masks the hostgroup's set of open servers. So nothing is added
 * to a table in use, whatever names clients invent. (The mask may cut a round robin in two: its bound holds
 * for a set, not for each mask.)
 *
 * Locks: table_new and table_free with the gate held; everything else from any thread that has a reference.
 */
#pragma once

#include "route/policy.h"
#include "route/strategy.h"

#define TABLE_SET_BUCKETS 256

/* Candidates for one model in one hostgroup. */
struct model_place {
    size_t group; /* index in table->groups */
    struct candidate_set *set;
};

struct table_model {
    struct str name;
    uint64_t hash;
    struct str owner;           /* name of the first server that has it */
    struct model_place *places; /* ascending */
    size_t place_count;
};

struct open_server {
    const struct server *server;
    const struct server_models *models;
};

struct table_group {
    const struct hostgroup_config *config;
    const struct strategy_vtable *strategy;
    struct candidate_set *all;  /* NULL: no server */
    struct candidate_set *open; /* NULL: no open server */
    struct open_server *open_servers;
    size_t open_count;
};

struct set_link {
    struct set_link *next;
    struct candidate_set *set; /* referenced */
};

struct table {
    atomic_uint references;
    uint64_t generation;
    struct policy *policy; /* referenced */
    struct arena arena;
    struct server **servers; /* referenced, as config->servers */
    size_t server_count;
    const struct server_config **configs_by_slot;
    size_t slot_count;
    struct table_group *groups; /* as config->hostgroups: ascending ids */
    size_t group_count;
    struct table_model *models; /* sorted by name: the list for clients */
    size_t model_count;
    uint32_t *index; /* open addressing: position in models + 1, 0 is free */
    size_t index_mask;
    struct set_link *sets[TABLE_SET_BUCKETS]; /* each once, by hash */
};

/* With the gate held. From its return on, servers are what this table's configuration says (those it does not
 * name take no new request), so the caller publishes it before giving up the gate. Takes a reference to
 * `policy`. Turns go on where `previous` (may be NULL) has the same candidates. On failure nothing has
 * changed. */
MUST_USE enum err table_new(struct policy *policy, struct server_registry *registry,
                            const struct table *previous, uint64_t generation, struct table **ret_table);

struct table *table_ref(struct table *table);

/* True when that was the last reference: the caller then takes the gate, if it has not, and calls table_free.
 */
MUST_USE bool table_unref(struct table *table);

/* With the gate held: servers may go with it. */
void table_free(struct table *table);

enum route_verdict {
    ROUTE_FOUND,
    ROUTE_NO_MODEL,   /* no configured server, whatever its status, has the model */
    ROUTE_NO_SERVERS, /* the hostgroup has no server (for this model) */
    ROUTE_NO_MEMORY
};

/* Where a request may go. Valid as long as the table and the arena are. */
struct route {
    const struct rule *rule;         /* NULL: none matched */
    struct str model;                /* as to be sent: rewritten, or the client's */
    const struct table_group *group; /* ROUTE_FOUND */
    struct candidates candidates;    /* ROUTE_FOUND */
};

/* An alias counts as the model it stands for. A rule is an order: a request that it sends to a hostgroup without the
 * model goes nowhere else, and gets ROUTE_NO_MODEL only if nobody has the model; but a hostgroup without any server takes no
 * orders, and the request goes as without the rule. Without a rule: the user's default
 * hostgroup if that has the model, else the lowest one that has it. A
 * request without a model may go to every server of the rule's hostgroup, else of the lowest that has
 * servers. Always fills `ret_route`; `arena` is the request's. */
enum route_verdict table_route(const struct table *table, const struct route_facts *facts,
                               struct match_scratch *scratch, struct arena *arena, struct route *ret_route);

/* Exact name out of the list; NULL: not in it. */
const struct table_model *table_find_model(const struct table *table, struct str name);

/* What this table's configuration says about one of its servers; NULL: it does not name it. */
const struct server_config *table_config_of(const struct table *table, const struct server *server);

/* Whether callers have to fill route_facts.last_text. */
static inline bool table_needs_text(const struct table *table)
{
    return table->policy->needs_text;
}

/* For table_build.c: the hash of the index. */
uint64_t table_hash(struct str name);
