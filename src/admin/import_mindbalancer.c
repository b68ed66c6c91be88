/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_mindbalancer.h"

#include "conf/endpoint.h"
#include "conf/fields.h"
#include "conf/load.h"
#include "conf/providers.h"
#include "conf/settings.h"
#include "route/match.h"
#include "store/db.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCE_FILE "mindbalancer.db"
#define NEW_FILE DB_FILE ".import" /* until it is whole */
#define SHOWN_MAX 64
#define SECRET_MAX ((size_t)16384)
#define SEALED_TWICE_MAX 3 /* its REST interface sealed a key again when a server was changed */

struct import {
    struct db source, target;
    const struct seal *seal;
    struct buf *report;
    char *why;
    struct arena arena; /* of one table */
    unsigned servers, users, rules, hostgroups, variables;
};

/* Columns that a table may have; the SELECT has them in this order, NULL for those that are not there. */
struct source_table {
    const char *name;
    const char *const *columns;
    size_t column_count;
    /* A row; ERR_INVALID ends the import. */
    enum err (*take)(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert);
    const char *insert; /* with as many parameters as `take` binds */
};

static struct str shown(struct str text)
{
    return (struct str){text.ptr, MIN(text.len, SHOWN_MAX)};
}

static void note(struct import *import, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(struct import *import, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    buf_printf(import->report, SOURCE_FILE ": %s\n", text);
}

/* ---- cells ---- */

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool is_name(struct str text)
{
    bool is = text.len > 0 && text.len <= FIELD_NAME_MAX;
    for (size_t i = 0; is && i < text.len; i++) {
        char c = text.ptr[i], low = (char)(c | 0x20);
        is = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    }
    return is;
}

/* A number between the two; one beyond them becomes the nearer, and is noted. */
static int64_t take_number(struct import *import, sqlite3_stmt *row, int column, int64_t min, int64_t max,
                           int64_t absent, const char *where)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return absent;
    int64_t value = sqlite3_column_int64(row, column), taken = MIN(MAX(value, min), max);
    if (taken != value)
        note(import, "%s: %s %lld became %lld", where, sqlite3_column_name(row, column), (long long)value,
             (long long)taken);
    return taken;
}

static struct str take_comment(struct import *import, sqlite3_stmt *row, int column, const char *where)
{
    struct str text = db_column_str(row, column);
    if (is_printable(text) && text.len <= FIELD_TEXT_MAX)
        return text;
    note(import, "%s: its comment is left out: it is too long, or has control characters", where);
    return STR("");
}

/* ---- ai_servers ---- */

enum {
    SERVER_NAME,
    SERVER_PROVIDER,
    SERVER_ENDPOINT,
    SERVER_KEY,
    SERVER_GROUP,
    SERVER_WEIGHT,
    SERVER_CONNECTIONS,
    SERVER_STATE,
    SERVER_COMMENT
};
static const char *const server_columns[] = {
    "name",   "provider_type", "endpoint", "api_key_encrypted", "hostgroup", "weight", "max_connections",
    "status", "comment"};

/* The key in clear. */
static enum err open_key(struct import *import, struct str stored, struct buf *out)
{
    char memory[SECRET_MAX];
    struct buf other;
    enum err err = seal_open(import->seal, stored, out, NULL);
    for (int i = 0; !err && buf_ok(out) && seal_is_sealed(buf_str(out)) && i < SEALED_TWICE_MAX; i++) {
        buf_init_fixed(&other, memory, sizeof(memory));
        err = seal_open(import->seal, buf_str(out), &other, NULL);
        buf_clear(out);
        buf_add(out, buf_str(&other));
    }
    OPENSSL_cleanse(memory, sizeof(memory));
    return err ? err : buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* The key as our store keeps it; empty stays empty. */
static enum err take_key(struct import *import, struct str stored, const char *where, struct buf *out)
{
    char memory[SECRET_MAX];
    struct buf plain;
    if (stored.len == 0)
        return ERR_OK;
    buf_init_fixed(&plain, memory, sizeof(memory));
    enum err err = open_key(import, stored, &plain);
    if (err)
        snprintf(import->why, IMPORT_WHY_MAX,
                 SOURCE_FILE ": %s: its key cannot be opened; set api_key_encryption_key (or "
                             "api_key_encryption_key_old) to the "
                             "one that MindBalancer had",
                 where);
    else if (!loader_is_header_safe(buf_str(&plain)))
        note(import, "%s: its key is left out: it has bytes that no header can carry", where);
    else if (plain.len > 0)
        err = seal_close(import->seal, buf_str(&plain), out);
    OPENSSL_cleanse(memory, sizeof(memory));
    return err ? ERR_INVALID : ERR_OK;
}

static bool can_take_server(struct import *import, sqlite3_stmt *row, const char *where)
{
    struct str type = db_column_str(row, SERVER_PROVIDER),
               endpoint_text = db_column_str(row, SERVER_ENDPOINT);
    const struct provider *provider = provider_find(type.len > 0 ? type : STR("openai"));
    struct endpoint endpoint;
    const char *reason = "is missing";
    if (!is_name(db_column_str(row, SERVER_NAME))) {
        note(import, "%s is left out: a name has 1 to %d letters, digits, '.', '_' and '-'", where,
             FIELD_NAME_MAX);
        return false;
    }
    if (!provider) {
        note(import, "%s is left out: provider_type '" STR_FMT "' is not available in this version", where,
             STR_ARG(shown(type)));
        return false;
    }
    if (endpoint_text.len == 0)
        endpoint_text = provider->default_endpoint;
    if (endpoint_text.len == 0 ||
        endpoint_parse(endpoint_text, provider->base_path, &import->arena, &endpoint, &reason)) {
        note(import, "%s is left out: its endpoint %s", where, reason);
        return false;
    }
    return true;
}

/* A server of weight 0 was given no request while another one was there; here every weight counts, so it is set aside. */
static struct str take_status(struct import *import, sqlite3_stmt *row, const char *where)
{
    static const struct str known[] = {{"ONLINE", 6}, {"OFFLINE", 7}, {"SHUNNED", 7}};
    struct str status = db_column_str(row, SERVER_STATE);
    if (sqlite3_column_type(row, SERVER_WEIGHT) != SQLITE_NULL &&
        sqlite3_column_int64(row, SERVER_WEIGHT) <= 0) {
        note(import, "%s is OFFLINE: its weight was %lld", where,
             (long long)sqlite3_column_int64(row, SERVER_WEIGHT));
        return known[1];
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq_nocase(status, known[i]))
            return known[i];
    if (status.len == 0)
        return known[0];
    note(import, "%s is OFFLINE: there is no status '" STR_FMT "'", where, STR_ARG(shown(status)));
    return known[1];
}

static enum err take_server(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char where[96], memory[2 * SECRET_MAX];
    struct buf key;
    struct str name = db_column_str(row, SERVER_NAME), type = db_column_str(row, SERVER_PROVIDER);
    snprintf(where, sizeof(where), "server '" STR_FMT "'", STR_ARG(shown(name)));
    if (!can_take_server(import, row, where))
        return ERR_OK;
    buf_init_fixed(&key, memory, sizeof(memory));
    enum err err = take_key(import, db_column_str(row, SERVER_KEY), where, &key);
    if (err)
        return err;
    int64_t weight = take_number(import, row, SERVER_WEIGHT, 0, SERVER_WEIGHT_MAX, 1, where);
    db_bind_str(insert, 1, name);
    db_bind_str(insert, 2, type.len > 0 ? type : STR("openai"));
    db_bind_str(insert, 3, db_column_str(row, SERVER_ENDPOINT));
    db_bind_str(insert, 4, buf_str(&key));
    sqlite3_bind_int64(insert, 5, take_number(import, row, SERVER_GROUP, 0, HOSTGROUP_MAX, 0, where));
    sqlite3_bind_int64(insert, 6, weight > 0 ? weight : 1);
    sqlite3_bind_int64(insert, 7, take_number(import, row, SERVER_CONNECTIONS, 0, 1000000, 100, where));
    db_bind_str(insert, 8, take_status(import, row, where));
    db_bind_str(insert, 9, take_comment(import, row, SERVER_COMMENT, where));
    import->servers++;
    return db_run(&import->target, insert, import->why);
}

/* ---- ai_hostgroups ---- */

enum { GROUP_ID, GROUP_NAME, GROUP_COMMENT };
static const char *const hostgroup_columns[] = {"group_id", "name", "comment"};

static enum err take_hostgroup(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char where[64];
    int64_t id = sqlite3_column_int64(row, GROUP_ID);
    struct str name = db_column_str(row, GROUP_NAME);
    snprintf(where, sizeof(where), "hostgroup %lld", (long long)id);
    if (id < 0 || id > HOSTGROUP_MAX) {
        note(import, "%s is left out: a hostgroup is a number from 0 to %d", where, HOSTGROUP_MAX);
        return ERR_OK;
    }
    if (name.len > 0 && !is_name(name)) {
        note(import,
             "%s has no name any more: '" STR_FMT
             "' has other characters than letters, digits, '.', '_' and '-'",
             where, STR_ARG(shown(name)));
        name = STR("");
    }
    sqlite3_bind_int64(insert, 1, id);
    db_bind_str(insert, 2, name);
    db_bind_str(insert, 3, take_comment(import, row, GROUP_COMMENT, where));
    import->hostgroups++;
    return db_run(&import->target, insert, import->why);
}

/* ---- ai_users ---- */

enum { USER_NAME, USER_PASSWORD, USER_ACTIVE, USER_GROUP, USER_REQUESTS, USER_TOKENS, USER_COMMENT };
static const char *const user_columns[] = {"username",
                                           "password_hash",
                                           "active",
                                           "default_hostgroup",
                                           "max_requests_per_minute",
                                           "max_tokens_per_minute",
                                           "comment"};

/* Hashes are kept as they are, bcrypt's too; anything else is a password. */
static enum err take_password(struct import *import, struct str stored, struct buf *out)
{
    enum err err = ERR_OK;
    if (stored.len == 0 || password_is_hash(stored))
        buf_add(out, stored);
    else
        err = password_hash(stored, out);
    if (!err && !buf_ok(out))
        err = ERR_LIMIT;
    if (err)
        snprintf(import->why, IMPORT_WHY_MAX, SOURCE_FILE ": ai_users: a password cannot be hashed");
    return err;
}

static enum err take_user(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char where[96], memory[1024];
    struct buf password;
    struct str name = db_column_str(row, USER_NAME);
    snprintf(where, sizeof(where), "user '" STR_FMT "'", STR_ARG(shown(name)));
    if (name.len == 0 || name.len > FIELD_NAME_MAX || !is_printable(name)) {
        note(import, "%s is left out: a name has 1 to %d bytes and no control characters", where,
             FIELD_NAME_MAX);
        return ERR_OK;
    }
    buf_init_fixed(&password, memory, sizeof(memory));
    enum err err = take_password(import, db_column_str(row, USER_PASSWORD), &password);
    if (err)
        return err;
    db_bind_str(insert, 1, name);
    db_bind_str(insert, 2, buf_str(&password));
    sqlite3_bind_int64(insert, 3, take_number(import, row, USER_ACTIVE, 0, 1, 1, where));
    sqlite3_bind_int64(insert, 4, take_number(import, row, USER_GROUP, 0, HOSTGROUP_MAX, 0, where));
    sqlite3_bind_int64(insert, 5, take_number(import, row, USER_REQUESTS, 0, 1000000000, 1000, where));
    sqlite3_bind_int64(insert, 6, take_number(import, row, USER_TOKENS, 0, 1000000000000, 100000, where));
    db_bind_str(insert, 7, take_comment(import, row, USER_COMMENT, where));
    import->users++;
    return db_run(&import->target, insert, import->why);
}

/* ---- ai_routing_rules ---- */

enum {
    RULE_ID,
    RULE_ACTIVE,
    RULE_MODEL,
    RULE_PATTERN,
    RULE_USER,
    RULE_GROUP,
    RULE_MIRROR,
    RULE_PRIORITY,
    RULE_COMMENT
};
static const char *const rule_columns[] = {"rule_id",          "active",     "match_model",
                                           "match_pattern",    "match_user", "destination_hostgroup",
                                           "mirror_hostgroup", "priority",   "comment"};

/* MindBalancer's manual calls them globs; its program searches for them as expressions first. What can only be meant as an
 * expression stays one. */
static bool is_expression(struct str text)
{
    static const struct str signs[] = {{"^", 1}, {"$", 1}, {"(", 1}, {"|", 1}, {"\\", 1},
                                       {"+", 1}, {"{", 1}, {"[", 1}, {".*", 2}};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (str_find(text, signs[i]) >= 0)
            return true;
    return false;
}

/* Binds a match column; false: it is none, and the rule is left out. */
static bool bind_match(struct import *import, sqlite3_stmt *row, int column, sqlite3_stmt *insert,
                       int parameter, bool is_search, const char *where)
{
    char memory[FIELD_TEXT_MAX + 32], why_memory[256];
    struct buf text, why;
    struct match match;
    struct str pattern = db_column_str(row, column);
    struct match_config config = {MATCH_REGEX, pattern};
    buf_init_fixed(&text, memory, sizeof(memory));
    buf_init_fixed(&why, why_memory, sizeof(why_memory));
    if (pattern.len == 0) {
        sqlite3_bind_null(insert, parameter);
        return true;
    }
    if (is_search) {
        buf_add(&text, pattern);
    } else if (is_expression(pattern)) {
        buf_printf(&text, "regex:.*(?:" STR_FMT ").*", STR_ARG(pattern));
        config.pattern = str_from_offset(buf_str(&text), STR("regex:").len);
        note(import, "%s: %s '" STR_FMT "' became '" STR_FMT "'", where, sqlite3_column_name(row, column),
             STR_ARG(shown(pattern)), STR_ARG(buf_str(&text)));
    } else {
        buf_add(&text, pattern);
        config.kind = MATCH_GLOB;
    }
    bool is_good = buf_ok(&text) && text.len <= FIELD_TEXT_MAX && is_printable(pattern) &&
                   match_compile(&import->arena, &config, is_search ? MATCH_SEARCH : MATCH_WHOLE, &why,
                                 &match) == ERR_OK;
    if (is_good) {
        match_fini(&match);
        db_bind_str(insert, parameter, buf_str(&text));
    } else {
        note(import, "%s is left out: its %s is not usable: " STR_FMT, where,
             sqlite3_column_name(row, column),
             STR_ARG(why.len > 0 ? buf_str(&why) : STR("too long, or control characters")));
    }
    return is_good;
}

static enum err take_rule(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char where[64] = "a rule without rule_id";
    bool has_id = sqlite3_column_type(row, RULE_ID) != SQLITE_NULL;
    if (has_id)
        snprintf(where, sizeof(where), "rule %lld", (long long)sqlite3_column_int64(row, RULE_ID));
    if (!bind_match(import, row, RULE_MODEL, insert, 3, false, where) ||
        !bind_match(import, row, RULE_PATTERN, insert, 4, true, where) ||
        !bind_match(import, row, RULE_USER, insert, 5, false, where))
        return ERR_OK;
    if (sqlite3_column_type(row, RULE_MIRROR) != SQLITE_NULL)
        note(import, "%s: its mirror_hostgroup is left out: this version does not mirror", where);
    if (has_id)
        sqlite3_bind_int64(insert, 1, sqlite3_column_int64(row, RULE_ID));
    else
        sqlite3_bind_null(insert, 1);
    sqlite3_bind_int64(insert, 2, take_number(import, row, RULE_ACTIVE, 0, 1, 1, where));
    sqlite3_bind_int64(insert, 6, take_number(import, row, RULE_GROUP, 0, HOSTGROUP_MAX, 0, where));
    sqlite3_bind_int64(insert, 7, take_number(import, row, RULE_PRIORITY, 0, 1000000, 100, where));
    db_bind_str(insert, 8, take_comment(import, row, RULE_COMMENT, where));
    import->rules++;
    return db_run(&import->target, insert, import->why);
}

/* ---- global_variables ---- */

enum { VARIABLE_NAME, VARIABLE_VALUE };
static const char *const variable_columns[] = {"variable_name", "variable_value"};

/* As MindBalancer takes names in SET: '-' is '_', and "ai_" may stand before. */
static struct str plain_variable(struct str name, char memory[SHOWN_MAX])
{
    struct buf out;
    buf_init_fixed(&out, memory, SHOWN_MAX);
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(&out, name.ptr[i] == '-' ? '_' : name.ptr[i]);
    struct str plain = buf_ok(&out) ? buf_str(&out) : STR("");
    plain = str_starts(plain, STR("ai_")) ? str_from_offset(plain, 3) : plain;
    return str_eq(plain, STR("health_check_interval")) ? STR("health_check_interval_ms") : plain;
}

/* A file of one key, so that a variable means what it would mean in mindbalancer.cnf. NULL: it means nothing there. */
static struct config *load_variable(struct import *import, struct str name, struct str value)
{
    char memory[SHOWN_MAX + FIELD_TEXT_MAX + 64];
    struct buf text;
    struct diagnostics *diagnostics = malloc(sizeof(*diagnostics));
    struct config *config = NULL;
    if (!diagnostics)
        return NULL;
    bool has_quote = str_find(value, STR("'")) >= 0;
    buf_init_fixed(&text, memory, sizeof(memory));
    buf_printf(&text, "[mindbalancer]\n" STR_FMT " = %c" STR_FMT "%c\n", STR_ARG(name),
               has_quote ? '"' : '\'', STR_ARG(value), has_quote ? '"' : '\'');
    diagnostics_init(diagnostics);
    if (!buf_ok(&text) ||
        config_load(buf_str(&text), STR(SOURCE_FILE), &config_env_process, &config, diagnostics) != ERR_OK) {
        note(import, "variable '" STR_FMT "' is left out: " STR_FMT, STR_ARG(shown(name)),
             STR_ARG(diagnostics->count > 0 ? diagnostics->items[0].message : STR("too long")));
        config = NULL;
    }
    diagnostics_fini(diagnostics);
    free(diagnostics);
    OPENSSL_cleanse(memory, sizeof(memory));
    return config;
}

static enum err insert_variable(struct import *import, const struct setting *setting,
                                const struct settings *settings, sqlite3_stmt *insert)
{
    char memory[SETTING_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof(memory));
    setting_get(setting, settings, &text);
    db_bind_str(insert, 1, setting->name);
    db_bind_str(insert, 2, buf_str(&text));
    import->variables++;
    return db_run(&import->target, insert, import->why);
}

/* Those that are at their default say nothing: the file keeps its word. */
static enum err take_variable(struct import *import, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char memory[SHOWN_MAX];
    struct str name = plain_variable(db_column_str(row, VARIABLE_NAME), memory);
    struct config *usual = NULL, *config = load_variable(import, name, db_column_str(row, VARIABLE_VALUE));
    if (!config)
        return ERR_OK;
    usual = load_variable(import, STR("log_level"), STR(""));
    enum err err = usual ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; !err && i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting_is_equal(setting, &config->settings, &usual->settings))
            continue;
        if (setting->kind == SETTING_KIND_SECRET)
            note(import, "variable '" STR_FMT "' is left out: a secret belongs into the configuration file",
                 STR_ARG(setting->name));
        else
            err = insert_variable(import, setting, &config->settings, insert);
    }
    config_free(config);
    config_free(usual);
    return err;
}

/* ---- tables ---- */

/* Hostgroups first: rules and users name them. */
static const struct source_table tables[] = {
    {"ai_hostgroups", hostgroup_columns, ARRAY_LEN(hostgroup_columns), take_hostgroup,
     "INSERT OR REPLACE INTO ai_hostgroups (hostgroup_id, name, comment) VALUES (?, ?, ?)"},
    {"ai_servers", server_columns, ARRAY_LEN(server_columns), take_server,
     "INSERT INTO ai_servers (name, provider_type, endpoint, api_key_encrypted, hostgroup, weight, "
     "max_connections, status, "
     "comment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
    {"ai_users", user_columns, ARRAY_LEN(user_columns), take_user,
     "INSERT INTO ai_users (username, password_hash, active, default_hostgroup, max_requests_per_minute, "
     "max_tokens_per_minute, comment) VALUES (?, ?, ?, ?, ?, ?, ?)"},
    {"ai_routing_rules", rule_columns, ARRAY_LEN(rule_columns), take_rule,
     "INSERT INTO ai_routing_rules (rule_id, active, match_model, match_pattern, match_user, "
     "destination_hostgroup, priority, "
     "comment) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
    {"global_variables", variable_columns, ARRAY_LEN(variable_columns), take_variable,
     "INSERT OR REPLACE INTO global_variables (variable_name, variable_value) VALUES (?, ?)"},
};

static bool is_wanted(const struct source_table *table, struct str column)
{
    static const struct str passed_over[] = {{"id", 2}, {"created_at", 10}, {"updated_at", 10}};
    for (size_t i = 0; i < ARRAY_LEN(passed_over); i++)
        if (str_eq(column, passed_over[i]))
            return true;
    for (size_t i = 0; i < table->column_count; i++)
        if (str_eq(column, str_from(table->columns[i])))
            return true;
    return false;
}

/* Which of the wanted columns are there. */
static enum err find_columns(struct import *import, const struct source_table *table, bool *ret_is_there,
                             bool *ret_has_table)
{
    bool is_row = true;
    sqlite3_stmt *info = db_prepare(&import->source, "SELECT name FROM pragma_table_info(?)", import->why);
    if (!info)
        return ERR_SYSTEM;
    db_bind_str(info, 1, str_from(table->name));
    enum err err = db_step(&import->source, info, &is_row, import->why);
    *ret_has_table = !err && is_row;
    for (; !err && is_row; err = db_step(&import->source, info, &is_row, import->why)) {
        struct str column = db_column_str(info, 0);
        if (!is_wanted(table, column))
            note(import, "column '" STR_FMT "' of %s is left out: it is not known", STR_ARG(shown(column)),
                 table->name);
        for (size_t i = 0; i < table->column_count; i++)
            ret_is_there[i] = ret_is_there[i] || str_eq(column, str_from(table->columns[i]));
    }
    sqlite3_finalize(info);
    return err;
}

static sqlite3_stmt *select_rows(struct import *import, const struct source_table *table,
                                 const bool *is_there)
{
    char memory[1024];
    struct buf sql;
    buf_init_fixed(&sql, memory, sizeof(memory));
    buf_add(&sql, STR("SELECT "));
    for (size_t i = 0; i < table->column_count; i++)
        buf_printf(&sql, "%s%s%s%s", i > 0 ? ", " : "", is_there[i] ? table->columns[i] : "NULL AS ",
                   is_there[i] ? "" : table->columns[i], "");
    buf_printf(&sql, " FROM %s ORDER BY rowid%c", table->name, '\0');
    ASSERT(buf_ok(&sql));
    return db_prepare(&import->source, sql.ptr, import->why);
}

static enum err take_table(struct import *import, const struct source_table *table)
{
    bool is_there[16] = {false}, has_table = false, is_row = true;
    ASSERT(table->column_count <= ARRAY_LEN(is_there));
    enum err err = find_columns(import, table, is_there, &has_table);
    if (err || !has_table) {
        if (!err)
            note(import, "there is no table %s", table->name);
        return err;
    }
    sqlite3_stmt *rows = select_rows(import, table, is_there);
    sqlite3_stmt *insert = db_prepare(&import->target, table->insert, import->why);
    err = rows && insert ? ERR_OK : ERR_SYSTEM;
    arena_init(&import->arena, NULL);
    if (!err)
        err = db_step(&import->source, rows, &is_row, import->why);
    while (!err && is_row) {
        err = table->take(import, rows, insert);
        if (!err)
            err = db_step(&import->source, rows, &is_row, import->why);
    }
    arena_fini(&import->arena);
    sqlite3_finalize(rows);
    sqlite3_finalize(insert);
    return err;
}

/* A request for a group that nobody has went to group 0 there. Here a rule has to name one that exists. */
static enum err add_missing_hostgroups(struct import *import)
{
    return db_exec(
        &import->target,
        "INSERT OR IGNORE INTO ai_hostgroups (hostgroup_id, comment) "
        "SELECT DISTINCT destination_hostgroup, 'named by a rule' FROM ai_routing_rules "
        "WHERE destination_hostgroup NOT IN (SELECT hostgroup FROM ai_servers) UNION "
        "SELECT DISTINCT default_hostgroup, 'named by a user' FROM ai_users "
        "WHERE default_hostgroup > 0 AND default_hostgroup NOT IN (SELECT hostgroup FROM ai_servers)",
        import->why);
}

static enum err take_all(struct import *import)
{
    enum err err = db_migrate_up(&import->target, import->why);
    if (!err)
        err = db_exec(&import->target, "BEGIN IMMEDIATE", import->why);
    for (size_t i = 0; !err && i < ARRAY_LEN(tables); i++)
        err = take_table(import, &tables[i]);
    if (!err)
        err = add_missing_hostgroups(import);
    if (!err)
        err = db_exec(&import->target, "COMMIT", import->why);
    if (!err)
        err = db_exec(&import->target, "PRAGMA wal_checkpoint(TRUNCATE)", import->why);
    return err;
}

/* ---- files ---- */

static bool join(char path[PATH_MAX], struct str data_dir, const char *name)
{
    return (size_t)snprintf(path, PATH_MAX, STR_FMT "/%s", STR_ARG(data_dir), name) < PATH_MAX;
}

static void remove_new(struct str data_dir)
{
    static const char *const files[] = {NEW_FILE, NEW_FILE "-wal", NEW_FILE "-shm"};
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (join(path, data_dir, files[i]))
            unlink(path);
}

/* Not db_open, which changes what it opens. */
static enum err open_source(struct db *db, const char *path, char *why)
{
    if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        return ERR_OK;
    }
    return db->handle ? db_error(db, why) : ERR_NO_MEMORY;
}

bool import_mindbalancer_is_due(struct str data_dir)
{
    char source[PATH_MAX], target[PATH_MAX];
    return join(source, data_dir, SOURCE_FILE) && join(target, data_dir, DB_FILE) &&
           access(source, F_OK) == 0 && access(target, F_OK) != 0;
}

enum err import_mindbalancer(struct str data_dir, const struct seal *seal, struct buf *report, char *why)
{
    struct import import = {.seal = seal, .report = report, .why = why};
    char source[PATH_MAX], fresh[PATH_MAX], target[PATH_MAX];
    snprintf(why, IMPORT_WHY_MAX, "out of memory, or the path of the data folder is too long");
    if (!join(source, data_dir, SOURCE_FILE) || !join(fresh, data_dir, NEW_FILE) ||
        !join(target, data_dir, DB_FILE))
        return ERR_INVALID;
    remove_new(data_dir); /* of a start that failed */
    enum err err = open_source(&import.source, source, why);
    if (!err)
        err = db_open(&import.target, fresh, why);
    if (!err)
        err = take_all(&import);
    db_close(&import.target);
    sqlite3_close(import.source.handle);
    if (!err && rename(fresh, target) != 0) {
        snprintf(why, IMPORT_WHY_MAX, "%.400s: %s", target, strerror(errno));
        err = ERR_SYSTEM;
    }
    if (err)
        remove_new(data_dir);
    else
        note(&import, "imported %u servers, %u users, %u rules, %u hostgroups, %u variables", import.servers,
             import.users, import.rules, import.hostgroups, import.variables);
    return err;
}
