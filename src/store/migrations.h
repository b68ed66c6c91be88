/* SPDX-License-Identifier: Apache-2.0 */
/* The files of src/store/schema, as the build puts them into the program (scripts/embed-schema.py). Internal to
 * store/. */
#pragma once

struct db_migration {
    unsigned version; /* of the schema after `up`; they count from 1 without a gap */
    const char *name;
    const char *up, *down;
};

extern const struct db_migration db_migrations[];
extern const unsigned db_migration_count;
