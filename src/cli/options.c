/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { /* beside the letters */
       OPTION_TABLE = 256,
       OPTION_JSON,
       OPTION_CSV,
       OPTION_TLS,
       OPTION_TLS_CA,
       OPTION_CONNECT_TIMEOUT,
       OPTION_HELP,
       OPTION_FORCE,
};

static const struct {
    int code;
    const char *name, *value, *help;
} rows[] = {
    {'h', "host", "HOST", "the server's name or address (default 127.0.0.1)"},
    {'P', "port", "PORT", "its port (default 6032)"},
    {'u', "user", "USER", "who connects (default admin)"},
    {'p', "password", "[=PASSWORD]",
     "the password; asked for when it does not follow at once (default $FAIRSQL_PASSWORD)"},
    {'e', "execute", "STATEMENTS", "run these, with ; between, and end"},
    {OPTION_TABLE, "table", NULL, "write tables (default on a terminal and with -e)"},
    {'E', "vertical", NULL, "write a line for each value"},
    {'B', "batch", NULL, "write tabs between values (default for statements from a pipe)"},
    {OPTION_JSON, "json", NULL, "write an array of objects for each result"},
    {OPTION_CSV, "csv", NULL, "write comma-separated values (RFC 4180)"},
    {'N', "skip-column-names", NULL, "leave the columns' names out"},
    {OPTION_FORCE, "force", NULL, "go on after a statement that failed"},
    {OPTION_TLS, "ssl", NULL, "use TLS or do not connect"},
    {OPTION_TLS_CA, "ssl-ca", "FILE", "use TLS, with a certificate that this authority has signed"},
    {OPTION_CONNECT_TIMEOUT, "connect-timeout", "SECONDS", "give up connecting after this time (default 10)"},
    {'V', "version", NULL, "print the version"},
    {OPTION_HELP, "help", NULL, "print this"},
};

static enum err complain(struct buf *why, const char *what, const char *about)
{
    buf_printf(why, "%s: %s", what, about);
    return ERR_INVALID;
}

static enum err take_number(const char *name, const char *text, unsigned largest, unsigned *ret_number,
                            struct buf *why)
{
    uint64_t number = 0;
    if (!str_to_u64(str_from(text), &number) || number == 0 || number > largest) {
        buf_printf(why, "--%s takes a number from 1 to %u, not: %s", name, largest, text);
        return ERR_INVALID;
    }
    *ret_number = (unsigned)number;
    return ERR_OK;
}

static enum err take_password(struct options *options, char *text, struct buf *why)
{
    options->asks_password = !text;
    if (!text)
        return ERR_OK;
    size_t len = strlen(text);
    bool fits = len < sizeof(options->password);
    if (fits)
        memcpy(options->password, text, len + 1);
    memset(text, 'x', len);
    options->has_password = true;
    return fits ? ERR_OK : complain(why, "the password is too long", "up to 255 bytes are expected");
}

static enum err take_format(struct options *options, const struct format *format, struct buf *why)
{
    if (options->format && options->format != format)
        return complain(why, "choose one of", "--table, --vertical, --batch, --json, --csv");
    options->format = format;
    return ERR_OK;
}

static enum err take_once(const char *name, const char *value, const char **ret_value, struct buf *why)
{
    if (*ret_value)
        return complain(why, "given twice", name);
    *ret_value = value;
    return ERR_OK;
}

static enum err take(struct options *options, int code, char *value, struct buf *why)
{
    switch (code) {
    case 'h':
        options->host = value;
        return *value ? ERR_OK : complain(why, "--host takes a name or an address, not", "nothing");
    case 'P':
        return take_number("port", value, 65535, &options->port, why);
    case 'u':
        options->user = value;
        return ERR_OK;
    case 'p':
        return take_password(options, value, why);
    case 'e':
        return take_once("-e", value, &options->statements, why);
    case OPTION_TABLE:
        return take_format(options, &format_table, why);
    case 'E':
        return take_format(options, &format_vertical, why);
    case 'B':
        return take_format(options, &format_tabs, why);
    case OPTION_JSON:
        return take_format(options, &format_json, why);
    case OPTION_CSV:
        return take_format(options, &format_csv, why);
    case OPTION_CONNECT_TIMEOUT:
        return take_number("connect-timeout", value, 3600, &options->connect_timeout, why);
    case OPTION_TLS_CA:
        options->tls_ca_file = value;
        options->use_tls = true;
        return ERR_OK;
    default:
        options->use_tls = options->use_tls || code == OPTION_TLS;
        options->skip_names = options->skip_names || code == 'N';
        options->is_forced = options->is_forced || code == OPTION_FORCE;
        options->wants_version = options->wants_version || code == 'V';
        options->wants_help = options->wants_help || code == OPTION_HELP;
        return ERR_OK;
    }
}

/* What getopt wants, out of our rows. A colon in front of the letters: we speak ourselves. */
struct tables {
    char letters[2 + 3 * ARRAY_LEN(rows)];
    struct option longs[ARRAY_LEN(rows) + 1];
};

static void make_tables(struct tables *tables)
{
    size_t at = 0;
    *tables = (struct tables){.letters = ":"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_optional = rows[i].code == 'p';
        int argument = is_optional ? optional_argument : rows[i].value ? required_argument : no_argument;
        tables->longs[i] = (struct option){rows[i].name, argument, NULL, rows[i].code};
        if (rows[i].code >= 256)
            continue;
        tables->letters[++at] = (char)rows[i].code;
        for (int colons = argument == optional_argument ? 2 : argument == required_argument; colons > 0;
             colons--)
            tables->letters[++at] = ':';
    }
}

/* The word that getopt has stopped at. */
static enum err complain_about(const char *what, char **argv, struct buf *why)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    bool is_letter =
        optopt > 0 && optopt < 256 && !(argv[optind - 1][0] == '-' && argv[optind - 1][1] == '-');
    const char *word = is_letter ? letter : argv[optind - 1];
    const char *equals = strchr(word, '=');
    buf_printf(why, "%s: %.*s", what, equals ? (int)(equals - word) : (int)strlen(word), word);
    return ERR_INVALID;
}

enum err options_parse(int argc, char **argv, struct options *ret_options, struct buf *why)
{
    struct options options = {.host = "127.0.0.1", .user = "admin", .port = 6032, .connect_timeout = 10};
    struct tables tables;
    int code;
    make_tables(&tables);
    optind = 0; /* from the start, also when it has run before */
    opterr = 0;
    while ((code = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        enum err err = code == '?'   ? complain_about("unknown option, or one that takes no value", argv, why)
                       : code == ':' ? complain_about("a value is missing after", argv, why)
                                     : take(&options, code, optarg, why);
        if (err != ERR_OK)
            return err;
    }
    if (optind < argc)
        return complain(why, "statements come with -e or from standard input; unexpected", argv[optind]);
    *ret_options = options;
    return ERR_OK;
}

void options_help(struct buf *out)
{
    buf_add(out, STR("usage: fairsql [OPTION]...\n\n"
                     "The SQL console of Fairlead: an interactive one on a terminal, else for scripts.\n\n"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = rows[i].value;
        bool is_optional = value && value[0] == '[';
        char left[48], letter[5] = "    ";
        if (rows[i].code < 256)
            snprintf(letter, sizeof(letter), "-%c, ", (char)rows[i].code);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, rows[i].name, is_optional || !value ? "" : " ",
                 value ? value : "");
        buf_printf(out, "  %-30s %s\n", left, rows[i].help);
    }
    buf_add(out, STR("\nExit status: 0 good, 1 a statement failed, 2 wrong usage, 3 no connection.\n"));
}
