/* SPDX-License-Identifier: Apache-2.0 */
/* SET: settings are changed for good and at once; what clients set of MySQL's own variables is accepted and forgotten,
 * but for autocommit. */
#include "admin/sql_commands.h"

#include "admin/sql_variables.h"
#include "conf/settings.h"

#include <stdio.h>

#define UPSERT                                                                                               \
    "INSERT INTO main.global_variables (variable_name, variable_value, source) VALUES (?1, ?2, 'sql') ON "   \
    "CONFLICT "                                                                                              \
    "(variable_name) DO UPDATE SET variable_value = excluded.variable_value, source = excluded.source"

struct assignment {
    struct str name;
    struct str value; /* content of a single token; empty when there are several */
    bool is_single, is_default, is_minus;
};

static const struct setting *find_setting(struct str name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (str_eq_nocase(settings_table[i].name, name))
            return &settings_table[i];
    return NULL;
}

/* ---- settings ---- */

/* ON, 1 and TRUE are what MySQL's users write. */
static struct str plain_bool(struct str text)
{
    static const struct str yes[] = {STR("1"), STR("on"), STR("true"), STR("yes")},
                            no[] = {STR("0"), STR("off"), STR("false"), STR("no")};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(text, yes[i]))
            return STR("true");
        if (str_eq_nocase(text, no[i]))
            return STR("false");
    }
    return text;
}

static bool check_value(struct sql_session *session, const struct setting *setting, struct str value)
{
    char memory[512];
    struct buf message;
    struct settings scratch = *sql_session_settings(session);
    buf_init_fixed(&message, memory, sizeof(memory));
    enum err err = setting_set(setting, value, &session->arena, &scratch, &message);
    if (err == ERR_OK)
        return true;
    sql_error_set(&session->error, SQL_ERR_WRONG_VALUE, "Variable '" STR_FMT "' can't be set: " STR_FMT,
                  STR_ARG(setting->name), STR_ARG(buf_str(&message)));
    return false;
}

static void write_setting(struct sql_session *session, const struct setting *setting, struct str value)
{
    const struct str values[] = {setting->name, value};
    if (sql_session_begin_write(session, true))
        sql_session_write(session, UPSERT, values, ARRAY_LEN(values));
}

/* generation_build then puts the value of the file, or the built-in one, in its place. */
static void reset_setting(struct sql_session *session, const struct setting *setting)
{
    if (sql_session_begin_write(session, true))
        sql_session_write(session, "DELETE FROM main.global_variables WHERE variable_name = ?",
                          &setting->name, 1);
}

static void assign_setting(struct sql_session *session, const struct setting *setting,
                           const struct assignment *assignment)
{
    if (setting->reload == SETTING_RELOAD_START) {
        sql_error_set(&session->error, SQL_ERR_READ_ONLY_VARIABLE,
                      "Variable '" STR_FMT "' is a read only variable: it is read when the process starts",
                      STR_ARG(setting->name));
        return;
    }
    if (assignment->is_default) {
        reset_setting(session, setting);
        return;
    }
    struct str value = setting->kind == SETTING_KIND_BOOL ? plain_bool(assignment->value) : assignment->value;
    if (!assignment->is_single || assignment->is_minus) {
        sql_error_set(&session->error, SQL_ERR_WRONG_VALUE,
                      "Variable '" STR_FMT "' can't be set to an expression, or below 0",
                      STR_ARG(setting->name));
        return;
    }
    if (check_value(session, setting, value))
        write_setting(session, setting, value);
}

static void assign_autocommit(struct sql_session *session, const struct assignment *assignment)
{
    struct str value = plain_bool(assignment->value);
    if (!assignment->is_default && !str_eq(value, STR("true")) && !str_eq(value, STR("false"))) {
        sql_error_set(&session->error, SQL_ERR_WRONG_VALUE,
                      "Variable 'autocommit' can't be set to the value of '" STR_FMT "'",
                      STR_ARG(assignment->value));
        return;
    }
    bool was_on = session->has_autocommit;
    session->has_autocommit = assignment->is_default || str_eq(value, STR("true"));
    if (!was_on && session->has_autocommit && sql_session_in_transaction(session))
        session->commits_at_once = true; /* as MySQL does it */
}

static void assign(struct sql_session *session, const struct assignment *assignment)
{
    const struct setting *setting = find_setting(assignment->name);
    if (setting)
        assign_setting(session, setting, assignment);
    else if (str_eq_nocase(assignment->name, STR("autocommit")))
        assign_autocommit(session, assignment);
    else if (!sql_variable_is_mysql(assignment->name))
        sql_error_set(&session->error, SQL_ERR_UNKNOWN_VARIABLE, "Unknown system variable '" STR_FMT "'",
                      STR_ARG(assignment->name));
}

/* ---- reading the statement ---- */

static struct str content_of(struct sql_session *session, const struct sql_token *token)
{
    struct buf content;
    buf_init(&content, SQL_STATEMENT_MAX);
    sql_token_content(token, &content);
    struct str text = arena_dup(&session->arena, buf_str(&content));
    buf_free(&content);
    return text;
}

static struct str next_param(struct sql_session *session, size_t *io_params)
{
    char number[32];
    if (*io_params >= session->param_count)
        return STR("");
    const struct sql_value *value = &session->params[(*io_params)++];
    if (value->type == SQL_INTEGER)
        snprintf(number, sizeof(number), "%lld", (long long)value->integer);
    else if (value->type == SQL_DOUBLE)
        snprintf(number, sizeof(number), "%.15g", value->real);
    else
        return value->text.ptr ? value->text : STR("");
    return arena_dup(&session->arena, str_from(number));
}

static bool is_scope(const struct sql_token *token)
{
    return sql_token_is(token, STR("GLOBAL")) || sql_token_is(token, STR("SESSION")) ||
           sql_token_is(token, STR("LOCAL")) || sql_token_is(token, STR("PERSIST"));
}

static bool is_end(const struct sql_token *token)
{
    return token->kind == SQL_TOKEN_END || sql_token_is_sign(token, ';');
}

/* Up to the comma or the end, which is left as `io_token`. */
static void read_value(struct sql_session *session, struct sql_lexer *lexer, struct sql_token *io_token,
                       struct assignment *assignment, size_t *io_params)
{
    unsigned depth = 0, count = 0;
    for (*io_token = sql_lexer_next(lexer); !is_end(io_token); *io_token = sql_lexer_next(lexer)) {
        if (io_token->kind == SQL_TOKEN_FAULT || (depth == 0 && sql_token_is_sign(io_token, ',')))
            break;
        depth += sql_token_is_sign(io_token, '(');
        depth -= depth > 0 && sql_token_is_sign(io_token, ')');
        if (sql_token_is_sign(io_token, '-')) {
            assignment->is_minus = true;
            continue;
        }
        if (count++ == 0) {
            assignment->is_default = sql_token_is(io_token, STR("DEFAULT"));
            assignment->value = io_token->kind == SQL_TOKEN_MARK ? next_param(session, io_params)
                                                                 : content_of(session, io_token);
        }
    }
    assignment->is_single = count == 1;
}

/* A text in quotes may be a password, and is not repeated. */
static void refuse(struct sql_session *session, const struct sql_token *token)
{
    bool is_shown = str_find(token->text, STR("'")) < 0 && str_find(token->text, STR("\"")) < 0;
    sql_error_set(&session->error, SQL_ERR_SYNTAX,
                  "You have an error in your SQL syntax near '" STR_FMT "': SET name = value%s",
                  STR_ARG(is_shown ? token->text : STR("a text in quotes")),
                  token->fault ? " (a name may be faulty)" : "");
}

/* NAMES, CHARACTER SET, TRANSACTION: about things that have one value here. */
static bool is_formality(const struct sql_token *token)
{
    return sql_token_is(token, STR("NAMES")) || sql_token_is(token, STR("CHARACTER")) ||
           sql_token_is(token, STR("CHARSET")) || sql_token_is(token, STR("TRANSACTION"));
}

void sql_set(struct sql_session *session, const struct sql_call *call)
{
    struct sql_lexer lexer = call->lexer;
    struct sql_token token;
    size_t params = 0;
    do {
        struct assignment assignment = {0};
        token = sql_lexer_next(&lexer);
        if (is_scope(&token))
            token = sql_lexer_next(&lexer);
        if (is_formality(&token))
            return;
        if (!sql_token_is_name(&token) && token.kind != SQL_TOKEN_VARIABLE) {
            refuse(session, &token);
            return;
        }
        assignment.name = token.kind == SQL_TOKEN_VARIABLE ? token.text : content_of(session, &token);
        token = sql_lexer_next(&lexer);
        if (!sql_token_is_sign(&token, '=')) {
            refuse(session, &token);
            return;
        }
        read_value(session, &lexer, &token, &assignment, &params);
        if (token.kind == SQL_TOKEN_FAULT || (!assignment.value.ptr && !assignment.is_single))
            refuse(session, &token);
        else
            assign(session, &assignment);
    } while (sql_token_is_sign(&token, ',') && session->error.number == SQL_ERR_NONE);
}

/* ---- the cache ---- */

static void set_cache(struct sql_session *session, struct str value)
{
    write_setting(session, setting_find(STR("cache_enabled")), value);
}

void sql_cache_enable(struct sql_session *session, const struct sql_call *call)
{
    (void)call;
    set_cache(session, STR("true"));
}

void sql_cache_disable(struct sql_session *session, const struct sql_call *call)
{
    (void)call;
    set_cache(session, STR("false"));
}
