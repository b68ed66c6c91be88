/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/fields.h"

#include "conf/suggest.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 64 /* bytes of a name that a message repeats */

static bool has_field(const struct section *section, struct str key)
{
    for (size_t i = 0; i < section->field_count; i++)
        if (str_eq(section->fields[i].name, key))
            return true;
    return false;
}

static void report_unknown_keys(struct loader *loader, const struct section *section,
                                const struct yaml_node *node)
{
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        if (has_field(section, child->key))
            continue;
        struct suggestion suggestion;
        suggestion_init(&suggestion, child->key);
        for (size_t i = 0; i < section->field_count; i++)
            suggestion_offer(&suggestion, section->fields[i].name);
        loader_report_unknown(loader, child->key_mark, "key", child->key, suggestion.best);
    }
}

static void read_field(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       void *object)
{
    void *target = (char *)object + field->offset;
    const struct yaml_node *value = yaml_get(node, field->name);
    if (!value && field->default_text) {
        struct str text = str_from(field->default_text);
        const struct yaml_node assumed = {.mark = node->mark, .text = text, .written = text};
        field->type->read(loader, field, &assumed, target);
    } else if (!value && field->is_required) {
        loader_report(loader, node->mark, "missing %s '" STR_FMT "' in %s", loader_term(loader),
                      STR_ARG(field->name), loader->place);
    } else if (value && yaml_is_null(value)) {
        loader_report(loader, value->key_mark, STR_FMT " in %s has no value", STR_ARG(field->name),
                      loader->place);
    } else if (value && !value->is_broken) {
        field->type->read(loader, field, value, target);
    }
}

void section_read(struct loader *loader, const struct section *section, const struct yaml_node *node,
                  void *object)
{
    if (node->kind != YAML_KIND_MAPPING) {
        if (!node->is_broken)
            loader_report(loader, node->mark, "%s has to be a mapping (key: value)", loader->place);
        return;
    }
    report_unknown_keys(loader, section, node);
    for (size_t i = 0; i < section->field_count; i++)
        read_field(loader, &section->fields[i], node, object);
    if (section->check)
        section->check(loader, node, object);
}

void *section_read_list(struct loader *loader, const struct section *section, const struct yaml_node *node,
                        size_t *ret_count)
{
    size_t count = 0;
    *ret_count = 0;
    if (!node || yaml_is_null(node) || node->is_broken)
        return NULL;
    if (node->kind != YAML_KIND_SEQUENCE) {
        loader_report(loader, node->mark, "%s has to be a list", section->name);
        return NULL;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next)
        count++;
    if (count == 0)
        return NULL;
    if (count > SECTION_ITEMS_MAX) {
        loader_report(loader, node->mark, "%s has more than %d entries", section->name, SECTION_ITEMS_MAX);
        return NULL;
    }
    char *objects = arena_zero(&loader->config->arena, section->object_size * count);
    if (!objects) {
        loader->no_memory = true;
        return NULL;
    }
    size_t i = 0;
    for (const struct yaml_node *item = node->first; item; item = item->next, i++) {
        snprintf(loader->place, sizeof(loader->place), "%s[%zu]", section->name, i);
        section_read(loader, section, item, objects + i * section->object_size);
    }
    *ret_count = count;
    return objects;
}

static int compare_marks(struct mark a, struct mark b)
{
    if (a.line != b.line)
        return a.line < b.line ? -1 : 1;
    return (a.column > b.column) - (a.column < b.column);
}

static int compare_names(const void *a, const void *b)
{
    const struct yaml_node *left = *(const struct yaml_node *const *)a;
    const struct yaml_node *right = *(const struct yaml_node *const *)b;
    int order = memcmp(left->text.ptr, right->text.ptr, MIN(left->text.len, right->text.len));
    if (order == 0)
        order = (left->text.len > right->text.len) - (left->text.len < right->text.len);
    return order != 0 ? order : compare_marks(left->mark, right->mark);
}

/* Sorted, so that equal names are neighbours: comparing all with all would take a second for long lists. */
void section_check_names(struct loader *loader, const struct section *section, const struct yaml_node *list)
{
    const struct yaml_node **names = calloc(SECTION_ITEMS_MAX, sizeof(struct yaml_node *));
    size_t count = 0;
    if (!names) {
        loader->no_memory = true;
        return;
    }
    for (const struct yaml_node *item = list->first; item; item = item->next) {
        const struct yaml_node *name = yaml_get(item, STR("name"));
        if (name && name->kind == YAML_KIND_SCALAR && !name->is_broken)
            names[count++] = name;
    }
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++)
        if (str_eq(names[i]->text, names[i - 1]->text))
            loader_report(loader, names[i]->mark, "duplicate name '" STR_FMT "' in %s, as in line %u",
                          (int)MIN(names[i]->written.len, SHOWN_MAX), names[i]->written.ptr, section->name,
                          names[i - 1]->mark.line);
    free(names);
}
