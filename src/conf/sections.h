/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of fairlead.yaml: their tables, and what reads each into the loader's configuration. Internal
 * to conf/. Call them in the order in which they stand here: later ones look at what earlier ones read. */
#pragma once

#include "conf/fields.h"

extern const struct section listeners_section;
extern const struct section hostgroups_section;
extern const struct section servers_section;
extern const struct section rules_section;

/* `list` is the section's value in the file, NULL when it is not there. */
void listeners_load(struct loader *loader, const struct yaml_node *list);
void hostgroups_load(struct loader *loader, const struct yaml_node *list);
void servers_load(struct loader *loader, const struct yaml_node *list);
void rules_load(struct loader *loader, const struct yaml_node *list);

/* The listeners of a configuration that says nothing about them. */
MUST_USE enum err listeners_default(struct config *config);

/* Adds the groups that only servers name, and sorts all: the end of servers_load. */
void hostgroups_complete(struct loader *loader);

/* By priority; equal ones keep their order. The end of rules_load. */
void rules_sort(struct loader *loader);

/* Makes sure that hostgroup `id` exists; a new one has the default strategy and no name. */
MUST_USE enum err hostgroup_ensure(struct config *config, unsigned id);

/* NULL when there is none. The groups are sorted. */
const struct hostgroup_config *hostgroup_find(const struct config *config, unsigned id);
