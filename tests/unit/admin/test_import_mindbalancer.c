/* SPDX-License-Identifier: Apache-2.0 */
/* A database as MindBalancer makes it, taken over. */
#include "../../../src/admin/import_mindbalancer.c"
#include "../store/folder.h"

#include "admin/stored_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PASSPHRASE STR("sixteen bytes or more")
#define BCRYPT "$2a$10$abcdefghijklmnopqrstuuAbCdEfGhIjKlMnOpQrStUvWxYz01234"

/* The columns of its tables, in its order. */
static const char source_schema[] =
    "CREATE TABLE ai_servers (id INTEGER PRIMARY KEY, name TEXT UNIQUE, provider_type TEXT, endpoint TEXT,"
    " api_key_encrypted TEXT, hostgroup INTEGER, weight INTEGER, max_connections INTEGER, status TEXT, "
    "comment TEXT,"
    " created_at DATETIME, updated_at DATETIME, colour TEXT);"
    "CREATE TABLE ai_users (id INTEGER PRIMARY KEY, username TEXT, password_hash TEXT, active INTEGER,"
    " default_hostgroup INTEGER, max_requests_per_minute INTEGER, max_tokens_per_minute INTEGER, comment "
    "TEXT,"
    " created_at DATETIME, updated_at DATETIME);"
    "CREATE TABLE ai_routing_rules (id INTEGER PRIMARY KEY, rule_id INTEGER, active INTEGER, match_model "
    "TEXT,"
    " match_pattern TEXT, match_user TEXT, destination_hostgroup INTEGER, mirror_hostgroup INTEGER, priority "
    "INTEGER,"
    " comment TEXT, created_at DATETIME, updated_at DATETIME);"
    "CREATE TABLE ai_hostgroups (id INTEGER PRIMARY KEY, group_id INTEGER, name TEXT, comment TEXT);"
    "CREATE TABLE global_variables (variable_name TEXT PRIMARY KEY, variable_value TEXT);"
    "INSERT INTO ai_hostgroups (group_id, name, comment) VALUES (0, 'default', 'Default hostgroup');";

struct fixture {
    struct str data_dir;
    struct seal seal;
    char report_memory[8192], why[IMPORT_WHY_MAX];
    struct buf report;
    sqlite3 *source;
};

static void execute(sqlite3 *handle, const char *sql)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s in %s", sqlite3_errmsg(handle), sql);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f || folder_make(state) != 0)
        return -1;
    f->data_dir = str_from(folder);
    buf_init_fixed(&f->report, f->report_memory, sizeof(f->report_memory) - 1);
    assert_int_equal(seal_init(&f->seal, f->data_dir, PASSPHRASE, STR_NONE, f->why), ERR_OK);
    assert_int_equal(sqlite3_open(in_folder(SOURCE_FILE), &f->source), SQLITE_OK);
    execute(f->source, "PRAGMA journal_mode = WAL");
    execute(f->source, source_schema);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sqlite3_close(f->source);
    seal_fini(&f->seal);
    free(f);
    return folder_remove(state);
}

static void take_over(struct fixture *f)
{
    enum err err = import_mindbalancer(f->data_dir, &f->seal, &f->report, f->why);
    f->report_memory[f->report.len] = '\0';
    if (err)
        fail_msg("%s", f->why);
}

static void open_store(struct fixture *f, struct db *db)
{
    *db = (struct db){0};
    assert_int_equal(db_open(db, in_folder(DB_FILE), f->why), ERR_OK);
}

/* All cells of the result, with '|' between and a line end behind each row. */
static void check_rows(struct fixture *f, const char *sql, const char *expected)
{
    struct db db;
    char memory[4096];
    struct buf out;
    bool is_row = true;
    open_store(f, &db);
    buf_init_fixed(&out, memory, sizeof(memory) - 1);
    sqlite3_stmt *stmt = db_prepare(&db, sql, f->why);
    if (!stmt)
        fail_msg("%s", f->why);
    while (db_step(&db, stmt, &is_row, f->why) == ERR_OK && is_row) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            buf_printf(&out, "%s" STR_FMT, i > 0 ? "|" : "", STR_ARG(db_column_str(stmt, i)));
        buf_add_char(&out, '\n');
    }
    sqlite3_finalize(stmt);
    db_close(&db);
    memory[out.len] = '\0';
    assert_string_equal(memory, expected);
}

/* What the next start does with the rows. */
static void check_usable(struct fixture *f)
{
    struct db db;
    struct stored_rows stored = {0};
    struct config *base = NULL, *config = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    open_store(f, &db);
    assert_int_equal(config_defaults(&base), ERR_OK);
    assert_int_equal(db_exec(&db, "BEGIN", f->why), ERR_OK);
    if (stored_rows_read(&stored, &db, &f->seal, base, f->why))
        fail_msg("%s", f->why);
    if (config_from_rows(base, &stored.rows, &config_env_process, &config, &diagnostics))
        fail_msg("%.*s", STR_ARG(diagnostics.items[0].message));
    stored_rows_fini(&stored);
    config_free(config);
    config_free(base);
    diagnostics_fini(&diagnostics);
    db_close(&db);
}

static void seal_text(const struct fixture *f, const char *plain, char out[512])
{
    struct buf sealed;
    buf_init_fixed(&sealed, out, 511);
    assert_int_equal(seal_close(&f->seal, str_from(plain), &sealed), ERR_OK);
    out[sealed.len] = '\0';
}

static void insert_server(struct fixture *f, const char *name, const char *type, const char *endpoint,
                          const char *key)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO ai_servers (name, provider_type, endpoint, api_key_encrypted, hostgroup, weight,"
        " max_connections, status) VALUES (%Q, %Q, %Q, %Q, 1, 5, 100, 'ONLINE')",
        name, type, endpoint, key);
    execute(f->source, sql);
    sqlite3_free(sql);
}

/* The key of a server of ours, opened. */
static void check_key(struct fixture *f, const char *name, const char *expected)
{
    struct db db;
    char memory[512];
    struct buf plain;
    bool is_row;
    open_store(f, &db);
    buf_init_fixed(&plain, memory, sizeof(memory) - 1);
    sqlite3_stmt *stmt = db_prepare(&db, "SELECT api_key_encrypted FROM ai_servers WHERE name = ?", f->why);
    assert_non_null(stmt);
    db_bind_str(stmt, 1, str_from(name));
    assert_int_equal(db_step(&db, stmt, &is_row, f->why), ERR_OK);
    assert_true(is_row && seal_is_sealed(db_column_str(stmt, 0)));
    assert_int_equal(seal_open(&f->seal, db_column_str(stmt, 0), &plain, NULL), ERR_OK);
    memory[plain.len] = '\0';
    assert_string_equal(memory, expected);
    sqlite3_finalize(stmt);
    db_close(&db);
}

static void test_servers(void **state)
{
    struct fixture *f = *state;
    char once[512], twice[512];
    seal_text(f, "sk-sealed", once);
    seal_text(f, once, twice);
    insert_server(f, "sealed", "openai", "https://api.openai.com", once);
    insert_server(f, "twice", "groq", "https://api.groq.com", twice);
    insert_server(f, "clear", "custom", "http://127.0.0.1:1", "sk-clear");
    insert_server(f, "keyless", "ollama", "http://127.0.0.1:11434", "");
    execute(f->source, "UPDATE ai_servers SET comment = 'mine', max_connections = 7 WHERE name = 'sealed'");
    execute(f->source, "UPDATE ai_servers SET status = 'SHUNNED' WHERE name = 'clear'");
    assert_true(import_mindbalancer_is_due(f->data_dir));
    take_over(f);
    assert_false(import_mindbalancer_is_due(f->data_dir));
    check_rows(f,
               "SELECT name, provider_type, endpoint, hostgroup, weight, max_connections, status, comment, "
               "source FROM ai_servers",
               "sealed|openai|https://api.openai.com|1|5|7|ONLINE|mine|sql\n"
               "twice|groq|https://api.groq.com|1|5|100|ONLINE||sql\n"
               "clear|custom|http://127.0.0.1:1|1|5|100|SHUNNED||sql\n"
               "keyless|ollama|http://127.0.0.1:11434|1|5|100|ONLINE||sql\n");
    check_key(f, "sealed", "sk-sealed");
    check_key(f, "twice", "sk-sealed");
    check_key(f, "clear", "sk-clear");
    check_rows(f, "SELECT api_key_encrypted FROM ai_servers WHERE name = 'keyless'", "\n");
    check_usable(f);
    assert_string_equal(f->report_memory,
                        "mindbalancer.db: column 'colour' of ai_servers is left out: it is not known\n"
                        "mindbalancer.db: imported 4 servers, 0 users, 0 rules, 1 hostgroups, 0 variables\n");
}

static void test_servers_that_cannot_be_used(void **state)
{
    struct fixture *f = *state;
    insert_server(f, "claude", "anthropic", "https://api.anthropic.com", "");
    insert_server(f, "a name", "openai", "https://api.openai.com", "");
    insert_server(f, "nowhere", "custom", "", "");
    insert_server(f, "badly", "openai", "ftp://x", "");
    insert_server(f, "light", "openai", "http://h", "");
    insert_server(f, "heavy", "openai", "http://h", "two words");
    insert_server(f, "odd", "openai", "http://h", "");
    execute(f->source, "UPDATE ai_servers SET weight = 0 WHERE name = 'light'");
    execute(f->source, "UPDATE ai_servers SET weight = 5000, max_connections = -1 WHERE name = 'heavy'");
    execute(
        f->source,
        "UPDATE ai_servers SET status = 'ASLEEP', hostgroup = NULL, weight = NULL, comment = 'a' || char(10) "
        "WHERE name = 'odd'");
    execute(f->source, "ALTER TABLE ai_servers DROP COLUMN colour");
    take_over(f);
    check_rows(
        f,
        "SELECT name, hostgroup, weight, max_connections, status, comment, api_key_encrypted FROM ai_servers",
        "light|1|1|100|OFFLINE||\n"
        "heavy|1|1000|0|ONLINE||\n"
        "odd|0|1|100|OFFLINE||\n");
    check_usable(f);
    assert_string_equal(
        f->report_memory,
        "mindbalancer.db: server 'claude' is left out: provider_type 'anthropic' is not available in this "
        "version\n"
        "mindbalancer.db: server 'a name' is left out: a name has 1 to 64 letters, digits, '.', '_' and '-'\n"
        "mindbalancer.db: server 'nowhere' is left out: its endpoint is missing\n"
        "mindbalancer.db: server 'badly' is left out: its endpoint has to begin with http:// or https://\n"
        "mindbalancer.db: server 'light' is OFFLINE: its weight was 0\n"
        "mindbalancer.db: server 'heavy': its key is left out: it has bytes that no header can carry\n"
        "mindbalancer.db: server 'heavy': weight 5000 became 1000\n"
        "mindbalancer.db: server 'heavy': max_connections -1 became 0\n"
        "mindbalancer.db: server 'odd' is OFFLINE: there is no status 'ASLEEP'\n"
        "mindbalancer.db: server 'odd': its comment is left out: it is too long, or has control characters\n"
        "mindbalancer.db: imported 3 servers, 0 users, 0 rules, 1 hostgroups, 0 variables\n");
}

/* Nothing is there after a failure, so that the next start tries again. */
static void test_wrong_passphrase(void **state)
{
    struct fixture *f = *state;
    char sealed[512];
    struct seal other;
    seal_text(f, "sk-sealed", sealed);
    insert_server(f, "first", "openai", "http://h", "");
    insert_server(f, "second", "openai", "http://h", sealed);
    assert_int_equal(seal_init(&other, f->data_dir, STR("another passphrase"), STR_NONE, f->why), ERR_OK);
    assert_int_equal(import_mindbalancer(f->data_dir, &other, &f->report, f->why), ERR_INVALID);
    assert_string_equal(
        f->why, "mindbalancer.db: server 'second': its key cannot be opened; set api_key_encryption_key (or "
                "api_key_encryption_key_old) to the one that MindBalancer had");
    assert_true(import_mindbalancer_is_due(f->data_dir));
    assert_int_equal(access(in_folder(NEW_FILE), F_OK), -1);
    seal_fini(&other);
    /* as the old passphrase it is good */
    assert_int_equal(seal_init(&other, f->data_dir, STR("another passphrase"), PASSPHRASE, f->why), ERR_OK);
    assert_int_equal(import_mindbalancer(f->data_dir, &other, &f->report, f->why), ERR_OK);
    seal_fini(&f->seal);
    f->seal = other;
    check_key(f, "second", "sk-sealed");
}

static void test_users(void **state)
{
    struct fixture *f = *state;
    execute(
        f->source,
        "INSERT INTO ai_users (username, password_hash, active, default_hostgroup, max_requests_per_minute,"
        " max_tokens_per_minute, comment) VALUES ('ann@example', '" BCRYPT "', 1, 3, 60, 5000, 'x'),"
        " ('bob', NULL, 0, 0, 0, 0, NULL), ('clear', 'secret', 1, 0, -5, 100000, ''), ('', '', 1, 0, 1, 1, "
        "'')");
    execute(f->source, "ALTER TABLE ai_servers DROP COLUMN colour");
    take_over(f);
    check_rows(f,
               "SELECT username, active, default_hostgroup, max_requests_per_minute, max_tokens_per_minute, "
               "comment FROM ai_users",
               "ann@example|1|3|60|5000|x\nbob|0|0|0|0|\nclear|1|0|0|100000|\n");
    check_rows(f, "SELECT password_hash FROM ai_users WHERE username <> 'clear'", BCRYPT "\n\n");
    check_rows(f, "SELECT substr(password_hash, 1, 10) FROM ai_users WHERE username = 'clear'",
               "$argon2id$\n");
    check_rows(f, "SELECT hostgroup_id, name, comment FROM ai_hostgroups",
               "0|default|Default hostgroup\n3||named by a user\n");
    check_usable(f);
    assert_string_equal(
        f->report_memory,
        "mindbalancer.db: user 'clear': max_requests_per_minute -5 became 0\n"
        "mindbalancer.db: user '' is left out: a name has 1 to 64 bytes and no control characters\n"
        "mindbalancer.db: imported 0 servers, 3 users, 0 rules, 1 hostgroups, 0 variables\n");
}

static void test_rules(void **state)
{
    struct fixture *f = *state;
    execute(f->source, "INSERT INTO ai_routing_rules (rule_id, active, match_model, match_pattern, "
                       "match_user, destination_hostgroup,"
                       " mirror_hostgroup, priority, comment) VALUES"
                       " (10, 1, 'gpt-4*', '', NULL, 1, NULL, 5, 'globs stay'),"
                       " (11, 0, '^(gpt|o)', '(?i)translate', 'ann', 2, 1, 6, ''),"
                       " (12, 1, '(', NULL, NULL, 1, NULL, 7, NULL),"
                       " (NULL, 1, NULL, 'a[', NULL, 1, NULL, 8, NULL),"
                       " (13, 1, NULL, NULL, 'gpt-[ab', 1, NULL, 9, NULL)");
    execute(f->source, "INSERT INTO ai_hostgroups (group_id, name) VALUES (1, 'two words'), (70000, 'x')");
    execute(f->source, "ALTER TABLE ai_servers DROP COLUMN colour");
    take_over(f);
    check_rows(f,
               "SELECT rule_id, active, match_model, match_pattern, match_user, destination_hostgroup, "
               "mirror_hostgroup, priority,"
               " comment FROM ai_routing_rules",
               "10|1|gpt-4*|||1||5|globs stay\n"
               "11|0|regex:.*(?:^(gpt|o)).*|(?i)translate|ann|2||6|\n");
    check_rows(f, "SELECT hostgroup_id, name, comment FROM ai_hostgroups",
               "0|default|Default hostgroup\n1||\n2||named by a rule\n");
    check_usable(f);
    assert_non_null(
        strstr(f->report_memory, "rule 11: match_model '^(gpt|o)' became 'regex:.*(?:^(gpt|o)).*'\n"));
    assert_non_null(strstr(f->report_memory,
                           "rule 11: its mirror_hostgroup is left out: this version does not mirror\n"));
    assert_non_null(strstr(f->report_memory, "rule 12 is left out: its match_model is not usable: "));
    assert_non_null(
        strstr(f->report_memory, "a rule without rule_id is left out: its match_pattern is not usable: "));
    assert_non_null(strstr(f->report_memory, "rule 13 is left out: its match_user is not usable: "));
    assert_non_null(
        strstr(f->report_memory, "hostgroup 1 has no name any more: 'two words' has other characters"));
    assert_non_null(strstr(f->report_memory, "hostgroup 70000 is left out"));
    assert_non_null(
        strstr(f->report_memory, "imported 0 servers, 0 users, 2 rules, 2 hostgroups, 0 variables\n"));
}

static void test_variables(void **state)
{
    struct fixture *f = *state;
    execute(f->source,
            "INSERT INTO global_variables VALUES ('max_retries', '5'), ('ai-health-check-interval', '700'),"
            " ('cache_ttl_seconds', '7'), ('circuit_breaker_threshold', '5'), ('log_level', 'loud'),"
            " ('admin_password', 'clear'), ('cluster_enabled', 'true'), ('nobody', '1')");
    execute(f->source, "ALTER TABLE ai_servers DROP COLUMN colour");
    take_over(f);
    check_rows(f, "SELECT variable_name, variable_value, source FROM global_variables ORDER BY 1",
               "cache_ttl_ms|7000|sql\nhealth_check_interval_ms|700|sql\nmax_retries|5|sql\n");
    check_usable(f);
    assert_string_equal(f->report_memory,
                        "mindbalancer.db: variable 'log_level' is left out: log_level: 'loud' is none of "
                        "debug, info, warn, error\n"
                        "mindbalancer.db: variable 'admin_password' is left out: a secret belongs into the "
                        "configuration file\n"
                        "mindbalancer.db: variable 'cluster_enabled' is left out: cluster_enabled: 'true' is "
                        "refused: there are "
                        "no clusters, in MindBalancer neither\n"
                        "mindbalancer.db: variable 'nobody' is left out: unknown key 'nobody'\n"
                        "mindbalancer.db: imported 0 servers, 0 users, 0 rules, 1 hostgroups, 3 variables\n");
}

/* Early versions lack tables and columns. */
static void test_what_is_not_there(void **state)
{
    struct fixture *f = *state;
    execute(f->source, "DROP TABLE ai_users");
    execute(f->source, "DROP TABLE ai_servers");
    execute(f->source, "CREATE TABLE ai_servers (name TEXT, endpoint TEXT)");
    execute(f->source, "INSERT INTO ai_servers VALUES ('bare', 'http://h')");
    take_over(f);
    check_rows(
        f, "SELECT name, provider_type, endpoint, hostgroup, weight, max_connections, status FROM ai_servers",
        "bare|openai|http://h|0|1|100|ONLINE\n");
    assert_string_equal(f->report_memory,
                        "mindbalancer.db: there is no table ai_users\n"
                        "mindbalancer.db: imported 1 servers, 0 users, 0 rules, 1 hostgroups, 0 variables\n");
}

static void test_not_a_database(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "no database at all, just a text";
    sqlite3_close(f->source);
    f->source = NULL;
    file_write(in_folder(SOURCE_FILE), text, sizeof(text));
    assert_true(import_mindbalancer(f->data_dir, &f->seal, &f->report, f->why) != ERR_OK);
    assert_string_equal(f->why, "file is not a database");
    assert_true(import_mindbalancer_is_due(f->data_dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers_that_cannot_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_passphrase, setup, teardown),
        cmocka_unit_test_setup_teardown(test_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_a_database, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
