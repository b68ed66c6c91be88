/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/route/match.c src/route/glob.c src/base/arena.c src/base/buf.c src/base/str.c src/base/assert.c -lpcre2-8 */
#include "../../../src/route/policy.c"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct policy *make(struct config *config)
{
    struct policy *policy;
    assert_int_equal(policy_new(config, NULL, &policy), ERR_OK);
    return policy;
}

static void test_rules(void **state)
{
    static const struct {
        const char *model, *user, *text;
        int expected; /* index of the rule; -1: none */
    } rows[] = {
        {"llama-3", "", "", 0},
        {"llama-3", "bob", "python", 0},
        {"gpt-4o", "alice", "", 1},
        {"gpt-4o", "alice2", "", -1},
        {"gpt-3.5", "alice", "", -1},
        {"gpt-3.5", "bob", "please write python code", 2},
        {"gpt-3.5", "bob", "please write Python code", -1},
        {"gpt-oss:20b-64k", "bob", "", 3},
        {"gpt-oss:20b-32k", "bob", "", -1},
        {"my-llama", "bob", "", -1},
        {"", "bob", "python", 2},
        {"", "bob", "", -1},
        {"x", "admin-7", "", 4},
        {"", "admin-7", "", 4},
    };
    (void)state;
    struct config *config = fixture_config();
    fixture_rule(config, "llama*", "", "", 1, "");
    fixture_rule(config, "gpt-4*", "alice", "", 2, "");
    fixture_rule(config, "", "", "python", 3, "");
    fixture_rule(config, "regex:gpt-oss:20b-(64|128)k", "", "", 4, "");
    fixture_rule(config, "", "regex:admin-\\d", "", 5, "");
    struct policy *policy = make(config);
    struct match_scratch scratch;
    assert_int_equal(match_scratch_init(&scratch), ERR_OK);
    assert_true(policy->needs_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_facts facts = {.model = str_from(rows[i].model),
                                    .user = str_from(rows[i].user),
                                    .last_text = str_from(rows[i].text)};
        const struct rule *rule = policy_find_rule(policy, &facts, &scratch);
        int got = rule ? (int)(rule - policy->rules) : -1;
        if (got != rows[i].expected)
            fail_msg("row %zu: rule %d", i, got);
    }
    match_scratch_fini(&scratch);
    policy_unref(policy);
    assert_int_equal(fixture_configs_alive, 0);
}

static void test_star_is_not_no_model(void **state)
{
    (void)state;
    struct config *config = fixture_config();
    fixture_rule(config, "*", "", "", 1, "");
    struct policy *policy = make(config);
    struct match_scratch scratch;
    assert_int_equal(match_scratch_init(&scratch), ERR_OK);
    struct route_facts facts = {.model = STR("x")};
    assert_non_null(policy_find_rule(policy, &facts, &scratch));
    facts.model = STR_NONE;
    assert_null(policy_find_rule(policy, &facts, &scratch));
    assert_false(policy->needs_text);
    match_scratch_fini(&scratch);
    policy_unref(policy);
}

/* A pattern out of steps is no match, and the next rule has its chance. */
static void test_limit_is_no_match(void **state)
{
    (void)state;
    char text[20000];
    memset(text, 'a', sizeof(text));
    struct config *config = fixture_config();
    fixture_rule(config, "", "", "(a+)+[bc]", 1, "");
    fixture_rule(config, "", "", "a", 2, "");
    struct policy *policy = make(config);
    struct match_scratch scratch;
    assert_int_equal(match_scratch_init(&scratch), ERR_OK);
    struct route_facts facts = {.model = STR("x"), .last_text = {text, sizeof(text)}};
    assert_ptr_equal(policy_find_rule(policy, &facts, &scratch), &policy->rules[1]);
    assert_int_equal(scratch.limit_hits, 1);
    match_scratch_fini(&scratch);
    policy_unref(policy);
}

static void test_errors(void **state)
{
    static const struct {
        const char *model, *user, *text, *server_models, *expected;
    } rows[] = {
        {"regex:a(", "", "", "",
         "match_model of a rule with priority 20: 'a(': missing closing parenthesis at offset 2"},
        {"", "a[", "", "",
         "match_user of a rule with priority 20: 'a[': bracket is never closed at offset 1"},
        {"", "", "*", "",
         "match_pattern of a rule with priority 20: '*': quantifier does not follow a repeatable item "
         "at offset 0"},
        {"", "", "", "x qw[en", "models of server node: 'qw[en': bracket is never closed at offset 2"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *config = fixture_config();
        struct policy *policy = NULL;
        struct buf error;
        buf_init(&error, 1000);
        fixture_rule(config, "regex:fine", "regex:fine", "fine", 0, "");
        fixture_rule(config, rows[i].model, rows[i].user, rows[i].text, 0, "");
        fixture_server(config, "node", 0, 1, rows[i].server_models);
        assert_int_equal(policy_new(config, &error, &policy), ERR_INVALID);
        assert_null(policy);
        buf_add_char(&error, '\0');
        assert_string_equal(error.ptr, rows[i].expected);
        buf_free(&error);
        assert_int_equal(fixture_configs_alive, 1); /* still the caller's */
        config_free(config);
    }
}

static void test_server_models(void **state)
{
    static const struct {
        const char *models;
        size_t names, globs;
        const char *name;
        bool allowed;
    } rows[] = {
        {"", 0, 0, "any", true},      {"a b", 2, 0, "a", false},     {"a q*", 1, 1, "a", false},
        {"a q*", 1, 1, "qwen", true}, {"q* [lm]*", 0, 2, "m", true}, {"q* [lm]*", 0, 2, "x", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *config = fixture_config();
        fixture_server(config, "node", 0, 1, rows[i].models);
        struct policy *policy = make(config);
        assert_int_equal(policy->servers[0].name_count, rows[i].names);
        assert_int_equal(policy->servers[0].glob_count, rows[i].globs);
        assert_int_equal(server_models_allow(&policy->servers[0], str_from(rows[i].name)), rows[i].allowed);
        policy_unref(policy);
    }
}

static void test_references(void **state)
{
    (void)state;
    struct policy *policy = make(fixture_config());
    policy_unref(policy_ref(policy));
    assert_int_equal(fixture_configs_alive, 1);
    policy_unref(policy);
    assert_int_equal(fixture_configs_alive, 0);
    policy_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_star_is_not_no_model),
        cmocka_unit_test(test_limit_is_no_match),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_server_models),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
