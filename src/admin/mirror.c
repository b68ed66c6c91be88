/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/mirror.h"

#include "conf/settings.h"

#include <stdio.h>

#define MODELS_TEXT_MAX ((size_t)1 << 24)
#define SETTING_SHOWN_MAX ((size_t)SETTING_TEXT_MAX + 64)

static const char *const status_words[SERVER_STATUS_COUNT_] = {
    [SERVER_ONLINE] = "ONLINE",
    [SERVER_OFFLINE] = "OFFLINE",
    [SERVER_SHUNNED] = "SHUNNED",
    [SERVER_DRAINING] = "DRAINING",
};

static const char *const strategy_words[] = {
    [STRATEGY_WEIGHTED_ROUND_ROBIN] = "weighted_round_robin",
    [STRATEGY_LEAST_CONNECTIONS] = "least_connections",
    [STRATEGY_LATENCY] = "latency",
    [STRATEGY_RANDOM] = "random",
    [STRATEGY_DEFAULT] = "",
};

static struct str source_of(const struct config *base)
{
    return base->path.len > 0 ? STR("file") : STR("discovered");
}

/* Runs an INSERT. The only thing that can be wrong with it is that its key is taken. */
static enum err insert(struct db *db, sqlite3_stmt *stmt, const char *what, struct str name, char *why)
{
    enum err err = db_run(db, stmt, why);
    int code = sqlite3_extended_errcode(db->handle);
    if (err == ERR_INVALID && (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY))
        snprintf(why, DB_WHY_MAX,
                 "%s '%.*s' is in the configuration file, and was added by SQL too: rename one of them", what,
                 (int)MIN(name.len, 64), name.ptr);
    return err;
}

/* ---- servers ---- */

static enum err join_models(const struct server_config *server, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < server->model_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add(out, server->models[i]);
    }
    return buf_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

/* Without its key: what the file holds stays there. */
static void bind_server(sqlite3_stmt *stmt, const struct config *base, size_t index, struct str models)
{
    const struct server_config *server = &base->servers[index];
    sqlite3_bind_int64(stmt, 1, -(sqlite3_int64)index - 1);
    db_bind_str(stmt, 2, server->name);
    db_bind_str(stmt, 3, server->provider->name);
    db_bind_str(stmt, 4, server->endpoint_text);
    sqlite3_bind_int64(stmt, 5, server->hostgroup);
    sqlite3_bind_int64(stmt, 6, server->weight);
    sqlite3_bind_int64(stmt, 7, server->max_concurrent);
    db_bind_str(stmt, 8, str_from(status_words[server->status]));
    db_bind_str(stmt, 9, models);
    sqlite3_bind_int(stmt, 10, server->tls_verify);
    db_bind_str(stmt, 11, server->tls_ca_file);
    db_bind_str(stmt, 12, source_of(base));
}

static enum err write_servers(struct db *db, const struct config *base, char *why)
{
    struct buf models;
    enum err err = ERR_OK;
    sqlite3_stmt *stmt =
        db_prepare(db,
                   "INSERT INTO main.ai_servers (id, name, provider_type, endpoint, hostgroup, weight, "
                   "max_connections, status, "
                   "models, tls_verify, tls_ca_file, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   why);
    if (!stmt)
        return db_error(db, why);
    buf_init(&models, MODELS_TEXT_MAX);
    for (size_t i = 0; i < base->server_count && err == ERR_OK; i++) {
        err = join_models(&base->servers[i], &models);
        if (err == ERR_OK) {
            bind_server(stmt, base, i, buf_str(&models));
            err = insert(db, stmt, "server", base->servers[i].name, why);
        }
    }
    buf_free(&models);
    sqlite3_finalize(stmt);
    return err;
}

/* ---- hostgroups and rules ---- */

static enum err write_hostgroups(struct db *db, const struct config *base, char *why)
{
    enum err err = ERR_OK;
    sqlite3_stmt *stmt = db_prepare(
        db, "INSERT INTO main.ai_hostgroups (hostgroup_id, name, strategy, source) VALUES (?, ?, ?, ?)", why);
    if (!stmt)
        return db_error(db, why);
    for (size_t i = 0; i < base->hostgroup_count && err == ERR_OK; i++) {
        const struct hostgroup_config *group = &base->hostgroups[i];
        char id[16];
        if (group->is_implied)
            continue;
        snprintf(id, sizeof(id), "%u", group->id);
        sqlite3_bind_int64(stmt, 1, group->id);
        db_bind_str(stmt, 2, group->name);
        db_bind_str(stmt, 3, str_from(strategy_words[group->strategy]));
        db_bind_str(stmt, 4, source_of(base));
        err = insert(db, stmt, "hostgroup", str_from(id), why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* The prefix of an expression is part of the text; of match_pattern, which is one anyway, it is not. Nothing for a rule
 * that asks for nothing. */
static void bind_match(sqlite3_stmt *stmt, int index, const struct match_config *match, bool is_search)
{
    char text[8192];
    int len = snprintf(text, sizeof(text), "%s%.*s", match->kind == MATCH_REGEX && !is_search ? "regex:" : "",
                       STR_ARG(match->pattern));
    ASSERT(len >= 0 && (size_t)len < sizeof(text));
    if (match->kind == MATCH_ANY)
        sqlite3_bind_null(stmt, index);
    else
        db_bind_str(stmt, index, (struct str){text, (size_t)len});
}

static void bind_rule(sqlite3_stmt *stmt, const struct config *base, size_t index)
{
    const struct rule_config *rule = &base->rules[index];
    sqlite3_bind_int64(stmt, 1, -(sqlite3_int64)index - 1);
    bind_match(stmt, 2, &rule->model, false);
    bind_match(stmt, 3, &rule->text, true);
    bind_match(stmt, 4, &rule->user, false);
    sqlite3_bind_int64(stmt, 5, rule->hostgroup);
    if (rule->rewrite_model.len > 0)
        db_bind_str(stmt, 6, rule->rewrite_model);
    else
        sqlite3_bind_null(stmt, 6);
    sqlite3_bind_int64(stmt, 7, rule->priority);
    db_bind_str(stmt, 8, rule->comment);
    db_bind_str(stmt, 9, source_of(base));
}

static enum err write_rules(struct db *db, const struct config *base, char *why)
{
    enum err err = ERR_OK;
    sqlite3_stmt *stmt =
        db_prepare(db,
                   "INSERT INTO main.ai_routing_rules (id, rule_id, match_model, match_pattern, match_user, "
                   "destination_hostgroup, rewrite_model, priority, comment, source) "
                   "VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                   why);
    if (!stmt)
        return db_error(db, why);
    for (size_t i = 0; i < base->rule_count && err == ERR_OK; i++) {
        bind_rule(stmt, base, i);
        err = db_run(db, stmt, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* ---- settings ---- */

static enum err write_setting(struct db *db, sqlite3_stmt *stmt, const struct setting *setting,
                              const struct settings *settings, bool is_default, char *why)
{
    char memory[SETTING_SHOWN_MAX];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof(memory));
    setting_get(setting, settings, &text);
    ASSERT(buf_ok(&text));
    db_bind_str(stmt, 1, setting->name);
    db_bind_str(stmt, 2, buf_str(&text));
    db_bind_str(stmt, 3, is_default ? STR("default") : STR("file"));
    return db_run(db, stmt, why);
}

enum err mirror_write_settings(struct db *db, const struct config *base, char *why)
{
    struct settings defaults;
    enum err err = db_exec(db, "DELETE FROM main.global_variables WHERE source <> 'sql'", why);
    sqlite3_stmt *stmt = db_prepare(db,
                                    "INSERT OR IGNORE INTO main.global_variables (variable_name, "
                                    "variable_value, source) VALUES (?, ?, ?)",
                                    why);
    settings_init(&defaults);
    if (!stmt)
        return db_error(db, why);
    for (size_t i = 0; i < settings_count && err == ERR_OK; i++) {
        const struct setting *setting = &settings_table[i];
        err = write_setting(db, stmt, setting, &base->settings,
                            setting_is_equal(setting, &base->settings, &defaults), why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* ---- all ---- */

static enum err write_all(struct db *db, const struct config *base, char *why)
{
    enum err err = db_exec(db,
                           "DELETE FROM main.ai_servers WHERE source <> 'sql';"
                           "DELETE FROM main.ai_hostgroups WHERE source <> 'sql';"
                           "DELETE FROM main.ai_routing_rules WHERE source <> 'sql'",
                           why);
    if (err == ERR_OK)
        err = write_servers(db, base, why);
    if (err == ERR_OK)
        err = write_hostgroups(db, base, why);
    if (err == ERR_OK)
        err = write_rules(db, base, why);
    return err == ERR_OK ? mirror_write_settings(db, base, why) : err;
}

enum err mirror_write(struct db *db, const struct config *base, char *why)
{
    db->is_mirroring = true;
    enum err err = write_all(db, base, why);
    db->is_mirroring = false;
    return err;
}
