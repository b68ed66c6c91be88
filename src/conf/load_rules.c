/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/sections.h"

#include <stdlib.h>

#define PRIORITY_MAX 1000000
#define REGEX_PREFIX STR("regex:")

/* Keeps the pattern if it is one. */
static void keep_match(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       const struct match_config *match, bool is_search, struct match_config *target)
{
    const struct config_env *env = loader->env;
    char memory[256];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory));
    if (match->pattern.len == 0)
        loader_report(loader, node->mark, "an empty expression after 'regex:' in %s", loader->place);
    else if (env->is_pattern && !env->is_pattern(env->context, match, is_search, &why))
        loader_report(loader, node->mark, "%.*s in %s: %.*s", STR_ARG(field->name), loader->place,
                      STR_ARG(buf_str(&why)));
    else
        *target = (struct match_config){match->kind, loader_copy(loader, match->pattern)};
}

/* "" is allowed: it means the same as no key. */
static bool is_any(const struct yaml_node *node)
{
    return node->kind == YAML_KIND_SCALAR && node->text.len == 0;
}

static void read_match(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       void *target)
{
    if (is_any(node) || !loader_check_text(loader, field, node))
        return;
    struct str prefix = REGEX_PREFIX;
    struct match_config match = {MATCH_GLOB, node->text};
    if (str_starts(node->text, prefix))
        match = (struct match_config){MATCH_REGEX, str_from_offset(node->text, prefix.len)};
    keep_match(loader, field, node, &match, false, target);
}

static void read_pattern(struct loader *loader, const struct field *field, const struct yaml_node *node,
                         void *target)
{
    if (is_any(node) || !loader_check_text(loader, field, node))
        return;
    struct str prefix = REGEX_PREFIX;
    bool has_prefix = str_starts(node->text, prefix);
    struct match_config match = {MATCH_REGEX, str_from_offset(node->text, has_prefix ? prefix.len : 0)};
    keep_match(loader, field, node, &match, true, target);
}

static const struct field_type match_type = {"glob, or `regex:` and an expression", read_match};
static const struct field_type pattern_type = {"regular expression", read_pattern};

static const struct field rule_fields[] = {
    {.name = {"priority", 8},
     .type = &field_unsigned,
     .offset = offsetof(struct rule_config, priority),
     .default_text = "100",
     .max = PRIORITY_MAX,
     .help = "Lower is tried first; equal ones in the order of the file."},
    {.name = {"match_model", 11},
     .type = &match_type,
     .offset = offsetof(struct rule_config, model),
     .help = "Which models; the whole name has to match. Left out: any."},
    {.name = {"match_user", 10},
     .type = &match_type,
     .offset = offsetof(struct rule_config, user),
     .help = "Which users; the whole name has to match. Left out: any."},
    {.name = {"match_pattern", 13},
     .type = &pattern_type,
     .offset = offsetof(struct rule_config, text),
     .help = "Searched for in the last text of the user. Left out: any."},
    {.name = {"hostgroup", 9},
     .type = &field_unsigned,
     .offset = offsetof(struct rule_config, hostgroup),
     .is_required = true,
     .max = HOSTGROUP_MAX,
     .help = "Where matching requests go; a hostgroup that is declared or that a server names."},
    {.name = {"rewrite_model", 13},
     .type = &field_text,
     .offset = offsetof(struct rule_config, rewrite_model),
     .help = "Name of the model that the server is sent instead."},
    {.name = {"comment", 7},
     .type = &field_text,
     .offset = offsetof(struct rule_config, comment),
     .help = "For people."},
};

const struct section rules_section = {
    .name = "rules",
    .help = "Where requests go. The first rule of which every `match_` key matches decides.",
    .fields = rule_fields,
    .field_count = ARRAY_LEN(rule_fields),
    .object_size = sizeof(struct rule_config),
};

static void check_hostgroups(struct loader *loader, const struct yaml_node *list)
{
    const struct rule_config *rule = loader->config->rules;
    size_t i = 0;
    for (const struct yaml_node *item = list->first; item; item = item->next, i++) {
        const struct yaml_node *id = yaml_get(item, STR("hostgroup"));
        if (id && loader_was_read(id, rule[i].hostgroup) &&
            !hostgroup_find(loader->config, rule[i].hostgroup))
            loader_report(loader, id->mark,
                          "unknown hostgroup %u in rules[%zu]: not in hostgroups, and no server names it",
                          rule[i].hostgroup, i);
    }
}

struct place {
    unsigned priority;
    size_t index; /* before */
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    if (left->priority != right->priority)
        return left->priority < right->priority ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* qsort keeps no order among equals, so the order before is part of the key. */
void rules_sort(struct loader *loader)
{
    struct config *config = loader->config;
    size_t count = config->rule_count;
    if (count == 0)
        return;
    struct place *places = calloc(count, sizeof(*places));
    struct rule_config *sorted = ARENA_NEW_ARRAY(&config->arena, struct rule_config, count);
    if (!places || !sorted) {
        loader->no_memory = true;
        free(places);
        return;
    }
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){config->rules[i].priority, i};
    qsort(places, count, sizeof(*places), compare_places);
    for (size_t i = 0; i < count; i++)
        sorted[i] = config->rules[places[i].index];
    config->rules = sorted;
    free(places);
}

void rules_load(struct loader *loader, const struct yaml_node *list)
{
    struct config *config = loader->config;
    config->rules = section_read_list(loader, &rules_section, list, &config->rule_count);
    if (config->rule_count == 0)
        return;
    check_hostgroups(loader, list);
    rules_sort(loader);
}
