/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_text.h"

#include <sqlite3.h>

#define ENOUGH_SHOWN 80 /* bytes of a faulty place that a message repeats */

/* What the table that a statement writes to still waits for. */
enum target { TARGET_NONE, TARGET_INSERT, TARGET_UPDATE, TARGET_DELETE };

struct translator {
    struct sql_lexer lexer;
    struct sql_token token, previous;
    struct buf *out;
    size_t start; /* of our part of `out` */
    struct sql_facts facts;
    struct sql_error *error;
    unsigned depth; /* of brackets */
    enum target target;
    bool has_into, has_where;
    bool is_in_list; /* of what the outermost SELECT gives */
    bool is_expression;
};

/* ---- writing ---- */

static bool is_name_like(char c)
{
    return c == '_' || c == '$' || c == '\'' || c == '`' || c == '"' || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Two tokens that would be read as one, or as a comment, get a blank between them. */
static bool must_part(const struct buf *out, struct str text)
{
    if (out->len == 0 || text.len == 0)
        return false;
    char last = out->ptr[out->len - 1], first = text.ptr[0];
    return (is_name_like(last) && is_name_like(first)) || (last == '-' && first == '-') ||
           (last == '/' && first == '*');
}

static void put(struct translator *t, struct str text)
{
    if ((t->token.is_spaced && t->out->len > 0) || must_part(t->out, text))
        buf_add_char(t->out, ' ');
    buf_add(t->out, text);
    t->token.is_spaced = false; /* a second piece for the same token stands close */
}

static void put_word(struct translator *t, struct str word)
{
    t->token.is_spaced = true;
    put(t, word);
    t->token.is_spaced = true;
}

/* What a message repeats of a faulty place: nothing in quotes, which may be a secret. */
static struct str shown_from(const struct translator *t, size_t at)
{
    struct str shown = {t->lexer.statement.ptr + at, MIN(t->lexer.statement.len - at, (size_t)ENOUGH_SHOWN)};
    for (size_t i = 0; i < shown.len; i++)
        if (shown.ptr[i] == '\'' || shown.ptr[i] == '"')
            shown.len = i + 1;
    return shown;
}

static void refuse_syntax(struct translator *t, const struct sql_token *token)
{
    struct str shown = shown_from(t, token->at);
    sql_error_set(t->error, SQL_ERR_SYNTAX, "You have an error in your SQL syntax: %s%snear '" STR_FMT "'",
                  token->fault ? token->fault : "", token->fault ? ", " : "", STR_ARG(shown));
}

/* ---- names ---- */

static bool is_next_sign(const struct translator *t, char sign)
{
    struct sql_token next = sql_lexer_peek(&t->lexer);
    return sql_token_is_sign(&next, sign);
}

static bool is_name_of(const struct sql_token *token, struct str name)
{
    struct str text = token->text;
    if (token->kind == SQL_TOKEN_QUOTED)
        text = (struct str){text.ptr + 1, text.len - 2};
    return sql_token_is_name(token) && str_eq_nocase(text, name);
}

/* MindBalancer's documentation says routing_rules, its program ai_routing_rules. */
static struct str name_for_sqlite(const struct translator *t)
{
    return is_name_of(&t->token, STR("routing_rules")) ? STR("ai_routing_rules") : t->token.text;
}

/* The schemas that clients see are one for SQLite. Passes over the point behind its name. */
static bool skip_schema(struct translator *t)
{
    bool is_schema = is_name_of(&t->token, STR("fairlead")) || is_name_of(&t->token, STR("main")) ||
                     is_name_of(&t->token, STR("information_schema"));
    if (!is_schema || sql_token_is_sign(&t->previous, '.') || !is_next_sign(t, '.'))
        return false;
    bool is_spaced = t->token.is_spaced;
    sql_lexer_next(&t->lexer);
    t->token = sql_lexer_next(&t->lexer);
    t->token.is_spaced = is_spaced;
    return true;
}

/* ---- the table that is written ---- */

static const struct str priorities[] = {STR("LOW_PRIORITY"), STR("HIGH_PRIORITY"), STR("DELAYED"),
                                        STR("QUICK")};

static bool is_priority(const struct sql_token *token)
{
    for (size_t i = 0; i < ARRAY_LEN(priorities); i++)
        if (sql_token_is(token, priorities[i]))
            return true;
    return false;
}

static void put_target(struct translator *t)
{
    if (t->target == TARGET_INSERT && !t->has_into)
        put_word(t, STR("INTO"));
    skip_schema(t);
    if (!is_next_sign(t, '.')) {
        put(t, STR("main"));
        put(t, STR("."));
    }
    if (sql_token_is_name(&t->token))
        put(t, name_for_sqlite(t));
    else
        refuse_syntax(t, &t->token);
    t->target = TARGET_NONE;
}

/* Between the verb and the name of the table. */
static void translate_before_target(struct translator *t)
{
    if (is_priority(&t->token))
        return;
    if (sql_token_is(&t->token, STR("IGNORE"))) {
        if (t->target != TARGET_DELETE)
            put_word(t, STR("OR IGNORE"));
        return;
    }
    if (sql_token_is(&t->token, STR("OR"))) {
        put(t, t->token.text);
        t->token = sql_lexer_next(&t->lexer);
        put(t, t->token.kind == SQL_TOKEN_WORD ? t->token.text : STR("("));
        return;
    }
    if (sql_token_is(&t->token, STR("INTO")) || sql_token_is(&t->token, STR("FROM"))) {
        t->has_into = true;
        put(t, t->token.text);
        return;
    }
    put_target(t);
}

/* ---- words ---- */

static const struct {
    struct str word;
    enum sql_verb verb;
    enum target target;
} verbs[] = {
    {STR("SELECT"), SQL_VERB_SELECT, TARGET_NONE},   {STR("VALUES"), SQL_VERB_SELECT, TARGET_NONE},
    {STR("INSERT"), SQL_VERB_INSERT, TARGET_INSERT}, {STR("REPLACE"), SQL_VERB_INSERT, TARGET_INSERT},
    {STR("UPDATE"), SQL_VERB_UPDATE, TARGET_UPDATE}, {STR("DELETE"), SQL_VERB_DELETE, TARGET_DELETE},
};

static void note_verb(struct translator *t)
{
    if (t->depth > 0 || t->is_expression || t->facts.verb != SQL_VERB_OTHER)
        return;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (sql_token_is(&t->token, verbs[i].word)) {
            t->facts.verb = verbs[i].verb;
            t->target = verbs[i].target;
        }
    }
}

static const struct str list_ends[] = {STR("FROM"),   STR("WHERE"),  STR("LIMIT"),
                                       STR("UNION"),  STR("ORDER"),  STR("GROUP"),
                                       STR("HAVING"), STR("EXCEPT"), STR("INTERSECT")};

static bool ends_list(const struct sql_token *token)
{
    for (size_t i = 0; i < ARRAY_LEN(list_ends); i++)
        if (sql_token_is(token, list_ends[i]))
            return true;
    return false;
}

static void note_clause(struct translator *t)
{
    if (t->depth > 0)
        return;
    if (sql_token_is(&t->token, STR("SELECT")))
        t->is_in_list = true;
    else if (ends_list(&t->token))
        t->is_in_list = false;
    if (sql_token_is(&t->token, STR("WHERE")))
        t->has_where = true;
}

/* _utf8mb4'text' and N'text' */
static bool is_introducer(const struct translator *t)
{
    struct sql_token next = sql_lexer_peek(&t->lexer);
    if (next.kind != SQL_TOKEN_STRING)
        return false;
    return t->token.text.ptr[0] == '_' || (!next.is_spaced && sql_token_is(&t->token, STR("N")));
}

/* CURRENT_TIMESTAMP() is a word to SQLite, CURRENT_USER a function. */
static bool translate_current(struct translator *t)
{
    bool has_brackets = is_next_sign(t, '(');
    if (sql_token_is(&t->token, STR("CURRENT_USER"))) {
        put(t, t->token.text);
        if (!has_brackets)
            put(t, STR("()"));
        return true;
    }
    if (!has_brackets ||
        !(sql_token_is(&t->token, STR("CURRENT_TIMESTAMP")) || sql_token_is(&t->token, STR("CURRENT_DATE")) ||
          sql_token_is(&t->token, STR("CURRENT_TIME"))))
        return false;
    struct sql_lexer ahead = t->lexer;
    sql_lexer_next(&ahead);
    struct sql_token second = sql_lexer_next(&ahead);
    put(t, t->token.text);
    if (sql_token_is_sign(&second, ')'))
        t->lexer = ahead;
    return true;
}

static void translate_with(struct translator *t)
{
    struct sql_token next = sql_lexer_peek(&t->lexer);
    put_word(t, STR("WITH"));
    if (sql_token_is(&next, STR("RECURSIVE"))) {
        sql_lexer_next(&t->lexer);
        put_word(t, STR("RECURSIVE"));
    }
    t->facts.with_at = t->out->len - t->start;
    t->facts.has_with = true;
}

/* A name behind AS that is a keyword of SQLite, but none in MySQL ("nothing", "glob"). */
static bool is_alias_of_ours_alone(const struct translator *t)
{
    static const char *const parts[] = {"MATERIALIZED", "NOT", "SELECT", "VALUES", "WITH"}; /* begin what AS may introduce */
    if (!sql_token_is(&t->previous, STR("AS")) || !sqlite3_keyword_check(t->token.text.ptr, (int)t->token.text.len))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (sql_token_is(&t->token, str_from(parts[i])))
            return false;
    return true;
}

static void put_quoted(struct translator *t)
{
    put(t, STR("`"));
    buf_add(t->out, t->token.text);
    buf_add_char(t->out, '`');
}

static void translate_word(struct translator *t)
{
    struct sql_token next;
    if (is_introducer(t) || translate_current(t))
        return;
    if (sql_token_is(&t->token, STR("ON"))) {
        next = sql_lexer_peek(&t->lexer);
        if (sql_token_is(&next, STR("DUPLICATE"))) {
            sql_error_set(
                t->error, SQL_ERR_UNSUPPORTED,
                "ON DUPLICATE KEY UPDATE is not known here: write ON CONFLICT (column) DO UPDATE SET ...");
            return;
        }
    }
    if (sql_token_is(&t->token, STR("LEFT")) || sql_token_is(&t->token, STR("RIGHT"))) {
        if (is_next_sign(t, '(')) { /* the function; without quotes SQLite reads a join */
            put(t, sql_token_is(&t->token, STR("LEFT")) ? STR("`left`") : STR("`right`"));
            return;
        }
    }
    if (t->facts.verb == SQL_VERB_OTHER && t->out->len == t->start &&
        sql_token_is(&t->token, STR("EXPLAIN"))) {
        t->facts.verb = SQL_VERB_EXPLAIN;
        put(t, STR("EXPLAIN QUERY PLAN"));
        t->facts.with_at = t->out->len - t->start;
        return;
    }
    if (t->out->len == t->start + t->facts.with_at && sql_token_is(&t->token, STR("WITH"))) {
        translate_with(t);
        return;
    }
    if (is_alias_of_ours_alone(t)) {
        put_quoted(t);
        return;
    }
    note_verb(t);
    note_clause(t);
    put(t, name_for_sqlite(t));
}

/* ---- the rest ---- */

/* Texts side by side are one, as in C. */
static void translate_string(struct translator *t)
{
    struct buf content;
    bool is_spaced = t->token.is_spaced || must_part(t->out, STR("'"));
    buf_init(&content, t->lexer.statement.len + 1);
    sql_token_content(&t->token, &content);
    for (struct sql_token next = sql_lexer_peek(&t->lexer); next.kind == SQL_TOKEN_STRING;
         next = sql_lexer_peek(&t->lexer)) {
        next = sql_lexer_next(&t->lexer);
        sql_token_content(&next, &content);
    }
    if (is_spaced && t->out->len > 0)
        buf_add_char(t->out, ' ');
    if (is_next_sign(t, '.')) /* the guard knows schemas by their names alone */
        refuse_syntax(t, &t->token);
    else if (str_find(buf_str(&content), STR(SQL_RESERVED_PREFIX)) >= 0)
        refuse_syntax(t, &t->token);
    else if (buf_ok(&content))
        sql_quote_text(buf_str(&content), t->out);
    else
        t->out->failed = true;
    buf_free(&content);
}

/* Whether the token is all of a column of the outermost list, which is then named as it is written. */
static bool is_whole_column(const struct translator *t)
{
    struct sql_token next = sql_lexer_peek(&t->lexer);
    bool begins = sql_token_is_sign(&t->previous, ',') || sql_token_is(&t->previous, STR("SELECT"));
    bool ends = next.kind == SQL_TOKEN_END || sql_token_is_sign(&next, ',') ||
                sql_token_is_sign(&next, ';') || ends_list(&next);
    return t->depth == 0 && t->is_in_list && begins && ends;
}

static void translate_variable(struct translator *t)
{
    struct str written = {t->lexer.statement.ptr + t->token.at, t->token.end - t->token.at};
    put(t, STR("sysvar("));
    sql_quote_text(t->token.text, t->out);
    buf_add_char(t->out, ')');
    if (!is_whole_column(t))
        return;
    buf_add(t->out, STR(" AS "));
    bool has_quotes = memchr(written.ptr, '`', written.len) != NULL;
    sql_quote_name(has_quotes ? t->token.text : written, t->out);
}

static bool is_written(const struct translator *t, struct str sign)
{
    return str_starts(str_from_offset(t->lexer.statement, t->token.at), sign);
}

static void translate_sign(struct translator *t)
{
    if (is_written(t, STR("&&"))) {
        sql_lexer_next(&t->lexer);
        put_word(t, STR("AND"));
        return;
    }
    if (is_written(t, STR("<=>"))) {
        sql_lexer_next(&t->lexer);
        sql_lexer_next(&t->lexer);
        put_word(t, STR("IS"));
        return;
    }
    if (sql_token_is_sign(&t->token, '('))
        t->depth++;
    if (sql_token_is_sign(&t->token, ')')) {
        if (t->depth == 0) {
            refuse_syntax(t, &t->token);
            return;
        }
        t->depth--;
    }
    put(t, t->token.text);
}

static void translate_token(struct translator *t)
{
    if (t->target != TARGET_NONE && sql_token_is_name(&t->token)) {
        translate_before_target(t);
        return;
    }
    if (sql_token_is_name(&t->token) && skip_schema(t) && t->token.kind == SQL_TOKEN_WORD) {
        put(t, name_for_sqlite(t)); /* no keyword, whatever it is */
        return;
    }
    switch (t->token.kind) {
    case SQL_TOKEN_WORD:
        translate_word(t);
        break;
    case SQL_TOKEN_QUOTED:
        put(t, name_for_sqlite(t));
        break;
    case SQL_TOKEN_STRING:
        translate_string(t);
        break;
    case SQL_TOKEN_VARIABLE:
        translate_variable(t);
        break;
    case SQL_TOKEN_MARK:
        t->facts.marks++;
        put(t, STR("?"));
        if (sql_lexer_peek(&t->lexer).kind == SQL_TOKEN_NUMBER)
            buf_add_char(t->out, ' '); /* ?1 would be a numbered one */
        break;
    case SQL_TOKEN_SIGN:
        translate_sign(t);
        break;
    case SQL_TOKEN_BLOB:
    case SQL_TOKEN_NUMBER:
        put(t, t->token.text);
        break;
    case SQL_TOKEN_END:
    case SQL_TOKEN_FAULT:
        refuse_syntax(t, &t->token);
        break;
    }
}

/* Behind a semicolon nothing but more of them may stand. */
static void check_end(struct translator *t)
{
    struct sql_token token = t->token;
    while (sql_token_is_sign(&token, ';') && !t->is_expression)
        token = sql_lexer_next(&t->lexer);
    if (token.kind == SQL_TOKEN_END)
        return;
    if (token.kind == SQL_TOKEN_FAULT || t->is_expression)
        refuse_syntax(t, &token);
    struct str shown = shown_from(t, token.at);
    sql_error_set(
        t->error, SQL_ERR_SYNTAX,
        "You have an error in your SQL syntax: one statement at a time, but another one begins near '" STR_FMT
        "'",
        STR_ARG(shown));
}

static void check_whole(struct translator *t)
{
    if (t->depth > 0 || (t->is_expression && t->out->len == t->start))
        sql_error_set(t->error, SQL_ERR_SYNTAX, "You have an error in your SQL syntax: %s",
                      t->depth > 0 ? "a bracket is not closed" : "an expression is missing");
    if (t->out->len == t->start)
        sql_error_set(t->error, SQL_ERR_EMPTY, "Query was empty");
    if (t->facts.verb == SQL_VERB_DELETE && !t->has_where)
        sql_error_set(t->error, SQL_ERR_UNSAFE,
                      "DELETE without WHERE would remove every row: if that is meant, write WHERE 1");
}

static enum err translate(struct translator *t, struct sql_facts *ret_facts)
{
    t->start = t->out->len;
    for (t->token = sql_lexer_next(&t->lexer); t->error->number == SQL_ERR_NONE;
         t->previous = t->token, t->token = sql_lexer_next(&t->lexer)) {
        if (t->token.kind == SQL_TOKEN_END || sql_token_is_sign(&t->token, ';'))
            break;
        struct sql_token token = t->token;
        translate_token(t);
        t->token = token;
    }
    if (t->error->number == SQL_ERR_NONE)
        check_end(t);
    if (t->error->number == SQL_ERR_NONE)
        check_whole(t);
    if (t->error->number != SQL_ERR_NONE)
        return ERR_INVALID;
    *ret_facts = t->facts;
    return buf_ok(t->out) ? ERR_OK : ERR_NO_MEMORY;
}

enum err sql_text_translate(struct str statement, struct buf *out, struct sql_facts *ret_facts,
                            struct sql_error *error)
{
    struct translator t = {.lexer = sql_lexer_of(statement), .out = out, .error = error};
    return translate(&t, ret_facts);
}

enum err sql_text_translate_expression(struct str expression, struct buf *out, struct sql_facts *ret_facts,
                                       struct sql_error *error)
{
    struct translator t = {
        .lexer = sql_lexer_of(expression), .out = out, .error = error, .is_expression = true};
    return translate(&t, ret_facts);
}
