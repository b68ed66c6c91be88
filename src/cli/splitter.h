/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts text into statements and commands to the console. A statement ends at `;`, `\g` or `\G`, and may span lines; a
 * command is a backslash and a letter, or one of a few words alone on a line where a statement could begin. Pure. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum piece {
    PIECE_NONE,      /* more text is needed */
    PIECE_STATEMENT, /* ended by ; or \g */
    PIECE_VERTICAL,  /* ended by \G */
    PIECE_QUIT,
    PIECE_HELP,
    PIECE_CLEAR, /* the statement begun is dropped */
    PIECE_STATUS,
    PIECE_REFRESH,
    PIECE_SOURCE,  /* text: a file's path */
    PIECE_UNKNOWN, /* text: a backslash and a letter that mean nothing; the statement is dropped */
};

struct splitter {
    struct buf text;
    size_t start;      /* of the statement being read */
    size_t at;         /* of the next lexeme */
    size_t seen;       /* see lexeme_read */
    size_t line;       /* lines before `counted`, plus 1 */
    size_t counted;    /* line ends before this are in `line` */
    size_t first_line; /* where the statement being read has its first word */
    bool has_content;  /* it has something beside space and comments */
    char open;         /* first character of an unclosed quotation or comment; 0: none */
};

/* `max`: bytes that may wait for their end. */
void splitter_init(struct splitter *splitter, size_t max);
void splitter_fini(struct splitter *splitter);

/* Adds lines, each with its '\n'; only the very last may lack it. ERR_LIMIT: too long without an end. */
MUST_USE enum err splitter_feed(struct splitter *splitter, struct str lines);

/* The next piece. `ret_text` is valid until the splitter is touched again; `ret_line` is where it begins, from 1. With
 * `is_last` what is left at the end of the text is a statement too. */
enum piece splitter_next(struct splitter *splitter, bool is_last, struct str *ret_text, size_t *ret_line);

/* Forgets what was not returned yet. */
void splitter_clear(struct splitter *splitter);

/* A statement has begun and not ended. */
bool splitter_is_open(const struct splitter *splitter);
