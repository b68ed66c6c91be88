/* SPDX-License-Identifier: Apache-2.0 */
/* fairlead import: the fairlead.yaml that says what another file says. */
#include "conf/write.h"
#include "main/cli.h"
#include "main/startup.h"

#include <stdio.h>

#define FILE_MAX ((size_t)64 << 20)
#define SQLITE_MAGIC "SQLite format 3" /* with its NUL: the first 16 bytes of a database */

static bool is_database(struct str path)
{
    char head[sizeof(SQLITE_MAGIC)];
    FILE *file = fopen(path.ptr, "rbe");
    if (!file)
        return false;
    bool is =
        fread(head, 1, sizeof(head), file) == sizeof(head) && memcmp(head, SQLITE_MAGIC, sizeof(head)) == 0;
    fclose(file);
    return is;
}

int cli_import(struct str path)
{
    if (is_database(path)) {
        fprintf(stderr,
                "fairlead: %.*s is a database. Its rows are taken over at a start, not printed: copy it to\n"
                "DATA_DIR/mindbalancer.db and start Fairlead with that data_dir, as long as there is no "
                "fairlead.db in it.\n",
                STR_ARG(path));
        return 1;
    }
    struct config *config = startup_load(path);
    struct buf text;
    if (!config)
        return 1;
    buf_init(&text, FILE_MAX);
    buf_add(&text, STR("# Written by fairlead import. Start: fairlead --config FILE\n"));
    config_write(config, &config_env_process, &text);
    bool is_good = buf_ok(&text) && fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    buf_free(&text);
    config_free(config);
    if (!is_good)
        fprintf(stderr, "fairlead: import: cannot write it all\n");
    return is_good ? 0 : 1;
}
