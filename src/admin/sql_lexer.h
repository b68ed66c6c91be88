/* SPDX-License-Identifier: Apache-2.0 */
/* Words, texts and signs of a statement as MySQL reads them (MySQL 8.0 Reference Manual, 9 "Language Structure"). Pure:
 * views into the statement, no memory. What neither MySQL nor SQLite gives a meaning is a fault, so that SQLite never
 * sees bytes that it would cut in another way than we did. */
#pragma once

#include "base/buf.h"

enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_WORD,   /* keyword or identifier without quotes */
    SQL_TOKEN_QUOTED, /* `identifier` */
    SQL_TOKEN_STRING, /* '...' or "..." */
    SQL_TOKEN_BLOB,   /* x'00ff' */
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_VARIABLE, /* @@name, @@session.name; text is the name alone */
    SQL_TOKEN_MARK,     /* ? */
    SQL_TOKEN_SIGN,     /* one byte */
    SQL_TOKEN_FAULT     /* text is the rest from the offending place on */
};

struct sql_token {
    enum sql_token_kind kind;
    struct str text;   /* as written, quotes included */
    size_t at, end;    /* offsets in the statement */
    bool is_spaced;    /* blanks or a comment stand before it */
    const char *fault; /* SQL_TOKEN_FAULT: what is wrong, static */
};

struct sql_lexer {
    struct str statement;
    size_t at;
    bool is_in_hint; /* inside of a comment whose content counts, as in MySQL's version comments */
};

static inline struct sql_lexer sql_lexer_of(struct str statement)
{
    return (struct sql_lexer){.statement = statement};
}

struct sql_token sql_lexer_next(struct sql_lexer *lexer);

/* The next one, without moving on. */
struct sql_token sql_lexer_peek(const struct sql_lexer *lexer);

/* Whether it is that word, in any case. */
bool sql_token_is(const struct sql_token *token, struct str word);
bool sql_token_is_sign(const struct sql_token *token, char sign);

/* Whether it can name something. */
static inline bool sql_token_is_name(const struct sql_token *token)
{
    return token->kind == SQL_TOKEN_WORD || token->kind == SQL_TOKEN_QUOTED;
}

/* Appends the content: quotes and escapes taken away. Words, numbers and signs are their own content. */
void sql_token_content(const struct sql_token *token, struct buf *out);

/* Appends `content` as a SQLite literal; bytes of zero make it a cast blob. */
void sql_quote_text(struct str content, struct buf *out);

/* Appends `name` as a quoted identifier. */
void sql_quote_name(struct str name, struct buf *out);
