/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/console.h"

#include "base/clock.h"
#include "cli/waiting.h"

#include <errno.h>
#include <stdlib.h>

#define OUT_MAX ((size_t)1 << 30)    /* one row's text */
#define OUT_KEPT ((size_t)64 * 1024) /* rows are gathered up to here */
#define DEPTH_MAX 8

void console_init(struct console *console, const struct options *options, const struct format *format)
{
    *console = (struct console){.options = options, .format = format};
    console->connection.options = options;
    catalog_init(&console->catalog);
    buf_init(&console->out, OUT_MAX);
}

void console_fini(struct console *console)
{
    connection_close(&console->connection);
    catalog_fini(&console->catalog);
    buf_free(&console->out);
}

/* ---- output ---- */

/* When nobody can read any more, no further statement is run. */
static void flush(struct console *console)
{
    bool good =
        fwrite(console->out.ptr, 1, console->out.len, stdout) == console->out.len && fflush(stdout) == 0;
    if (!good && console->write_error == 0) {
        console->write_error = errno;
        console->has_failed = console->is_over = true;
    }
    buf_clear(&console->out);
}

/* A script's error ends it, unless it said otherwise. */
static void note_failure(struct console *console)
{
    console->has_failed = true;
    if (!console->is_interactive && !console->options->is_forced)
        console->is_over = true;
}

static void complain(struct console *console, const char *what, struct str about)
{
    fflush(stdout);
    fprintf(stderr, "%s" STR_FMT "\n", what, STR_ARG(about));
    note_failure(console);
}

static void print_failure(struct console *console, const struct failure *failure, size_t line)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "ERROR %u (%s)", failure->number, failure->sqlstate);
    if (console->tells_lines)
        buf_printf(&text, " at line %zu", line);
    buf_printf(&text, ": %s", failure->message);
    complain(console, "", buf_str(&text));
    buf_free(&text);
}

static void print_rows(struct console *console, const struct format *format)
{
    struct connection *connection = &console->connection;
    struct sheet sheet = {.columns = connection->columns,
                          .column_count = mysql_num_fields(connection->rows),
                          .with_names = !console->options->skip_names,
                          .out = &console->out};
    const struct cell *cells;
    while (format->measure && (cells = connection_next_row(connection)))
        format->measure(&sheet, cells);
    connection_rewind(connection);
    format->begin(&sheet);
    for (; (cells = connection_next_row(connection)) && buf_ok(&console->out); sheet.rows++) {
        format->row(&sheet, cells);
        if (console->out.len < OUT_KEPT)
            continue;
        flush(console);
        if (console->is_over)
            return;
        if (waiting_interrupted()) {
            complain(console, "The output was cut off: Ctrl-C", STR(""));
            return;
        }
    }
    format->end(&sheet);
    if (!buf_ok(&console->out))
        complain(console, "A row is too long to be shown", STR(""));
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_footer(struct console *console, const struct answer *answer, usec_t took)
{
    struct buf *out = &console->out;
    if (answer->has_rows && answer->row_count == 0)
        buf_add(out, STR("Empty set"));
    else if (answer->has_rows)
        buf_printf(out, "%llu row%s in set", (unsigned long long)answer->row_count,
                   plural(answer->row_count));
    else
        buf_printf(out, "Query OK, %llu row%s affected", (unsigned long long)answer->affected,
                   plural(answer->affected));
    if (answer->warnings > 0)
        buf_printf(out, ", %u warning%s", answer->warnings, plural(answer->warnings));
    buf_printf(out, " (%.2f sec)\n", (double)took / (double)USEC_PER_SEC);
    if (answer->info)
        buf_printf(out, "%s\n", answer->info);
    buf_add_char(out, '\n');
}

/* ---- connection ---- */

bool console_connect(struct console *console)
{
    struct failure failure;
    if (connection_open(&console->connection, &failure) == ERR_OK)
        return true;
    bool tells_lines = console->tells_lines;
    console->tells_lines = false;
    print_failure(console, &failure, 0);
    console->tells_lines = tells_lines;
    return false;
}

/* Names beyond the catalog's bound are left out; a server that does not tell them leaves it empty. */
static void load_names(struct console *console)
{
    struct answer answer;
    struct failure failure;
    const struct cell *cells;
    catalog_fini(&console->catalog);
    catalog_init(&console->catalog);
    enum err err = connection_run(&console->connection,
                                  STR("SELECT table_name, column_name FROM information_schema.columns"),
                                  &answer, &failure);
    while (err == ERR_OK && answer.has_rows && (cells = connection_next_row(&console->connection)))
        err = catalog_add(&console->catalog, cells[0].text, cells[1].text);
}

static bool reconnect(struct console *console)
{
    fflush(stdout);
    fprintf(stderr, "Connecting again to %s:%u ...\n", console->options->host, console->options->port);
    if (!console_connect(console))
        return false;
    fprintf(stderr, "Connected.\n");
    load_names(console);
    return true;
}

/* A server that went away between two statements has not seen the second: it can be run on a new connection, unless
 * it belongs to a transaction that ended with the old one. */
static bool is_ready(struct console *console)
{
    bool was_in_transaction = connection_in_transaction(&console->connection);
    bool is_connected = console->connection.mysql != NULL;
    if (is_connected && (!console->is_interactive || !connection_is_stale(&console->connection)))
        return true;
    if (is_connected)
        fprintf(stderr, "The server went away.\n");
    connection_close(&console->connection);
    if (!reconnect(console))
        return false;
    if (was_in_transaction)
        complain(console, "The transaction that was open is lost; the statement was not run.", STR(""));
    return !was_in_transaction && console->connection.mysql;
}

/* In the middle of a statement it may have seen it: whether to run it again is not ours to decide. */
static void on_lost(struct console *console)
{
    if (!console->is_interactive) {
        console->is_over = true;
        return;
    }
    bool was_cut = console->connection.cancels > 0;
    fprintf(stderr, "%s\n",
            was_cut ? "The connection was cut." : "The server may or may not have run the statement.");
    (void)reconnect(console);
}

/* ---- pieces ---- */

static void run_statement(struct console *console, struct str statement, const struct format *format,
                          size_t line)
{
    struct answer answer;
    struct failure failure = {0};
    if (!is_ready(console))
        return;
    usec_t start = clock_monotonic();
    enum err err = connection_run(&console->connection, statement, &answer, &failure);
    usec_t took = clock_monotonic() - start;
    if (err == ERR_NO_MEMORY)
        complain(console, "out of memory", STR(""));
    else if (err != ERR_OK)
        print_failure(console, &failure, line);
    if (err == ERR_CLOSED)
        on_lost(console);
    if (err != ERR_OK)
        return;
    if (answer.has_rows)
        print_rows(console, format);
    if (format->has_footer)
        print_footer(console, &answer, took);
    flush(console);
}

static void print_help(struct console *console)
{
    buf_add(&console->out, STR("A statement ends with ; and may span lines. Tab completes.\n"
                               "  \\g         ends a statement as ; does\n"
                               "  \\G         ends it, and shows a line for each value\n"
                               "  \\c clear   drops the statement that was begun\n"
                               "  \\s status  shows the connection\n"
                               "  \\. source FILE   runs the statements of a file\n"
                               "  \\# refresh asks again for the names that Tab completes\n"
                               "  \\h help    shows this\n"
                               "  \\q quit    ends\n"
                               "Ctrl-C ends the statement that runs, or drops the line.\n\n"));
    flush(console);
}

static void print_status(struct console *console)
{
    buf_add(&console->out, STR("Program:     fairsql " FAIRLEAD_VERSION "\n"));
    connection_describe(&console->connection, &console->out);
    buf_add_char(&console->out, '\n');
    flush(console);
}

static void source(struct console *console, struct str path)
{
    char name[4096];
    if (path.len == 0 || path.len >= sizeof(name)) {
        complain(console, "source takes the path of a file, not: ", path);
        return;
    }
    if (console->depth == DEPTH_MAX) {
        complain(console, "Files that read files go no deeper than 8; not read: ", path);
        return;
    }
    snprintf(name, sizeof(name), STR_FMT, STR_ARG(path));
    FILE *file = fopen(name, "re");
    if (!file) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        note_failure(console);
        return;
    }
    struct console outer = *console;
    console->depth++;
    console->is_interactive = false;
    console->tells_lines = true;
    console_read(console, file);
    fclose(file);
    console->depth--;
    console->tells_lines = outer.tells_lines;
    console->is_interactive = outer.is_interactive;
    if (console->is_interactive)
        console->is_over = false; /* an error ends the file, not the session */
}

void console_take(struct console *console, enum piece piece, struct str text, size_t line)
{
    switch (piece) {
    case PIECE_NONE:
    case PIECE_CLEAR:
        break;
    case PIECE_STATEMENT:
        run_statement(console, text, console->format, line);
        break;
    case PIECE_VERTICAL:
        run_statement(console, text, console->format->has_footer ? &format_vertical : console->format, line);
        break;
    case PIECE_QUIT:
        console->is_over = true;
        break;
    case PIECE_HELP:
        print_help(console);
        break;
    case PIECE_STATUS:
        print_status(console);
        break;
    case PIECE_REFRESH:
        console_refresh(console);
        break;
    case PIECE_SOURCE:
        source(console, text);
        break;
    case PIECE_UNKNOWN:
        complain(console, "Unknown command, and the statement around it is dropped (\\h shows all): ", text);
        break;
    }
}

/* ---- scripts ---- */

static void take_all(struct console *console, struct splitter *splitter, bool is_last)
{
    struct str text;
    size_t line;
    enum piece piece;
    while (!console->is_over && (piece = splitter_next(splitter, is_last, &text, &line)) != PIECE_NONE)
        console_take(console, piece, text, line);
}

static bool feed(struct console *console, struct splitter *splitter, struct str lines)
{
    if (splitter_feed(splitter, lines) == ERR_OK)
        return true;
    complain(console, "A statement is longer than 64 MiB", STR(""));
    console->is_over = true;
    return false;
}

void console_read(struct console *console, FILE *file)
{
    struct splitter splitter;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    splitter_init(&splitter, STATEMENT_MAX);
    while (!console->is_over && (len = getline(&line, &size, file)) >= 0) {
        if (feed(console, &splitter, (struct str){line, (size_t)len}))
            take_all(console, &splitter, false);
    }
    if (ferror(file))
        complain(console, "The statements cannot be read: ", str_from(strerror(errno)));
    take_all(console, &splitter, true);
    splitter_fini(&splitter);
    free(line);
}

void console_read_text(struct console *console, struct str text)
{
    struct splitter splitter;
    splitter_init(&splitter, STATEMENT_MAX);
    if (feed(console, &splitter, text))
        take_all(console, &splitter, true);
    splitter_fini(&splitter);
}

void console_refresh(struct console *console)
{
    if (is_ready(console))
        load_names(console);
}
