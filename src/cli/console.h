/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and commands in, output out: what an interactive session and a script have in common. */
#pragma once

#include "cli/catalog.h"
#include "cli/connection.h"
#include "cli/exits.h"
#include "cli/splitter.h"

#include <stdio.h>

#define STATEMENT_MAX ((size_t)64 << 20) /* bytes */

struct console {
    const struct options *options; /* borrowed */
    const struct format *format;
    struct connection connection;
    struct catalog catalog; /* filled in an interactive session */
    struct buf out;
    bool is_interactive; /* reconnects, and goes on after errors */
    bool tells_lines;    /* errors say where in the file */
    bool has_failed;     /* some statement or command */
    bool is_over;        /* \q, or an error that ends a script */
    int write_error;     /* errno of output that could not be written; 0: none */
    unsigned depth;      /* of files that read files */
};

void console_init(struct console *console, const struct options *options, const struct format *format);
void console_fini(struct console *console);

/* False: the reason is on stderr. */
MUST_USE bool console_connect(struct console *console);

/* Runs what the splitter gave. */
void console_take(struct console *console, enum piece piece, struct str text, size_t line);

/* Runs all of a file or of a text, until console->is_over. */
void console_read(struct console *console, FILE *file);
void console_read_text(struct console *console, struct str text);

/* Asks for the names that completion offers. */
void console_refresh(struct console *console);
