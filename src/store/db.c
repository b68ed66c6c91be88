/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db.h"

#include "store/migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAL_KEPT "67108864" /* bytes of the log file that stay after a checkpoint */

/* ---- errors ---- */

static enum err err_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
        return ERR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_AUTH:
    case SQLITE_RANGE:
        return ERR_INVALID;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    default:
        return ERR_SYSTEM;
    }
}

enum err db_error(struct db *db, char *why)
{
    enum err err = err_of(sqlite3_extended_errcode(db->handle));
    if (err == ERR_BUSY)
        snprintf(why, DB_WHY_MAX, "another session is writing: try again");
    else
        snprintf(why, DB_WHY_MAX, "%s", sqlite3_errmsg(db->handle));
    return err == ERR_OK ? ERR_SYSTEM : err;
}

/* ---- statements ---- */

enum err db_exec(struct db *db, const char *sql, char *why)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : db_error(db, why);
}

sqlite3_stmt *db_prepare(struct db *db, const char *sql, char *why)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) == SQLITE_OK)
        return stmt;
    (void)db_error(db, why);
    return NULL;
}

enum err db_step(struct db *db, sqlite3_stmt *stmt, bool *ret_is_row, char *why)
{
    int code = sqlite3_step(stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return db_error(db, why);
    *ret_is_row = code == SQLITE_ROW;
    return ERR_OK;
}

enum err db_run(struct db *db, sqlite3_stmt *stmt, char *why)
{
    bool is_row;
    enum err err = db_step(db, stmt, &is_row, why);
    sqlite3_reset(stmt);
    return err;
}

void db_bind_str(sqlite3_stmt *stmt, int index, struct str text)
{
    int code = sqlite3_bind_text64(stmt, index, text.len > 0 ? text.ptr : "", text.len, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    ASSERT(code == SQLITE_OK);
}

struct str db_column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return (struct str){text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0};
}

/* ---- secrets that were in clear ---- */

static const char *const secret_tables[DB_SECRET_TABLE_COUNT_] = {
    [DB_SERVERS] = "ai_servers",
    [DB_USERS] = "ai_users",
    [DB_API_KEYS] = "ai_api_keys",
    [DB_VARIABLES] = "global_variables",
};

static void wrote_clear_text(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct db *db = sqlite3_user_data(context);
    struct str table = str_from((const char *)sqlite3_value_text(argv[0]));
    (void)argc;
    for (unsigned i = 0; i < DB_SECRET_TABLE_COUNT_; i++)
        if (str_eq(table, str_from(secret_tables[i])))
            db->clear_text |= 1u << i;
}

/* All values of a table, row by row. */
struct table_copy {
    sqlite3_value **values;
    size_t count, capacity;
    int columns;
};

static void free_copy(struct table_copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        sqlite3_value_free(copy->values[i]);
    free(copy->values);
}

static bool copy_value(struct table_copy *copy, sqlite3_value *value)
{
    if (copy->count == copy->capacity) {
        size_t capacity = copy->capacity ? 2 * copy->capacity : 256;
        sqlite3_value **values = realloc(copy->values, capacity * sizeof(sqlite3_value *));
        if (!values)
            return false;
        copy->values = values;
        copy->capacity = capacity;
    }
    copy->values[copy->count] = sqlite3_value_dup(value);
    return copy->values[copy->count] != NULL && ++copy->count;
}

static enum err read_table(struct db *db, const char *table, struct table_copy *copy, char *why)
{
    char sql[96];
    bool is_row = true;
    snprintf(sql, sizeof(sql), "SELECT * FROM main.%s", table);
    sqlite3_stmt *stmt = db_prepare(db, sql, why);
    if (!stmt)
        return db_error(db, why);
    copy->columns = sqlite3_column_count(stmt);
    enum err err = db_step(db, stmt, &is_row, why);
    while (err == ERR_OK && is_row) {
        for (int i = 0; i < copy->columns && err == ERR_OK; i++)
            err = copy_value(copy, sqlite3_column_value(stmt, i)) ? ERR_OK : ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = db_step(db, stmt, &is_row, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

static sqlite3_stmt *prepare_insert(struct db *db, const char *table, int columns, char *why)
{
    char memory[256];
    struct buf sql;
    buf_init_fixed(&sql, memory, sizeof(memory));
    buf_printf(&sql, "INSERT INTO main.%s VALUES (?", table);
    for (int i = 1; i < columns; i++)
        buf_add(&sql, STR(", ?"));
    buf_add(&sql, (struct str){")", 2}); /* with its NUL */
    ASSERT(buf_ok(&sql));
    return db_prepare(db, memory, why);
}

static enum err write_table(struct db *db, const char *table, const struct table_copy *copy, char *why)
{
    enum err err = ERR_OK;
    sqlite3_stmt *stmt = prepare_insert(db, table, copy->columns, why);
    if (!stmt)
        return db_error(db, why);
    for (size_t at = 0; at < copy->count && err == ERR_OK; at += (size_t)copy->columns) {
        for (int i = 0; i < copy->columns; i++)
            if (sqlite3_bind_value(stmt, i + 1, copy->values[at + (size_t)i]) != SQLITE_OK)
                err = ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = db_run(db, stmt, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* Without triggers and foreign keys, DELETE gives back whole pages, and secure_delete fills those with zeros. */
static enum err rewrite_table(struct db *db, const char *table, char *why)
{
    struct table_copy copy = {0};
    char sql[96];
    snprintf(sql, sizeof(sql), "DELETE FROM main.%s", table);
    enum err err = read_table(db, table, &copy, why);
    if (err == ERR_OK)
        err = db_exec(db, sql, why);
    if (err == ERR_OK)
        err = write_table(db, table, &copy, why);
    free_copy(&copy);
    return err;
}

static enum err set_enforcement(struct db *db, int is_on)
{
    bool good = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, is_on, NULL) == SQLITE_OK &&
                sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, is_on, NULL) == SQLITE_OK;
    return good ? ERR_OK : ERR_SYSTEM;
}

enum err db_wipe_clear_text(struct db *db, char *why)
{
    if (db->clear_text == 0)
        return ERR_OK;
    enum err err = set_enforcement(db, 0);
    for (unsigned i = 0; i < DB_SECRET_TABLE_COUNT_ && err == ERR_OK; i++)
        if (db->clear_text & 1u << i)
            err = rewrite_table(db, secret_tables[i], why);
    enum err restored = set_enforcement(db, 1);
    ASSERT(restored == ERR_OK);
    if (err == ERR_OK)
        db->clear_text = 0;
    return err;
}

/* ---- opening ---- */

static void is_mirroring(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const struct db *db = sqlite3_user_data(context);
    (void)argc;
    (void)argv;
    sqlite3_result_int(context, db->is_mirroring);
}

static enum err system_error(const char *path, const char *what, char *why)
{
    snprintf(why, DB_WHY_MAX, "store %.300s: %s%s", path, what, strerror(errno));
    return ERR_SYSTEM;
}

/* SQLite makes its other files beside this one, and with the same mode. */
static enum err prepare_folder(const char *path, char *why)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (strlen(path) >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return system_error(path, "", why);
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    const char *name = !slash ? "." : len == 0 ? "/" : folder;
    return access(name, W_OK | X_OK) == 0 ? ERR_OK
                                          : system_error(path, "its folder cannot be written to: ", why);
}

/* Only a file that was missing is ever opened here: closing a descriptor of one that this process has open already would
 * give back SQLite's locks on it. */
static enum err prepare_file(const char *path, char *why)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return ERR_OK;
    }
    if (errno != EEXIST || stat(path, &status) != 0)
        return system_error(path, "", why);
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, DB_WHY_MAX, "store %.300s: is not a file", path);
        return ERR_SYSTEM;
    }
    if ((status.st_mode & 077) != 0 && chmod(path, 0600) != 0)
        return system_error(path, "others can read it, and chmod fails: ", why);
    return access(path, R_OK | W_OK) == 0 ? ERR_OK : system_error(path, "", why);
}

static enum err use_wal(struct db *db, char *why)
{
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(db, "PRAGMA journal_mode = WAL", why);
    if (!stmt)
        return db_error(db, why);
    enum err err = db_step(db, stmt, &is_row, why);
    if (err == ERR_OK && !(is_row && str_eq(db_column_str(stmt, 0), STR("wal")))) {
        snprintf(why, DB_WHY_MAX, "the file system does not allow a write-ahead log");
        err = ERR_SYSTEM;
    }
    sqlite3_finalize(stmt);
    return err;
}

static bool add_function(struct db *db, const char *name, int arguments,
                         void (*function)(sqlite3_context *, int, sqlite3_value **))
{
    return sqlite3_create_function(db->handle, name, arguments, SQLITE_UTF8 | SQLITE_INNOCUOUS, db, function,
                                   NULL, NULL) == SQLITE_OK;
}

/* Order matters: what decides about secrets stands before the first write. */
static enum err configure(struct db *db, char *why)
{
    static const char pragmas[] =
        "PRAGMA synchronous = FULL;" /* a commit is on the disk when it returns, whatever happens to the power */
        "PRAGMA foreign_keys = ON;"  /* a user's keys go with the user */
        "PRAGMA secure_delete = ON;" /* what is replaced is overwritten */
        "PRAGMA cache_spill = OFF;" /* an open transaction stays in memory: what it holds in clear is on no disk */
        "PRAGMA temp_store = MEMORY;"  /* nor is what it sorts, or what a statement may have to undo */
        "PRAGMA trusted_schema = OFF;" /* a file from elsewhere must not call functions with effects */
        "PRAGMA cell_size_check = ON;" /* a damaged page is an error rather than nonsense */
        "PRAGMA journal_size_limit = " WAL_KEPT;
    if (sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db->handle, 0) != SQLITE_OK ||
        !add_function(db, "is_mirroring", 0, is_mirroring) ||
        !add_function(db, "wrote_clear_text", 1, wrote_clear_text))
        return db_error(db, why);
    enum err err = db_exec(db, pragmas, why);
    return err == ERR_OK ? use_wal(db, why) : err;
}

/* The first look at the file: SQLite opens anything, and finds out when it reads. */
static enum err check_readable(struct db *db, char *why)
{
    return db_exec(db, "SELECT count(*) FROM sqlite_schema", why);
}

enum err db_open(struct db *db, const char *path, char *why)
{
    char reason[DB_WHY_MAX] = "out of memory";
    *db = (struct db){0};
    enum err err = prepare_folder(path, why);
    if (err == ERR_OK)
        err = prepare_file(path, why);
    if (err != ERR_OK)
        return err;
    if (sqlite3_open_v2(path, &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK)
        err = db->handle ? db_error(db, reason) : ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = configure(db, reason);
    if (err == ERR_OK)
        err = check_readable(db, reason);
    if (err == ERR_OK)
        return ERR_OK;
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    snprintf(why, DB_WHY_MAX, "store %.200s: %.200s%s", path, reason,
             code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? "; move it away, or put a backup in its place"
                                                             : "");
    db_close(db);
    return err;
}

void db_close(struct db *db)
{
    if (!db->handle)
        return;
    int code = sqlite3_close(db->handle);
    ASSERT(code == SQLITE_OK);
    db->handle = NULL;
}

/* ---- migrations ---- */

static enum err read_number(struct db *db, const char *sql, unsigned *ret_number, char *why)
{
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(db, sql, why);
    if (!stmt)
        return db_error(db, why);
    enum err err = db_step(db, stmt, &is_row, why);
    if (err == ERR_OK)
        *ret_number = is_row ? (unsigned)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return err;
}

unsigned db_version(struct db *db)
{
    char why[DB_WHY_MAX];
    unsigned version = 0;
    return read_number(db, "PRAGMA user_version", &version, why) == ERR_OK ? version : 0;
}

unsigned db_newest_version(void)
{
    return db_migration_count;
}

static enum err run_step(struct db *db, const char *sql, unsigned version, char *why)
{
    char set_version[64];
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %u", version);
    enum err err = db_exec(db, "BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    err = db_exec(db, sql, why);
    if (err == ERR_OK)
        err = db_exec(db, set_version, why);
    if (err == ERR_OK)
        err = db_exec(db, "COMMIT", why);
    if (err != ERR_OK && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static enum err migrate(struct db *db, const struct db_migration *step, bool is_up, char *why)
{
    char reason[DB_WHY_MAX] = "";
    enum err err =
        run_step(db, is_up ? step->up : step->down, is_up ? step->version : step->version - 1, reason);
    if (err != ERR_OK)
        snprintf(why, DB_WHY_MAX, "store: migration %u (%s) %s: %.300s", step->version, step->name,
                 is_up ? "up" : "down", reason);
    return err;
}

/* A file that some other program made has tables, but no version of ours. */
static enum err check_version(struct db *db, unsigned *ret_version, char *why)
{
    unsigned version = 0, tables = 0;
    enum err err = read_number(db, "PRAGMA user_version", &version, why);
    if (err == ERR_OK)
        err =
            read_number(db, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
                        &tables, why);
    if (err != ERR_OK)
        return err;
    if (version > db_migration_count) {
        snprintf(why, DB_WHY_MAX,
                 "store: its schema has version %u, and this program knows up to %u: a newer Fairlead "
                 "made it",
                 version, db_migration_count);
        return ERR_INVALID;
    }
    if (version == 0 && tables > 0) {
        snprintf(why, DB_WHY_MAX, "store: the file holds tables of another program");
        return ERR_INVALID;
    }
    *ret_version = version;
    return ERR_OK;
}

enum err db_migrate_up(struct db *db, char *why)
{
    unsigned version;
    enum err err = check_version(db, &version, why);
    for (; err == ERR_OK && version < db_migration_count; version++)
        err = migrate(db, &db_migrations[version], true, why);
    return err;
}

enum err db_open_empty(struct db *db, char *why)
{
    *db = (struct db){0};
    snprintf(why, DB_WHY_MAX, "out of memory");
    if (sqlite3_open_v2(":memory:", &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        add_function(db, "is_mirroring", 0, is_mirroring) &&
        add_function(db, "wrote_clear_text", 1, wrote_clear_text) && db_migrate_up(db, why) == ERR_OK)
        return ERR_OK;
    enum err err = db->handle ? ERR_INVALID : ERR_NO_MEMORY;
    db_close(db);
    return err;
}

enum err db_migrate_down(struct db *db, char *why)
{
    unsigned version;
    enum err err = check_version(db, &version, why);
    if (err != ERR_OK)
        return err;
    if (version == 0) {
        snprintf(why, DB_WHY_MAX, "store: there is no migration to take back");
        return ERR_INVALID;
    }
    return migrate(db, &db_migrations[version - 1], false, why);
}
