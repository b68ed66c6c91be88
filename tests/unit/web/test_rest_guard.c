/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/web/rest_guard.c"

#include "rest_fixture.h"

#include "base/buf.h"

#define STATS "/api/stats"
#define KEEPS "/api/generation"
#define BASIC_GOOD "Authorization: Basic YWRtaW46bGV0bWVpbg==\r\n" /* admin:letmein */
#define BASIC_BAD "Authorization: Basic YWRtaW46d3Jvbmc=\r\n"      /* admin:wrong */

static int get(const char *target, const char *lines)
{
    return ask_with("GET", target, lines, NULL);
}

static int begin_with_password(void **state)
{
    int rc = rest_begin(state);
    use_credential("letmein", "");
    return rc;
}

/* ---- names and origins ---- */

static void test_names_of_this_machine(void **state)
{
    static const struct {
        const char *host;
        bool is_ours;
    } cases[] = {
        {"", true},
        {"127.0.0.1", true},
        {"127.0.0.1:6033", true},
        {"[::1]:6033", true},
        {"10.1.2.3", true},
        {"localhost", true},
        {"LOCALHOST:1", true},
        {"a.localhost:6033", true},
        {"panel:80", true},
        {"Panel", true},
        {"evil.example", false},
        {"localhost.evil.example", false},
        {"xlocalhost", false},
        {"127.0.0.1.evil.example", false},
        {"panels", false},
        {".", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (rest_is_our_name(str_from(cases[i].host), STR("panel")) != cases[i].is_ours)
            fail_msg("%s", cases[i].host);
}

static void test_a_rebound_name(void **state)
{
    (void)state;
    assert_int_equal(get(STATS, "Host: evil.example\r\n"), 403);
    assert_int_equal(get(KEEPS, "Host: evil.example\r\n"), 403);
    assert_int_equal(get(STATS, "Host: localhost:6033\r\n"), 200);
    assert_int_equal(get("/healthz", "Host: evil.example\r\n"), 200);
    assert_int_equal(get("/metrics", "Host: prometheus.internal\r\n"), 200);
    use_credential("letmein", "");
    assert_int_equal(get(STATS, "Host: evil.example\r\n"), 403);
    assert_int_equal(get(KEEPS, "Host: panel.example\r\n" BASIC_GOOD), 200);
}

static int clear_cache(const char *lines)
{
    fake_reset();
    fake_will((struct fake_answer){0});
    return ask_with("POST", "/api/cache/clear", lines, NULL);
}

static void test_foreign_pages(void **state)
{
    (void)state;
    assert_int_equal(clear_cache(""), 200);
    assert_int_equal(clear_cache("Host: 127.0.0.1:6033\r\nOrigin: http://127.0.0.1:6033\r\n"), 200);
    assert_int_equal(clear_cache("Host: LocalHost:6033\r\nOrigin: http://localhost:6033\r\n"), 200);
    assert_int_equal(clear_cache("Host: 127.0.0.1:6033\r\nOrigin: http://evil.example\r\n"), 403);
    assert_int_equal(clear_cache("Host: 127.0.0.1:6033\r\nOrigin: http://127.0.0.1\r\n"), 403);
    assert_int_equal(clear_cache("Origin: null\r\n"), 403);
    assert_int_equal(clear_cache("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_int_equal(clear_cache("Sec-Fetch-Site: same-site\r\n"), 403);
    assert_int_equal(clear_cache("Sec-Fetch-Site: same-origin\r\n"), 200);
    assert_int_equal(get(STATS, "Origin: http://evil.example\r\n"),
                     200); /* reads are kept apart by the browser */
    assert_int_equal(ask_with("POST", "/admin/login", "Origin: http://evil.example\r\n",
                              "{\"username\":\"admin\",\"password\":\"x\"}"),
                     403);
}

/* ---- without a credential ---- */

static void test_without_a_credential(void **state)
{
    (void)state;
    assert_int_equal(get(KEEPS, ""), 200);
    assert_int_equal(get(KEEPS, "X-Forwarded-For: 10.0.0.1\r\n"), 403);
    assert_int_equal(get(STATS, "Forwarded: for=10.0.0.1\r\n"), 403);
    assert_int_equal(get("/healthz", "X-Forwarded-For: 10.0.0.1\r\n"), 200);
    assert_int_equal(ask("POST", "/admin/login", "{\"username\":\"admin\",\"password\":\"\"}"), 403);
}

static void test_others_are_refused(void **state)
{
    struct http_service service = {.owner = &rest};
    struct http_conn conn = {.service = &service, .via = &gateway.listeners[0]};
    struct http_head head = {.method = {"GET", 3}};
    const struct rest_route *route = rest_match(STR("GET"), STR(STATS)).route;
    (void)state;
    assert_true(address_parse(STR("192.0.2.1"), 1, &conn.peer));
    assert_int_equal(rest_guard(&rest, &conn, &head, route).status, 403);
    use_credential("letmein", "");
    assert_int_equal(rest_guard(&rest, &conn, &head, route).status, 401);
    assert_true(address_parse(STR("127.0.0.1"), 1, &conn.peer));
    struct rest_verdict verdict = rest_guard(&rest, &conn, &head, route);
    assert_int_equal(verdict.status, 0);
    assert_false(verdict.is_admin);
}

/* ---- with one ---- */

static void test_what_is_open_with_a_credential(void **state)
{
    (void)state;
    assert_int_equal(get(STATS, ""), 200);
    assert_int_equal(get("/api/health", ""), 200);
    assert_int_equal(clear_cache(""), 200);
    assert_int_equal(get(KEEPS, ""), 401);
    assert_true(answer_has("WWW-Authenticate: Bearer"));
    assert_int_equal(get("/api/servers", ""), 401);
    assert_int_equal(get(STATS, "X-Real-IP: 10.0.0.1\r\n"), 401);
    assert_int_equal(get("/healthz", ""), 200);
}

static void test_who_asked_is_for_those_who_logged_in(void **state)
{
    const struct fake_answer one = {.columns = "request_id|user|error|status",
                                    .rows = {"r|alice|broken|502"}};
    (void)state;
    fake_will(one);
    assert_int_equal(get("/api/stats/requests", ""), 200);
    assert_string_equal(answer_body(), "[{\"request_id\":\"r\",\"status\":502}]");
    fake_will(one);
    assert_int_equal(get("/api/stats/requests", BASIC_GOOD), 200);
    assert_true(answer_has("alice"));
}

static void test_basic(void **state)
{
    (void)state;
    assert_int_equal(get(KEEPS, BASIC_GOOD), 200);
    assert_int_equal(get(KEEPS, "Authorization: basic YWRtaW46bGV0bWVpbg==\r\n"), 200);
    assert_int_equal(get(KEEPS, BASIC_BAD), 401);
    assert_int_equal(get(KEEPS, "Authorization: Basic cm9vdDpsZXRtZWlu\r\n"), 401); /* root:letmein */
    assert_int_equal(get(KEEPS, "Authorization: Basic YWRtaW4=\r\n"), 401);         /* admin */
    assert_int_equal(get(KEEPS, "Authorization: Basic !!!!\r\n"), 401);
    assert_int_equal(get(KEEPS, "Authorization: Basic YWR\r\n"), 401);
    assert_int_equal(get(KEEPS, "Authorization: Basic\r\n"), 401);
    use_credential("another", "");
    assert_int_equal(get(KEEPS, BASIC_GOOD), 401);
}

static void test_a_hash_of_the_password(void **state)
{
    struct buf hash;
    (void)state;
    buf_init(&hash, 1024);
    assert_int_equal(password_hash(STR("letmein"), &hash), ERR_OK);
    buf_add_char(&hash, '\0');
    use_credential("", hash.ptr);
    buf_free(&hash);
    assert_int_equal(get(KEEPS, BASIC_GOOD), 200);
    assert_true(rest.known_login.is_known);
    assert_int_equal(get(KEEPS, BASIC_GOOD), 200);
    assert_int_equal(get(KEEPS, BASIC_BAD), 401);
}

static void test_attempts_are_limited(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOGIN_ATTEMPTS_MAX; i++)
        assert_int_equal(get(KEEPS, BASIC_BAD), 401);
    assert_int_equal(get(KEEPS, BASIC_BAD), 429);
    assert_true(answer_has("Retry-After: "));
    assert_int_equal(get(KEEPS, BASIC_GOOD), 429);
    assert_int_equal(ask("POST", "/admin/login", "{\"username\":\"admin\",\"password\":\"letmein\"}"), 429);
    assert_true(answer_has("Retry-After: "));
    assert_int_equal(get(KEEPS, ""), 401);
}

/* The Cookie field of the session that the last answer opened. */
static void take_cookie(char out[256], const char *format)
{
    const char *at = strstr(answer.ptr, "Set-Cookie: mindbalancer_session=");
    assert_non_null(at);
    char token[ADMIN_TOKEN_SIZE + 1];
    snprintf(token, sizeof(token), "%s", at + strlen("Set-Cookie: mindbalancer_session="));
    snprintf(out, 256, format, token);
}

static void test_a_session(void **state)
{
    char cookie[256], bearer[256];
    (void)state;
    assert_int_equal(ask("POST", "/admin/login", "{\"username\":\"admin\",\"password\":\"letmein\"}"), 200);
    assert_true(answer_has("; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict\r\n"));
    take_cookie(cookie, "Cookie: a=b; mindbalancer_session=%s\r\n");
    take_cookie(bearer, "Authorization: Bearer %s\r\n");
    assert_int_equal(get(KEEPS, cookie), 200);
    assert_int_equal(get(KEEPS, bearer), 200);
    assert_int_equal(ask_with("POST", "/admin/logout", cookie, NULL), 200);
    assert_true(answer_has("Set-Cookie: mindbalancer_session=; Path=/; Max-Age=0;"));
    assert_int_equal(get(KEEPS, cookie), 401);
    assert_int_equal(get(STATS, cookie), 200);
}

static void test_a_new_password_ends_sessions(void **state)
{
    char cookie[256];
    (void)state;
    ask("POST", "/admin/login", "{\"username\":\"admin\",\"password\":\"letmein\"}");
    take_cookie(cookie, "Cookie: mindbalancer_session=%s\r\n");
    use_credential("another", "");
    assert_int_equal(get(KEEPS, cookie), 401);
}

static void test_a_form(void **state)
{
    char cookie[256];
    const char *form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    (void)state;
    assert_int_equal(ask_with("POST", "/admin/login", form, "username=admin&password=let%6dein&submit=1"),
                     303);
    assert_true(answer_has("Location: /\r\n"));
    take_cookie(cookie, "Cookie: mindbalancer_session=%s\r\n");
    assert_int_equal(get(KEEPS, cookie), 200);
    assert_int_equal(ask_with("POST", "/admin/login", form, "username=admin&password=x"), 401);
    assert_false(answer_has("Set-Cookie"));
    assert_int_equal(ask_with("POST", "/admin/login", form, "username=admin"), 400);
}

/* Forms are for the login alone: elsewhere curl's default content type is meant as JSON. */
static void test_curl_says_form_and_means_json(void **state)
{
    (void)state;
    fake_will((struct fake_answer){0});
    assert_int_equal(ask_with("PUT", "/api/cache", "Content-Type: application/x-www-form-urlencoded\r\n",
                              "{\"enabled\":true}"),
                     200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rest_begin, rest_end)
#define TEST_LOCKED(name) cmocka_unit_test_setup_teardown(name, begin_with_password, rest_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_of_this_machine),
        TEST(test_a_rebound_name),
        TEST(test_foreign_pages),
        TEST(test_without_a_credential),
        TEST(test_others_are_refused),
        TEST_LOCKED(test_what_is_open_with_a_credential),
        TEST_LOCKED(test_who_asked_is_for_those_who_logged_in),
        TEST_LOCKED(test_basic),
        TEST_LOCKED(test_a_hash_of_the_password),
        TEST_LOCKED(test_attempts_are_limited),
        TEST_LOCKED(test_a_session),
        TEST_LOCKED(test_a_new_password_ends_sessions),
        TEST_LOCKED(test_a_form),
        TEST_LOCKED(test_curl_says_form_and_means_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
