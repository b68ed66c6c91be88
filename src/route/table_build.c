/* SPDX-License-Identifier: Apache-2.0 */
/* Making a routing table, in this order: servers, groups, claims (server x says it has model y), models with
 * their sets of candidates, the index; last, when nothing can fail any more, the servers are told the new
 * configuration. */
#include "route/table.h"

#include <stdlib.h>

/* A server that has a certain name. */
struct claim {
    size_t server; /* index */
    uint32_t next; /* of the same name: position in claims + 1, 0 is the end */
};

/* A name and all who claim it, in the order of servers. */
struct claimed {
    struct str name; /* borrowed from the configuration or from the server */
    uint64_t hash;
    uint32_t first, last; /* positions in claims + 1 */
};

/* A server that will be a candidate for the model in work. */
struct share {
    size_t group, server; /* indexes */
};

/* Lifetime: one table_new. */
struct builder {
    struct table *table;
    const struct config *config;
    const struct table *previous; /* NULL: none */
    struct arena scratch;
    size_t *group_of; /* by server */
    size_t *open;     /* indexes of open servers */
    size_t open_count;
    struct claim *claims;
    size_t claim_count;
    struct claimed *names;
    size_t name_count;
    uint32_t *names_index; /* open addressing: position in names + 1, 0 is free */
    size_t names_mask;
    struct share *shares;      /* room for all servers, each twice */
    struct candidate *members; /* room for all servers */
};

/* A server takes what it does not know yet only if its configuration leaves that open. */
static bool is_open(const struct server *server, const struct server_models *models)
{
    return !server->models_known && (models->glob_count > 0 || models->name_count == 0);
}

static enum err build_servers(struct builder *builder, struct server_registry *registry)
{
    struct table *table = builder->table;
    const struct config *config = builder->config;
    table->servers = ARENA_NEW_ARRAY(&table->arena, struct server *, MAX(config->server_count, 1));
    if (!table->servers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->server_count; i++) {
        struct server *server =
            server_get(registry, config->servers[i].name, config->servers[i].endpoint_text);
        if (!server)
            return ERR_NO_MEMORY;
        table->servers[table->server_count++] = server;
        table->slot_count = MAX(table->slot_count, server->slot + 1);
    }
    table->configs_by_slot =
        ARENA_NEW_ARRAY(&table->arena, const struct server_config *, MAX(table->slot_count, 1));
    if (!table->configs_by_slot)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->server_count; i++)
        table->configs_by_slot[table->servers[i]->slot] = &config->servers[i];
    return ERR_OK;
}

static struct candidate_set *find_set(const struct table *table, uint64_t hash, unsigned hostgroup,
                                      const struct candidate *members, size_t count)
{
    for (const struct set_link *link = table->sets[hash % TABLE_SET_BUCKETS]; link; link = link->next)
        if (link->set->hash == hash && candidate_set_is(link->set, hostgroup, members, count))
            return link->set;
    return NULL;
}

/* The set of the first `count` of builder->members: one of this table, one of the previous, or a new one. */
static enum err share_set(struct builder *builder, unsigned hostgroup, size_t count,
                          struct candidate_set **ret_set)
{
    struct table *table = builder->table;
    uint64_t hash = candidate_set_hash(hostgroup, builder->members, count);
    struct candidate_set *set = find_set(table, hash, hostgroup, builder->members, count);
    if (!set) {
        struct set_link *link = ARENA_NEW(&table->arena, struct set_link);
        if (!link)
            return ERR_NO_MEMORY;
        if (builder->previous)
            set = find_set(builder->previous, hash, hostgroup, builder->members, count);
        set = set ? candidate_set_ref(set) : candidate_set_new(hostgroup, builder->members, count);
        if (!set)
            return ERR_NO_MEMORY;
        *link = (struct set_link){table->sets[hash % TABLE_SET_BUCKETS], set};
        table->sets[hash % TABLE_SET_BUCKETS] = link;
    }
    *ret_set = set;
    return ERR_OK;
}

static void add_member(struct builder *builder, size_t at, size_t server)
{
    builder->members[at] = (struct candidate){
        .server = builder->table->servers[server],
        .weight = builder->config->servers[server].weight,
    };
}

static enum err build_group_all(struct builder *builder, size_t index)
{
    struct table_group *group = &builder->table->groups[index];
    size_t count = 0;
    for (size_t i = 0; i < builder->table->server_count; i++)
        if (builder->group_of[i] == index)
            add_member(builder, count++, i);
    return count > 0 ? share_set(builder, group->config->id, count, &group->all) : ERR_OK;
}

static enum err build_group_open(struct builder *builder, size_t index)
{
    struct table *table = builder->table;
    struct table_group *group = &table->groups[index];
    group->open_servers = ARENA_NEW_ARRAY(&table->arena, struct open_server, MAX(builder->open_count, 1));
    if (!group->open_servers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < builder->open_count; i++) {
        size_t server = builder->open[i];
        if (builder->group_of[server] != index)
            continue;
        add_member(builder, group->open_count, server);
        group->open_servers[group->open_count++] =
            (struct open_server){table->servers[server], &table->policy->servers[server]};
    }
    if (group->open_count == 0)
        return ERR_OK;
    return share_set(builder, group->config->id, group->open_count, &group->open);
}

static enum err build_groups(struct builder *builder)
{
    struct table *table = builder->table;
    const struct config *config = builder->config;
    table->groups = ARENA_NEW_ARRAY(&table->arena, struct table_group, MAX(config->hostgroup_count, 1));
    if (!table->groups)
        return ERR_NO_MEMORY;
    table->group_count = config->hostgroup_count;
    for (size_t i = 0; i < table->group_count; i++) {
        table->groups[i].config = &config->hostgroups[i];
        table->groups[i].strategy = strategy_get(hostgroup_strategy(config, &config->hostgroups[i]));
        enum err err = build_group_all(builder, i);
        if (err == ERR_OK)
            err = build_group_open(builder, i);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* Sorting all claims instead would cost several times as much where many servers have many models. */
static struct claimed *find_name(struct builder *builder, struct str name)
{
    uint64_t hash = table_hash(name);
    size_t at = hash & builder->names_mask;
    for (; builder->names_index[at] != 0; at = (at + 1) & builder->names_mask) {
        struct claimed *claimed = &builder->names[builder->names_index[at] - 1];
        if (claimed->hash == hash && str_eq(claimed->name, name))
            return claimed;
    }
    builder->names[builder->name_count] = (struct claimed){.name = name, .hash = hash};
    builder->names_index[at] = (uint32_t)++builder->name_count;
    return &builder->names[builder->name_count - 1];
}

static void claim_name(struct builder *builder, struct str name, size_t server)
{
    struct claimed *claimed = find_name(builder, name);
    if (claimed->last != 0 && builder->claims[claimed->last - 1].server == server)
        return; /* both written down and told */
    builder->claims[builder->claim_count++] = (struct claim){.server = server};
    uint32_t position = (uint32_t)builder->claim_count;
    if (claimed->last != 0)
        builder->claims[claimed->last - 1].next = position;
    else
        claimed->first = position;
    claimed->last = position;
}

static void claim_models(struct builder *builder, size_t index)
{
    const struct server *server = builder->table->servers[index];
    const struct server_models *models = &builder->table->policy->servers[index];
    for (size_t i = 0; i < models->name_count; i++)
        claim_name(builder, models->names[i], index);
    for (size_t i = 0; i < server->model_count; i++)
        if (server_models_allow(models, server->models[i]))
            claim_name(builder, server->models[i], index);
}

static int compare_names(const void *left, const void *right)
{
    const struct claimed *a = left, *b = right;
    int order = memcmp(a->name.ptr, b->name.ptr, MIN(a->name.len, b->name.len));
    return order != 0 ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* Of an index that is at most half full, so that a search ends soon. */
static size_t index_size(size_t count)
{
    size_t size = 2;
    while (size < 2 * count)
        size *= 2;
    return size;
}

static enum err build_claims(struct builder *builder)
{
    size_t room = 1;
    for (size_t i = 0; i < builder->table->server_count; i++)
        room += builder->table->policy->servers[i].name_count + builder->table->servers[i]->model_count;
    builder->names_mask = index_size(room) - 1;
    builder->claims = ARENA_NEW_ARRAY(&builder->scratch, struct claim, room);
    builder->names = ARENA_NEW_ARRAY(&builder->scratch, struct claimed, room);
    builder->names_index = ARENA_NEW_ARRAY(&builder->scratch, uint32_t, builder->names_mask + 1);
    if (!builder->claims || !builder->names || !builder->names_index)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < builder->table->server_count; i++)
        claim_models(builder, i);
    qsort(builder->names, builder->name_count, sizeof(*builder->names), compare_names);
    return ERR_OK;
}

static int compare_shares(const void *left, const void *right)
{
    const struct share *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return (a->server > b->server) - (a->server < b->server);
}

/* Those who claim the name and the open servers that allow it, by group; a server may be both. */
static size_t collect_shares(struct builder *builder, const struct claimed *claimed)
{
    size_t count = 0;
    for (uint32_t at = claimed->first; at != 0; at = builder->claims[at - 1].next) {
        size_t server = builder->claims[at - 1].server;
        builder->shares[count++] = (struct share){builder->group_of[server], server};
    }
    for (size_t i = 0; i < builder->open_count; i++) {
        size_t server = builder->open[i];
        if (server_models_allow(&builder->table->policy->servers[server], claimed->name))
            builder->shares[count++] = (struct share){builder->group_of[server], server};
    }
    bool sorted = true; /* the usual case: one group, all lists known */
    for (size_t i = 1; i < count && sorted; i++)
        sorted = compare_shares(&builder->shares[i - 1], &builder->shares[i]) <= 0;
    if (!sorted)
        qsort(builder->shares, count, sizeof(*builder->shares), compare_shares);
    return count;
}

/* One place for each run of shares of the same group, with each server once. */
static enum err build_places(struct builder *builder, struct table_model *model, size_t share_count)
{
    const struct share *shares = builder->shares;
    for (size_t i = 0; i < share_count;) {
        size_t group = shares[i].group, members = 0;
        for (size_t before = SIZE_MAX; i < share_count && shares[i].group == group;
             before = shares[i++].server)
            if (shares[i].server != before)
                add_member(builder, members++, shares[i].server);
        struct model_place *place = &model->places[model->place_count++];
        place->group = group;
        enum err err = share_set(builder, builder->table->groups[group].config->id, members, &place->set);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err build_model(struct builder *builder, const struct claimed *claimed)
{
    struct table *table = builder->table;
    struct table_model *model = &table->models[table->model_count++];
    size_t share_count = collect_shares(builder, claimed);
    size_t owner = builder->claims[claimed->first - 1].server;
    model->hash = claimed->hash;
    model->owner = builder->config->servers[owner].name;
    model->name = arena_dup(&table->arena, claimed->name);
    model->places = ARENA_NEW_ARRAY(&table->arena, struct model_place, MIN(share_count, table->group_count));
    if (!model->name.ptr || !model->places)
        return ERR_NO_MEMORY;
    return build_places(builder, model, share_count);
}

static enum err build_models(struct builder *builder)
{
    struct table *table = builder->table;
    table->models = ARENA_NEW_ARRAY(&table->arena, struct table_model, MAX(builder->name_count, 1));
    if (!table->models)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < builder->name_count; i++) {
        enum err err = build_model(builder, &builder->names[i]);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err build_index(struct table *table)
{
    size_t size = index_size(table->model_count);
    table->index = ARENA_NEW_ARRAY(&table->arena, uint32_t, size);
    if (!table->index)
        return ERR_NO_MEMORY;
    table->index_mask = size - 1;
    for (size_t i = 0; i < table->model_count; i++) {
        size_t at = table->models[i].hash & table->index_mask;
        while (table->index[at] != 0)
            at = (at + 1) & table->index_mask;
        table->index[at] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

/* Index of the hostgroup of that id; the configuration has one for every server. */
static size_t group_index(const struct config *config, unsigned id)
{
    size_t i = 0;
    while (i < config->hostgroup_count && config->hostgroups[i].id != id)
        i++;
    ASSERT(i < config->hostgroup_count);
    return i;
}

static enum err build_lists(struct builder *builder)
{
    size_t count = builder->table->server_count, room = MAX(count, 1);
    builder->group_of = ARENA_NEW_ARRAY(&builder->scratch, size_t, room);
    builder->open = ARENA_NEW_ARRAY(&builder->scratch, size_t, room);
    builder->shares = ARENA_NEW_ARRAY(&builder->scratch, struct share, 2 * room);
    builder->members = ARENA_NEW_ARRAY(&builder->scratch, struct candidate, room);
    if (!builder->group_of || !builder->open || !builder->shares || !builder->members)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        builder->group_of[i] = group_index(builder->config, builder->config->servers[i].hostgroup);
        if (is_open(builder->table->servers[i], &builder->table->policy->servers[i]))
            builder->open[builder->open_count++] = i;
    }
    return ERR_OK;
}

static enum err build_all(struct builder *builder, struct server_registry *registry)
{
    enum err err = build_servers(builder, registry);
    err = err ? err : build_lists(builder);
    err = err ? err : build_groups(builder);
    err = err ? err : build_claims(builder);
    err = err ? err : build_models(builder);
    err = err ? err : build_index(builder->table);
    return err;
}

static void configure_servers(const struct table *table, struct server_registry *registry)
{
    LIST_EACH (node, &registry->servers) {
        struct server *server = LIST_ITEM(node, struct server, node);
        server_configure(server, table_config_of(table, server));
    }
}

enum err table_new(struct policy *policy, struct server_registry *registry, const struct table *previous,
                   uint64_t generation, struct table **ret_table)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return ERR_NO_MEMORY;
    atomic_init(&table->references, 1);
    table->generation = generation;
    table->policy = policy_ref(policy);
    arena_init(&table->arena, NULL);
    struct builder builder = {.table = table, .config = policy->config, .previous = previous};
    arena_init(&builder.scratch, NULL);
    enum err err = build_all(&builder, registry);
    arena_fini(&builder.scratch);
    if (err != ERR_OK) {
        table_free(table);
        return err;
    }
    configure_servers(table, registry);
    *ret_table = table;
    return ERR_OK;
}
