/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_document.h"
#include "conf/document.h"
#include "conf/settings.h"
#include "main/cli.h"
#include "store/db.h"

#include <stdio.h>

static int usage(FILE *out)
{
    fputs("fairlead: load balancer and gateway for LLM servers\n"
          "\n"
          "usage: fairlead [serve] [--config FILE] [--data DIR]\n"
          "           start\n"
          "       fairlead check --config FILE\n"
          "           validate a configuration, report every fault\n"
          "       fairlead import FILE\n"
          "           print a mindbalancer.cnf, or any configuration, as fairlead.yaml\n"
          "       fairlead hash-password [PASSWORD]\n"
          "           print a password's hash for admin_password_hash; without PASSWORD it is asked for\n"
          "       fairlead migrate up|down|status [--config FILE] [--data DIR]\n"
          "           schema of the store: to the newest, one step back, or tell; while Fairlead is stopped\n"
          "       fairlead docs configuration|sql\n"
          "           print the manual of the configuration, or of the SQL tables and commands\n"
          "       fairlead settings\n"
          "           list all settings with their defaults\n"
          "       fairlead version\n"
          "       fairlead help\n"
          "\n"
          "fairsql is the console of the SQL administration.\n"
          "\n"
          "Without --config, Fairlead takes fairlead.yaml or mindbalancer.cnf in this folder, then\n"
          "/etc/mindbalancer/mindbalancer.cnf, then ~/.mindbalancer/mindbalancer.cnf. Without any of them it "
          "looks\n"
          "for inference servers on their usual local ports and for providers whose API key is in the "
          "environment.\n",
          out);
    return out == stdout ? 0 : 2;
}

static int cli_version(void)
{
    puts("fairlead " FAIRLEAD_VERSION);
    return 0;
}

static int print_and_free(struct buf *text)
{
    bool good = buf_ok(text) && fwrite(text->ptr, 1, text->len, stdout) == text->len;
    buf_free(text);
    return good ? 0 : 1;
}

static int cli_docs_sql(void)
{
    struct buf text;
    char why[DB_WHY_MAX] = "";
    buf_init(&text, (size_t)1 << 20);
    if (sql_document(&text, why) == ERR_OK)
        return print_and_free(&text);
    fprintf(stderr, "fairlead: %s\n", why);
    buf_free(&text);
    return 1;
}

static int cli_docs(int argc, char **argv)
{
    struct buf text;
    if (argc == 1 && strcmp(argv[0], "sql") == 0)
        return cli_docs_sql();
    if (argc != 1 || strcmp(argv[0], "configuration") != 0)
        return usage(stderr);
    buf_init(&text, (size_t)1 << 20);
    document_configuration(&text);
    return print_and_free(&text);
}

static int cli_settings(void)
{
    struct buf text;
    struct settings defaults;
    buf_init(&text, (size_t)1 << 20);
    settings_init(&defaults);
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        buf_printf(&text, "%-36.*s ", STR_ARG(setting->name));
        setting_get(setting, &defaults, &text);
        buf_printf(&text, "\t%.*s\n", STR_ARG(setting->help));
    }
    return print_and_free(&text);
}

/* Takes "--name VALUE", "--name=VALUE" or, as older tools write it, "-name VALUE". */
static bool take_option(const char *name, int argc, char **argv, int *io_at, struct str *ret_value)
{
    const char *word = argv[*io_at];
    if (word[0] != '-')
        return false;
    word += word[1] == '-' ? 2 : 1;
    size_t len = strlen(name);
    if (strncmp(word, name, len) != 0)
        return false;
    if (word[len] == '=') {
        *ret_value = str_from(word + len + 1);
        return true;
    }
    if (word[len] != '\0' || *io_at + 1 >= argc)
        return false;
    *ret_value = str_from(argv[++*io_at]);
    return true;
}

/* Whether the command line begins with the option, with one dash or two. */
static bool is_flag(int argc, char **argv, const char *name)
{
    if (argc < 2 || argv[1][0] != '-')
        return false;
    return strcmp(argv[1] + (argv[1][1] == '-' ? 2 : 1), name) == 0;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    const char *command = argc > 1 && argv[1][0] != '-' ? argv[1] : "serve";
    int first = argc > 1 && argv[1][0] != '-' ? 2 : 1;

    if (strcmp(command, "help") == 0 ||
        (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)))
        return usage(stdout);
    if (strcmp(command, "version") == 0 || is_flag(argc, argv, "version"))
        return cli_version();
    if (strcmp(command, "hash-password") == 0 || is_flag(argc, argv, "hash-password"))
        return cli_hash_password(argc > 2 ? str_from(argv[2]) : STR_NONE);
    if (strcmp(command, "import") == 0 && argc == 3)
        return cli_import(str_from(argv[2]));
    if (strcmp(command, "docs") == 0)
        return cli_docs(argc - first, argv + first);
    if (strcmp(command, "settings") == 0)
        return cli_settings();
    bool is_migrate = strcmp(command, "migrate") == 0;
    struct str direction = is_migrate && argc > first ? str_from(argv[first++]) : STR_NONE;
    for (int i = first; i < argc; i++) {
        if (!take_option("config", argc, argv, &i, &cli.config_path) &&
            !take_option("data", argc, argv, &i, &cli.data_dir)) {
            fprintf(stderr, "fairlead: unknown option or missing value: %s\n\n", argv[i]);
            return usage(stderr);
        }
    }
    if (strcmp(command, "serve") == 0)
        return cli_serve(&cli);
    if (strcmp(command, "check") == 0)
        return cli_check(&cli);
    if (is_migrate)
        return cli_migrate(&cli, direction);
    fprintf(stderr, "fairlead: unknown command: %s\n\n", command);
    return usage(stderr);
}
