/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_commands.h"

#include "admin/sql_views.h"

#include <stdio.h>

static const struct sql_command commands[] = {
#define COMMAND(pattern, run, help) {pattern, run, NULL, NULL, help},
#define SHOW(pattern, select, like_column, help) {pattern, sql_show, select, like_column, help},
#include "admin/sql_commands.def"
};

/* ---- matching ---- */

struct matcher {
    struct sql_lexer lexer;
    struct str pattern; /* what is left of it */
    struct sql_call *call;
};

static struct str next_element(struct str *io_pattern)
{
    struct str pattern = str_trim(*io_pattern);
    ssize_t space = str_find(pattern, STR(" "));
    struct str element = {pattern.ptr, space < 0 ? pattern.len : (size_t)space};
    *io_pattern = str_from_offset(pattern, element.len);
    return element;
}

/* One of the words between bars. */
static bool fits_word(struct str element, struct str word)
{
    while (element.len > 0) {
        ssize_t bar = str_find(element, STR("|"));
        size_t length = bar < 0 ? element.len : (size_t)bar;
        if (str_eq_nocase((struct str){element.ptr, length}, word))
            return true;
        element = str_from_offset(element, length + 1);
    }
    return false;
}

static bool is_value(const struct sql_token *token)
{
    return sql_token_is_name(token) || token->kind == SQL_TOKEN_STRING || token->kind == SQL_TOKEN_NUMBER ||
           token->kind == SQL_TOKEN_MARK;
}

static bool match_one(struct matcher *matcher, struct str element)
{
    struct sql_token token = sql_lexer_next(&matcher->lexer);
    if (str_eq(element, STR("$"))) {
        ASSERT(matcher->call->capture_count < SQL_CAPTURE_MAX);
        matcher->call->captures[matcher->call->capture_count++] = token;
        return is_value(&token);
    }
    return (token.kind == SQL_TOKEN_WORD || token.kind == SQL_TOKEN_SIGN) && fits_word(element, token.text);
}

static size_t count_captures(struct str group)
{
    size_t count = 0;
    for (size_t i = 0; i < group.len; i++)
        count += group.ptr[i] == '$';
    return count;
}

/* Several elements, all or none of them. */
static void match_group(struct matcher *matcher, struct str group)
{
    struct sql_lexer start = matcher->lexer;
    size_t captures = matcher->call->capture_count, wanted = count_captures(group);
    bool fits = true;
    while (fits && str_trim(group).len > 0) {
        struct str element = next_element(&group);
        if (str_eq(element, STR("..."))) /* the rest belongs to the group, and is not looked at */
            matcher->lexer.at = matcher->lexer.statement.len;
        else
            fits = match_one(matcher, element);
    }
    if (fits)
        return;
    matcher->lexer = start;
    matcher->call->capture_count = captures;
    for (size_t i = 0; i < wanted; i++)
        matcher->call->captures[matcher->call->capture_count++] = (struct sql_token){.kind = SQL_TOKEN_END};
}

static void take_rest(struct matcher *matcher)
{
    matcher->call->lexer = matcher->lexer;
    matcher->call->rest = str_from_offset(matcher->lexer.statement, matcher->lexer.at);
}

static bool is_at_end(struct sql_lexer *lexer)
{
    struct sql_token token = sql_lexer_next(lexer);
    while (sql_token_is_sign(&token, ';'))
        token = sql_lexer_next(lexer);
    return token.kind == SQL_TOKEN_END;
}

/* `...` in the middle: everything up to the place where the rest of the pattern fits to the end. */
static bool match_behind_gap(struct matcher *matcher)
{
    struct str pattern = matcher->pattern;
    for (;;) {
        struct sql_token token = sql_lexer_peek(&matcher->lexer);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_FAULT)
            return false;
        struct matcher attempt = *matcher;
        bool fits = true;
        for (struct str left = pattern; fits && str_trim(left).len > 0;)
            fits = match_one(&attempt, next_element(&left));
        if (fits && is_at_end(&attempt.lexer))
            return true;
        sql_lexer_next(&matcher->lexer);
    }
}

static bool match(struct matcher *matcher)
{
    while (str_trim(matcher->pattern).len > 0) {
        matcher->pattern = str_trim(matcher->pattern);
        if (matcher->pattern.ptr[0] == '[') {
            ssize_t close = str_find(matcher->pattern, STR("]"));
            ASSERT(close > 0);
            match_group(matcher, (struct str){matcher->pattern.ptr + 1, (size_t)close - 1});
            matcher->pattern = str_from_offset(matcher->pattern, (size_t)close + 1);
            continue;
        }
        struct str element = next_element(&matcher->pattern);
        if (str_eq(element, STR("~"))) {
            take_rest(matcher);
            struct sql_token token = sql_lexer_peek(&matcher->lexer);
            return is_at_end(&matcher->lexer) || sql_token_is(&token, STR("LIKE")) ||
                   sql_token_is(&token, STR("WHERE"));
        }
        if (str_eq(element, STR("..."))) {
            take_rest(matcher);
            return str_trim(matcher->pattern).len == 0 || match_behind_gap(matcher);
        }
        if (!match_one(matcher, element))
            return false;
    }
    take_rest(matcher);
    return is_at_end(&matcher->lexer);
}

static size_t count_marks(struct str statement)
{
    struct sql_lexer lexer = sql_lexer_of(statement);
    size_t count = 0;
    for (;;) {
        struct sql_token token = sql_lexer_next(&lexer);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_FAULT)
            return count;
        count += token.kind == SQL_TOKEN_MARK;
    }
}

bool sql_command_find(struct str statement, struct sql_call *ret_call)
{
    struct sql_lexer lexer = sql_lexer_of(statement);
    struct sql_token first = sql_lexer_next(&lexer);
    if (first.kind != SQL_TOKEN_WORD)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct str pattern = str_from(commands[i].pattern);
        struct str word = next_element(&pattern);
        if (!fits_word(word, first.text))
            continue;
        *ret_call = (struct sql_call){.command = &commands[i]};
        struct matcher matcher = {.lexer = lexer, .pattern = pattern, .call = ret_call};
        if (!match(&matcher))
            continue;
        if (commands[i].run == sql_plain)
            return false;
        ret_call->marks = count_marks(statement);
        return true;
    }
    return false;
}

bool sql_call_has(const struct sql_call *call, size_t capture)
{
    return capture < call->capture_count && call->captures[capture].kind != SQL_TOKEN_END;
}

/* Commands with captures have at most a question mark for each of them. */
static struct str param_text(struct sql_session *session, const struct sql_call *call, size_t capture)
{
    size_t index = 0;
    char number[32];
    for (size_t i = 0; i < capture; i++)
        index += call->captures[i].kind == SQL_TOKEN_MARK;
    if (index >= session->param_count)
        return STR("");
    const struct sql_value *value = &session->params[index];
    if (value->type != SQL_INTEGER)
        return value->text.ptr ? value->text : STR("");
    snprintf(number, sizeof(number), "%lld", (long long)value->integer);
    return arena_dup(&session->arena, str_from(number));
}

struct str sql_call_text(struct sql_session *session, const struct sql_call *call, size_t capture)
{
    struct buf content;
    if (!sql_call_has(call, capture))
        return STR("");
    if (call->captures[capture].kind == SQL_TOKEN_MARK)
        return param_text(session, call, capture);
    buf_init(&content, SQL_STATEMENT_MAX);
    sql_token_content(&call->captures[capture], &content);
    struct str text = buf_ok(&content) ? arena_dup(&session->arena, buf_str(&content)) : STR_NONE;
    buf_free(&content);
    if (!text.ptr)
        sql_error_set(&session->error, SQL_ERR_NO_MEMORY, "Out of memory");
    return text;
}

/* For SHOW HELP. */
void fill_commands(struct sql_session *session, struct sql_rows *rows)
{
    (void)session;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        sql_rows_begin(rows);
        sql_add_text(rows, str_from(commands[i].pattern));
        sql_add_text(rows, str_from(commands[i].help));
    }
}
