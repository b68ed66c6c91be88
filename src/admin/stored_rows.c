/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/stored_rows.h"

#include "admin/mirror.h"
#include "conf/settings.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET_MAX ((size_t)1 << 20) /* bytes of a secret, sealed or not */
#define CLIENT_KEY_MIN 8             /* bytes of a client's key */
#define CLIENT_KEY_MAX 512
#define SHOWN_MAX 64 /* bytes of a name in a message */
#define FIRST_ROWS 64

struct secret {
    struct secret *next;
    struct buf text; /* with a NUL behind it */
};

struct reader;

struct source {
    const char *table;
    const char *sql;    /* the first column is the key of `update` */
    const char *name;   /* column that messages call a row by */
    const char *secret; /* column that may hold one; NULL: none does */
    const char *update; /* SET of the secret; ?1: the new text, ?2: the row's key */
    size_t offset;      /* in struct config_rows */
    /* Looks at the secret of one row; *io_drop: the row says nothing. May be NULL. */
    enum err (*inspect)(struct reader *reader, struct row *row, bool *io_drop);
};

struct reader {
    struct stored_rows *stored;
    struct db *db;
    const struct seal *seal;
    const struct config *base;
    const struct source *source;
    char *why;
    size_t settings_seen;
};

/* ---- cells ---- */

/* Of a column that the statement asks for. */
static struct cell *find_cell(const struct row *row, const char *column)
{
    size_t i = 0;
    while (i < row->cell_count && !str_eq(row->cells[i].column, str_from(column)))
        i++;
    ASSERT(i < row->cell_count);
    return (struct cell *)(uintptr_t)&row->cells[i]; /* of our own arena */
}

static enum err refuse(struct reader *reader, const struct row *row, const char *column, const char *reason)
{
    snprintf(reader->why, DB_WHY_MAX, "%s in %.*s %s", column, STR_ARG(row->where), reason);
    return ERR_INVALID;
}

/* Room for `size` bytes at once: a buffer that grows leaves copies behind. */
static struct buf *new_secret(struct reader *reader, size_t size)
{
    struct secret *secret = calloc(1, sizeof(*secret));
    if (!secret)
        return NULL;
    secret->next = reader->stored->secrets;
    reader->stored->secrets = secret;
    buf_init(&secret->text, SECRET_MAX + 64);
    return buf_reserve(&secret->text, size + 1) ? &secret->text : NULL;
}

/* A view that ends with a NUL. */
static struct str terminated(struct buf *text)
{
    buf_reserve(text, 1);
    text->ptr[text->len] = '\0';
    return buf_str(text);
}

static enum err copy_cell(struct reader *reader, sqlite3_stmt *stmt, int index, struct cell *cell)
{
    struct str text = db_column_str(stmt, index);
    struct arena *arena = &reader->stored->arena;
    cell->column = arena_dup(arena, str_from(sqlite3_column_name(stmt, index)));
    if (!cell->column.ptr)
        return ERR_NO_MEMORY;
    if (!reader->source->secret || !str_eq(cell->column, str_from(reader->source->secret))) {
        cell->text = arena_dup(arena, text);
        return cell->text.ptr ? ERR_OK : ERR_NO_MEMORY;
    }
    if (text.len > SECRET_MAX) {
        snprintf(reader->why, DB_WHY_MAX, "%s in %s: a value has more than %zu bytes", reader->source->secret,
                 reader->source->table, SECRET_MAX);
        return ERR_INVALID;
    }
    struct buf *secret = new_secret(reader, text.len);
    if (!secret)
        return ERR_NO_MEMORY;
    buf_add(secret, text);
    cell->text = terminated(secret);
    return ERR_OK;
}

static enum err copy_row(struct reader *reader, sqlite3_stmt *stmt, struct row *row)
{
    size_t count = (size_t)sqlite3_column_count(stmt);
    struct cell *cells = ARENA_NEW_ARRAY(&reader->stored->arena, struct cell, count);
    char where[256];
    enum err err = cells ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = copy_cell(reader, stmt, (int)i, &cells[i]);
    if (err != ERR_OK)
        return err;
    *row = (struct row){.cells = cells, .cell_count = count};
    struct str name = find_cell(row, reader->source->name)->text;
    bool is_number = str_eq(str_trim(name), name) && strspn(name.ptr, "0123456789-") == name.len;
    const char *quote = is_number ? "" : "'";
    int len = snprintf(where, sizeof(where), "%s, %s %s%.*s%s", reader->source->table, reader->source->name,
                       quote, (int)MIN(name.len, SHOWN_MAX), name.ptr, quote);
    row->where = arena_dup(&reader->stored->arena, (struct str){where, (size_t)len});
    return row->where.ptr ? ERR_OK : ERR_NO_MEMORY;
}

/* ---- writing back ---- */

static enum err update(struct reader *reader, const char *sql, const struct str *texts, size_t count)
{
    sqlite3_stmt *stmt = db_prepare(reader->db, sql, reader->why);
    if (!stmt)
        return db_error(reader->db, reader->why);
    for (size_t i = 0; i < count; i++)
        db_bind_str(stmt, (int)i + 1, texts[i]);
    enum err err = db_run(reader->db, stmt, reader->why);
    sqlite3_finalize(stmt);
    return err;
}

static enum err update_secret(struct reader *reader, const struct row *row, struct str text)
{
    const struct str texts[] = {text, row->cells[0].text};
    return update(reader, reader->source->update, texts, ARRAY_LEN(texts));
}

static enum err write_sealed(struct reader *reader, const struct row *row, struct str plain)
{
    struct buf sealed;
    buf_init(&sealed, 2 * SECRET_MAX);
    enum err err = seal_close(reader->seal, plain, &sealed);
    if (err == ERR_OK)
        err = update_secret(reader, row, buf_str(&sealed));
    buf_free(&sealed);
    return err;
}

/* The cell in clear, the row sealed under the present key. */
static enum err open_cell(struct reader *reader, const struct row *row, struct cell *cell)
{
    bool is_old = false;
    if (cell->text.len == 0)
        return ERR_OK;
    struct buf *plain = new_secret(reader, cell->text.len);
    if (!plain)
        return ERR_NO_MEMORY;
    enum err err = seal_open(reader->seal, cell->text, plain, &is_old);
    if (err == ERR_INVALID)
        return refuse(reader, row, reader->source->secret,
                      "is sealed, and neither api_key_encryption_key nor the one before opens it");
    if (err == ERR_OK && (is_old || !seal_is_sealed(cell->text)))
        err = write_sealed(reader, row, buf_str(plain));
    if (err == ERR_OK)
        cell->text = terminated(plain);
    return err;
}

/* ---- what is special about each table ---- */

static enum err inspect_server(struct reader *reader, struct row *row, bool *io_drop)
{
    (void)io_drop;
    return open_cell(reader, row, find_cell(row, "api_key_encrypted"));
}

static enum err inspect_user(struct reader *reader, struct row *row, bool *io_drop)
{
    struct cell *cell = find_cell(row, "password_hash");
    char memory[256];
    struct buf hash;
    (void)io_drop;
    if (cell->text.len == 0 || password_is_hash(cell->text))
        return ERR_OK;
    buf_init_fixed(&hash, memory, sizeof(memory));
    enum err err = password_hash(cell->text, &hash);
    if (err == ERR_LIMIT)
        return refuse(reader, row, "password_hash", "is longer than a password may be");
    return err == ERR_OK ? update_secret(reader, row, buf_str(&hash)) : err;
}

static bool is_client_key(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.ptr[i] <= ' ' || (unsigned char)key.ptr[i] >= 0x7f)
            return false;
    return key.len >= CLIENT_KEY_MIN && key.len <= CLIENT_KEY_MAX;
}

/* The index forbids it as well, but would not say whose key it is. */
static enum err check_digest_is_new(struct reader *reader, const struct row *row, struct str digest)
{
    bool is_row = false;
    char reason[128];
    sqlite3_stmt *stmt = db_prepare(
        reader->db, "SELECT name FROM main.ai_api_keys WHERE key_digest = ? AND id <> ?", reader->why);
    if (!stmt)
        return db_error(reader->db, reader->why);
    db_bind_str(stmt, 1, digest);
    db_bind_str(stmt, 2, row->cells[0].text);
    enum err err = db_step(reader->db, stmt, &is_row, reader->why);
    if (err == ERR_OK && is_row) {
        struct str name = db_column_str(stmt, 0);
        snprintf(reason, sizeof(reason), "is the key of '%.*s' already", (int)MIN(name.len, SHOWN_MAX),
                 name.ptr);
        err = refuse(reader, row, "api_key", reason);
    }
    sqlite3_finalize(stmt);
    return err;
}

static enum err digest_key(struct reader *reader, struct row *row, struct str key)
{
    uint8_t digest[KEY_DIGEST_SIZE];
    char hex[2 * KEY_DIGEST_SIZE + 1], mask[SECRET_MASK_MAX];
    key_digest(reader->seal, key, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    struct cell *cell = find_cell(row, "key_digest");
    cell->text = arena_dup(&reader->stored->arena, str_from(hex));
    if (!cell->text.ptr)
        return ERR_NO_MEMORY;
    enum err err = check_digest_is_new(reader, row, cell->text);
    if (err != ERR_OK)
        return err;
    const struct str texts[] = {cell->text, row->cells[0].text, secret_mask(key, mask)};
    return update(reader, reader->source->update, texts, ARRAY_LEN(texts));
}

static enum err inspect_key(struct reader *reader, struct row *row, bool *io_drop)
{
    struct str key = find_cell(row, "api_key")->text;
    (void)io_drop;
    if (key.len == 0 && find_cell(row, "key_digest")->text.len > 0)
        return ERR_OK;
    if (is_client_key(key))
        return digest_key(reader, row, key);
    return refuse(reader, row, "api_key", "has to have 8 to 512 visible characters, without spaces");
}

/* Whether a mirrored row still says what the file does. */
static bool is_as_mirrored(const struct reader *reader, const struct setting *setting, struct str text)
{
    char memory[SETTING_TEXT_MAX + 64];
    struct buf mirrored;
    buf_init_fixed(&mirrored, memory, sizeof(memory));
    setting_get(setting, &reader->base->settings, &mirrored);
    return buf_ok(&mirrored) && str_eq(buf_str(&mirrored), text);
}

/* UPDATE of a row that shows the file's value sets the variable. */
static enum err inspect_variable(struct reader *reader, struct row *row, bool *io_drop)
{
    struct str name = find_cell(row, "variable_name")->text;
    struct cell *value = find_cell(row, "variable_value");
    const struct setting *setting = setting_find(name);
    enum err err = ERR_OK;
    reader->settings_seen += setting != NULL;
    if (setting && !str_eq(find_cell(row, "source")->text, STR("sql"))) {
        *io_drop = is_as_mirrored(reader, setting, value->text);
        if (!*io_drop)
            err = update(reader, "UPDATE main.global_variables SET source = 'sql' WHERE variable_name = ?",
                         &name, 1);
    }
    if (err != ERR_OK || *io_drop || !setting || setting->kind != SETTING_KIND_SECRET)
        return err;
    return open_cell(reader, row, value);
}

/* ---- all of them ---- */

/* Of main, said each time: a session may have views of the same names, which show no secrets. */
static const struct source sources[] = {
    {.table = "ai_servers",
     .sql = "SELECT id, name, provider_type, endpoint, api_key_encrypted, hostgroup, weight, "
            "max_connections, status, "
            "models, tls_verify, tls_ca_file FROM main.ai_servers WHERE source = 'sql' ORDER BY id",
     .name = "name",
     .secret = "api_key_encrypted",
     .update = "UPDATE main.ai_servers SET api_key_encrypted = ?1 WHERE id = ?2",
     .offset = offsetof(struct config_rows, servers),
     .inspect = inspect_server},
    {.table = "ai_hostgroups",
     .sql = "SELECT hostgroup_id, name, strategy FROM main.ai_hostgroups WHERE source = 'sql' ORDER BY "
            "hostgroup_id",
     .name = "hostgroup_id",
     .offset = offsetof(struct config_rows, hostgroups)},
    {.table = "ai_routing_rules",
     .sql = "SELECT rule_id, active, match_model, match_pattern, match_user, destination_hostgroup, "
            "mirror_hostgroup, "
            "rewrite_model, priority, comment FROM main.ai_routing_rules WHERE source = 'sql' ORDER BY id",
     .name = "rule_id",
     .offset = offsetof(struct config_rows, rules)},
    {.table = "ai_users",
     .sql = "SELECT id, username, password_hash, active, default_hostgroup, max_requests_per_minute, "
            "max_tokens_per_minute FROM main.ai_users ORDER BY id",
     .name = "username",
     .secret = "password_hash",
     .update = "UPDATE main.ai_users SET password_hash = ?1 WHERE id = ?2",
     .offset = offsetof(struct config_rows, users),
     .inspect = inspect_user},
    {.table = "ai_api_keys",
     .sql = "SELECT id, name, username, api_key, key_digest, active FROM main.ai_api_keys ORDER BY id",
     .name = "name",
     .secret = "api_key",
     .update = "UPDATE main.ai_api_keys SET api_key = '', key_digest = ?1, key_mask = ?3 WHERE id = ?2",
     .offset = offsetof(struct config_rows, api_keys),
     .inspect = inspect_key},
    {.table = "ai_models",
     .sql = "SELECT model, input_price, output_price, cache_read_price, cache_write_price, valid_from "
            "FROM main.ai_models "
            "ORDER BY model, valid_from",
     .name = "model",
     .offset = offsetof(struct config_rows, prices)},
    {.table = "ai_model_aliases",
     .sql = "SELECT alias, model FROM main.ai_model_aliases ORDER BY alias",
     .name = "alias",
     .offset = offsetof(struct config_rows, aliases)},
    {.table = "global_variables",
     .sql = "SELECT variable_name, variable_value, source FROM main.global_variables ORDER BY variable_name",
     .name = "variable_name",
     .secret = "variable_value",
     .update = "UPDATE main.global_variables SET variable_value = ?1 WHERE variable_name = ?2",
     .offset = offsetof(struct config_rows, variables),
     .inspect = inspect_variable},
};

static enum err reserve_row(struct reader *reader, struct row **io_rows, size_t count, size_t *io_capacity)
{
    if (count < *io_capacity)
        return ERR_OK;
    size_t capacity = *io_capacity ? 2 * *io_capacity : FIRST_ROWS;
    struct row *rows = ARENA_NEW_ARRAY(&reader->stored->arena, struct row, capacity);
    if (!rows)
        return ERR_NO_MEMORY;
    if (count > 0)
        memcpy(rows, *io_rows, sizeof(*rows) * count);
    *io_rows = rows;
    *io_capacity = capacity;
    return ERR_OK;
}

static enum err fetch(struct reader *reader, sqlite3_stmt *stmt, struct row **ret_rows, size_t *ret_count)
{
    size_t capacity = 0;
    for (;;) {
        bool is_row = false;
        enum err err = db_step(reader->db, stmt, &is_row, reader->why);
        if (err != ERR_OK || !is_row)
            return err;
        err = reserve_row(reader, ret_rows, *ret_count, &capacity);
        if (err == ERR_OK)
            err = copy_row(reader, stmt, *ret_rows + *ret_count);
        if (err != ERR_OK)
            return err;
        ++*ret_count;
    }
}

/* First all rows, then what is to be written: a statement that reads a table must not meet its own changes. */
static enum err read_source(struct reader *reader, const struct source *source)
{
    struct row *rows = NULL;
    size_t count = 0, kept = 0;
    reader->source = source;
    sqlite3_stmt *stmt = db_prepare(reader->db, source->sql, reader->why);
    if (!stmt)
        return db_error(reader->db, reader->why);
    enum err err = fetch(reader, stmt, &rows, &count);
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        bool drop = false;
        if (source->inspect)
            err = source->inspect(reader, &rows[i], &drop);
        if (!drop)
            rows[kept++] = rows[i];
    }
    *(struct row_list *)(void *)((char *)&reader->stored->rows + source->offset) =
        (struct row_list){rows, kept};
    return err;
}

/* A row that was deleted leaves the file's value in force, and shown. */
static enum err restore_settings(struct reader *reader)
{
    if (reader->settings_seen == settings_count)
        return ERR_OK;
    return mirror_write_settings(reader->db, reader->base, reader->why);
}

/* Those are the mirror's. */
static enum err check_ids(struct reader *reader)
{
    bool is_row = false;
    sqlite3_stmt *stmt =
        db_prepare(reader->db,
                   "SELECT 'ai_servers, id ' || id FROM main.ai_servers WHERE id <= 0 AND source = 'sql' "
                   "UNION ALL SELECT 'ai_routing_rules, rule_id ' || rule_id FROM main.ai_routing_rules "
                   "WHERE (id <= 0 OR rule_id <= 0) AND source = 'sql'",
                   reader->why);
    if (!stmt)
        return db_error(reader->db, reader->why);
    enum err err = db_step(reader->db, stmt, &is_row, reader->why);
    if (err == ERR_OK && is_row) {
        struct str where = db_column_str(stmt, 0);
        snprintf(reader->why, DB_WHY_MAX, "%.*s: numbers below 1 are for rows of the configuration file",
                 (int)MIN(where.len, 100), where.ptr);
        err = ERR_INVALID;
    }
    sqlite3_finalize(stmt);
    return err;
}

enum err stored_rows_read(struct stored_rows *stored, struct db *db, const struct seal *seal,
                          const struct config *base, char *why)
{
    struct reader reader = {.stored = stored, .db = db, .seal = seal, .base = base, .why = why};
    *stored = (struct stored_rows){0};
    arena_init(&stored->arena, NULL);
    snprintf(why, DB_WHY_MAX, "out of memory");
    enum err err = check_ids(&reader);
    for (size_t i = 0; i < ARRAY_LEN(sources) && err == ERR_OK; i++)
        err = read_source(&reader, &sources[i]);
    return err == ERR_OK ? restore_settings(&reader) : err;
}

void stored_rows_fini(struct stored_rows *stored)
{
    while (stored->secrets) {
        struct secret *secret = stored->secrets;
        stored->secrets = secret->next;
        if (secret->text.ptr)
            OPENSSL_cleanse(secret->text.ptr, secret->text.cap);
        buf_free(&secret->text);
        free(secret);
    }
    arena_fini(&stored->arena);
}
