/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_variables.h"

#include "admin/sql_views.h"
#include "conf/settings.h"

#include <stdlib.h>

static const struct {
    struct str name;
    enum sql_type type;
    const char *value;
} variables[] = {
#define VARIABLE(name, type, value) {{#name, sizeof(#name) - 1}, SQL_##type, value},
#include "admin/sql_variables.def"
#undef VARIABLE
};

static struct str value_of(const struct sql_session *session, size_t i)
{
    if (str_eq(variables[i].name, STR("autocommit")))
        return session->has_autocommit ? STR("1") : STR("0");
    return str_from(variables[i].value);
}

bool sql_variable_is_mysql(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        if (str_eq_nocase(variables[i].name, name))
            return true;
    return false;
}

static struct str setting_text(struct sql_session *session, const struct setting *setting)
{
    struct buf text;
    buf_init(&text, SETTING_TEXT_MAX + 1);
    setting_get(setting, sql_session_settings(session), &text);
    struct str copy = arena_dup(&session->arena, buf_str(&text));
    buf_free(&text);
    return copy;
}

static const struct setting *find_setting(struct str name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (str_eq_nocase(settings_table[i].name, name))
            return &settings_table[i];
    return NULL;
}

static struct sql_value typed(struct str text, bool is_integer)
{
    uint64_t number;
    if (is_integer && str_to_u64(text, &number) && number <= INT64_MAX)
        return (struct sql_value){.type = SQL_INTEGER, .integer = (int64_t)number};
    return (struct sql_value){.type = SQL_TEXT, .text = text};
}

bool sql_variable_get(struct sql_session *session, struct str name, struct sql_value *ret_value)
{
    const struct setting *setting = find_setting(name);
    if (setting) {
        *ret_value = typed(setting_text(session, setting), setting->kind == SETTING_KIND_U64);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (!str_eq_nocase(variables[i].name, name))
            continue;
        *ret_value = typed(value_of(session, i), variables[i].type == SQL_INTEGER);
        return true;
    }
    if (!str_eq_nocase(name, STR("last_insert_id")) && !str_eq_nocase(name, STR("identity")))
        return false;
    *ret_value = (struct sql_value){.type = SQL_INTEGER, .integer = (int64_t)session->last_insert_id};
    return true;
}

/* Settings first, as they are ours. */
void fill_variables(struct sql_session *session, struct sql_rows *rows)
{
    for (size_t i = 0; i < settings_count; i++) {
        sql_rows_begin(rows);
        sql_add_text(rows, settings_table[i].name);
        sql_add_text(rows, setting_text(session, &settings_table[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        sql_rows_begin(rows);
        sql_add_text(rows, variables[i].name);
        sql_add_text(rows, value_of(session, i));
    }
}
