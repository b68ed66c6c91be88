/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/store/db.c"

#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <cmocka.h>

static char why[DB_WHY_MAX];

#define assert_good(expression)                                                                              \
    do {                                                                                                     \
        enum err err_ = (expression);                                                                        \
        if (err_ != ERR_OK)                                                                                  \
            print_error("%s\n", why);                                                                        \
        assert_int_equal(err_, ERR_OK);                                                                      \
    } while (0)

static void open_new(struct db *db)
{
    assert_good(db_open(db, in_folder(DB_FILE), why));
    assert_good(db_migrate_up(db, why));
}

static long long number(struct db *db, const char *sql)
{
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(db, sql, why);
    if (!stmt)
        print_error("%s\n", why);
    assert_non_null(stmt);
    assert_good(db_step(db, stmt, &is_row, why));
    assert_true(is_row);
    long long value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void a_new_file_has_what_a_commit_needs(void **state)
{
    struct db db;
    (void)state;
    umask(0);
    open_new(&db);
    assert_int_equal(file_mode(in_folder(DB_FILE)), 0600);
    assert_int_equal(file_mode(in_folder(DB_FILE "-wal")), 0600);
    assert_int_equal(file_mode(in_folder(DB_FILE "-shm")), 0600);
    assert_int_equal(number(&db, "PRAGMA synchronous"), 2);
    assert_int_equal(number(&db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(&db, "PRAGMA secure_delete"), 1);
    assert_int_equal(number(&db, "PRAGMA cache_spill"), 0);
    assert_int_equal(number(&db, "PRAGMA temp_store"), 2);
    assert_int_equal(number(&db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(db_version(&db), db_newest_version());
    db_close(&db);
    db_close(&db);
}

static void a_file_that_others_can_read_is_closed_to_them(void **state)
{
    struct db db;
    (void)state;
    open_new(&db);
    db_close(&db);
    chmod(in_folder(DB_FILE), 0644);
    open_new(&db);
    assert_int_equal(file_mode(in_folder(DB_FILE)), 0600);
    db_close(&db);
}

static void every_migration_goes_up_and_down_and_up(void **state)
{
    struct db db;
    (void)state;
    open_new(&db);
    long long tables = number(&db, "SELECT count(*) FROM sqlite_schema");
    assert_good(db_exec(&db, "INSERT INTO ai_servers (name) VALUES ('a')", why));
    for (unsigned version = db_newest_version(); version > 0; version--) {
        assert_int_equal(db_version(&db), version);
        assert_good(db_migrate_down(&db, why));
        assert_int_equal(
            number(&db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    }
    assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ai%'"), 0);
    assert_int_equal(db_migrate_down(&db, why), ERR_INVALID);
    assert_string_equal(why, "store: there is no migration to take back");
    assert_good(db_migrate_up(&db, why));
    assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_schema"), tables);
    assert_int_equal(number(&db, "SELECT count(*) FROM ai_servers"), 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
                     0);
    db_close(&db);
}

static void a_failed_migration_leaves_nothing(void **state)
{
    struct db db;
    const struct db_migration broken = {1, "broken", "CREATE TABLE one (a); CREATE TABLE one (a);", ""};
    (void)state;
    assert_good(db_open(&db, in_folder(DB_FILE), why));
    assert_int_equal(migrate(&db, &broken, true, why), ERR_INVALID);
    assert_string_equal(why, "store: migration 1 (broken) up: table one already exists");
    assert_int_equal(db_version(&db), 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_schema"), 0);
    db_close(&db);
}

static void a_newer_schema_is_refused(void **state)
{
    struct db db;
    (void)state;
    open_new(&db);
    assert_good(db_exec(&db, "PRAGMA user_version = 4711", why));
    assert_int_equal(db_migrate_up(&db, why), ERR_INVALID);
    assert_non_null(strstr(why, "version 4711"));
    assert_int_equal(db_migrate_down(&db, why), ERR_INVALID);
    assert_int_equal(db_version(&db), 4711);
    db_close(&db);
}

static void the_file_of_another_program_is_refused(void **state)
{
    struct db db;
    (void)state;
    assert_good(db_open(&db, in_folder(DB_FILE), why));
    assert_good(db_exec(&db, "CREATE TABLE songs (title)", why));
    assert_int_equal(db_migrate_up(&db, why), ERR_INVALID);
    assert_string_equal(why, "store: the file holds tables of another program");
    db_close(&db);
}

static void what_is_no_database_is_said_to_be_none(void **state)
{
    struct db db;
    char text[5000];
    (void)state;
    memset(text, 'x', sizeof(text));
    file_write(in_folder(DB_FILE), text, sizeof(text));
    assert_int_equal(db_open(&db, in_folder(DB_FILE), why), ERR_SYSTEM);
    assert_non_null(strstr(why, DB_FILE ": file is not a database; move it away"));
    assert_null(db.handle);
}

static void a_damaged_file_is_said_to_be_damaged(void **state)
{
    struct db db;
    size_t len;
    (void)state;
    open_new(&db);
    db_close(&db);
    char *content = file_content(in_folder(DB_FILE), &len);
    memset(content + 100, 0x5a, 3996); /* the first page behind its header: the schema */
    file_write(in_folder(DB_FILE), content, len);
    free(content);
    assert_int_equal(db_open(&db, in_folder(DB_FILE), why), ERR_SYSTEM);
    assert_non_null(strstr(why, "malformed; move it away"));
}

static void places_that_cannot_be_written_are_named(void **state)
{
    struct db db;
    (void)state;
    assert_int_equal(db_open(&db, in_folder("none/" DB_FILE), why), ERR_SYSTEM);
    assert_non_null(strstr(why, "none/" DB_FILE ": its folder cannot be written to: No such file"));
    mkdir(in_folder(DB_FILE), 0700);
    assert_int_equal(db_open(&db, in_folder(DB_FILE), why), ERR_SYSTEM);
    assert_non_null(strstr(why, "is not a file"));
    rmdir(in_folder(DB_FILE));
}

/* The tests may run as root, who may write everywhere: a child does it as nobody. */
static void a_read_only_folder_is_named(void **state)
{
    int status;
    (void)state;
    chmod(folder, 0555);
    pid_t child = fork();
    if (child == 0) {
        struct db db;
        if (getuid() == 0 && setuid(65534) != 0)
            _exit(2);
        enum err err = db_open(&db, in_folder(DB_FILE), why);
        _exit(err == ERR_SYSTEM && strstr(why, "its folder cannot be written to: Permission denied") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    chmod(folder, 0700);
    assert_int_equal(status, 0);
}

static void a_second_writer_is_told_at_once(void **state)
{
    struct db a, b;
    (void)state;
    open_new(&a);
    open_new(&b);
    assert_good(db_exec(&a, "BEGIN IMMEDIATE", why));
    assert_int_equal(db_exec(&b, "BEGIN IMMEDIATE", why), ERR_BUSY);
    assert_string_equal(why, "another session is writing: try again");
    assert_int_equal(number(&b, "SELECT count(*) FROM ai_servers"), 0); /* readers go on */
    assert_good(db_exec(&a, "COMMIT", why));
    assert_good(db_exec(&b, "BEGIN IMMEDIATE; ROLLBACK", why));
    db_close(&a);
    db_close(&b);
}

static void rows_of_the_file_change_only_with_it(void **state)
{
    struct db db;
    (void)state;
    open_new(&db);
    db.is_mirroring = true;
    assert_good(db_exec(
        &db, "INSERT INTO ai_servers (name, source) VALUES ('a', 'file'); UPDATE ai_servers SET weight = 2",
        why));
    db.is_mirroring = false;
    assert_int_equal(db_exec(&db, "UPDATE ai_servers SET weight = 3", why), ERR_INVALID);
    assert_string_equal(
        why, "this row of ai_servers comes from the configuration file: change it there and reload");
    assert_int_equal(db_exec(&db, "DELETE FROM ai_servers", why), ERR_INVALID);
    assert_int_equal(number(&db, "SELECT weight FROM ai_servers"), 2);
    db.is_mirroring = true;
    assert_good(db_exec(&db, "DELETE FROM ai_servers", why));
    db_close(&db);
}

static void texts_go_in_and_out(void **state)
{
    struct db db;
    bool is_row = false;
    (void)state;
    open_new(&db);
    sqlite3_stmt *stmt =
        db_prepare(&db, "INSERT INTO ai_model_aliases (alias, model, comment) VALUES (?, ?, ?)", why);
    db_bind_str(stmt, 1, STR("fast"));
    db_bind_str(stmt, 2, (struct str){"model and more", 5});
    db_bind_str(stmt, 3, STR_NONE);
    assert_good(db_run(&db, stmt, why));
    assert_int_equal(db_run(&db, stmt, why), ERR_INVALID);
    assert_non_null(strstr(why, "UNIQUE constraint failed"));
    sqlite3_finalize(stmt);
    stmt = db_prepare(&db, "SELECT model, comment, NULL FROM ai_model_aliases", why);
    assert_good(db_step(&db, stmt, &is_row, why));
    assert_true(is_row && str_eq(db_column_str(stmt, 0), STR("model")));
    assert_int_equal(sqlite3_column_type(stmt, 1), SQLITE_TEXT);
    assert_true(db_column_str(stmt, 1).len == 0 && db_column_str(stmt, 2).len == 0);
    assert_good(db_step(&db, stmt, &is_row, why));
    assert_false(is_row);
    sqlite3_finalize(stmt);
    assert_null(db_prepare(&db, "SELECT missing", why));
    assert_string_equal(why, "no such column: missing");
    db_close(&db);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_new_file_has_what_a_commit_needs),
        IN_FOLDER(a_file_that_others_can_read_is_closed_to_them),
        IN_FOLDER(every_migration_goes_up_and_down_and_up),
        IN_FOLDER(a_failed_migration_leaves_nothing),
        IN_FOLDER(a_newer_schema_is_refused),
        IN_FOLDER(the_file_of_another_program_is_refused),
        IN_FOLDER(what_is_no_database_is_said_to_be_none),
        IN_FOLDER(a_damaged_file_is_said_to_be_damaged),
        IN_FOLDER(places_that_cannot_be_written_are_named),
        IN_FOLDER(a_read_only_folder_is_named),
        IN_FOLDER(a_second_writer_is_told_at_once),
        IN_FOLDER(rows_of_the_file_change_only_with_it),
        IN_FOLDER(texts_go_in_and_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
