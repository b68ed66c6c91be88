/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/catalog.h"

#include <stdlib.h>

void catalog_init(struct catalog *catalog)
{
    *catalog = (struct catalog){0};
    arena_init(&catalog->arena, NULL);
}

void catalog_fini(struct catalog *catalog)
{
    free(catalog->columns);
    arena_fini(&catalog->arena);
    *catalog = (struct catalog){0};
}

static enum err grow(struct catalog *catalog)
{
    size_t capacity = MIN(MAX(catalog->capacity * 2, 256), CATALOG_COLUMNS_MAX);
    if (catalog->count == capacity)
        return ERR_LIMIT;
    struct catalog_column *columns = realloc(catalog->columns, capacity * sizeof(*columns));
    if (!columns)
        return ERR_NO_MEMORY;
    catalog->columns = columns;
    catalog->capacity = capacity;
    return ERR_OK;
}

enum err catalog_add(struct catalog *catalog, struct str table, struct str column)
{
    enum err err = catalog->count == catalog->capacity ? grow(catalog) : ERR_OK;
    if (err != ERR_OK)
        return err;
    const struct catalog_column *last = catalog->count > 0 ? &catalog->columns[catalog->count - 1] : NULL;
    struct catalog_column added = {.name = arena_dup(&catalog->arena, column)};
    added.table = last && str_eq(last->table, table) ? last->table : arena_dup(&catalog->arena, table);
    if (!added.name.ptr || !added.table.ptr)
        return ERR_NO_MEMORY;
    catalog->columns[catalog->count++] = added;
    return ERR_OK;
}
