/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c */
#include "../../../src/conf/expand.c"
#include "fake_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HOW "'${...}' has to hold a variable's name, as ${NAME} or ${NAME:-default}; a literal dollar is $$"

static const struct {
    const char *text, *expanded, *message; /* expanded NULL: refused */
} rows[] = {
    {"", "", ""},
    {"plain", "plain", ""},
    {"${NAME}", "value", ""},
    {"a${NAME}b${NUMBER}c", "avalueb7c", ""},
    {"${NAME:-x}", "value", ""},
    {"${NONE:-x}", "x", ""},
    {"${EMPTY:-x}", "x", ""},
    {"${EMPTY}", "", ""},
    {"${NONE:-}", "", ""},
    {"${NONE:-a:-b}", "a:-b", ""},
    {"${NONE:-http://h/v1}", "http://h/v1", ""},
    {"${DOLLAR}", "${NAME}", ""}, /* a value is not expanded again */
    {"$$", "$", ""},
    {"$${NAME}", "${NAME}", ""},
    {"$$$$", "$$", ""},
    {"$$$", "$$", ""},
    {"^llama.*$", "^llama.*$", ""},
    {"$NAME", "$NAME", ""},
    {"$ {NAME}", "$ {NAME}", ""},
    {"}", "}", ""},
    {"${NONE}", NULL, "environment variable 'NONE' is not set; ${NONE:-default} gives it a default"},
    {"${NAME} ${NONE}", NULL, "environment variable 'NONE' is not set; ${NONE:-default} gives it a default"},
    {"${NAME", NULL, "'${' without '}'; a literal dollar is $$"},
    {"${", NULL, "'${' without '}'; a literal dollar is $$"},
    {"${}", NULL, HOW},
    {"${1A}", NULL, HOW},
    {"${A-B}", NULL, HOW},
    {"${:-x}", NULL, HOW},
    {"${A B}", NULL, HOW},
};

static void test_rows(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char memory[256];
        struct buf message;
        struct str expanded = STR("untouched");
        buf_init_fixed(&message, memory, sizeof(memory) - 1);
        enum err err = expand_text(str_from(rows[i].text), &fake_env, &arena, &expanded, &message);
        memory[message.len] = '\0';
        assert_string_equal(memory, rows[i].message);
        assert_int_equal(err, rows[i].expanded ? ERR_OK : ERR_INVALID);
        assert_string_equal(expanded.ptr, rows[i].expanded ? rows[i].expanded : "untouched");
    }
    arena_fini(&arena);
}

static const char *long_variable(void *context, const char *name)
{
    (void)name;
    return context;
}

static void test_limit(void **state)
{
    (void)state;
    static char value[EXPAND_MAX / 2 + 1];
    struct config_env env = {.variable = long_variable, .context = value};
    char memory[256];
    struct buf message;
    struct str expanded = STR_NONE;
    struct arena arena;
    memset(value, 'v', sizeof(value) - 1);
    arena_init(&arena, NULL);
    buf_init_fixed(&message, memory, sizeof(memory));
    assert_int_equal(expand_text(STR("${A}${A}"), &env, &arena, &expanded, &message), ERR_OK);
    assert_int_equal(expanded.len, EXPAND_MAX);
    assert_int_equal(expand_text(STR("${A}${A}x"), &env, &arena, &expanded, &message), ERR_LIMIT);
    assert_true(str_eq(buf_str(&message), STR("longer than 65536 bytes after expansion")));
    arena_fini(&arena);
}

static void test_long_name(void **state)
{
    (void)state;
    char name[NAME_MAX_BYTES + 2];
    memset(name, 'A', sizeof(name));
    assert_true(is_name((struct str){name, NAME_MAX_BYTES}));
    assert_false(is_name((struct str){name, NAME_MAX_BYTES + 1}));
    assert_false(is_name((struct str){"A\0B", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_long_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
