/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tables and columns, as the server told them: what completion offers. Pure. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define CATALOG_COLUMNS_MAX 20000 /* what lies beyond is not offered */

struct catalog_column {
    struct str table, name; /* views into the catalog's arena */
};

struct catalog {
    struct arena arena;
    struct catalog_column *columns; /* in the order they came in; those of a table follow one another */
    size_t count, capacity;
};

void catalog_init(struct catalog *catalog);
void catalog_fini(struct catalog *catalog);

/* Copies both. ERR_LIMIT: the catalog is full. */
MUST_USE enum err catalog_add(struct catalog *catalog, struct str table, struct str column);
