/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lexeme.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* `len` stops where reading can go on when there is more text: never between a backslash and what it escapes. */
static struct lexeme_span read_quoted(struct str rest, size_t from)
{
    char quote = rest.ptr[0];
    for (size_t i = MAX(from, 1); i < rest.len; i++) {
        if (rest.ptr[i] == quote)
            return (struct lexeme_span){LEXEME_QUOTED, i + 1, true};
        if (rest.ptr[i] == '\\' && quote != '`') {
            if (i + 1 == rest.len)
                return (struct lexeme_span){LEXEME_QUOTED, i, false};
            i++;
        }
    }
    return (struct lexeme_span){LEXEME_QUOTED, rest.len, false};
}

static struct lexeme_span read_block_comment(struct str rest, size_t from)
{
    for (size_t i = MAX(from, 2); i + 1 < rest.len; i++) {
        if (rest.ptr[i] == '*' && rest.ptr[i + 1] == '/')
            return (struct lexeme_span){LEXEME_BLOCK_COMMENT, i + 2, true};
    }
    bool ends_in_star = rest.len > 2 && rest.ptr[rest.len - 1] == '*';
    return (struct lexeme_span){LEXEME_BLOCK_COMMENT, rest.len - ends_in_star, false};
}

static struct lexeme_span read_line_comment(struct str rest)
{
    const char *end = memchr(rest.ptr, '\n', rest.len);
    return (struct lexeme_span){LEXEME_LINE_COMMENT, end ? (size_t)(end - rest.ptr) : rest.len, true};
}

static struct lexeme_span read_run(struct str rest, enum lexeme kind, bool (*belongs)(char))
{
    size_t len = 1;
    while (len < rest.len && belongs(rest.ptr[len]))
        len++;
    return (struct lexeme_span){kind, len, true};
}

struct lexeme_span lexeme_read(struct str text, size_t at, size_t seen)
{
    struct str rest = str_from_offset(text, at);
    size_t from = seen > at ? seen - at : 0;
    char first = rest.ptr[0], second = rest.len > 1 ? rest.ptr[1] : '\n';
    if (is_space(first))
        return read_run(rest, LEXEME_SPACE, is_space);
    if (first == '\'' || first == '"' || first == '`')
        return read_quoted(rest, from);
    if (first == '/' && second == '*')
        return read_block_comment(rest, from);
    if (first == '#' || (first == '-' && second == '-' && (rest.len < 3 || is_space(rest.ptr[2]))))
        return read_line_comment(rest);
    if (first == '\\')
        return (struct lexeme_span){LEXEME_BACKSLASH, MIN(rest.len, 2), true};
    if (first == ';')
        return (struct lexeme_span){LEXEME_SEMICOLON, 1, true};
    if (is_word(first))
        return read_run(rest, LEXEME_CODE, is_word);
    return (struct lexeme_span){LEXEME_CODE, 1, true};
}
