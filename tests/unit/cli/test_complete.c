/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/cli/complete.c"

#include "pieces.h"

static struct catalog catalog;

static int set_up(void **state)
{
    static const char *const names[][2] = {
        {"ai_servers", "id"}, {"ai_servers", "name"},   {"ai_servers", "weight"},
        {"ai_users", "id"},   {"ai_users", "username"},
    };
    (void)state;
    catalog_init(&catalog);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (catalog_add(&catalog, str_from(names[i][0]), str_from(names[i][1])) != ERR_OK)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    catalog_fini(&catalog);
    return 0;
}

/* What is offered, with spaces between; only the first words of long lists matter here. */
static const struct {
    const char *before, *offered;
} cases[] = {
    {"SHOW ST", "STATS"},
    {"show st", "stats"},
    {"SHOW  HEALTH\n S", "STATUS"},
    {"SELECT 1; show api ", "keys"},
    {"CACHE ", "CLEAR DISABLE ENABLE"},
    {"cache ", "clear disable enable"},
    {"LOAD AI SERVERS ", "TO"},
    {"SEL", "SELECT"},
    {"SELECT * FROM ", "ai_servers ai_users"},
    {"SELECT * FROM AI_U", "ai_users"},
    {"UPDATE ", "ai_servers ai_users"},
    {"INSERT INTO ai_s", "ai_servers"},
    {"DESC ", "ai_servers ai_users"},
    {"SELECT wei", "weight"},
    {"SELECT ai_users.", "id username"},
    {"SELECT ai_users.us", "username"},
    {"SELECT x, ai_servers.n", "name"},
    {"SELECT nobody.", ""},
    {"SELECT (us", "use username"}, /* USE is a word too */
    {"SELECT 'us", ""},
    {"SELECT 1 -- us", ""},
    {"SELECT /* us", ""},
    {"SELECT xyzzy", ""},
};

static void test_cases(void **state)
{
    (void)state;
    struct completion found;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena;
        struct buf out;
        arena_init(&arena, NULL);
        buf_init(&out, 4096);
        assert_true(complete(str_from(cases[i].before), &catalog, &arena, &found));
        for (size_t word = 0; word < found.count; word++)
            buf_printf(&out, "%s" STR_FMT, word > 0 ? " " : "", STR_ARG(found.words[word]));
        check_text(buf_ok(&out) && out.ptr ? buf_str(&out) : STR(""), cases[i].offered);
        buf_free(&out);
        arena_fini(&arena);
    }
}

static struct completion complete_text(const char *before, struct arena *arena)
{
    struct completion found;
    assert_true(complete(str_from(before), &catalog, arena, &found));
    return found;
}

static void test_common(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct completion found = complete_text("SELECT * FROM a", &arena);
    assert_int_equal(found.typed, 1);
    assert_int_equal(found.common, strlen("ai_"));
    assert_false(found.is_cut);
    found = complete_text("SELECT ai_users.", &arena);
    assert_int_equal(found.typed, 0);
    assert_int_equal(found.common, 0);
    found = complete_text("", &arena);
    assert_true(found.count > 20);
    arena_fini(&arena);
}

static void test_many(void **state)
{
    (void)state;
    struct catalog big;
    struct arena arena;
    struct completion found;
    char name[32];
    arena_init(&arena, NULL);
    catalog_init(&big);
    for (int i = 0; i < CATALOG_COLUMNS_MAX; i++) {
        snprintf(name, sizeof(name), "column%d", i);
        assert_int_equal(catalog_add(&big, STR("t"), str_from(name)), ERR_OK);
    }
    assert_int_equal(catalog_add(&big, STR("t"), STR("more")), ERR_LIMIT);
    assert_true(complete(STR("SELECT column"), &big, &arena, &found));
    assert_int_equal(found.count, COMPLETIONS_MAX);
    assert_true(found.is_cut);
    catalog_fini(&big);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_common),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
