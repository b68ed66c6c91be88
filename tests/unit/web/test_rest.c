/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/web/rest.c"

#include "rest_fixture.h"

#define KEY_COLUMNS "id|name|username|key_mask|active|comment|source|created_at|updated_at"
#define SERVER_SELECT                                                                                        \
    "SELECT id, name, provider_type, endpoint, api_key_encrypted, hostgroup, weight, max_connections, "      \
    "status, "                                                                                               \
    "models, tls_verify, tls_ca_file, comment, source, created_at, updated_at FROM ai_servers"
#define SERVER_COLUMNS                                                                                       \
    "id|name|provider_type|endpoint|api_key_encrypted|hostgroup|weight|max_connections|status|models|tls_"   \
    "verify|"                                                                                                \
    "tls_ca_file|comment|source|created_at|updated_at"
#define SERVER_ROW "3|a|openai||sk-a...1234|0|5|100|ONLINE||1|||sql|2026-01-01 00:00:00|2026-01-01 00:00:00"
#define SERVER_JSON                                                                                          \
    "{\"id\":3,\"name\":\"a\",\"provider_type\":\"openai\",\"endpoint\":\"\",\"api_key_encrypted\":\"sk-a.." \
    ".1234\","                                                                                               \
    "\"hostgroup\":0,\"weight\":5,\"max_connections\":100,\"status\":\"ONLINE\",\"models\":\"\",\"tls_"      \
    "verify\":true,"                                                                                         \
    "\"tls_ca_file\":\"\",\"comment\":\"\",\"source\":\"sql\",\"created_at\":\"2026-01-01 00:00:00\","       \
    "\"updated_at\":\"2026-01-01 00:00:00\"}"

static void body_is(const char *wanted)
{
    assert_string_equal(answer_body(), wanted);
}

static void will_give_server(void)
{
    fake_will((struct fake_answer){.columns = SERVER_COLUMNS, .rows = {SERVER_ROW}});
}

static void fails_with(int status, const char *param)
{
    char text[128];
    assert_int_equal(atoi(answer.ptr + 9), status);
    snprintf(text, sizeof(text), "\"param\":\"%s\"", param);
    if (!answer_has(param ? text : "\"param\":null"))
        fail_msg("%s", answer.ptr);
}

/* ---- paths and methods ---- */

static void test_open_paths(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/", NULL), 200);
    assert_true(
        answer_has("{\"name\":\"Fairlead\",\"version\":\"" FAIRLEAD_VERSION "\",\"status\":\"running\"}"));
    assert_int_equal(ask("GET", "/healthz", NULL), 200);
    body_is("{\"status\":\"healthy\"}");
    assert_int_equal(ask("GET", "/health", NULL), 200);
    assert_int_equal(ask("GET", "/readyz", NULL), 503);
    assert_true(answer_has("Retry-After: 1\r\n"));
    assert_int_equal(ask("GET", "/metrics", NULL), 200);
    assert_true(answer_has("fairlead_build_info"));
}

static void test_metrics_only_where_they_are_served(void **state)
{
    (void)state;
    gateway.listeners[0].serves = SERVES_ADMIN;
    assert_int_equal(ask("GET", "/metrics", NULL), 404);
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(ask("DELETE", "/api/servers", NULL), 405);
    assert_true(answer_has("Allow: GET, HEAD, POST, OPTIONS\r\n"));
    assert_int_equal(ask("OPTIONS", "/api/servers/x", NULL), 200);
    assert_true(answer_has("Allow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS\r\n"));
    body_is("");
    assert_int_equal(ask("GET", "/api/nothing", NULL), 404);
    assert_int_equal(ask("HEAD", "/healthz", NULL), 200);
    assert_true(answer_has("Content-Length: 20\r\n"));
    body_is("");
}

static void test_security_fields_are_everywhere(void **state)
{
    static const char *const paths[] = {"/", "/api/nothing", "/api/stats", "/api/rules?limit=x"};
    static const char *const fields[] = {"Content-Security-Policy: ", "X-Frame-Options: DENY",
                                         "X-Content-Type-Options: nosniff", "Cache-Control: no-store"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        ask("GET", paths[i], NULL);
        for (size_t k = 0; k < ARRAY_LEN(fields); k++)
            if (!answer_has(fields[k]))
                fail_msg("%s: %s", paths[i], fields[k]);
    }
}

/* ---- rows ---- */

static void test_list(void **state)
{
    (void)state;
    will_give_server();
    assert_int_equal(ask("GET", "/api/servers", NULL), 200);
    body_is("[" SERVER_JSON "]");
    assert_string_equal(fake_said, SERVER_SELECT " ORDER BY name LIMIT ? OFFSET ? [1000000|0];");
    assert_false(fake_may_write);
    assert_string_equal(fake_host, "127.0.0.1");
}

static void test_list_by_parts(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.columns = "alias|model|comment|source"});
    assert_int_equal(ask("GET", "/api/aliases?limit=5&offset=10", NULL), 200);
    body_is("[]");
    assert_string_equal(
        fake_said,
        "SELECT alias, model, comment, source FROM ai_model_aliases ORDER BY alias LIMIT ? OFFSET ? [5|10];");
    ask("GET", "/api/aliases?limit=-1", NULL);
    fails_with(400, "limit");
    ask("GET", "/api/aliases?offset=many", NULL);
    fails_with(400, "offset");
}

static void test_rules_come_in_the_order_they_are_tried(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.columns = "id"});
    assert_int_equal(ask("GET", "/api/routing-rules", NULL), 200);
    assert_non_null(strstr(fake_said, " FROM ai_routing_rules ORDER BY priority, rule_id LIMIT"));
}

static void test_one(void **state)
{
    (void)state;
    will_give_server();
    assert_int_equal(ask("GET", "/api/servers/a%20%27b", NULL), 200);
    body_is(SERVER_JSON);
    assert_string_equal(fake_said, SERVER_SELECT " WHERE name = ? ['a 'b'];");
    fake_will((struct fake_answer){.columns = SERVER_COLUMNS});
    ask("GET", "/api/servers/none", NULL);
    fails_with(404, "name");
    ask("GET", "/api/rules/x", NULL);
    fails_with(400, "rule_id");
}

static void test_create(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1, .last_insert_id = 3});
    will_give_server();
    assert_int_equal(ask("POST", "/api/servers",
                         "{\"name\":\"a\",\"weight\":5,\"api_key\":\"sk-abcd-1234\",\"tls_verify\":true}"),
                     201);
    body_is(SERVER_JSON);
    assert_true(answer_has("Location: /api/servers/a\r\n"));
    assert_string_equal(
        fake_said, "INSERT INTO ai_servers (name, api_key_encrypted, weight, tls_verify) VALUES (?, ?, ?, ?) "
                   "['a'|'sk-abcd-1234'|5|1];" SERVER_SELECT " WHERE name = ? ['a'];");
    assert_true(fake_may_write);
}

static void test_create_with_a_number_of_the_store(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1, .last_insert_id = 12});
    fake_will((struct fake_answer){.columns = "id|rule_id|active|match_model", .rows = {"12|12|1|NULL"}});
    assert_int_equal(ask("POST", "/api/rules", "{\"match_model\":null,\"destination_hostgroup\":1}"), 201);
    body_is("{\"id\":12,\"rule_id\":12,\"active\":true,\"match_model\":null}");
    assert_true(answer_has("Location: /api/rules/12\r\n"));
    assert_non_null(
        strstr(fake_said, "(match_model, destination_hostgroup) VALUES (?, ?) [NULL|1];SELECT id, rule_id"));
    assert_non_null(strstr(fake_said, " WHERE id = ? [12];"));
}

static void test_a_made_key_is_told_once(void **state)
{
    char key[64] = "";
    (void)state;
    fake_will((struct fake_answer){.affected = 1, .last_insert_id = 1});
    fake_will((struct fake_answer){.columns = KEY_COLUMNS, .rows = {"1|k|u|fl-a...zzzz|1||sql|x|x"}});
    assert_int_equal(ask("POST", "/api/keys", "{\"name\":\"k\",\"username\":\"u\"}"), 201);
    const char *at = strstr(answer_body(), "\"api_key\":\"fl-");
    assert_non_null(at);
    snprintf(key, sizeof(key), "%.46s", at + strlen("\"api_key\":\""));
    assert_non_null(strstr(fake_said, key));
    fake_will((struct fake_answer){.columns = KEY_COLUMNS, .rows = {"1|k|u|fl-a...zzzz|1||sql|x|x"}});
    assert_int_equal(ask("GET", "/api/keys/k", NULL), 200);
    assert_false(answer_has("\"api_key\""));
    fake_will((struct fake_answer){.affected = 1, .last_insert_id = 1});
    fake_will((struct fake_answer){.columns = KEY_COLUMNS, .rows = {"1|k|u|own-...-key|1||sql|x|x"}});
    assert_int_equal(
        ask("POST", "/api/keys", "{\"name\":\"k\",\"username\":\"u\",\"api_key\":\"own-secret-key\"}"), 201);
    assert_false(answer_has("own-secret-key"));
}

static void test_change(void **state)
{
    static const char *const methods[] = {"PUT", "PATCH"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        fake_reset();
        fake_will((struct fake_answer){.affected = 1});
        will_give_server();
        assert_int_equal(ask(methods[i], "/api/servers/a", "{\"weight\":5,\"comment\":\"x\"}"), 200);
        body_is(SERVER_JSON);
        assert_string_equal(
            fake_said,
            "UPDATE ai_servers SET weight = ?, comment = ? WHERE name = ? [5|'x'|'a'];" SERVER_SELECT
            " WHERE name = ? ['a'];");
    }
}

static void test_a_row_may_come_back_as_it_was_answered(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1});
    will_give_server();
    assert_int_equal(ask("PUT", "/api/servers/a", SERVER_JSON), 200);
    assert_null(strstr(fake_said, "api_key_encrypted = ?"));
    assert_null(strstr(fake_said, "source = ?"));
    assert_non_null(strstr(fake_said, "weight = ?"));
    fake_reset();
    will_give_server();
    assert_int_equal(ask("PUT", "/api/servers/a", "{\"api_key\":\"****\"}"), 200);
    assert_string_equal(fake_said, SERVER_SELECT " WHERE name = ? ['a'];");
}

static void test_change_of_the_key(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1});
    will_give_server();
    assert_int_equal(ask("PUT", "/api/servers/a", "{\"name\":\"b\"}"), 200);
    assert_string_equal(fake_said, "UPDATE ai_servers SET name = ? WHERE name = ? ['b'|'a'];" SERVER_SELECT
                                   " WHERE name = ? ['b'];");
}

static void test_prices_have_two_keys(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1});
    fake_will((struct fake_answer){.columns = "model", .rows = {"m"}});
    assert_int_equal(ask("POST", "/api/models", "{\"model\":\"m\",\"input_price\":2.5}"), 201);
    assert_non_null(strstr(fake_said, "VALUES (?, ?) ['m'|2.5];"));
    assert_non_null(strstr(fake_said, " WHERE model = ? AND valid_from = ? ['m'|'1970-01-01'];"));
    fake_reset();
    fake_will((struct fake_answer){.affected = 1});
    assert_int_equal(ask("DELETE", "/api/models/a/b?valid_from=2026-01-01", NULL), 200);
    assert_string_equal(fake_said,
                        "DELETE FROM ai_models WHERE model = ? AND valid_from = ? ['a/b'|'2026-01-01'];");
    fake_reset();
    fake_will((struct fake_answer){.affected = 1});
    assert_int_equal(ask("DELETE", "/api/models/m", NULL), 200);
    assert_non_null(strstr(fake_said, "(SELECT MAX(valid_from) FROM ai_models WHERE model = ?) ['m'|'m'];"));
}

static void test_remove(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.affected = 1});
    assert_int_equal(ask("DELETE", "/api/rules?rule_id=5", NULL), 200);
    body_is("{\"status\":\"ok\"}");
    fake_will((struct fake_answer){.affected = 1});
    assert_int_equal(ask("DELETE", "/api/routing-rules/6", NULL), 200);
    assert_string_equal(fake_said, "DELETE FROM ai_routing_rules WHERE rule_id = ? [5];"
                                   "DELETE FROM ai_routing_rules WHERE rule_id = ? [6];");
    fake_will((struct fake_answer){.affected = 0});
    ask("DELETE", "/api/users/none", NULL);
    fails_with(404, "username");
    ask("DELETE", "/api/rules", NULL);
    fails_with(400, "rule_id");
}

static void test_settings(void **state)
{
    (void)state;
    fake_will((struct fake_answer){0});
    fake_will((struct fake_answer){.columns = "variable_name|variable_value|source",
                                   .rows = {"access_log|it's|sql"}});
    assert_int_equal(ask("PUT", "/api/variables/access_log", "{\"value\":\"it's \\\\ so\"}"), 200);
    body_is("{\"variable_name\":\"access_log\",\"variable_value\":\"it's\",\"source\":\"sql\"}");
    assert_non_null(strstr(fake_said, "SET access_log = 'it''s \\\\ so';SELECT"));
    fake_will((struct fake_answer){0});
    fake_will((struct fake_answer){.columns = "variable_name|variable_value|source",
                                   .rows = {"max_retries|5|sql"}});
    assert_int_equal(ask("PATCH", "/api/variables/max_retries", "{\"variable_value\":5}"), 200);
    assert_non_null(strstr(fake_said, "SET max_retries = '5';"));
    fake_will((struct fake_answer){0});
    assert_int_equal(ask("DELETE", "/api/variables/max_retries", NULL), 200);
    assert_non_null(strstr(fake_said, "SET max_retries = DEFAULT;"));
    ask("PUT", "/api/variables/x%27%3B", "{\"value\":1}");
    fails_with(404, "variable_name");
    ask("PUT", "/api/variables/max_retries", "{}");
    fails_with(400, "variable_value");
}

static void test_secrets_are_never_answered(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.columns = SERVER_COLUMNS, .rows = {"3|a|openai||enc:c2VjcmV0"}});
    assert_int_equal(ask("GET", "/api/servers/a", NULL), 200);
    assert_true(answer_has("\"api_key_encrypted\":\"****\""));
    fake_will((struct fake_answer){.columns = "id|username|password_hash", .rows = {"1|u|$argon2id$v=19$x"}});
    assert_int_equal(ask("GET", "/api/users/u", NULL), 200);
    assert_true(answer_has("\"password_hash\":\"****\""));
    fake_will((struct fake_answer){.columns = "variable_name|variable_value|source",
                                   .rows = {"admin_password|letmein|sql", "log_level|info|file"}});
    assert_int_equal(ask("GET", "/api/variables", NULL), 200);
    assert_true(answer_has("\"variable_value\":\"****\"") && answer_has("\"variable_value\":\"info\""));
    assert_false(answer_has("letmein"));
}

/* ---- bodies ---- */

static void test_bad_bodies(void **state)
{
    static const struct {
        const char *method, *path, *body, *param;
    } cases[] = {
        {"POST", "/api/servers", "", NULL},
        {"POST", "/api/servers", "[]", NULL},
        {"POST", "/api/servers", "3", NULL},
        {"POST", "/api/servers", "{", NULL},
        {"POST", "/api/servers", "{\"name\":\"a\"} x", NULL},
        {"POST", "/api/servers", "{}", "name"},
        {"POST", "/api/servers", "{\"name\":3}", "name"},
        {"POST", "/api/servers", "{\"name\":null}", "name"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"name\":\"b\"}", "name"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"api_key\":\"b\",\"api_key_encrypted\":\"c\"}",
         "api_key_encrypted"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"api_key\":\"sk-a...1234\"}", "api_key_encrypted"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"wieght\":1}", "wieght"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"source\":\"file\"}", "source"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"weight\":-1}", "weight"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"weight\":1.5}", "weight"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"weight\":\"1\"}", "weight"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"weight\":18446744073709551615}", "weight"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"tls_verify\":2}", "tls_verify"},
        {"POST", "/api/servers", "{\"name\":\"a\",\"models\":[\"m\"]}", "models"},
        {"PUT", "/api/models/m", "{\"input_price\":-1}", "input_price"},
        {"PUT", "/api/models/m", "{\"input_price\":null}", "input_price"},
        {"PUT", "/api/cache", "{}", "enabled"},
        {"PUT", "/api/cache", "{\"enabled\":\"yes\"}", "enabled"},
        {"PUT", "/api/variables/max_retries", "{\"value\":[1]}", "variable_value"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ask(cases[i].method, cases[i].path, cases[i].body);
        fails_with(400, cases[i].param);
    }
    assert_string_equal(fake_said, "");
}

static void test_a_body_that_is_too_long(void **state)
{
    static char body[REST_BODY_MAX + 2];
    (void)state;
    memset(body, ' ', sizeof(body) - 1);
    int fd = client_open();
    char head[128];
    snprintf(head, sizeof(head), "POST /api/servers HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             sizeof(body) - 1);
    client_send(fd, head);
    client_read_all(fd);
    assert_int_equal(atoi(answer.ptr + 9), 413);
}

/* ---- errors of SQL ---- */

static void test_errors_of_statements(void **state)
{
    static const struct {
        unsigned error;
        int status;
    } cases[] = {{1062, 409}, {1644, 409}, {1452, 409}, {1205, 503}, {1054, 400},
                 {1366, 400}, {1105, 400}, {1290, 403}, {1030, 500}, {3024, 503}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fake_reset();
        fake_will((struct fake_answer){.error = cases[i].error,
                                       .message = "this row of ai_servers comes from the file"});
        assert_int_equal(ask("PUT", "/api/servers/a", "{\"weight\":1}"), cases[i].status);
        assert_true(answer_has("this row of ai_servers comes from the file"));
        assert_int_equal(answer_has("Retry-After: "), cases[i].status == 503);
    }
    fake_reset();
    fake_is_full = true;
    assert_int_equal(ask("GET", "/api/servers", NULL), 503);
    assert_true(answer_has("Retry-After: 1\r\n"));
}

static void test_an_answer_that_is_too_long(void **state)
{
    static char row[5 << 20];
    (void)state;
    memset(row, 'x', sizeof(row) - 1);
    fake_will((struct fake_answer){.columns = "alias", .rows = {row, row, row, row}});
    ask("GET", "/api/aliases", NULL);
    fails_with(400, "limit");
}

/* ---- the client goes ---- */

static void test_a_change_goes_on_without_its_client(void **state)
{
    (void)state;
    fake_holds = true;
    int fd = client_open();
    client_send(fd,
                "PUT /api/servers/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12\r\n\r\n{\"weight\":1}");
    while (!fake_held)
        turn();
    close(fd);
    while (rest.service.conn_count > 0)
        turn();
    assert_int_equal(rest.request_count, 1);
    fake_holds = false;
    fake_will((struct fake_answer){.affected = 1});
    will_give_server();
    fake_finish();
    while (rest.request_count > 0)
        turn();
    assert_non_null(strstr(fake_said, "UPDATE ai_servers"));
}

static void test_a_client_that_goes_within_its_body(void **state)
{
    (void)state;
    int fd = client_open();
    client_send(fd, "PUT /api/servers/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12\r\n\r\n{\"wei");
    while (rest.request_count == 0)
        turn();
    close(fd);
    while (rest.request_count > 0 || rest.service.conn_count > 0)
        turn();
    assert_string_equal(fake_said, "");
}

static void test_the_end_gives_up_what_runs(void **state)
{
    (void)state;
    fake_holds = true;
    int fd = client_open();
    client_send(fd, "GET /api/servers HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    while (!fake_held)
        turn();
    rest_fini(&rest);
    assert_int_equal(fake_sessions, 0);
    close(fd);
}

static void test_requests_at_a_time(void **state)
{
    int fds[REST_REQUESTS_MAX];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client_open();
        client_send(fds[i], "PUT /api/cache HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12\r\n\r\n{");
    }
    while (rest.request_count < ARRAY_LEN(fds))
        turn();
    assert_int_equal(ask("GET", "/api/servers", NULL), 503);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

/* ---- what is not a row ---- */

static void test_cache(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.columns = "Variable|Value",
                                   .rows = {"status|enabled", "hits|1", "hit_rate|0.50", "kind|1.x"}});
    assert_int_equal(ask("GET", "/api/cache", NULL), 200);
    body_is("{\"enabled\":true,\"hits\":1,\"hit_rate\":0.50,\"kind\":\"1.x\"}");
    fake_will((struct fake_answer){0});
    assert_int_equal(ask("PUT", "/api/cache", "{\"enabled\": false}"), 200);
    body_is("{\"status\":\"ok\",\"cache\":\"disabled\"}");
    fake_will((struct fake_answer){0});
    assert_int_equal(ask("PUT", "/api/cache", "{\"enabled\": true}"), 200);
    body_is("{\"status\":\"ok\",\"cache\":\"enabled\"}");
    fake_will((struct fake_answer){0});
    assert_int_equal(ask("POST", "/api/cache/clear", NULL), 200);
    body_is("{\"status\":\"ok\",\"message\":\"Cache cleared\"}");
    assert_string_equal(fake_said, "SHOW CACHE STATUS;CACHE DISABLE;CACHE ENABLE;CACHE CLEAR;");
}

static void test_views(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/api/stats", NULL), 200);
    assert_true(answer_has("{\"total_requests\":0,"));
    assert_int_equal(ask("GET", "/api/health", NULL), 200);
    assert_true(answer_has("\"status\":\"healthy\""));
    assert_int_equal(ask("GET", "/api/generation", NULL), 200);
    assert_true(answer_has("{\"generation\":"));
    fake_will((struct fake_answer){.columns = "server|requests|reason", .rows = {"a|3|NULL"}});
    assert_int_equal(ask("GET", "/api/stats/servers", NULL), 200);
    body_is("[{\"server\":\"a\",\"requests\":3,\"reason\":null}]");
    fake_will((struct fake_answer){.columns = "request_id|user|error", .rows = {"r|alice|broken"}});
    assert_int_equal(ask("GET", "/api/stats/requests?limit=3", NULL), 200);
    body_is("[{\"request_id\":\"r\",\"user\":\"alice\",\"error\":\"broken\"}]");
    assert_non_null(strstr(fake_said, " LIMIT ? OFFSET ? [3|0];"));
}

static void test_drain(void **state)
{
    (void)state;
    fake_will((struct fake_answer){.columns = "name", .rows = {"it's"}});
    fake_will((struct fake_answer){0});
    assert_int_equal(ask("POST", "/api/servers/it%27s/drain", NULL), 200);
    assert_string_equal(fake_said,
                        "SELECT name FROM ai_servers WHERE name = ? ['it's'];DRAIN SERVER 'it''s';");
    fake_will((struct fake_answer){.columns = "name"});
    ask("POST", "/api/servers/none/drain", NULL);
    fails_with(404, "name");
}

static void test_reload(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/api/reload", NULL), 202);
    assert_int_equal(reloads, 1);
    rest.reload = NULL;
    assert_int_equal(ask("POST", "/api/reload", NULL), 409);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rest_begin, rest_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_paths),
        TEST(test_metrics_only_where_they_are_served),
        TEST(test_methods),
        TEST(test_security_fields_are_everywhere),
        TEST(test_list),
        TEST(test_list_by_parts),
        TEST(test_rules_come_in_the_order_they_are_tried),
        TEST(test_one),
        TEST(test_create),
        TEST(test_create_with_a_number_of_the_store),
        TEST(test_a_made_key_is_told_once),
        TEST(test_change),
        TEST(test_a_row_may_come_back_as_it_was_answered),
        TEST(test_change_of_the_key),
        TEST(test_prices_have_two_keys),
        TEST(test_remove),
        TEST(test_settings),
        TEST(test_secrets_are_never_answered),
        TEST(test_bad_bodies),
        TEST(test_a_body_that_is_too_long),
        TEST(test_errors_of_statements),
        TEST(test_an_answer_that_is_too_long),
        TEST(test_a_change_goes_on_without_its_client),
        TEST(test_a_client_that_goes_within_its_body),
        TEST(test_the_end_gives_up_what_runs),
        TEST(test_requests_at_a_time),
        TEST(test_cache),
        TEST(test_views),
        TEST(test_drain),
        TEST(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
