/* SPDX-License-Identifier: Apache-2.0 */
/* fairsql: options, connection, then statements from where they come. */
#include "cli/password.h"
#include "cli/session.h"

#include <errno.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

static int print_and_end(void (*write)(struct buf *))
{
    struct buf text;
    buf_init(&text, (size_t)1 << 16);
    write(&text);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_free(&text);
    return EXIT_GOOD;
}

static void write_version(struct buf *out)
{
    buf_add(out, STR("fairsql " FAIRLEAD_VERSION "\n"));
}

/* `what` is wrong with the password. */
static bool refuse(const char *what)
{
    fprintf(stderr, "fairsql: %s\n", what);
    return false;
}

static bool find_password(struct options *options)
{
    if (options->has_password)
        return true;
    if (options->asks_password) {
        enum err err = password_ask(options->password, sizeof(options->password));
        return err == ERR_OK       ? true
               : err == ERR_LIMIT  ? refuse("the password is too long: up to 255 bytes are expected")
               : err == ERR_CLOSED ? refuse("no password was given")
                                   : refuse("-p asks for a password, which needs a terminal");
    }
    const char *text = getenv("FAIRSQL_PASSWORD");
    if (text && strlen(text) >= sizeof(options->password))
        return refuse("FAIRSQL_PASSWORD is too long: up to 255 bytes are expected");
    snprintf(options->password, sizeof(options->password), "%s", text ? text : "");
    return true;
}

static int run(const struct options *options)
{
    struct console console;
    bool is_interactive = !options->statements && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    bool for_people = options->statements || is_interactive;
    const struct format *format = options->format ? options->format
                                  : for_people    ? &format_table
                                                  : &format_tabs;
    bool good = true;
    console_init(&console, options, format);
    if (!console_connect(&console)) {
        console_fini(&console);
        return EXIT_CONNECT;
    }
    if (options->statements) {
        console_read_text(&console, str_from(options->statements));
    } else if (is_interactive) {
        good = session_run(&console);
        console.has_failed = false; /* the user has seen what failed */
    } else {
        console.tells_lines = true;
        console_read(&console, stdin);
    }
    good = good && !console.has_failed;
    console_fini(&console);
    if (console.write_error != 0 && console.write_error != EPIPE) /* "| head" has what it wanted */
        fprintf(stderr, "fairsql: the output cannot be written: %s\n", strerror(console.write_error));
    return good ? EXIT_GOOD : EXIT_STATEMENT;
}

int main(int argc, char **argv)
{
    struct options options;
    char memory[512];
    struct buf why;
    setlocale(LC_CTYPE, "");
    buf_init_fixed(&why, memory, sizeof(memory));
    if (options_parse(argc, argv, &options, &why) != ERR_OK) {
        fprintf(stderr, "fairsql: " STR_FMT " (--help tells what there is)\n", STR_ARG(buf_str(&why)));
        return EXIT_USAGE;
    }
    if (options.wants_help)
        return print_and_end(options_help);
    if (options.wants_version)
        return print_and_end(write_version);
    int status = find_password(&options) ? run(&options) : EXIT_USAGE;
    OPENSSL_cleanse(options.password, sizeof(options.password));
    mysql_library_end();
    return status;
}
