/* SPDX-License-Identifier: Apache-2.0 */
/* fairsql: options, connection, then statements from where they come. */
#include "cli/session.h"

#include <errno.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <termios.h>
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

/* From the terminal, also when statements come from a pipe; what is typed is not shown. */
static bool ask_password(struct options *options)
{
    FILE *terminal = fopen("/dev/tty", "r+e");
    struct termios shown, hidden;
    if (!terminal)
        return false;
    bool is_terminal = tcgetattr(fileno(terminal), &shown) == 0;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs("Password: ", terminal);
    fflush(terminal);
    bool good = is_terminal && tcsetattr(fileno(terminal), TCSAFLUSH, &hidden) == 0 &&
                fgets(options->password, sizeof(options->password), terminal);
    if (is_terminal)
        tcsetattr(fileno(terminal), TCSAFLUSH, &shown);
    fputs("\n", terminal);
    fclose(terminal);
    size_t len = strlen(options->password);
    bool is_whole = len > 0 && options->password[len - 1] == '\n';
    if (is_whole)
        options->password[len - 1] = '\0';
    return good && is_whole;
}

static bool find_password(struct options *options)
{
    if (options->has_password)
        return true;
    if (options->asks_password) {
        if (ask_password(options))
            return true;
        fputs("fairsql: -p asks for a password of up to 254 bytes, which needs a terminal\n", stderr);
        return false;
    }
    const char *text = getenv("FAIRSQL_PASSWORD");
    if (text && strlen(text) >= sizeof(options->password)) {
        fputs("fairsql: FAIRSQL_PASSWORD is too long: up to 255 bytes are expected\n", stderr);
        return false;
    }
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
