/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/web/rest_routes.c"

#include "fake_engine.h"

static void test_match(void **state)
{
    static const struct {
        const char *method, *path, *found, *part;
    } cases[] = {
        {"GET", "/", "/", ""},
        {"HEAD", "/", "/", ""},
        {"GET", "/api/servers", "/api/servers", ""},
        {"POST", "/api/servers", "/api/servers", ""},
        {"GET", "/api/servers/a", "/api/servers/{name}", "a"},
        {"PATCH", "/api/servers/a%20b", "/api/servers/{name}", "a%20b"},
        {"POST", "/api/servers/a/drain", "/api/servers/{name}/drain", "a"},
        {"DELETE", "/api/rules", "/api/rules", ""},
        {"DELETE", "/api/rules/7", "/api/rules/{rule_id}", "7"},
        {"GET", "/api/models/org/m-1", "/api/models/{model}", "org/m-1"},
        {"GET", "/api/cache", "/api/cache", ""},
        {"POST", "/api/cache/clear", "/api/cache/clear", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rest_match match = rest_match(str_from(cases[i].method), str_from(cases[i].path));
        if (!match.route)
            fail_msg("%s %s: no route", cases[i].method, cases[i].path);
        assert_true(str_eq(match.route->path, str_from(cases[i].found)));
        assert_true(str_eq(match.part, str_from(cases[i].part)));
    }
}

static void test_no_match(void **state)
{
    static const struct {
        const char *method, *path;
        bool is_path;
    } cases[] = {
        {"GET", "/api/servers/", false},
        {"GET", "/api", false},
        {"GET", "", false},
        {"GET", "/API/servers", false},
        {"POST", "/", true},
        {"DELETE", "/api/servers", true},
        {"GET", "/admin/login", true},
        {"GET", "/api/servers/a/drain", true},
        {"get", "/", true},
        {"POST", "/api/variables", true},
        {"OPTIONS", "/api/cache", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rest_match match = rest_match(str_from(cases[i].method), str_from(cases[i].path));
        if (match.route || (match.first != NULL) != cases[i].is_path)
            fail_msg("%s %s", cases[i].method, cases[i].path);
    }
}

static void allow_is(const char *path, const char *wanted)
{
    char memory[128];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    rest_allow_write(rest_match(STR("OPTIONS"), str_from(path)).first, &out);
    if (!str_eq(buf_str(&out), str_from(wanted)))
        fail_msg("%s: " STR_FMT, path, STR_ARG(buf_str(&out)));
}

static void test_allow(void **state)
{
    (void)state;
    allow_is("/", "GET, HEAD, OPTIONS");
    allow_is("/api/servers", "GET, HEAD, POST, OPTIONS");
    allow_is("/api/servers/a", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    allow_is("/api/rules", "GET, HEAD, POST, DELETE, OPTIONS");
    allow_is("/api/cache/clear", "POST, OPTIONS");
}

static void query_is(const char *query, const char *name, const char *wanted)
{
    struct arena arena;
    struct str value = STR_NONE;
    arena_init(&arena, NULL);
    bool found = rest_query_find(&arena, str_from(query), str_from(name), &value);
    if (found != (wanted != NULL) || (found && !str_eq(value, str_from(wanted))))
        fail_msg("%s in '%s': '" STR_FMT "'", name, query, STR_ARG(value));
    arena_fini(&arena);
}

static void test_query(void **state)
{
    (void)state;
    query_is("", "a", NULL);
    query_is("a", "a", "");
    query_is("a=", "a", "");
    query_is("a=1", "a", "1");
    query_is("b=2&a=1&a=3", "a", "1");
    query_is("aa=1", "a", NULL);
    query_is("%61=x%3d+y%2B", "a", "x= y+");
    query_is("a=%", "a", "%");
    query_is("a=%4", "a", "%4");
    query_is("a=%zz&b", "a", "%zz");
    query_is("&&a=1&", "a", "1");
    query_is("a=b=c", "a", "b=c");
}

static void test_percent_decode(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL);
    assert_true(str_eq(rest_percent_decode(&arena, STR("a%2Fb+c%41"), false), STR("a/b+cA")));
    assert_true(str_eq(rest_percent_decode(&arena, STR(""), false), STR("")));
    assert_int_equal(rest_percent_decode(&arena, STR("%00"), false).len, 1);
    arena_fini(&arena);
}

/* What openapi.json and the SQL statements lean on. */
static void test_tables_are_consistent(void **state)
{
    (void)state;
    for (unsigned id = 0; id < REST_OBJECT_COUNT_; id++) {
        const struct rest_object *object = rest_object((enum rest_object_id)id);
        bool is_row = object->table.len > 0;
        assert_int_equal(is_row, object->key.len > 0);
        assert_true(!is_row || rest_field_find(object, object->key));
        assert_true(object->number.len == 0 || rest_field_find(object, object->number));
    }
    assert_null(rest_object(REST_OBJECT_NONE));
    for (size_t i = 0; i < rest_route_count; i++) {
        const struct rest_route *route = &rest_routes[i];
        const struct rest_object *object = rest_object(route->object);
        assert_true(!(route->flags & (REST_BODY | REST_LIST | REST_ROW | REST_KEY_IN_QUERY)) || object);
        assert_true(!(route->flags & REST_CREATES) || (route->flags & REST_WHOLE));
        ssize_t open = str_find(route->path, STR("{"));
        if (open < 0 || !object)
            continue;
        struct str name = str_from_offset(route->path, (size_t)open + 1);
        assert_true(str_starts(name, object->key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),          cmocka_unit_test(test_no_match),
        cmocka_unit_test(test_allow),          cmocka_unit_test(test_query),
        cmocka_unit_test(test_percent_decode), cmocka_unit_test(test_tables_are_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
