/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/generation.c"

#include "../store/folder.h"
#include "conf/providers.h"
#include "conf/settings.h"
#include "proxy/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/wait.h>
#include <cmocka.h>

#define PLANTED "sk-planted-0123456789"
#define PASSPHRASE STR("a passphrase of 32 characters!!!")

static char why[GENERATION_WHY_MAX];

/* A store as it stands after the boot, and the connection of a session. */
struct stand {
    struct db boot_db, db;
    struct seal seal;
    struct generation generation;
    struct policy *policy; /* newest */
};

#define assert_good(expression)                                                                              \
    do {                                                                                                     \
        enum err err_ = (expression);                                                                        \
        if (err_ != ERR_OK)                                                                                  \
            print_error("%s\n", why);                                                                        \
        assert_int_equal(err_, ERR_OK);                                                                      \
    } while (0)

#define assert_why(expression, expected)                                                                     \
    do {                                                                                                     \
        assert_int_equal((expression), ERR_INVALID);                                                         \
        assert_string_equal(why, expected);                                                                  \
    } while (0)

static struct config *config_of(const char *yaml)
{
    struct config *config = NULL;
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics);
    enum err err =
        config_load(str_from(yaml), STR("fairlead.yaml"), &config_env_process, &config, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        print_error("%.*s\n", STR_ARG(diagnostics.items[i].message));
    assert_int_equal(err, ERR_OK);
    diagnostics_fini(&diagnostics);
    return config;
}

static enum err stand_try_open(struct stand *stand, struct config *base, struct str passphrase,
                               struct str old)
{
    memset(stand, 0, sizeof(*stand));
    assert_good(seal_init(&stand->seal, str_from(folder), passphrase, old, why));
    assert_good(db_open(&stand->boot_db, in_folder(DB_FILE), why));
    assert_good(db_migrate_up(&stand->boot_db, why));
    assert_good(db_open(&stand->db, in_folder(DB_FILE), why));
    enum err err =
        generation_open(&stand->generation, &stand->boot_db, &stand->seal, base, &stand->policy, why);
    if (err != ERR_OK)
        config_free(base);
    return err;
}

static void stand_open(struct stand *stand, const char *yaml)
{
    assert_good(stand_try_open(stand, config_of(yaml), PASSPHRASE, STR_NONE));
}

static void stand_close(struct stand *stand)
{
    policy_unref(stand->policy);
    generation_close(&stand->generation);
    db_close(&stand->db);
    db_close(&stand->boot_db);
    seal_fini(&stand->seal);
}

static long long number(struct db *db, const char *sql)
{
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(db, sql, why);
    if (!stmt)
        print_error("%s: %s\n", sql, why);
    assert_non_null(stmt);
    assert_good(db_step(db, stmt, &is_row, why));
    long long value = is_row ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return value;
}

static const char *text(struct db *db, const char *sql)
{
    static char out[1024];
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(db, sql, why);
    assert_non_null(stmt);
    assert_good(db_step(db, stmt, &is_row, why));
    struct str value = is_row ? db_column_str(stmt, 0) : STR("no row");
    snprintf(out, sizeof(out), "%.*s", STR_ARG(value));
    sqlite3_finalize(stmt);
    return out;
}

/* What a session does with a statement that changes the configuration. */
static enum err change(struct stand *stand, const char *sql)
{
    struct policy *policy = NULL;
    assert_good(db_exec(&stand->db, "BEGIN IMMEDIATE", why));
    enum err err = db_exec(&stand->db, sql, why);
    if (err == ERR_OK)
        err = generation_build(&stand->generation, &stand->db, &policy, why);
    if (err != ERR_OK) {
        char ignored[DB_WHY_MAX];
        assert_int_equal(db_exec(&stand->db, "ROLLBACK", ignored), ERR_OK);
        assert_null(policy);
        return err;
    }
    assert_good(db_exec(&stand->db, "COMMIT", why));
    policy_unref(stand->policy);
    stand->policy = policy;
    return ERR_OK;
}

static bool file_has(const char *name, const char *planted)
{
    size_t len;
    char *content = file_content(in_folder(name), &len);
    bool found = content && memmem(content, len, planted, strlen(planted));
    free(content);
    return found;
}

static bool files_have(const char *planted)
{
    return file_has(DB_FILE, planted) || file_has(DB_FILE "-wal", planted) ||
           file_has(DB_FILE "-shm", planted);
}

#define YAML                                                                                                 \
    "settings: {max_retries: 7, admin_password: not-to-be-seen}\n"                                           \
    "hostgroups: [{id: 3, name: three, strategy: random}]\n"                                                 \
    "servers: [{name: one, provider: vllm, hostgroup: 2, api_key: sk-in-the-file, models: [a, 'b*']}]\n"     \
    "rules: [{match_model: 'regex:x.*', match_pattern: 'regex:y', hostgroup: 3, comment: why}]\n"

static void the_base_is_mirrored(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, YAML);
    struct db *db = &stand.db;
    assert_string_equal(
        text(db, "SELECT group_concat(id || ' ' || name || ' ' || provider_type || ' ' || endpoint || "
                 "' ' || hostgroup || ' ' || weight || ' ' || models || ' ' || status || ' ' || source) "
                 "FROM ai_servers"),
        "-1 one vllm http://127.0.0.1:8000 2 1 a,b* ONLINE file");
    assert_string_equal(
        text(db, "SELECT group_concat(hostgroup_id || ' ' || name || ' ' || strategy || ' ' || source) "
                 "FROM ai_hostgroups"),
        "3 three random file");
    assert_string_equal(
        text(db, "SELECT group_concat(id || ' ' || rule_id || ' ' || match_model || ' ' || match_pattern "
                 "|| ' ' || destination_hostgroup || ' ' || comment || ' ' || source) "
                 "FROM ai_routing_rules WHERE match_user IS NULL AND rewrite_model IS NULL"),
        "-1 -1 regex:x.* y 3 why file");
    assert_int_equal(number(db, "SELECT count(*) FROM global_variables"), settings_count);
    assert_string_equal(
        text(db, "SELECT variable_value || source FROM global_variables WHERE variable_name = 'max_retries'"),
        "7file");
    assert_string_equal(text(db, "SELECT source FROM global_variables WHERE variable_name = 'dns_ttl_ms'"),
                        "default");
    assert_false(files_have("sk-in-the-file"));
    assert_false(files_have("not-to-be-seen"));
    assert_int_equal(db_exec(db, "DELETE FROM ai_servers", why), ERR_INVALID);
    assert_int_equal(db_exec(db, "INSERT INTO ai_servers (name, source) VALUES ('x', 'file')", why),
                     ERR_INVALID);
    assert_string_equal(why, "column source of ai_servers is written by Fairlead: leave it out");
    stand_close(&stand);
}

static void a_changed_file_replaces_the_mirror(void **state)
{
    struct stand stand;
    struct policy *policy;
    (void)state;
    stand_open(&stand, YAML);
    assert_good(change(&stand, "INSERT INTO ai_servers (name, provider_type) VALUES ('mine', 'vllm')"));
    assert_good(generation_replace_base(&stand.generation,
                                        config_of("servers: [{name: two, provider: vllm}]"), &policy, why));
    assert_string_equal(
        text(&stand.db, "SELECT group_concat(name || source) FROM (SELECT * FROM ai_servers ORDER BY id)"),
        "twofile,minesql");
    assert_int_equal(number(&stand.db, "SELECT count(*) FROM ai_routing_rules"), 0);
    assert_int_equal(policy->config->server_count, 2);
    policy_unref(policy);
    struct config *taken = config_of("servers: [{name: mine, provider: vllm}]");
    assert_why(generation_replace_base(&stand.generation, taken, &policy, why),
               "server 'mine' is in the configuration file, and was added by SQL too: rename one of them");
    config_free(taken);
    assert_string_equal(text(&stand.db, "SELECT name FROM ai_servers WHERE source = 'file'"), "two");
    struct config *next = config_of("{}");
    assert_good(db_exec(&stand.db, "BEGIN IMMEDIATE", why));
    assert_int_equal(generation_replace_base(&stand.generation, next, &policy, why), ERR_BUSY);
    assert_good(db_exec(&stand.db, "COMMIT", why));
    config_free(next);
    stand_close(&stand);
}

static void servers_that_were_found_make_room_for_rows(void **state)
{
    struct stand stand;
    struct config *found;
    (void)state;
    stand_open(&stand, "{}");
    assert_good(
        change(&stand, "INSERT INTO ai_servers (name, provider_type, weight) VALUES ('vllm', 'vllm', 9)"));
    stand_close(&stand);
    assert_int_equal(config_defaults(&found), ERR_OK);
    assert_int_equal(config_add_server(found, STR("vllm"), provider_find(STR("vllm")), STR_NONE, STR("sk-x")),
                     ERR_OK);
    assert_int_equal(config_add_server(found, STR("other"), provider_find(STR("vllm")), STR_NONE, STR_NONE),
                     ERR_OK);
    assert_good(stand_try_open(&stand, found, PASSPHRASE, STR_NONE));
    assert_int_equal(stand.policy->config->server_count, 2);
    assert_int_equal(stand.policy->config->servers[1].weight, 9);
    assert_string_equal(text(&stand.db, "SELECT source FROM ai_servers WHERE name = 'other'"), "discovered");
    stand_close(&stand);
}

static void a_key_is_in_force_and_on_no_disk(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, "{}");
    assert_good(change(&stand, "INSERT INTO ai_servers (name, provider_type, api_key_encrypted) "
                               "VALUES ('a', 'openai', '" PLANTED "')"));
    assert_true(str_eq(stand.policy->config->servers[0].api_key, STR(PLANTED)));
    assert_int_equal(strncmp(text(&stand.db, "SELECT api_key_encrypted FROM ai_servers"), "enc:", 4), 0);
    char before[256];
    snprintf(before, sizeof(before), "%s", text(&stand.db, "SELECT api_key_encrypted FROM ai_servers"));
    assert_good(change(&stand, "UPDATE ai_servers SET weight = 2"));
    assert_string_equal(text(&stand.db, "SELECT api_key_encrypted FROM ai_servers"), before);
    assert_false(files_have(PLANTED));
    assert_good(change(&stand, "UPDATE ai_servers SET api_key_encrypted = 'sk-second-9876543210'"));
    assert_false(files_have("sk-second-9876543210"));
    assert_true(str_eq(stand.policy->config->servers[0].api_key, STR("sk-second-9876543210")));
    stand_close(&stand);
    assert_false(files_have(PLANTED));
    assert_false(files_have("sk-second-9876543210"));
    stand_open(&stand, "{}");
    assert_true(str_eq(stand.policy->config->servers[0].api_key, STR("sk-second-9876543210")));
    stand_close(&stand);
}

/* Pages split and move while the keys stand in them in clear. */
static void many_keys_at_once_are_on_no_disk(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, "{}");
    for (int round = 0; round < 6; round++) {
        char sql[1024];
        snprintf(sql, sizeof(sql),
                 "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299) "
                 "INSERT INTO ai_servers (id, name, provider_type, api_key_encrypted, comment) "
                 "SELECT 1 + (i * 7919) %% 300 + %d * 1000, 's%d-' || i, 'vllm', '" PLANTED
                 "' || i || hex(zeroblob(i %% 50)), "
                 "hex(zeroblob(i * 13 %% 400)) FROM n; DELETE FROM ai_servers WHERE id %% 3 = %d",
                 round, round, round % 3);
        assert_good(change(&stand, sql));
        assert_good(change(&stand, "UPDATE ai_servers SET api_key_encrypted = '" PLANTED
                                   "' || hex(zeroblob(id % 97)), "
                                   "comment = hex(zeroblob(id * 17 % 600)) WHERE id % 2"));
        assert_good(
            change(&stand, "INSERT INTO ai_users (username, password_hash) VALUES ('u' || random(), '')"));
    }
    assert_false(files_have(PLANTED));
    stand_close(&stand);
    assert_false(files_have(PLANTED));
}

/* Larger than SQLite's page cache. */
static void a_large_open_transaction_is_on_no_disk(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, "{}");
    assert_good(db_exec(&stand.db,
                        "BEGIN; INSERT INTO ai_servers (name, api_key_encrypted) VALUES ('a', '" PLANTED "');"
                        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) "
                        "INSERT INTO ai_users (username, comment) SELECT 'u' || i, hex(zeroblob(400)) FROM n;"
                        "CREATE TEMP TABLE sorted AS SELECT * FROM ai_users ORDER BY comment, username DESC",
                        why));
    assert_false(files_have(PLANTED));
    assert_good(db_exec(&stand.db, "ROLLBACK", why));
    assert_false(files_have(PLANTED));
    stand_close(&stand);
}

static void client_keys_become_digests(void **state)
{
    struct stand stand;
    uint8_t digest[KEY_DIGEST_SIZE];
    (void)state;
    stand_open(&stand, "{}");
    assert_good(change(
        &stand, "INSERT INTO ai_users (username, password_hash) VALUES ('ann', 'her-planted-password');"
                "INSERT INTO ai_api_keys (name, username, api_key) VALUES ('k', 'ann', '" PLANTED "')"));
    const struct config *config = stand.policy->config;
    key_digest(&stand.seal, STR(PLANTED), digest);
    assert_int_equal(config->api_key_count, 1);
    assert_memory_equal(config->api_keys[0].digest, digest, sizeof(digest));
    assert_string_equal(text(&stand.db, "SELECT key_mask || api_key FROM ai_api_keys"), "sk-p...6789");
    assert_true(password_is(STR("her-planted-password"),
                            str_from(text(&stand.db, "SELECT password_hash FROM ai_users"))));
    assert_why(change(&stand,
                      "INSERT INTO ai_api_keys (name, username, api_key) VALUES ('l', 'ann', '" PLANTED "')"),
               "api_key in ai_api_keys, name 'l' is the key of 'k' already");
    assert_why(change(&stand, "INSERT INTO ai_api_keys (name, username) VALUES ('l', 'ann')"),
               "api_key in ai_api_keys, name 'l' has to have 8 to 512 visible characters, without spaces");
    assert_good(change(&stand, "UPDATE ai_api_keys SET api_key = 'another-key-1234'"));
    assert_string_equal(text(&stand.db, "SELECT key_mask FROM ai_api_keys"), "anot...1234");
    assert_good(change(&stand, "UPDATE ai_users SET username = 'anna'")); /* its keys follow */
    assert_int_equal(stand.policy->config->api_key_count, 1);
    assert_good(change(&stand, "DELETE FROM ai_users"));
    assert_int_equal(stand.policy->config->api_key_count, 0);
    assert_false(files_have(PLANTED));
    assert_false(files_have("her-planted-password"));
    assert_false(files_have("another-key-1234"));
    stand_close(&stand);
    assert_false(files_have(PLANTED));
    assert_false(files_have("her-planted-password"));
}

/* Sessions see such views in place of the tables. */
static void views_of_a_session_are_not_read(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, YAML);
    assert_good(db_exec(
        &stand.db,
        "CREATE TEMP VIEW ai_servers AS SELECT id, name, 'masked' AS api_key_encrypted FROM main.ai_servers;"
        "CREATE TEMP VIEW global_variables AS SELECT variable_name, '*' AS variable_value "
        "FROM main.global_variables",
        why));
    assert_good(change(
        &stand, "INSERT INTO main.ai_servers (name, provider_type, api_key_encrypted) "
                "VALUES ('a', 'vllm', '" PLANTED "');"
                "UPDATE main.global_variables SET variable_value = 4 WHERE variable_name = 'max_retries';"
                "DELETE FROM main.global_variables WHERE variable_name = 'dns_ttl_ms'"));
    assert_true(str_eq(stand.policy->config->servers[1].api_key, STR(PLANTED)));
    assert_int_equal(stand.policy->config->settings.max_retries, 4);
    assert_int_equal(number(&stand.db, "SELECT count(*) FROM main.global_variables"), settings_count);
    assert_false(files_have(PLANTED));
    stand_close(&stand);
}

static void variables_go_over_the_file(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, YAML);
    assert_good(change(&stand, "INSERT OR REPLACE INTO global_variables (variable_name, variable_value) "
                               "VALUES ('max_retries', '3')"));
    assert_int_equal(stand.policy->config->settings.max_retries, 3);
    /* As users of ProxySQL write it. */
    assert_good(change(
        &stand, "UPDATE global_variables SET variable_value = '1234' WHERE variable_name = 'dns_ttl_ms'"));
    assert_int_equal(stand.policy->config->settings.dns_ttl_ms, 1234);
    assert_string_equal(
        text(&stand.db, "SELECT source FROM global_variables WHERE variable_name = 'dns_ttl_ms'"), "sql");
    assert_good(change(&stand, "UPDATE global_variables SET variable_value = 'planted-word-1' "
                               "WHERE variable_name = 'admin_password'"));
    assert_true(str_eq(stand.policy->config->settings.admin_password, STR("planted-word-1")));
    assert_false(files_have("planted-word-1"));
    stand_close(&stand);
    stand_open(&stand, YAML);
    assert_int_equal(stand.policy->config->settings.max_retries, 3);
    assert_int_equal(stand.policy->config->settings.dns_ttl_ms, 1234);
    assert_true(str_eq(stand.policy->config->settings.admin_password, STR("planted-word-1")));
    assert_good(change(&stand, "DELETE FROM global_variables WHERE source = 'sql'"));
    assert_int_equal(stand.policy->config->settings.max_retries, 7);
    assert_string_equal(
        text(&stand.db, "SELECT variable_value FROM global_variables WHERE variable_name = 'max_retries'"),
        "7");
    assert_int_equal(number(&stand.db, "SELECT count(*) FROM global_variables"), settings_count);
    assert_why(
        change(
            &stand,
            "UPDATE global_variables SET variable_value = 'x' WHERE variable_name = 'admin_password_hash'"),
        "admin_password_hash is no hash of argon2id or bcrypt; fairlead hash-password makes one");
    assert_why(change(&stand, "INSERT INTO global_variables VALUES ('max_retrys', '1', 'file')"),
               "unknown variable 'max_retrys': did you mean 'max_retries'?");
    stand_close(&stand);
}

static void a_refused_change_leaves_nothing(void **state)
{
    struct stand stand;
    (void)state;
    stand_open(&stand, YAML);
    assert_why(
        change(&stand,
               "INSERT INTO ai_servers (name, provider_type, api_key_encrypted) VALUES ('good', 'vllm', "
               "'" PLANTED "'), ('bad', 'azure', '')"),
        "provider_type in ai_servers, name 'bad': unknown provider 'azure', known are openai, groq, vllm, "
        "sglang, "
        "llamacpp, lmstudio, ollama, custom");
    assert_int_equal(number(&stand.db, "SELECT count(*) FROM ai_servers"), 1);
    assert_why(change(&stand,
                      "INSERT INTO ai_routing_rules (rule_id, match_model, destination_hostgroup) VALUES (5, "
                      "'regex:(', 2)"),
               "match_model in ai_routing_rules, rule_id 5: missing closing parenthesis at offset 1");
    assert_why(change(&stand, "INSERT INTO ai_routing_rules (id, destination_hostgroup) VALUES (-7, 2)"),
               "ai_routing_rules, rule_id -7: numbers below 1 are for rows of the configuration file");
    assert_false(files_have(PLANTED));
    stand_close(&stand);
}

static void keys_are_sealed_anew_under_a_new_passphrase(void **state)
{
    struct stand stand;
    char before[256];
    (void)state;
    stand_open(&stand, "{}");
    assert_good(change(&stand, "INSERT INTO ai_servers (name, provider_type, api_key_encrypted) "
                               "VALUES ('a', 'vllm', '" PLANTED "')"));
    snprintf(before, sizeof(before), "%s", text(&stand.db, "SELECT api_key_encrypted FROM ai_servers"));
    stand_close(&stand);
    assert_why(stand_try_open(&stand, config_of("{}"), STR("another passphrase, new"), STR_NONE),
               "api_key_encrypted in ai_servers, name 'a' is sealed, and neither api_key_encryption_key nor "
               "the one before "
               "opens it");
    stand_close(&stand);
    assert_good(stand_try_open(&stand, config_of("{}"), STR("another passphrase, new"), PASSPHRASE));
    assert_true(str_eq(stand.policy->config->servers[0].api_key, STR(PLANTED)));
    assert_string_not_equal(text(&stand.db, "SELECT api_key_encrypted FROM ai_servers"), before);
    stand_close(&stand);
    assert_good(stand_try_open(&stand, config_of("{}"), STR("another passphrase, new"), STR_NONE));
    stand_close(&stand);
}

static void what_the_gateway_cannot_take_is_refused(void **state)
{
    struct stand stand;
    struct gateway gateway;
    (void)state;
    assert_int_equal(gateway_init(&gateway), ERR_OK);
    stand_open(&stand, "{}");
    stand.generation.gateway = &gateway;
    file_write(in_folder("ca.pem"), "nonsense", 8);
    char sql[512];
    snprintf(sql, sizeof(sql),
             "INSERT INTO ai_servers (name, provider_type, tls_ca_file) VALUES ('a', 'openai', '%s')",
             in_folder("ca.pem"));
    assert_int_equal(change(&stand, sql), ERR_INVALID);
    assert_non_null(strstr(why, "server a: "));
    assert_why(change(&stand,
                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 513) "
                      "INSERT INTO ai_servers (name, provider_type) SELECT 's' || i, 'vllm' FROM n"),
               "513 servers are too many: at most 512");
    assert_int_equal(number(&stand.db, "SELECT count(*) FROM ai_servers"), 0);
    stand_close(&stand);
    gateway_fini(&gateway);
}

/* ---- the process may end at any point ---- */

/* Writes servers until it is killed, and tells the number of each that is in force. */
static void write_for_ever(int acks, unsigned first)
{
    struct stand stand;
    stand_open(&stand, YAML);
    for (unsigned number_ = first;; number_++) {
        char sql[256];
        snprintf(sql, sizeof(sql),
                 "INSERT INTO ai_servers (name, provider_type, api_key_encrypted) "
                 "VALUES ('s%u', 'vllm', '" PLANTED "-%u')",
                 number_, number_);
        if (change(&stand, sql) != ERR_OK || write(acks, &number_, sizeof(number_)) != sizeof(number_))
            _exit(1);
        if (number_ % 10 == 9) /* the log goes into the file */
            sqlite3_wal_checkpoint_v2(stand.db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
}

/* The number of the last server that was acknowledged before the kill; `last` if there was none. */
static unsigned kill_a_writer(unsigned last, unsigned acks_before, unsigned delay_usec)
{
    int fds[2];
    unsigned number_;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        write_for_ever(fds[1], last + 1);
    }
    close(fds[1]);
    for (unsigned i = 0; i < acks_before && read(fds[0], &number_, sizeof(number_)) == sizeof(number_); i++)
        last = number_;
    usleep(delay_usec);
    kill(child, SIGKILL);
    while (read(fds[0], &number_, sizeof(number_)) == sizeof(number_))
        last = number_;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void a_kill_loses_nothing_that_was_acknowledged(void **state)
{
    unsigned acknowledged = 0;
    struct rng rng;
    (void)state;
    rng_init(&rng, 3);
    for (unsigned round = 0; round < 25; round++) {
        struct stand stand;
        acknowledged = kill_a_writer(acknowledged, round % 5 * 3, (unsigned)rng_below(&rng, 6000));
        assert_false(files_have(PLANTED));
        stand_open(&stand, YAML);
        assert_string_equal(text(&stand.db, "PRAGMA integrity_check"), "ok");
        unsigned stored = (unsigned)number(&stand.db, "SELECT count(*) FROM ai_servers WHERE source = 'sql'");
        /* The last one may be there without its acknowledgement having come out. */
        assert_true(stored == acknowledged || stored == acknowledged + 1);
        assert_int_equal(stand.policy->config->server_count, stored + 1);
        acknowledged = stored;
        stand_close(&stand);
    }
    assert_true(acknowledged > 100);
}

/* ---- publishing: this thread is the control thread and the store's, workers have their own ---- */

struct publishing {
    struct loop loop;
    struct gateway gateway;
    struct generation_publish publish;
    struct policy *seen;
    bool is_in_force;
    size_t ended;
};

static void on_policy(struct gateway *gateway, struct policy *policy)
{
    struct publishing *publishing = CONTAINER_OF(gateway, struct publishing, gateway);
    policy_unref(publishing->seen);
    publishing->seen = policy;
}

static void on_in_force(struct message *message)
{
    struct publishing *publishing = CONTAINER_OF(message, struct publishing, publish.in_force);
    publishing->is_in_force = true;
    /* Not before all workers have it. */
    for (size_t i = 0; i < publishing->gateway.worker_count; i++)
        assert_ptr_equal(publishing->gateway.workers[i].table->policy, publishing->seen);
    loop_stop(&publishing->loop);
}

static void on_worker_ended(struct message *message)
{
    struct worker *worker = CONTAINER_OF(message, struct worker, ended);
    struct publishing *publishing = CONTAINER_OF(worker->gateway, struct publishing, gateway);
    if (++publishing->ended == publishing->gateway.worker_count)
        loop_stop(&publishing->loop);
}

static void a_publish_comes_back_when_all_workers_use_it(void **state)
{
    struct stand stand;
    static struct publishing publishing;
    struct gateway *gateway = &publishing.gateway;
    (void)state;
    memset(&publishing, 0, sizeof(publishing));
    assert_int_equal(loop_init(&publishing.loop), ERR_OK);
    stand_open(&stand, "{}");
    assert_int_equal(gateway_init(gateway), ERR_OK);
    gateway->control = &publishing.loop;
    gateway->on_worker_ended = on_worker_ended;
    gateway->on_policy = on_policy;
    stand.generation.gateway = gateway;
    stand.generation.loop = &publishing.loop;
    assert_good(gateway_publish(gateway, stand.policy, NULL, why));
    assert_good(gateway_start(gateway, 3));
    for (unsigned round = 1; round <= 20; round++) {
        char sql[256];
        snprintf(sql, sizeof(sql), "INSERT INTO ai_servers (name, provider_type) VALUES ('s%u', 'vllm')",
                 round);
        assert_good(change(&stand, sql));
        publishing.publish = (struct generation_publish){.in_force.on_delivery = on_in_force};
        publishing.is_in_force = false;
        generation_publish(&stand.generation, policy_ref(stand.policy), &publishing.publish);
        publishing.loop.is_stopping = false;
        loop_run(&publishing.loop);
        assert_true(publishing.is_in_force);
        assert_int_equal(publishing.publish.result, ERR_OK);
        assert_ptr_equal(publishing.seen, stand.policy);
        assert_int_equal(gateway->table->generation, round + 1);
    }
    gateway_drain(gateway, 0);
    publishing.loop.is_stopping = false;
    loop_run(&publishing.loop);
    for (size_t i = 0; i < gateway->worker_count; i++)
        worker_join(&gateway->workers[i]);
    gateway_fini(gateway);
    policy_unref(publishing.seen);
    loop_fini(&publishing.loop);
    stand_close(&stand);
}

static void tables_of_the_configuration_are_known(void **state)
{
    (void)state;
    assert_true(generation_covers(STR("ai_servers")) && generation_covers(STR("GLOBAL_VARIABLES")));
    assert_false(generation_covers(STR("usage_ledger")) || generation_covers(STR_NONE));
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_base_is_mirrored),
        IN_FOLDER(a_changed_file_replaces_the_mirror),
        IN_FOLDER(servers_that_were_found_make_room_for_rows),
        IN_FOLDER(a_key_is_in_force_and_on_no_disk),
        IN_FOLDER(many_keys_at_once_are_on_no_disk),
        IN_FOLDER(a_large_open_transaction_is_on_no_disk),
        IN_FOLDER(client_keys_become_digests),
        IN_FOLDER(views_of_a_session_are_not_read),
        IN_FOLDER(variables_go_over_the_file),
        IN_FOLDER(a_refused_change_leaves_nothing),
        IN_FOLDER(keys_are_sealed_anew_under_a_new_passphrase),
        IN_FOLDER(what_the_gateway_cannot_take_is_refused),
        IN_FOLDER(a_kill_loses_nothing_that_was_acknowledged),
        IN_FOLDER(a_publish_comes_back_when_all_workers_use_it),
        cmocka_unit_test(tables_of_the_configuration_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
