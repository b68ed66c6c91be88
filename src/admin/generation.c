/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/generation.h"

#include "admin/mirror.h"
#include "admin/stored_rows.h"
#include "conf/load.h"
#include "conf/rows.h"

#include <openssl/crypto.h>
#include <stdio.h>

_Static_assert(DB_WHY_MAX <= GENERATION_WHY_MAX && GATEWAY_WHY_MAX <= GENERATION_WHY_MAX,
               "both write to `why`");

/* ---- building ---- */

static void explain(const struct diagnostics *diagnostics, char *why)
{
    struct buf out;
    buf_init_fixed(&out, why, GENERATION_WHY_MAX - 1);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        size_t before = out.len;
        buf_printf(&out, "%s" STR_FMT, i > 0 ? "; " : "", STR_ARG(item->message));
        if (item->suggestion.len > 0)
            buf_printf(&out, ": did you mean '" STR_FMT "'?", STR_ARG(item->suggestion));
        if (buf_ok(&out))
            continue;
        out.len = before; /* what there is room for, whole */
        break;
    }
    why[out.len] = '\0';
}

static enum err derive_config(struct config *base, const struct config_rows *rows, struct config **ret_config,
                              char *why)
{
    struct diagnostics diagnostics;
    struct config_env env = config_env_process;
    env.is_pattern = match_is_pattern;
    diagnostics_init(&diagnostics);
    enum err err = config_from_rows(base, rows, &env, ret_config, &diagnostics);
    if (err == ERR_INVALID)
        explain(&diagnostics, why);
    diagnostics_fini(&diagnostics);
    return err;
}

static enum err check_password_hash(const struct config *config, char *why)
{
    struct str hash = config->settings.admin_password_hash;
    if (hash.len == 0 || password_is_hash(hash))
        return ERR_OK;
    snprintf(why, GENERATION_WHY_MAX,
             "admin_password_hash is no hash of argon2id or bcrypt; fairlead hash-password makes one");
    return ERR_INVALID;
}

/* Takes `config` over in any case. */
static enum err compile(struct generation *generation, struct config *config, struct policy **ret_policy,
                        char *why)
{
    struct policy *policy = NULL;
    struct buf error;
    buf_init_fixed(&error, why, GENERATION_WHY_MAX - 1);
    enum err err = policy_new(config, &error, &policy);
    if (err != ERR_OK) {
        if (error.len > 0)
            why[error.len] = '\0';
        config_free(config);
        return err;
    }
    if (generation->gateway)
        err = gateway_prepare(generation->gateway, policy, why);
    if (err == ERR_OK)
        *ret_policy = policy;
    else
        policy_unref(policy);
    return err == ERR_LIMIT || err == ERR_TLS ? ERR_INVALID : err;
}

static enum err build(struct generation *generation, struct db *db, struct config *base,
                      struct policy **ret_policy, char *why)
{
    struct stored_rows stored;
    struct config *config = NULL;
    enum err err = stored_rows_read(&stored, db, generation->seal, base, why);
    if (err == ERR_OK)
        err = db_wipe_clear_text(db, why);
    if (err == ERR_OK)
        err = derive_config(base, &stored.rows, &config, why);
    stored_rows_fini(&stored);
    if (err == ERR_OK)
        err = check_password_hash(config, why);
    if (err == ERR_OK)
        return compile(generation, config, ret_policy, why);
    config_free(config);
    return err;
}

enum err generation_build(struct generation *generation, struct db *db, struct policy **ret_policy, char *why)
{
    snprintf(why, GENERATION_WHY_MAX, "out of memory");
    bool was_internal = db->is_internal;
    db->is_internal = true;
    enum err err = build(generation, db, generation->base, ret_policy, why);
    db->is_internal = was_internal;
    return err;
}

bool generation_covers(struct str table)
{
    static const char *const tables[] = {"ai_servers",       "ai_hostgroups",   "ai_routing_rules",
                                         "ai_users",         "ai_api_keys",     "ai_models",
                                         "ai_model_aliases", "global_variables"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (str_eq_nocase(table, str_from(tables[i])))
            return true;
    return false;
}

/* ---- the base ---- */

static enum err adopt(struct generation *generation, struct config *base, struct policy **ret_policy,
                      char *why)
{
    struct db *db = generation->db;
    enum err err = mirror_write(db, base, why);
    if (err == ERR_OK)
        err = build(generation, db, base, ret_policy, why);
    if (err != ERR_OK)
        return err;
    err = db_exec(db, "COMMIT", why);
    if (err != ERR_OK)
        policy_unref(*ret_policy);
    return err;
}

enum err generation_replace_base(struct generation *generation, struct config *base,
                                 struct policy **ret_policy, char *why)
{
    struct policy *policy = NULL;
    snprintf(why, GENERATION_WHY_MAX, "out of memory");
    enum err err = db_exec(generation->db, "BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    err = adopt(generation, base, &policy, why);
    if (!sqlite3_get_autocommit(generation->db->handle))
        sqlite3_exec(generation->db->handle, "ROLLBACK", NULL, NULL, NULL);
    if (err != ERR_OK)
        return err;
    config_free(generation->base);
    generation->base = base;
    *ret_policy = policy;
    return ERR_OK;
}

static enum err is_row_of_sql(struct db *db, sqlite3_stmt *stmt, struct str name, bool *ret_is_row, char *why)
{
    db_bind_str(stmt, 1, name);
    enum err err = db_step(db, stmt, ret_is_row, why);
    sqlite3_reset(stmt);
    return err;
}

/* Who found a server wrote no name on purpose: the operator's row goes first. */
static enum err yield_to_rows(struct db *db, struct config *base, char *why)
{
    size_t kept = 0;
    enum err err = ERR_OK;
    sqlite3_stmt *stmt =
        db_prepare(db, "SELECT 1 FROM main.ai_servers WHERE name = ? AND source = 'sql'", why);
    if (!stmt)
        return db_error(db, why);
    for (size_t i = 0; i < base->server_count && err == ERR_OK; i++) {
        bool is_taken = false;
        err = is_row_of_sql(db, stmt, base->servers[i].name, &is_taken, why);
        if (is_taken)
            OPENSSL_cleanse((void *)(uintptr_t)base->servers[i].api_key.ptr, base->servers[i].api_key.len);
        else
            base->servers[kept++] = base->servers[i];
    }
    if (err == ERR_OK)
        base->server_count = kept;
    sqlite3_finalize(stmt);
    return err;
}

enum err generation_open(struct generation *generation, struct db *db, struct seal *seal, struct config *base,
                         struct policy **ret_policy, char *why)
{
    generation->db = db;
    generation->seal = seal;
    generation->base = NULL;
    snprintf(why, GENERATION_WHY_MAX, "out of memory");
    enum err err = base->path.len == 0 ? yield_to_rows(db, base, why) : ERR_OK;
    return err == ERR_OK ? generation_replace_base(generation, base, ret_policy, why) : err;
}

void generation_close(struct generation *generation)
{
    config_free(generation->base);
    generation->base = NULL;
}

/* ---- putting it in force ---- */

/* On the control thread. */
static void on_order(struct message *message)
{
    struct generation_publish *publish = CONTAINER_OF(message, struct generation_publish, order);
    struct gateway *gateway = publish->gateway;
    struct policy *policy = publish->policy;
    char why[GATEWAY_WHY_MAX];
    /* Once it is published, the publish may be over before the next line. */
    enum err err = gateway_publish(gateway, policy, &publish->ticket, why);
    if (err != ERR_OK) {
        publish->result = err;
        policy_unref(policy);
        loop_post(publish->ticket.loop, &publish->in_force);
    } else if (gateway->on_policy) {
        gateway->on_policy(gateway, policy);
    } else {
        policy_unref(policy);
    }
}

void generation_publish(struct generation *generation, struct policy *policy,
                        struct generation_publish *publish)
{
    publish->result = ERR_OK;
    publish->gateway = generation->gateway;
    publish->policy = policy;
    publish->ticket.answer = &publish->in_force;
    publish->ticket.loop = generation->loop;
    publish->order.on_delivery = on_order;
    loop_post(generation->gateway->control, &publish->order);
}
