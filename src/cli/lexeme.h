/* SPDX-License-Identifier: Apache-2.0 */
/* SQL text in the pieces that a console has to tell apart: what is quoted, what is a comment, where a statement may
 * end. MySQL's rules: '..', ".." with backslash escapes, `..` without, "-- " and # to the end of the line, C comments.
 * Pure. */
#pragma once

#include "base/str.h"

enum lexeme {
    LEXEME_SPACE,
    LEXEME_LINE_COMMENT,  /* without its line end */
    LEXEME_BLOCK_COMMENT, /* the kind that servers execute among them */
    LEXEME_QUOTED,
    LEXEME_BACKSLASH, /* with the letter behind it: a command to the console */
    LEXEME_SEMICOLON,
    LEXEME_CODE, /* a word, or one other character */
};

struct lexeme_span {
    enum lexeme kind;
    size_t len;
    bool is_closed; /* false: a quotation or comment whose end is not in the text */
};

/* The lexeme at `at`, which lies within the text. Up to `seen` (at or before `at`: nothing) an unclosed lexeme that
 * begins here has been read before: its end is looked for from there. */
struct lexeme_span lexeme_read(struct str text, size_t at, size_t seen);
