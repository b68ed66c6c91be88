/* SPDX-License-Identifier: Apache-2.0 */
/* fairlead migrate: the store's schema, by hand. Starting Fairlead migrates up by itself; down is for going back to the
 * version before. */
#include "main/startup.h"
#include "store/db.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int fail(const char *why)
{
    fprintf(stderr, "fairlead: %s\n", why);
    return 1;
}

static int print_status(struct db *db)
{
    unsigned version = db_version(db), newest = db_newest_version();
    printf("schema version %u, this program knows up to %u%s\n", version, newest,
           version == newest  ? ": up to date"
           : version < newest ? ": fairlead migrate up, or a start, brings it there"
                              : ": a newer Fairlead made it");
    return version > newest ? 1 : 0;
}

static int migrate(struct db *db, struct str direction)
{
    char why[DB_WHY_MAX] = "";
    enum err err = ERR_OK;
    if (str_eq(direction, STR("up")))
        err = db_migrate_up(db, why);
    else if (str_eq(direction, STR("down")))
        err = db_migrate_down(db, why);
    return err == ERR_OK ? print_status(db) : fail(why);
}

static bool is_direction(struct str word)
{
    return str_eq(word, STR("up")) || str_eq(word, STR("down")) || str_eq(word, STR("status"));
}

static int migrate_in(struct str data_dir, struct str direction)
{
    char path[PATH_MAX], why[MAX(DB_WHY_MAX, STARTUP_WHY_MAX)] = "";
    struct db db;
    int len = snprintf(path, sizeof(path), "%.*s/" DB_FILE, STR_ARG(data_dir));
    if (len < 0 || (size_t)len >= sizeof(path))
        return fail("data_dir: the path is too long");
    if (!str_eq(direction, STR("up")) && access(path, F_OK) != 0) {
        snprintf(why, sizeof(why), "there is no store %.300s", path);
        return fail(why);
    }
    if (startup_lock(data_dir, why) != ERR_OK || db_open(&db, path, why) != ERR_OK)
        return fail(why);
    int status = migrate(&db, direction);
    db_close(&db);
    return status;
}

int cli_migrate(const struct cli *cli, struct str direction)
{
    struct config *config = NULL;
    if (!is_direction(direction)) {
        fputs("usage: fairlead migrate up|down|status [--data DIR] [--config FILE]\n", stderr);
        return 2;
    }
    if (cli->data_dir.len > 0)
        return migrate_in(cli->data_dir, direction);
    if (cli->config_path.len == 0 && config_defaults(&config) != ERR_OK)
        return fail("out of memory");
    if (!config)
        config = startup_load(cli->config_path);
    int status = config ? migrate_in(config->data_dir, direction) : 1;
    config_free(config);
    return status;
}
