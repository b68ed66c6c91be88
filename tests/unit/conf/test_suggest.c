/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c */
#include "../../../src/conf/suggest.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *word;
    const char *known[4];
    const char *best; /* "": none is near */
} rows[] = {
    {"endpont", {"name", "endpoint", "weight"}, "endpoint"},
    {"endpiont", {"endpoint"}, "endpoint"},
    {"Endpoint", {"endpoint"}, "endpoint"},
    {"endpxxxt", {"endpoint"}, ""},
    {"online", {"OFFLINE", "ONLINE"}, "ONLINE"},
    {"api", {"api_key"}, "api_key"},            /* a beginning */
    {"api_key_file", {"api_key"}, "api_key"},   /* the other way round */
    {"modelsx", {"model", "models"}, "models"}, /* one edit beats two */
    {"ab", {"api"}, ""},                        /* two edits make anything of two letters */
    {"ip", {"id"}, "id"},
    {"x", {"y"}, ""},
    {"", {"name"}, ""},
    {"cat", {"bat", "hat"}, "bat"}, /* the first of equals */
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct suggestion suggestion;
        suggestion_init(&suggestion, str_from(rows[i].word));
        for (size_t j = 0; j < ARRAY_LEN(rows[i].known) && rows[i].known[j]; j++)
            suggestion_offer(&suggestion, str_from(rows[i].known[j]));
        assert_int_equal(suggestion.best.len, strlen(rows[i].best));
        assert_true(str_eq(suggestion.best, str_from(rows[i].best)));
    }
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(edit_distance(STR("kitten"), STR("sitting")), 3);
    assert_int_equal(edit_distance(STR(""), STR("abc")), 3);
    assert_int_equal(edit_distance(STR("abc"), STR("")), 3);
    assert_int_equal(edit_distance(STR("ABC"), STR("abc")), 0);
}

static void test_long_words(void **state)
{
    (void)state;
    char text[WORD_MAX + 1];
    memset(text, 'a', sizeof(text));
    struct suggestion suggestion;
    suggestion_init(&suggestion, (struct str){text, sizeof(text)});
    suggestion_offer(&suggestion, (struct str){text, WORD_MAX});
    assert_int_equal(suggestion.best.len, 0);
    suggestion_init(&suggestion, (struct str){text, WORD_MAX});
    suggestion_offer(&suggestion, (struct str){text, sizeof(text)});
    assert_int_equal(suggestion.best.len, 0);
    suggestion_offer(&suggestion, (struct str){text, WORD_MAX - 1});
    assert_int_equal(suggestion.best.len, WORD_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
