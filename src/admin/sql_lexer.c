/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_lexer.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Bytes beyond ASCII are letters, for SQLite too. */
static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static char byte_at(const struct sql_lexer *lexer, size_t at)
{
    return at < lexer->statement.len ? lexer->statement.ptr[at] : '\0';
}

static bool starts_at(const struct sql_lexer *lexer, size_t at, struct str text)
{
    return str_starts(str_from_offset(lexer->statement, at), text);
}

/* ---- what does not count ---- */

static void skip_line(struct sql_lexer *lexer)
{
    while (lexer->at < lexer->statement.len && byte_at(lexer, lexer->at) != '\n')
        lexer->at++;
}

/* False when the comment never ends. */
static bool skip_comment(struct sql_lexer *lexer)
{
    ssize_t end = str_find(str_from_offset(lexer->statement, lexer->at + 2), STR("*/"));
    if (end < 0)
        return false;
    lexer->at += 2 + (size_t)end + 2;
    return true;
}

/* The version number behind the mark says which servers should read on; we always do. */
static void enter_hint(struct sql_lexer *lexer)
{
    lexer->is_in_hint = true;
    lexer->at += 3;
    while (is_digit(byte_at(lexer, lexer->at)))
        lexer->at++;
}

static bool is_line_comment(const struct sql_lexer *lexer)
{
    if (byte_at(lexer, lexer->at) == '#')
        return true;
    if (!starts_at(lexer, lexer->at, STR("--")))
        return false;
    size_t behind = lexer->at + 2; /* without a blank it is two signs: 5--3 */
    return behind >= lexer->statement.len || is_blank(byte_at(lexer, behind));
}

/* One step over blanks and comments; false when there is none. *ret_fault is set when one does not end. */
static bool skip_one(struct sql_lexer *lexer, const char **ret_fault)
{
    if (lexer->at < lexer->statement.len && is_blank(byte_at(lexer, lexer->at))) {
        lexer->at++;
        return true;
    }
    if (is_line_comment(lexer)) {
        skip_line(lexer);
        return true;
    }
    if (lexer->is_in_hint && starts_at(lexer, lexer->at, STR("*/"))) {
        lexer->is_in_hint = false;
        lexer->at += 2;
        return true;
    }
    if (!lexer->is_in_hint && starts_at(lexer, lexer->at, STR("/*!"))) {
        enter_hint(lexer);
        return true;
    }
    if (!starts_at(lexer, lexer->at, STR("/*")))
        return false;
    if (skip_comment(lexer))
        return true;
    *ret_fault = "a comment is not closed";
    return false;
}

/* ---- what does ---- */

/* Length of what is quoted at `from`, quotes included; 0 when it does not end. */
static size_t quoted_length(const struct sql_lexer *lexer, size_t from, bool has_escapes)
{
    char quote = byte_at(lexer, from);
    for (size_t at = from + 1; at < lexer->statement.len; at++) {
        char c = byte_at(lexer, at);
        if (has_escapes && c == '\\')
            at++;
        else if (c == quote && byte_at(lexer, at + 1) == quote && at + 1 < lexer->statement.len)
            at++;
        else if (c == quote)
            return at + 1 - from;
    }
    return 0;
}

static size_t word_length(const struct sql_lexer *lexer, size_t from)
{
    size_t at = from;
    while (at < lexer->statement.len && is_word(byte_at(lexer, at)))
        at++;
    return at - from;
}

static size_t digits_length(const struct sql_lexer *lexer, size_t from, bool (*fits)(char))
{
    size_t at = from;
    while (at < lexer->statement.len && fits(byte_at(lexer, at)))
        at++;
    return at - from;
}

static size_t number_length(const struct sql_lexer *lexer, size_t from)
{
    size_t at = from, exponent;
    if (byte_at(lexer, from) == '0' && (byte_at(lexer, from + 1) == 'x' || byte_at(lexer, from + 1) == 'X'))
        return 2 + digits_length(lexer, from + 2, is_hex);
    at += digits_length(lexer, at, is_digit);
    if (byte_at(lexer, at) == '.')
        at += 1 + digits_length(lexer, at + 1, is_digit);
    if (byte_at(lexer, at) != 'e' && byte_at(lexer, at) != 'E')
        return at - from;
    exponent = at + 1;
    if (byte_at(lexer, exponent) == '+' || byte_at(lexer, exponent) == '-')
        exponent++;
    size_t digits = digits_length(lexer, exponent, is_digit);
    return digits > 0 ? exponent + digits - from : at - from;
}

static struct sql_token fault(struct sql_token token, const struct sql_lexer *lexer, const char *what)
{
    token.kind = SQL_TOKEN_FAULT;
    token.text = str_from_offset(lexer->statement, lexer->at);
    token.end = lexer->statement.len;
    token.fault = what;
    return token;
}

static struct sql_token take(struct sql_token token, struct sql_lexer *lexer, enum sql_token_kind kind,
                             size_t length)
{
    token.kind = kind;
    token.text = (struct str){lexer->statement.ptr + lexer->at, length};
    lexer->at += length;
    token.end = lexer->at;
    return token;
}

static struct sql_token take_quoted(struct sql_token token, struct sql_lexer *lexer)
{
    bool is_name = byte_at(lexer, lexer->at) == '`';
    size_t length = quoted_length(lexer, lexer->at, !is_name);
    if (length == 0)
        return fault(token, lexer, "a quote is not closed");
    struct str text = {lexer->statement.ptr + lexer->at, length};
    for (size_t i = 0; i < length && is_name; i++)
        if ((unsigned char)text.ptr[i] < ' ' || length == 2)
            return fault(token, lexer, "a name has no letters or a control character");
    return take(token, lexer, is_name ? SQL_TOKEN_QUOTED : SQL_TOKEN_STRING, length);
}

/* MySQL's names may begin with digits; SQLite would read a number and an alias, so they need quotes here. */
static struct sql_token take_number(struct sql_token token, struct sql_lexer *lexer)
{
    size_t length = number_length(lexer, lexer->at);
    if (is_word(byte_at(lexer, lexer->at + length)))
        return fault(token, lexer, "a number runs into a word");
    return take(token, lexer, SQL_TOKEN_NUMBER, length);
}

static struct sql_token take_blob(struct sql_token token, struct sql_lexer *lexer)
{
    size_t digits = digits_length(lexer, lexer->at + 2, is_hex);
    if (digits % 2 != 0 || byte_at(lexer, lexer->at + 2 + digits) != '\'')
        return fault(token, lexer, "a hexadecimal literal is not closed, or its digits are no pairs");
    return take(token, lexer, SQL_TOKEN_BLOB, digits + 3);
}

static struct sql_token take_variable(struct sql_token token, struct sql_lexer *lexer)
{
    static const struct str scopes[] = {STR("session."), STR("global."), STR("local."), STR("persist.")};
    if (byte_at(lexer, lexer->at + 1) != '@')
        return fault(token, lexer, "user variables are not known here");
    size_t start = lexer->at;
    lexer->at += 2;
    struct str rest = str_from_offset(lexer->statement, lexer->at);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        if (rest.len > scopes[i].len && str_eq_nocase((struct str){rest.ptr, scopes[i].len}, scopes[i]))
            lexer->at += scopes[i].len;
    bool is_quoted = byte_at(lexer, lexer->at) == '`';
    size_t length = is_quoted ? quoted_length(lexer, lexer->at, false) : word_length(lexer, lexer->at);
    if (length <= (is_quoted ? 2u : 0u)) {
        lexer->at = start;
        return fault(token, lexer, "@@ has no name");
    }
    token = take(token, lexer, SQL_TOKEN_VARIABLE, length);
    if (is_quoted)
        token.text = (struct str){token.text.ptr + 1, length - 2};
    return token;
}

static bool is_sign(char c)
{
    return c != '\0' && strchr("(),;.+-*/%<>=!~&|^", c) != NULL;
}

static struct sql_token take_token(struct sql_token token, struct sql_lexer *lexer)
{
    char c = byte_at(lexer, lexer->at);
    if (c == '\'' || c == '"' || c == '`')
        return take_quoted(token, lexer);
    if ((c == 'x' || c == 'X') && byte_at(lexer, lexer->at + 1) == '\'')
        return take_blob(token, lexer);
    if (is_word_start(c))
        return take(token, lexer, SQL_TOKEN_WORD, word_length(lexer, lexer->at));
    if (is_digit(c))
        return take_number(token, lexer);
    if (c == '@')
        return take_variable(token, lexer);
    if (c == '?')
        return take(token, lexer, SQL_TOKEN_MARK, 1);
    if (is_sign(c))
        return take(token, lexer, SQL_TOKEN_SIGN, 1);
    return fault(token, lexer, "this character has no meaning here");
}

struct sql_token sql_lexer_next(struct sql_lexer *lexer)
{
    struct sql_token token = {0};
    const char *wrong = NULL;
    size_t start = lexer->at;
    while (skip_one(lexer, &wrong))
        ;
    token.is_spaced = lexer->at > start;
    token.at = lexer->at;
    if (wrong)
        return fault(token, lexer, wrong);
    if (lexer->at < lexer->statement.len)
        return take_token(token, lexer);
    if (lexer->is_in_hint)
        return fault(token, lexer, "a comment is not closed");
    return take(token, lexer, SQL_TOKEN_END, 0);
}

struct sql_token sql_lexer_peek(const struct sql_lexer *lexer)
{
    struct sql_lexer copy = *lexer;
    return sql_lexer_next(&copy);
}

bool sql_token_is(const struct sql_token *token, struct str word)
{
    return token->kind == SQL_TOKEN_WORD && str_eq_nocase(token->text, word);
}

bool sql_token_is_sign(const struct sql_token *token, char sign)
{
    return token->kind == SQL_TOKEN_SIGN && token->text.ptr[0] == sign;
}

/* ---- content ---- */

/* `\%` and `\_` keep their backslash: they are for LIKE. */
static void add_escaped(char c, struct buf *out)
{
    static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\032";
    const char *found = c ? strchr(from, c) : NULL;
    if (c == '%' || c == '_')
        buf_add_char(out, '\\');
    buf_add_char(out, found ? to[found - from] : c);
}

static void add_unquoted(struct str text, bool has_escapes, struct buf *out)
{
    char quote = text.ptr[0];
    for (size_t i = 1; i + 1 < text.len; i++) {
        char c = text.ptr[i];
        if (has_escapes && c == '\\') {
            add_escaped(text.ptr[++i], out);
            continue;
        }
        buf_add_char(out, c);
        if (c == quote)
            i++;
    }
}

void sql_token_content(const struct sql_token *token, struct buf *out)
{
    if (token->kind == SQL_TOKEN_STRING || token->kind == SQL_TOKEN_QUOTED)
        add_unquoted(token->text, token->kind == SQL_TOKEN_STRING, out);
    else
        buf_add(out, token->text);
}

static void add_doubling(struct str content, char quote, struct buf *out)
{
    buf_add_char(out, quote);
    for (size_t i = 0; i < content.len; i++) {
        if (content.ptr[i] == quote)
            buf_add_char(out, quote);
        buf_add_char(out, content.ptr[i]);
    }
    buf_add_char(out, quote);
}

void sql_quote_text(struct str content, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    if (content.len == 0 || !memchr(content.ptr, '\0', content.len)) {
        add_doubling(content, '\'', out);
        return;
    }
    buf_add(out, STR("CAST(x'"));
    for (size_t i = 0; i < content.len; i++) {
        buf_add_char(out, digits[(unsigned char)content.ptr[i] >> 4]);
        buf_add_char(out, digits[(unsigned char)content.ptr[i] & 15]);
    }
    buf_add(out, STR("' AS TEXT)"));
}

void sql_quote_name(struct str name, struct buf *out)
{
    add_doubling(name, '`', out);
}
