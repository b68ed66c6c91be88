/* SPDX-License-Identifier: Apache-2.0 */
/* Using a routing table; table_build.c makes it. */
#include "route/table.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct table *table_ref(struct table *table)
{
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

bool table_unref(struct table *table)
{
    return atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) == 1;
}

/* Also for one that table_new gave up half-way. */
void table_free(struct table *table)
{
    for (size_t i = 0; i < TABLE_SET_BUCKETS; i++)
        for (struct set_link *link = table->sets[i]; link; link = link->next)
            candidate_set_unref(link->set);
    for (size_t i = 0; i < table->server_count; i++)
        server_unref(table->servers[i]);
    policy_unref(table->policy);
    arena_fini(&table->arena);
    free(table);
}

uint64_t table_hash(struct str name)
{
    return XXH3_64bits(name.ptr ? name.ptr : "", name.len);
}

const struct table_model *table_find_model(const struct table *table, struct str name)
{
    uint64_t hash = table_hash(name);
    for (size_t at = hash & table->index_mask; table->index[at] != 0; at = (at + 1) & table->index_mask) {
        const struct table_model *model = &table->models[table->index[at] - 1];
        if (model->hash == hash && str_eq(model->name, name))
            return model;
    }
    return NULL;
}

const struct server_config *table_config_of(const struct table *table, const struct server *server)
{
    return server->slot < table->slot_count ? table->configs_by_slot[server->slot] : NULL;
}

static struct candidate_set *known_set(const struct table_model *model, size_t group)
{
    for (size_t i = 0; i < model->place_count; i++)
        if (model->places[i].group == group)
            return model->places[i].set;
    return NULL;
}

static bool open_group_allows(const struct table_group *group, struct str name)
{
    for (size_t i = 0; i < group->open_count; i++)
        if (server_models_allow(group->open_servers[i].models, name))
            return true;
    return false;
}

/* One lookup of a name, asked group by group. */
struct lookup {
    const struct table *table;
    struct str name;
    const struct table_model *known; /* then the map has the whole answer */
};

static bool lookup_has(const struct lookup *lookup, size_t group)
{
    return lookup->known ? known_set(lookup->known, group) != NULL
                         : open_group_allows(&lookup->table->groups[group], lookup->name);
}

static bool lookup_is_anywhere(const struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->table->group_count; i++)
        if (lookup_has(lookup, i))
            return true;
    return false;
}

/* The open servers that allow `name`; a mask only if that is not all of them. */
static bool mask_open(const struct table_group *group, struct str name, struct arena *arena,
                      struct candidates *ret)
{
    struct candidates candidates = {.set = group->open};
    size_t allowed = 0;
    uint64_t *mask = ARENA_NEW_ARRAY(arena, uint64_t, group->open->slot_words);
    if (!mask)
        return false;
    for (size_t i = 0; i < group->open_count; i++) {
        size_t slot = group->open_servers[i].server->slot;
        if (!server_models_allow(group->open_servers[i].models, name))
            continue;
        mask[slot / SLOT_WORD_BITS] |= (uint64_t)1 << (slot % SLOT_WORD_BITS);
        allowed++;
    }
    if (allowed < group->open_count)
        candidates.mask = mask;
    *ret = candidates;
    return true;
}

/* lookup_has said yes. */
static enum route_verdict lookup_take(const struct lookup *lookup, size_t group, struct arena *arena,
                                      struct route *route)
{
    route->group = &lookup->table->groups[group];
    if (lookup->known)
        route->candidates.set = known_set(lookup->known, group);
    else if (!mask_open(route->group, lookup->name, arena, &route->candidates))
        return ROUTE_NO_MEMORY;
    return ROUTE_FOUND;
}

/* Index of a hostgroup; group_count when there is none. */
static size_t group_by_id(const struct table *table, unsigned id)
{
    size_t low = 0, high = table->group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->groups[middle].config->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < table->group_count && table->groups[low].config->id == id;
    return found ? low : table->group_count;
}

/* The groups a request may be sent to: [first, last). */
struct group_range {
    size_t first, last;
};

static struct group_range only_group(const struct table *table, unsigned id)
{
    size_t group = group_by_id(table, id);
    return (struct group_range){group, MIN(group + 1, table->group_count)};
}

static struct group_range groups_for(const struct table *table, const struct rule *rule)
{
    struct group_range all = {0, table->group_count};
    if (!rule)
        return all;
    struct group_range own = only_group(table, rule->config->hostgroup);
    bool has_servers = own.first < own.last && table->groups[own.first].all;
    return has_servers ? own : all;
}

static enum route_verdict route_without_model(const struct table *table, struct group_range range,
                                              struct route *route)
{
    for (size_t i = range.first; i < range.last; i++) {
        if (!table->groups[i].all)
            continue;
        route->group = &table->groups[i];
        route->candidates.set = table->groups[i].all;
        return ROUTE_FOUND;
    }
    return ROUTE_NO_SERVERS;
}

/* The first group of the range that has what is asked for; the range's end if none has. */
static size_t first_with_model(const struct lookup *lookup, struct group_range range)
{
    size_t group = range.first;
    while (group < range.last && !lookup_has(lookup, group))
        group++;
    return group;
}

enum route_verdict table_route(const struct table *table, const struct route_facts *facts,
                               struct match_scratch *scratch, struct arena *arena, struct route *ret_route)
{
    struct route_facts meant = *facts;
    meant.model = policy_real_model(table->policy, facts->model);
    const struct rule *rule = policy_find_rule(table->policy, &meant, scratch);
    bool rewrites = rule && rule->config->rewrite_model.len > 0 && meant.model.len > 0;
    *ret_route = (struct route){.rule = rule, .model = rewrites ? rule->config->rewrite_model : meant.model};
    struct group_range range = groups_for(table, rule), own = {0, 0};
    if (!rule && facts->default_hostgroup > 0)
        own = only_group(table, facts->default_hostgroup);
    if (ret_route->model.len == 0) {
        enum route_verdict verdict = route_without_model(table, own, ret_route);
        return verdict == ROUTE_FOUND ? verdict : route_without_model(table, range, ret_route);
    }
    struct lookup lookup = {table, ret_route->model, table_find_model(table, ret_route->model)};
    size_t group = first_with_model(&lookup, own);
    if (group < own.last)
        return lookup_take(&lookup, group, arena, ret_route);
    group = first_with_model(&lookup, range);
    if (group < range.last)
        return lookup_take(&lookup, group, arena, ret_route);
    /* Without any server, "no such model" would blame the wrong thing. */
    if (table->server_count == 0 || (rule && lookup_is_anywhere(&lookup)))
        return ROUTE_NO_SERVERS;
    return ROUTE_NO_MODEL;
}
