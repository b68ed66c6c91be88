/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/admin/sql_session.c"

#include "sql_fixture.h"

static const struct config *config_in_force(void)
{
    return fixture.gateway.table->policy->config;
}

static const struct server_config *server_named(const char *name)
{
    const struct config *config = config_in_force();
    for (size_t i = 0; i < config->server_count; i++)
        if (str_eq(config->servers[i].name, str_from(name)))
            return &config->servers[i];
    return NULL;
}

#define QUICK_START                                                                                          \
    "INSERT INTO ai_servers (name, provider_type, endpoint, api_key_encrypted, weight, status) VALUES "      \
    "('openai-1', 'openai', 'https://api.openai.com', 'sk-abcdefgh1234', 100, 'ONLINE');"

static void test_quick_start(void **state)
{
    (void)state;
    expect(QUICK_START, "1 affected");
    assert_int_equal(collector.outcome.last_insert_id, 1);
    const struct server_config *server = server_named("openai-1");
    assert_non_null(server); /* in force at done */
    assert_int_equal(server->weight, 100);
    assert_int_equal(server->hostgroup, 0);
    assert_true(str_eq(server->api_key, STR("sk-abcdefgh1234")));
    expect("SELECT name, weight, hostgroup, status, max_connections, source FROM ai_servers WHERE name = "
           "'openai-1'",
           "name,weight,hostgroup,status,max_connections,source|openai-1,100,0,ONLINE,100,sql");
    assert_int_equal(collector.types[0], SQL_TEXT);
    assert_int_equal(collector.types[1], SQL_INTEGER);
    expect("DELETE FROM ai_servers WHERE name = 'openai-1'", "1 affected");
    assert_null(server_named("openai-1"));
}

static void test_secrets(void **state)
{
    (void)state;
    expect(QUICK_START, "1 affected");
    expect("SHOW API KEYS", "name,provider,api_key|filed,openai,|openai-1,openai,sk-a...1234");
    expect("SELECT api_key_encrypted FROM ai_servers WHERE name = 'openai-1'",
           "api_key_encrypted|sk-a...1234");
    expect("SELECT api_key_encrypted || '' AS k FROM ai_servers WHERE name = 'openai-1'", "k|sk-a...1234");
    expect("SELECT x.k FROM (SELECT name, api_key_encrypted AS k FROM ai_servers) x WHERE name = 'openai-1'",
           "k|sk-a...1234");
    expect("SELECT api_key_encrypted FROM main.ai_servers WHERE name = 'openai-1'",
           "api_key_encrypted|sk-a...1234");
    expect("SELECT `fairlead`.`ai_servers`.`api_key_encrypted` AS k FROM `fairlead`.`ai_servers` WHERE "
           "weight = 100",
           "k|sk-a...1234");
    expect("WITH x AS (SELECT api_key_encrypted AS k, weight FROM ai_servers) SELECT k FROM x WHERE weight = "
           "100",
           "k|sk-a...1234");
    expect_begins("EXPLAIN SELECT api_key_encrypted FROM ai_servers", "id,parent,notused,detail");
    expect_begins("WITH ai_servers AS (SELECT 1) SELECT * FROM ai_servers",
                  "1105 HY000 duplicate WITH table name");
    expect_begins("UPDATE ai_servers SET comment = api_key_encrypted WHERE name = 'openai-1'", "1143 42000");
    expect_begins("INSERT INTO ai_servers (name, endpoint) VALUES ('r', 'http://127.0.0.1:9') RETURNING "
                  "api_key_encrypted",
                  "1143 42000");
    expect_begins("SELECT * FROM `" SQL_RESERVED_PREFIX "ai_servers`", "1064 42000");
    expect_begins("SELECT * FROM (WITH '" SQL_RESERVED_PREFIX
                  "' 'x' AS (SELECT api_key_encrypted AS k FROM \"main\".ai_servers) "
                  "SELECT * FROM '" SQL_RESERVED_PREFIX "x')",
                  "1064 42000");
    expect_begins("SELECT api_key_encrypted FROM 'main'.ai_servers", "1064 42000");
    expect_begins("WITH ai_servers_clear_insert AS (SELECT api_key_encrypted AS k FROM \"main\".ai_servers) "
                  "SELECT k FROM "
                  "ai_servers_clear_insert",
                  "1064 42000");
    expect_begins("WITH ai_servers_clear_insert AS (SELECT api_key_encrypted AS k FROM `main`.ai_servers "
                  "WHERE weight = 100) "
                  "SELECT k FROM ai_servers_clear_insert",
                  "k|sk-a...1234");
    expect_begins("SELECT k FROM (SELECT 'x' AS k UNION SELECT api_key_encrypted FROM 'ai_serv' 'ers') WHERE "
                  "k LIKE 'sk%'",
                  "k|sk-a...1234");
    expect_begins("INSERT INTO ai_users (username) VALUES ((SELECT api_key_encrypted FROM ai_servers WHERE "
                  "weight = 100))",
                  "1 affected");
    expect("SELECT username FROM ai_users", "username|sk-a...1234");
    expect("DELETE FROM ai_users WHERE username IN (SELECT api_key_encrypted FROM main.ai_servers)",
           "1 affected");
    expect("INSERT INTO ai_users (username) VALUES ('x') RETURNING (SELECT max(api_key_encrypted) FROM "
           "ai_servers) AS k",
           "k|sk-a...1234");
    expect("UPDATE ai_users SET comment = (SELECT max(api_key_encrypted) FROM ai_servers) WHERE 1",
           "1 affected");
    expect("SELECT comment FROM ai_users", "comment|sk-a...1234");
    run("DELETE FROM ai_users WHERE 1");
    expect("INSERT INTO ai_users (username) VALUES ('y')", "1 affected");
    expect("UPDATE ai_users SET comment = s.api_key_encrypted FROM ai_servers s WHERE s.weight = 100",
           "1 affected");
    expect("SELECT comment FROM ai_users", "comment|sk-a...1234");
    run("DELETE FROM ai_users WHERE 1");
    expect_begins("SELECT * FROM sqlite_dbpage", "1146 42S02");
    expect("INSERT INTO ai_users (username, password_hash) VALUES ('ada', 'a good password')", "1 affected");
    expect("SELECT username, password_hash FROM ai_users", "username,password_hash|ada,********");
    expect("SELECT count(*) FROM ai_users WHERE password_hash LIKE '%argon%'", "count(*)|0");
    expect("SET admin_password = 'planted password'", "1 affected");
    expect("SELECT variable_value FROM global_variables WHERE variable_name = 'admin_password'",
           "variable_value|********");
    expect("SHOW VARIABLES LIKE 'admin\\_password'", "Variable_name,Value|admin_password,********");
}

static void test_client_keys(void **state)
{
    (void)state;
    expect("INSERT INTO ai_users (username) VALUES ('ada')", "1 affected");
    expect_begins("CREATE API KEY FOR 'nobody'", "1452 23000");
    const char *result = run("CREATE API KEY FOR 'ada' NAME 'laptop'");
    const char *shown = "name,username,api_key|laptop,ada,fl-";
    assert_memory_equal(result, shown, strlen(shown));
    char key[CLIENT_KEY_SIZE + 1];
    memcpy(key, result + strlen(shown) - 3, sizeof(key));
    assert_int_equal(strlen(key), CLIENT_KEY_SIZE);
    assert_int_equal(config_in_force()->api_key_count, 1);
    uint8_t digest[KEY_DIGEST_SIZE];
    key_digest(&fixture.seal, str_from(key), digest);
    assert_memory_equal(config_in_force()->api_keys[0].digest, digest, sizeof(digest));
    assert_null(strstr(run("SELECT * FROM ai_api_keys"), key));
    expect("SELECT name, api_key FROM ai_api_keys", "name,api_key|laptop,");
    expect_begins("CREATE API KEY FOR 'ada' NAME 'laptop'", "1062 23000");
    expect_begins("CREATE API KEY FOR ada", "name,username,api_key|ada-");
}

static void test_rules(void **state)
{
    (void)state;
    expect("INSERT INTO ai_hostgroups (hostgroup_id, name) VALUES (1, 'one'), (2, 'two')", "2 affected");
    expect(
        "INSERT INTO routing_rules (match_model, destination_hostgroup) VALUES ('llama*', 1), ('gpt-4*', 2)",
        "2 affected");
    assert_int_equal(config_in_force()->rule_count, 2);
    expect("SELECT match_model, destination_hostgroup, priority, active FROM routing_rules ORDER BY rule_id",
           "match_model,destination_hostgroup,priority,active|llama*,1,100,1|gpt-4*,2,100,1");
    expect("SELECT r.match_model FROM fairlead.routing_rules r WHERE r.rule_id = 2", "match_model|gpt-4*");
    expect_begins("INSERT INTO routing_rules (match_model) VALUES ('regex:(')", "1210 HY000 ");
    assert_non_null(strstr(collector.text.ptr, "match_model"));
    assert_int_equal(config_in_force()->rule_count, 2);
    expect("SELECT count(*) AS n FROM routing_rules", "n|2");
}

static void test_settings(void **state)
{
    (void)state;
    expect("SHOW VARIABLES LIKE 'max\\_retries'", "Variable_name,Value|max_retries,4");
    expect("SET max_retries = 5", "1 affected");
    assert_int_equal(config_in_force()->settings.max_retries, 5);
    expect("SHOW VARIABLES WHERE Variable_name = 'max_retries'", "Variable_name,Value|max_retries,5");
    expect("SELECT @@max_retries, @@global.max_retries AS g", "@@max_retries,g|5,5");
    expect("SELECT source FROM global_variables WHERE variable_name = 'max_retries'", "source|sql");
    expect("SET GLOBAL max_retries = DEFAULT", "1 affected");
    assert_int_equal(config_in_force()->settings.max_retries, 4);
    expect("SELECT variable_value, source FROM global_variables WHERE variable_name = 'max_retries'",
           "variable_value,source|4,file");
    expect("UPDATE global_variables SET variable_value = 6 WHERE variable_name = 'max_retries'",
           "1 affected");
    assert_int_equal(config_in_force()->settings.max_retries, 6);
    expect("SET rate_limit_enabled = OFF, load_balancing_algorithm = 'random'", "1 affected");
    assert_false(config_in_force()->settings.rate_limit_enabled);
    assert_int_equal(config_in_force()->settings.load_balancing_algorithm, STRATEGY_RANDOM);
    expect_begins("SET max_retries = 21", "1231 42000 ");
    expect_begins("SET max_retries = 1 + 1", "1231 42000 ");
    expect_begins("SET max_retries = -1", "1231 42000 ");
    expect_begins("SET workers = 3", "1238 HY000 ");
    expect_begins("SET no_such_thing = 3", "1193 HY000 Unknown system variable 'no_such_thing'");
    expect_begins("SELECT @@no_such_thing", "1193 HY000 Unknown system variable 'no_such_thing'");
    expect_begins("SET max_retries", "1064 42000 ");
    struct sql_value three = {.type = SQL_INTEGER, .integer = 3};
    assert_string_equal(run_with(fixture.session, "SET max_retries = ?", &three, 1), "1 affected");
    assert_int_equal(config_in_force()->settings.max_retries, 3);
}

static void test_cache_commands(void **state)
{
    (void)state;
    expect("CACHE DISABLE", "1 affected");
    assert_false(config_in_force()->settings.cache_enabled);
    expect("SHOW CACHE STATUS LIKE 'status'", "Variable,Value|status,disabled");
    expect("CACHE ENABLE", "1 affected");
    expect("CACHE CLEAR", "0 affected");
    expect("SHOW CACHE STATUS", "Variable,Value|status,enabled|hits,0|misses,0|hit_rate,0.00|evictions,0|"
                                "size_bytes,0|item_count,0|deduplicated,0|"
                                "expirations,0|avg_item_size,0");
}

static void test_errors(void **state)
{
    (void)state;
    expect(QUICK_START, "1 affected");
    expect_begins(QUICK_START, "1062 23000 Duplicate entry for key 'ai_servers.name'");
    expect_begins("INSERT INTO ai_servers (name) VALUES (NULL)",
                  "1048 23000 Column 'ai_servers.name' cannot be null");
    expect_begins("INSERT INTO ai_api_keys (name, username, api_key) VALUES ('k', 'nobody', 'fl-x')",
                  "1452 23000");
    expect_begins("SELECT * FROM nowhere", "1146 42S02 Table 'nowhere' doesn't exist");
    expect_begins("SELECT nothere FROM ai_servers", "1054 42S22 Unknown column 'nothere'");
    expect_begins("INSERT INTO ai_servers (nothere) VALUES (1)", "1054 42S22");
    expect_begins("SELECT nothere()", "1305 42000 FUNCTION nothere does not exist");
    expect_begins("SELEC 1", "1064 42000 You have an error in your SQL syntax");
    expect_begins("SELECT 1; SELECT 2", "1064 42000");
    expect_begins("SELECT 'open", "1064 42000");
    expect_begins("", "1065 42000");
    expect_begins("INSERT INTO ai_servers (name, weight) VALUES ('x')", "1136 21S01");
    expect_begins("DELETE FROM ai_servers", "1175 HY000");
    expect_begins("DELETE FROM ai_servers WHERE name = 'filed'",
                  "1644 45000 this row of ai_servers comes from the configuration");
    expect_begins("UPDATE ai_servers SET weight = 2 WHERE name = 'filed'", "1644 45000");
    expect_begins("UPDATE ai_servers SET source = 'sql' WHERE name = 'filed'", "1143 42000");
    expect_begins("INSERT INTO ai_servers (name, endpoint, source) VALUES ('x', 'http://h', 'file')",
                  "1644 45000");
    expect_begins("INSERT INTO ai_servers (name, endpoint, weight) VALUES ('x', 'http://h', 'heavy')",
                  "1210 HY000");
    assert_non_null(strstr(collector.text.ptr, "weight"));
    assert_null(server_named("x"));
}

static void test_guard(void **state)
{
    (void)state;
    expect_begins("DROP TABLE ai_servers", "1142 42000");
    expect_begins("CREATE TABLE t (x)", "1142 42000");
    expect_begins("CREATE TEMP TABLE t (x)", "1142 42000");
    expect_begins("CREATE VIEW v AS SELECT 1", "1142 42000");
    expect_begins("ALTER TABLE ai_servers ADD COLUMN x", "1142 42000");
    expect_begins("ATTACH DATABASE '/tmp/x' AS y", "1142 42000");
    expect_begins("PRAGMA writable_schema = 1", "1142 42000");
    expect_begins("PRAGMA user_version = 7", "1142 42000");
    expect_begins("VACUUM", "1142 42000");
    expect_begins("VACUUM INTO '/tmp/fairlead-copy'", "1142 42000");
    expect_begins("INSERT INTO usage_ledger (hour, username, server, model) VALUES (1, 2, 3, 4)",
                  "1142 42000");
    expect_begins("DELETE FROM journal_positions WHERE 1", "1142 42000");
    expect_begins("DELETE FROM sqlite_schema WHERE 1", "1142 42000");
    expect_begins("INSERT INTO stats_overview VALUES (1, 2)", "1142 42000");
    expect_begins("UPDATE health_status SET healthy = 'Yes' WHERE 1", "1142 42000");
    expect_begins("SELECT load_extension('x')", "1");
    assert_true(collector.outcome.error != 0);
    expect("PRAGMA user_version", "user_version|1");
    expect_begins("SELECT name FROM pragma_table_info('ai_users')", "name|id|username");
    const struct sql_identity guest = {.user = STR("guest"), .host = STR("h"), .may_write = false};
    struct sql_session *session = sql_session_new(&fixture.engine, &guest);
    assert_non_null(strstr(run_with(session, QUICK_START, NULL, 0), "1142 42000"));
    assert_non_null(strstr(run_with(session, "SET max_retries = 2", NULL, 0), "1290 HY000"));
    assert_non_null(strstr(run_with(session, "KILL 1", NULL, 0), "1290 HY000"));
    assert_non_null(strstr(run_with(session, "DRAIN SERVER 'filed'", NULL, 0), "1290 HY000"));
    assert_string_equal(run_with(session, "SELECT count(*) FROM ai_servers", NULL, 0), "count(*)|1");
    sql_session_free(session);
}

static void test_transactions(void **state)
{
    (void)state;
    const struct sql_identity identity = {.user = STR("two"), .host = STR("h"), .may_write = true};
    struct sql_session *other = sql_session_new(&fixture.engine, &identity);
    expect("START TRANSACTION", "0 affected");
    assert_true(collector.outcome.in_transaction);
    expect(QUICK_START, "1 affected");
    assert_null(server_named("openai-1"));
    assert_non_null(
        strstr(run_with(other, "SET max_retries = 1", NULL, 0), "1205 HY000 Lock wait timeout exceeded"));
    assert_string_equal(run_with(other, "SELECT count(*) AS n FROM ai_servers", NULL, 0), "n|1");
    expect("SAVEPOINT here", "0 affected");
    expect("INSERT INTO ai_servers (name, endpoint) VALUES ('second', 'http://127.0.0.1:9')", "1 affected");
    expect("ROLLBACK TO SAVEPOINT here", "0 affected");
    expect("RELEASE SAVEPOINT here", "0 affected");
    expect("COMMIT", "0 affected");
    assert_false(collector.outcome.in_transaction);
    assert_non_null(server_named("openai-1"));
    assert_null(server_named("second"));
    expect("BEGIN", "0 affected");
    expect("UPDATE ai_servers SET weight = 7 WHERE name = 'openai-1'", "1 affected");
    expect("ROLLBACK", "0 affected");
    expect("SELECT weight FROM ai_servers WHERE name = 'openai-1'", "weight|100");
    assert_string_equal(run_with(other, "SET max_retries = 1", NULL, 0), "1 affected");
    expect_begins("ROLLBACK TO nowhere", "1305 42000");
    expect("START TRANSACTION READ ONLY", "0 affected");
    expect("SELECT count(*) AS n FROM ai_servers", "n|2");
    assert_string_equal(run_with(other, "SET max_retries = 2", NULL, 0), "1 affected");
    expect("COMMIT", "0 affected");
    sql_session_free(other);
}

/* A transaction is refused as a whole. */
static void test_bad_commit(void **state)
{
    (void)state;
    expect("BEGIN", "0 affected");
    expect(QUICK_START, "1 affected");
    expect("INSERT INTO ai_servers (name, provider_type, endpoint) VALUES ('bad', 'no-such-provider', "
           "'http://h')",
           "1 affected");
    expect_begins("COMMIT", "1210 HY000");
    assert_false(collector.outcome.in_transaction);
    expect("SELECT name FROM ai_servers", "name|filed");
}

static void test_no_autocommit(void **state)
{
    (void)state;
    expect("SET AUTOCOMMIT = 0", "0 affected");
    expect("SELECT @@autocommit", "@@autocommit|0");
    expect("SELECT count(*) AS n FROM ai_servers", "n|1");
    assert_false(collector.outcome.in_transaction);
    expect(QUICK_START, "1 affected");
    assert_true(collector.outcome.in_transaction);
    assert_null(server_named("openai-1"));
    expect("COMMIT", "0 affected");
    assert_non_null(server_named("openai-1"));
    expect("SET max_retries = 9", "1 affected"); /* as in MySQL, at once */
    assert_int_equal(config_in_force()->settings.max_retries, 9);
    expect("DELETE FROM ai_servers WHERE name = 'openai-1'", "1 affected");
    assert_non_null(server_named("openai-1"));
    expect("SET autocommit = 1", "0 affected");
    assert_null(server_named("openai-1"));
}

static void test_transaction_limit(void **state)
{
    (void)state;
    expect("BEGIN", "0 affected");
    expect(QUICK_START, "1 affected");
    sql_session_on_limit(&fixture.session->transaction_limit);
    expect_begins("SELECT 1", "1213 40001");
    expect("SELECT count(*) AS n FROM ai_servers", "n|1");
    assert_false(collector.outcome.in_transaction);
}

static void test_statement_limit(void **state)
{
    (void)state;
    expect("SET sql_statement_timeout_ms = 10", "1 affected");
    expect_begins("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
                  "3024 HY000");
    expect("SELECT 1", "1|1");
}

/* Row by row: the sink says when. */
static void test_resume(void **state)
{
    (void)state;
    collector.stops_every = 1;
    expect("SELECT 1 AS n UNION SELECT 2 UNION SELECT 3", "n|1|2|3");
    expect_contains("SHOW HELP", "KILL");
    expect_begins("EXPLAIN ROUTE '{\"model\":\"x\",\"messages\":[]}'", "step,name,");
    collector.stops_every = 0;
}

static void test_free_while_running(void **state)
{
    (void)state;
    const struct sql_identity identity = {.user = STR("two"), .host = STR("h"), .may_write = true};
    struct sql_session *other = sql_session_new(&fixture.engine, &identity);
    buf_free(&collector.text);
    memset(&collector, 0, sizeof(collector));
    collector.sink = (struct sql_sink){on_columns, on_row, on_done};
    buf_init(&collector.text, 1 << 20);
    sql_session_run(other, STR("SET max_retries = 2"), NULL, 0, &collector.sink);
    assert_int_equal(other->stage, SQL_STAGE_PUBLISH);
    sql_session_free(other);
    while (!list_is_empty(&fixture.engine.publishes))
        loop_deliver(&fixture.loop);
    assert_false(collector.is_done);
    assert_int_equal(config_in_force()->settings.max_retries, 2);
    other = sql_session_new(&fixture.engine, &identity);
    buf_free(&collector.text);
    memset(&collector, 0, sizeof(collector));
    collector.stops_every = 1;
    collector.sink = (struct sql_sink){on_columns, on_row, on_done};
    buf_init(&collector.text, 1 << 20);
    sql_session_run(other, STR("SELECT 1 UNION SELECT 2"), NULL, 0, &collector.sink);
    assert_int_equal(other->stage, SQL_STAGE_STATEMENT);
    sql_session_free(other);
    collector.stops_every = 0;
}

static void test_params(void **state)
{
    (void)state;
    struct sql_value values[] = {{.type = SQL_TEXT, .text = STR("p'1")},
                                 {.type = SQL_TEXT, .text = STR("http://127.0.0.1:9")},
                                 {.type = SQL_INTEGER, .integer = 7}};
    assert_string_equal(run_with(fixture.session,
                                 "INSERT INTO ai_users (username, comment, default_hostgroup) VALUES (?,?,?)",
                                 values, 3),
                        "1 affected");
    assert_string_equal(run_with(fixture.session,
                                 "SELECT username, default_hostgroup+? AS n FROM ai_users WHERE username=?",
                                 (struct sql_value[]){{.type = SQL_INTEGER, .integer = 1}, values[0]}, 2),
                        "username,n|p'1,8");
    expect_begins("SELECT ?", "1210 HY000");
    assert_string_equal(run_with(fixture.session, "SHOW TABLES LIKE ?",
                                 (struct sql_value[]){{.type = SQL_TEXT, .text = STR("ai\\_use%")}}, 1),
                        "Tables_in_fairlead|ai_users");
}

static void test_describe(void **state)
{
    (void)state;
    struct sql_column columns[32];
    struct sql_outcome outcome;
    size_t params, count;
    assert_int_equal(sql_session_describe(fixture.session,
                                          STR("SELECT id, name, created_at FROM ai_servers WHERE name=?"),
                                          &params, columns, 32, &count, &outcome),
                     ERR_OK);
    assert_int_equal(params, 1);
    assert_int_equal(count, 3);
    assert_int_equal(columns[0].type, SQL_INTEGER);
    assert_int_equal(columns[2].type, SQL_DATETIME);
    assert_true(str_eq(columns[1].name, STR("name")));
    assert_int_equal(
        sql_session_describe(fixture.session, STR("KILL ?"), &params, columns, 32, &count, &outcome), ERR_OK);
    assert_int_equal(params, 1);
    assert_int_equal(count, 0);
    assert_int_equal(sql_session_describe(fixture.session, STR("SHOW TABLES LIKE ?"), &params, columns, 32,
                                          &count, &outcome),
                     ERR_OK);
    assert_int_equal(params, 1);
    assert_int_equal(count, 1);
    assert_true(str_eq(columns[0].name, STR("Tables_in_fairlead")));
    assert_int_equal(sql_session_describe(fixture.session, STR("DELETE FROM ai_servers WHERE id = ?"),
                                          &params, columns, 32, &count, &outcome),
                     ERR_OK);
    assert_false(sql_session_in_transaction(fixture.session));
    expect("SELECT count(*) AS n FROM ai_servers", "n|1");
    assert_int_equal(sql_session_describe(fixture.session, STR("SELECT * FROM nowhere"), &params, columns, 32,
                                          &count, &outcome),
                     ERR_INVALID);
    assert_int_equal(outcome.error, 1146);
}

/* What clients say when they connect. */
static void test_chatter(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "SET NAMES utf8mb4",
        "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'",
        "SET CHARACTER SET utf8",
        "SET AUTOCOMMIT = 1",
        "SET autocommit=1",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SQL_SELECT_LIMIT=DEFAULT",
        "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
        "SET character_set_results = NULL, time_zone = '+00:00'",
        "/* mysql-connector-java-8 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, "
        "@@character_set_client AS character_set_client, @@character_set_connection AS "
        "character_set_connection, "
        "@@character_set_results AS character_set_results, @@character_set_server AS character_set_server, "
        "@@collation_server AS "
        "collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, "
        "@@interactive_timeout "
        "AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, "
        "@@max_allowed_packet AS "
        "max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS "
        "performance_schema, @@sql_mode AS "
        "sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation "
        "AS "
        "transaction_isolation, @@wait_timeout AS wait_timeout",
        "SELECT DATABASE(), USER() LIMIT 1",
        "select @@version_comment limit 1",
        "SELECT @@max_allowed_packet",
        "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
        "SHOW SESSION VARIABLES LIKE 'lower_case_table_names'",
        "SHOW VARIABLES WHERE Variable_name in ('version','sql_mode')",
        "SHOW GLOBAL STATUS",
        "SHOW WARNINGS",
        "SHOW COUNT(*) WARNINGS",
        "SHOW DATABASES",
        "SHOW SCHEMAS LIKE 'fair%'",
        "SHOW FULL TABLES FROM `fairlead` WHERE Table_type != 'VIEW'",
        "SHOW TABLES",
        "SHOW TABLES FROM information_schema",
        "SHOW TABLE STATUS FROM `fairlead` LIKE 'ai_servers'",
        "SHOW FULL COLUMNS FROM `fairlead`.`ai_servers`",
        "SHOW COLUMNS FROM ai_servers FROM fairlead",
        "SHOW FIELDS FROM routing_rules LIKE 'match%'",
        "SHOW CREATE TABLE `fairlead`.`ai_servers`",
        "SHOW CREATE TABLE health_status",
        "SHOW INDEX FROM `ai_servers` FROM `fairlead`",
        "SHOW KEYS FROM ai_users",
        "SHOW ENGINES",
        "SHOW COLLATION",
        "SHOW CHARACTER SET",
        "SHOW PLUGINS",
        "SHOW GRANTS",
        "SHOW GRANTS FOR CURRENT_USER()",
        "SHOW TRIGGERS FROM `fairlead`",
        "SHOW EVENTS",
        "SHOW FUNCTION STATUS WHERE Db = 'fairlead'",
        "SHOW PROCEDURE STATUS",
        "DESCRIBE ai_servers",
        "DESC routing_rules",
        "EXPLAIN ai_users",
        "EXPLAIN SELECT * FROM ai_servers",
        "USE fairlead",
        "SELECT 1 FROM DUAL",
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'fairlead'",
        "SELECT TABLES.TABLE_NAME FROM information_schema.TABLES WHERE information_schema.TABLES.TABLE_TYPE "
        "= 'VIEW'",
        "SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='fairlead' AND TABLE_NAME='ai_servers' "
        "ORDER BY ORDINAL_POSITION",
        "SELECT * FROM information_schema.STATISTICS",
        "SELECT * FROM information_schema.KEY_COLUMN_USAGE",
        "SELECT * FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'fairlead' COLLATE "
        "utf8mb4_general_ci",
        "SELECT * FROM information_schema.SCHEMATA",
        "/*!40101 SET NAMES utf8 */",
        "/* comment */ SELECT 1 -- end",
        "SELECT CONNECTION_ID(), VERSION(), SCHEMA(), CURRENT_USER, NOW(), UNIX_TIMESTAMP(), "
        "LAST_INSERT_ID()",
        "SHOW FULL PROCESSLIST",
        "LOAD AI SERVERS TO RUNTIME",
        "LOAD ROUTING RULES TO RUNTIME",
        "LOAD USERS TO RUNTIME;",
        "SAVE AI SERVERS TO DISK",
        "START TRANSACTION READ ONLY",
        "ROLLBACK",
        "HELP",
    };
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        const char *result = run(statements[i]);
        if (collector.outcome.error)
            fail_msg("%s: %s", statements[i], result);
    }
    expect("SELECT @@session.auto_increment_increment, @@version_comment LIMIT 1",
           "@@session.auto_increment_increment,@@version_comment|1,Fairlead " FAIRLEAD_VERSION);
    expect("SELECT VERSION() AS v", "v|5.7.0-MindBalancer");
    expect("SELECT DATABASE() AS d, USER() AS u, CURRENT_USER() AS c",
           "d,u,c|fairlead,admin@127.0.0.1,admin@127.0.0.1");
    expect("USE information_schema", "0 affected");
    expect("SELECT DATABASE() AS d", "d|information_schema");
    expect_begins("USE elsewhere", "1049 42000");
    expect_begins("DESCRIBE nowhere", "1146 42S02");
    expect_begins("KILL 12345", "1094 HY000 Unknown thread id: 12345");
    expect_begins("KILL QUERY 12345", "1094 HY000");
    expect_begins("LOAD DATA INFILE 'x' INTO TABLE y", "1064 42000");
}

static void test_views(void **state)
{
    (void)state;
    expect("SHOW STATS",
           "Variable,Value|algorithm,least_connections|total_servers,1|healthy_servers,1|hostgroups,1");
    expect("SHOW HEALTH STATUS", "server,healthy,latency,last_check|filed,Yes,-,NULL");
    expect("SHOW HOSTGROUPS", "group_id,name,servers|7,,1");
    expect(QUICK_START, "1 affected");
    struct probe_result probe = {
        .good = true, .latency = 245 * USEC_PER_MSEC, .realtime = 1700000000 * USEC_PER_SEC};
    struct table *table = fixture.gateway.table;
    for (size_t i = 0; i < table->server_count; i++)
        if (str_eq(table->servers[i]->name, STR("openai-1")))
            gate_note_probe(&fixture.gateway.gate, table->servers[i], &probe, 0);
    expect("SHOW HEALTH STATUS LIKE 'openai%'",
           "server,healthy,latency,last_check|openai-1,Yes,245ms,2023-11-14 22:13:20");
    assert_int_equal(collector.types[3], SQL_DATETIME);
    expect("SELECT server, in_flight, status, circuit FROM stats_servers ORDER BY server",
           "server,in_flight,status,circuit|filed,0,ONLINE,closed|openai-1,0,ONLINE,closed");
    expect(
        "SELECT s.name FROM ai_servers s JOIN health_status h ON h.server = s.name WHERE h.latency_ms > 200",
        "name|openai-1");
    expect("SELECT * FROM requests_live", "id,request_id,user,client,api,model,server,hostgroup,state,stream,"
                                          "attempts,events,bytes_out,age_ms,first_byte_ms");
    expect("SHOW PROCESSLIST",
           "Id,User,Host,db,Command,Time,State,Info,request_id,server,hostgroup,attempts,events,bytes_out");
    expect("SELECT hostgroup, waiting FROM stats_queue ORDER BY 1", "hostgroup,waiting|0,0|7,0");
    expect("SELECT count(*) > 10 AS many FROM metrics WHERE server = 'filed'", "many|1");
    expect("SELECT * FROM stats_ai_requests", "timestamp,server,model,status,latency");
    expect("SELECT server, requests FROM stats_ai_servers ORDER BY 1", "server,requests|filed,0|openai-1,0");
    expect_begins("SELECT * FROM ai_request_logs", "request_id,username,server_name,model,endpoint");
    expect("SELECT count(*) AS n FROM stats_models", "n|0");
    expect("SELECT count(*) AS n FROM stats_users", "n|0");
    expect("SELECT user, state FROM sql_sessions", "user,state|admin,running");
    expect("DRAIN SERVER 'openai-1'", "1 affected");
    assert_int_equal(server_named("openai-1")->status, SERVER_DRAINING);
    expect_begins("DRAIN SERVER nobody", "1210 HY000");
    expect_begins("DRAIN SERVER filed", "1644 45000");
}

static void test_explain_route(void **state)
{
    (void)state;
    expect("INSERT INTO ai_servers (name, endpoint, hostgroup, models) VALUES ('a', 'http://127.0.0.1:9', 1, "
           "'gpt-4*'), "
           "('b', 'http://127.0.0.1:10', 1, 'gpt-4*')",
           "2 affected");
    expect("INSERT INTO ai_hostgroups (hostgroup_id, name) VALUES (2, 'two'), (3, 'three')", "2 affected");
    expect("INSERT INTO routing_rules (match_model, match_user, destination_hostgroup, priority) VALUES "
           "('llama*', NULL, 2, 1), "
           "('gpt-4*', NULL, 1, 2), ('*', NULL, 3, 3)",
           "3 affected");
    const char *first = strdup(
        run("EXPLAIN ROUTE '{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'"));
    assert_non_null(strstr(first, "rule,1, priority 1,no,2"));
    assert_non_null(strstr(first, "rule,2, priority 2,yes,1"));
    assert_non_null(strstr(first, "rule,3, priority 3,not tried,3"));
    assert_non_null(strstr(first, "candidate,a,ready,1,ONLINE,0,100,1,1"));
    assert_non_null(strstr(first, "|choice,a,now,1"));
    /* Asking changes nothing. */
    for (int i = 0; i < 3; i++)
        expect("EXPLAIN ROUTE '{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'",
               first);
    free((void *)first);
    expect_contains("EXPLAIN ROUTE '{\"model\":\"unknown\"}'", "user 'anonymous'");
    expect_contains("EXPLAIN ROUTE '{\"model\":\"unknown\"}'", "|choice,,refused");
    expect("INSERT INTO ai_users (username, default_hostgroup) VALUES ('ada', 7)", "1 affected");
    expect("INSERT INTO routing_rules (match_user, destination_hostgroup, priority) VALUES ('ada', 7, 0)",
           "1 affected");
    expect_contains("EXPLAIN ROUTE '{\"model\":\"filed-model\",\"user\":\"ada\"}'", "|choice,filed,now,7");
    expect_contains("EXPLAIN ROUTE '{\"model\":\"filed-model\"}'", "rule,1, priority 0,no,7");
    expect_contains("EXPLAIN ROUTE '{\"model\":\"gpt-4o\",\"user\":\"ada\"}'", "|choice,,refused");
    expect_begins("EXPLAIN ROUTE 'nonsense'", "1210 HY000");
}

static void test_functions(void **state)
{
    (void)state;
    expect("SELECT CONCAT('a', 1, 'b') AS c, CONCAT('a', NULL) AS n", "c,n|a1b,NULL");
    expect("SELECT IF(1 > 2, 'yes', 'no') AS a, LEFT('abc', 2) AS l, RIGHT('abc', 2) AS r", "a,l,r|no,ab,bc");
    expect("SELECT 'it''s' AS a, \"dou\"\"ble\" AS b, 'back\\'slash\\n' AS c",
           "a,b,c|it's,dou\"ble,back'slash\n");
    expect("SELECT 'hello'", "hello|hello");
    expect("SELECT UNIX_TIMESTAMP('2023-11-14 22:13:20') AS t", "t|1700000000");
    expect("SELECT 'a_b' LIKE 'a\\_b' AS yes, 'axb' LIKE 'a\\_b' AS no, 'ABC' LIKE 'a%' AS nocase",
           "yes,no,nocase|1,0,1");
    expect("SELECT 5--3 AS n", "n|8");
    expect("SELECT 1 <=> NULL AS n, 1 && 1 AS m", "n,m|0,1");
    expect("SELECT 1.5 AS d, 2 AS i, x'414243' AS b", "d,i,b|1.5,2,ABC");
    assert_int_equal(collector.types[0], SQL_DOUBLE);
    assert_int_equal(collector.types[1], SQL_INTEGER);
    assert_int_equal(collector.types[2], SQL_BLOB);
}

/* REPLACE must not take the place of what the file says. */
static void test_replace(void **state)
{
    (void)state;
    expect(QUICK_START, "1 affected");
    expect("REPLACE INTO ai_servers (name, endpoint, weight) VALUES ('openai-1', 'http://127.0.0.1:9', 4)",
           "1 affected");
    expect("SELECT weight FROM ai_servers WHERE name = 'openai-1'", "weight|4");
    expect("INSERT IGNORE INTO ai_servers (name, endpoint) VALUES ('openai-1', 'http://127.0.0.1:9')",
           "0 affected");
    expect_begins("REPLACE INTO ai_servers (name, endpoint) VALUES ('filed', 'http://127.0.0.1:1')", "1");
    assert_true(collector.outcome.error != 0);
    expect("SELECT source FROM ai_servers WHERE name = 'filed'", "source|file");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_quick_start),     CASE(test_secrets),       CASE(test_client_keys),
        CASE(test_rules),           CASE(test_settings),      CASE(test_cache_commands),
        CASE(test_errors),          CASE(test_guard),         CASE(test_transactions),
        CASE(test_bad_commit),      CASE(test_no_autocommit), CASE(test_transaction_limit),
        CASE(test_statement_limit), CASE(test_resume),        CASE(test_free_while_running),
        CASE(test_params),          CASE(test_describe),      CASE(test_chatter),
        CASE(test_views),           CASE(test_explain_route), CASE(test_functions),
        CASE(test_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) + fixture_main_end();
}
