/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/splitter.h"

#include "cli/lexeme.h"

static const struct {
    char letter;
    enum piece piece;
    struct str word; /* the same alone on a line */
} commands[] = {
    {'q', PIECE_QUIT, STR("quit")},       {'q', PIECE_QUIT, STR("exit")},
    {'h', PIECE_HELP, STR("help")},       {'?', PIECE_HELP, STR("?")},
    {'c', PIECE_CLEAR, STR("clear")},     {'s', PIECE_STATUS, STR("status")},
    {'#', PIECE_REFRESH, STR("refresh")}, {'.', PIECE_SOURCE, STR("source")},
};

void splitter_init(struct splitter *splitter, size_t max)
{
    *splitter = (struct splitter){.line = 1, .first_line = 1};
    buf_init(&splitter->text, max);
}

void splitter_fini(struct splitter *splitter)
{
    buf_free(&splitter->text);
}

void splitter_clear(struct splitter *splitter)
{
    size_t max = splitter->text.max;
    splitter_fini(splitter);
    splitter_init(splitter, max);
}

bool splitter_is_open(const struct splitter *splitter)
{
    return splitter->has_content || splitter->open;
}

enum err splitter_feed(struct splitter *splitter, struct str lines)
{
    buf_consume(&splitter->text, splitter->start);
    splitter->at -= splitter->start;
    splitter->counted -= splitter->start;
    splitter->seen -= MIN(splitter->seen, splitter->start);
    splitter->start = 0;
    buf_add(&splitter->text, lines);
    if (buf_ok(&splitter->text))
        return ERR_OK;
    splitter->text.failed = false;
    return ERR_LIMIT;
}

static void count_lines(struct splitter *splitter, size_t up_to)
{
    for (; splitter->counted < up_to; splitter->counted++)
        splitter->line += splitter->text.ptr[splitter->counted] == '\n';
}

/* White space and semicolons at the end of a line of a command mean nothing. */
static struct str trim_command(struct str s)
{
    s = str_trim(s);
    while (s.len > 0 && strchr("; \t\r", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static struct str trim_statement(struct str s)
{
    while (s.len > 0 && strchr(" \t\r\n\v\f", s.ptr[0]))
        s = str_from_offset(s, 1);
    while (s.len > 0 && strchr(" \t\r\n\v\f", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The statement is over; the next one begins at `next`. */
static void begin_at(struct splitter *splitter, size_t next)
{
    count_lines(splitter, next);
    splitter->start = splitter->at = next;
    splitter->has_content = false;
    splitter->open = 0;
    splitter->first_line = splitter->line;
}

static struct str rest_of_line(const struct splitter *splitter, size_t at)
{
    struct str rest = str_from_offset(buf_str(&splitter->text), at);
    const char *end = memchr(rest.ptr, '\n', rest.len);
    return end ? (struct str){rest.ptr, (size_t)(end - rest.ptr)} : rest;
}

/* A command's word stands alone, up to the end of the line or a semicolon; "source" has the path behind it. */
static enum piece read_word_command(struct splitter *splitter, struct str *ret_text)
{
    struct str line = rest_of_line(splitter, splitter->at);
    const char *semicolon = memchr(line.ptr, ';', line.len);
    if (semicolon)
        line.len = (size_t)(semicolon - line.ptr) + 1;
    struct str command = trim_command(line);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct str word = commands[i].word, head = {command.ptr, MIN(word.len, command.len)};
        struct str argument = str_trim(str_from_offset(command, word.len));
        bool takes_argument = commands[i].piece == PIECE_SOURCE;
        if (!str_eq_nocase(head, word) || (argument.len > 0) != takes_argument)
            continue;
        if (command.len > word.len && !strchr(" \t", command.ptr[word.len]))
            continue;
        *ret_text = argument;
        begin_at(splitter, splitter->at + line.len);
        return commands[i].piece;
    }
    return PIECE_NONE;
}

/* Takes the command out of the statement around it. */
static void cut_out(struct splitter *splitter, size_t len)
{
    char *at = splitter->text.ptr + splitter->at;
    count_lines(splitter, splitter->at);
    memmove(at, at + len, splitter->text.len - splitter->at - len);
    splitter->text.len -= len;
}

static enum piece read_backslash(struct splitter *splitter, size_t len, struct str *ret_text)
{
    struct str line = rest_of_line(splitter, splitter->at);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (len < 2 || commands[i].letter != line.ptr[1])
            continue;
        *ret_text = STR_NONE;
        if (commands[i].piece == PIECE_CLEAR) {
            begin_at(splitter, splitter->at + len);
        } else if (commands[i].piece == PIECE_SOURCE) {
            *ret_text = trim_command(str_from_offset(line, len));
            begin_at(splitter, splitter->at + line.len);
        } else {
            cut_out(splitter, len);
        }
        return commands[i].piece;
    }
    *ret_text = (struct str){line.ptr, MIN(len, line.len)};
    begin_at(splitter, splitter->at + len);
    return PIECE_UNKNOWN;
}

/* The statement ends before `at`, what ends it has `len` bytes. PIECE_NONE: there was nothing in it. */
static enum piece end_statement(struct splitter *splitter, size_t len, enum piece piece, struct str *ret_text)
{
    struct str text = {splitter->text.ptr + splitter->start, splitter->at - splitter->start};
    bool has_content = splitter->has_content;
    begin_at(splitter, splitter->at + len);
    *ret_text = trim_statement(text);
    return has_content ? piece : PIECE_NONE;
}

/* What a semicolon, \g or \G makes of the text before it; PIECE_NONE: `lexeme` is none of these. */
static enum piece ending(enum lexeme kind, struct str lexeme)
{
    if (kind == LEXEME_SEMICOLON || (kind == LEXEME_BACKSLASH && str_eq(lexeme, STR("\\g"))))
        return PIECE_STATEMENT;
    if (kind == LEXEME_BACKSLASH && str_eq(lexeme, STR("\\G")))
        return PIECE_VERTICAL;
    return PIECE_NONE;
}

static void take_lexeme(struct splitter *splitter, const struct lexeme_span *span)
{
    struct str lexeme = {splitter->text.ptr + splitter->at, span->len};
    bool is_content = span->kind == LEXEME_CODE || span->kind == LEXEME_QUOTED ||
                      str_starts(lexeme, STR("/*!")); /* a comment that servers execute */
    splitter->has_content = splitter->has_content || is_content;
    splitter->at += span->len;
}

/* One lexeme further. PIECE_NONE: and no piece yet. */
static enum piece step(struct splitter *splitter, struct str *ret_text, size_t *ret_line)
{
    struct str text = buf_str(&splitter->text);
    struct lexeme_span span = lexeme_read(text, splitter->at, splitter->seen);
    enum piece piece = PIECE_NONE;
    if (!splitter->has_content) { /* the first word of what comes is here, or further on */
        count_lines(splitter, splitter->at);
        splitter->first_line = splitter->line;
    }
    *ret_line = splitter->first_line;
    splitter->open = 0;
    if (!splitter->has_content && span.kind == LEXEME_CODE &&
        (piece = read_word_command(splitter, ret_text)) != PIECE_NONE)
        return piece;
    if ((piece = ending(span.kind, (struct str){text.ptr + splitter->at, span.len})) != PIECE_NONE)
        return end_statement(splitter, span.len, piece, ret_text);
    if (span.kind == LEXEME_BACKSLASH)
        return read_backslash(splitter, span.len, ret_text);
    if (span.is_closed) {
        take_lexeme(splitter, &span);
    } else {
        splitter->has_content = splitter->has_content || span.kind == LEXEME_QUOTED;
        splitter->seen = splitter->at + span.len;
        splitter->open = text.ptr[splitter->at];
    }
    return PIECE_NONE;
}

enum piece splitter_next(struct splitter *splitter, bool is_last, struct str *ret_text, size_t *ret_line)
{
    while (splitter->at < splitter->text.len) {
        enum piece piece = step(splitter, ret_text, ret_line);
        if (piece != PIECE_NONE)
            return piece;
        if (splitter->open)
            break;
    }
    if (!is_last || splitter->start == splitter->text.len)
        return PIECE_NONE;
    splitter->at = splitter->text.len;
    *ret_line = splitter->first_line;
    return end_statement(splitter, 0, PIECE_STATEMENT, ret_text);
}
