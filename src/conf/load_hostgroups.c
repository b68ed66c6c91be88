/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/sections.h"

#include <stdlib.h>

static const struct choice strategy_choices[] = {
    {.word = {"weighted_round_robin", 20}, .value = STRATEGY_WEIGHTED_ROUND_ROBIN},
    {.word = {"least_connections", 17}, .value = STRATEGY_LEAST_CONNECTIONS},
    {.word = {"latency", 7}, .value = STRATEGY_LATENCY},
    {.word = {"latency_based", 13}, .value = STRATEGY_LATENCY},
    {.word = {"random", 6}, .value = STRATEGY_RANDOM},
    {.word = {"default", 7}, .value = STRATEGY_DEFAULT},
};

static const struct field hostgroup_fields[] = {
    {.name = {"id", 2},
     .type = &field_unsigned,
     .offset = offsetof(struct hostgroup_config, id),
     .is_required = true,
     .max = HOSTGROUP_MAX,
     .help = "Unique number."},
    {.name = {"name", 4},
     .type = &field_name,
     .offset = offsetof(struct hostgroup_config, name),
     .help = "Unique name, for people."},
    {.name = {"strategy", 8},
     .type = &field_choice,
     .offset = offsetof(struct hostgroup_config, strategy),
     .default_text = "default",
     .choices = strategy_choices,
     .choice_count = ARRAY_LEN(strategy_choices),
     .help = "How a server is chosen among those that can answer; `default` is the setting load_balancing_algorithm."},
};

const struct section hostgroups_section = {
    .name = "hostgroups",
    .help =
        "Groups of servers that stand in for each other. A group that only servers name exists too, with the "
        "defaults.",
    .fields = hostgroup_fields,
    .field_count = ARRAY_LEN(hostgroup_fields),
    .object_size = sizeof(struct hostgroup_config),
};

/* Which ids are taken: one bit each. */
struct id_set {
    unsigned char bits[HOSTGROUP_MAX / 8 + 1];
};

/* False when it was in the set before. */
static bool id_add(struct id_set *set, unsigned id)
{
    unsigned char bit = (unsigned char)(1u << (id % 8));
    bool is_new = !(set->bits[id / 8] & bit);
    set->bits[id / 8] |= bit;
    return is_new;
}

static void check_ids(struct loader *loader, const struct yaml_node *list, struct id_set *set)
{
    const struct hostgroup_config *group = loader->config->hostgroups;
    for (const struct yaml_node *item = list->first; item; item = item->next, group++) {
        const struct yaml_node *id = yaml_get(item, STR("id"));
        if (id && loader_was_read(id, group->id) && !id_add(set, group->id))
            loader_report(loader, id->mark, "duplicate id %u in hostgroups", group->id);
    }
}

void hostgroups_load(struct loader *loader, const struct yaml_node *list)
{
    struct id_set set = {{0}};
    struct config *config = loader->config;
    config->hostgroups = section_read_list(loader, &hostgroups_section, list, &config->hostgroup_count);
    if (config->hostgroup_count == 0)
        return;
    check_ids(loader, list, &set);
    section_check_names(loader, &hostgroups_section, list);
}

static int compare_ids(const void *a, const void *b)
{
    const struct hostgroup_config *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static struct hostgroup_config *grow(struct config *config, size_t more)
{
    struct hostgroup_config *groups =
        ARENA_NEW_ARRAY(&config->arena, struct hostgroup_config, config->hostgroup_count + more);
    if (groups && config->hostgroup_count > 0)
        memcpy(groups, config->hostgroups, sizeof(*groups) * config->hostgroup_count);
    return groups;
}

static struct hostgroup_config implied(unsigned id)
{
    return (struct hostgroup_config){.id = id, .name = STR(""), .strategy = STRATEGY_DEFAULT, .is_implied = true};
}

void hostgroups_complete(struct loader *loader)
{
    struct id_set set = {{0}};
    struct config *config = loader->config;
    if (config->hostgroup_count + config->server_count == 0)
        return;
    struct hostgroup_config *groups = grow(config, config->server_count);
    if (!groups) {
        loader->no_memory = true;
        return;
    }
    size_t count = config->hostgroup_count;
    for (size_t i = 0; i < count; i++)
        id_add(&set, groups[i].id);
    for (size_t i = 0; i < config->server_count; i++)
        if (id_add(&set, config->servers[i].hostgroup))
            groups[count++] = implied(config->servers[i].hostgroup);
    qsort(groups, count, sizeof(*groups), compare_ids);
    config->hostgroups = groups;
    config->hostgroup_count = count;
}

const struct hostgroup_config *hostgroup_find(const struct config *config, unsigned id)
{
    const struct hostgroup_config wanted = {.id = id};
    if (config->hostgroup_count == 0)
        return NULL;
    return bsearch(&wanted, config->hostgroups, config->hostgroup_count, sizeof(wanted), compare_ids);
}

enum err hostgroup_ensure(struct config *config, unsigned id)
{
    if (hostgroup_find(config, id))
        return ERR_OK;
    struct hostgroup_config *groups = grow(config, 1);
    if (!groups)
        return ERR_NO_MEMORY;
    groups[config->hostgroup_count++] = implied(id);
    qsort(groups, config->hostgroup_count, sizeof(*groups), compare_ids);
    config->hostgroups = groups;
    return ERR_OK;
}
