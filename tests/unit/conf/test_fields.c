/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/env.c src/conf/expand.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/fields.c"
#include "loader_check.h"

#include <stdlib.h>

static const struct choice colours[] = {
    {.word = {"red", 3}, .value = 1},
    {.word = {"green", 5}, .value = 2},
    {.word = {"blue", 4}, .value = 4},
    {.word = {"infrared", 8}, .refusal = "is refused: nobody sees it"},
};

static struct field field_of(const struct field_type *type)
{
    return (struct field){
        .name = STR("k"), .type = type, .min = 2, .max = 9, .choices = colours, .choice_count = 4};
}

struct row {
    const char *yaml, *printed; /* printed "": good */
    const char *text;           /* the value as text or number */
};

/* Reads each row into a text or an unsigned; a refused one leaves the target as it was. */
static void check(const struct field_type *type, const struct row *rows, size_t count, bool is_text)
{
    struct field field = field_of(type);
    for (size_t i = 0; i < count; i++) {
        struct loading loading;
        union {
            struct str text;
            unsigned number;
            bool flag;
        } target = {.text = {NULL, 0}};
        loading_start(&loading, str_from(rows[i].yaml));
        type->read(&loading.loader, &field, loading.document.root, &target);
        assert_string_equal(loading_print(&loading), rows[i].printed);
        if (is_text && rows[i].text)
            assert_true(str_eq(target.text, str_from(rows[i].text)));
        else if (is_text)
            assert_null(target.text.ptr);
        else
            assert_int_equal(type == &field_bool ? target.flag : target.number,
                             rows[i].text ? atoi(rows[i].text) : 0);
        loading_stop(&loading);
    }
}

#define CHECK(type, rows, is_text) check(type, rows, ARRAY_LEN(rows), is_text)

static void test_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"some text", "", "some text"},
        {"12", "", "12"},
        {"\"\xc3\xa9\"", "", "\xc3\xa9"},
        {"\"a\\tb\"", "f:1:1: k in x: 'a?b' has control characters\n", NULL},
        {"\"a\\0b\"", "f:1:1: k in x: 'a' has control characters\n", NULL},
        {"''", "f:1:1: k in x has to have 1 to 4096 bytes\n", NULL},
        {"[a]", "f:1:1: k in x has to be one value, not a list\n", NULL},
        {"{a: b}", "f:1:1: k in x has to be one value, not a mapping\n", NULL},
    };
    CHECK(&field_text, rows, true);
}

static void test_name(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a", "", "a"},
        {"A.b_c-9", "", "A.b_c-9"},
        {"''", "f:1:1: k in x: '' is not a name of 1 to 64 letters, digits, '.', '_', '-'\n", NULL},
        {"a b", "f:1:1: k in x: 'a b' is not a name of 1 to 64 letters, digits, '.', '_', '-'\n", NULL},
        {"a/b", "f:1:1: k in x: 'a/b' is not a name of 1 to 64 letters, digits, '.', '_', '-'\n", NULL},
    };
    CHECK(&field_name, rows, true);
    char text[FIELD_NAME_MAX + 1];
    memset(text, 'n', sizeof(text));
    assert_true(is_name((struct str){text, FIELD_NAME_MAX}));
    assert_false(is_name((struct str){text, FIELD_NAME_MAX + 1}));
    assert_false(is_name((struct str){"a\0b", 3}));
}

static void test_unsigned(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"2", "", "2"},
        {"9", "", "9"},
        {"'5'", "", "5"},
        {"1", "f:1:1: k in x: '1' is not a whole number from 2 to 9\n", NULL},
        {"10", "f:1:1: k in x: '10' is not a whole number from 2 to 9\n", NULL},
        {"4294967299", "f:1:1: k in x: '4294967299' is not a whole number from 2 to 9\n", NULL},
        {"0x5", "f:1:1: k in x: '0x5' is not a whole number from 2 to 9\n", NULL},
        {"five", "f:1:1: k in x: 'five' is not a whole number from 2 to 9\n", NULL},
        {"[5]", "f:1:1: k in x has to be one value, not a list\n", NULL},
    };
    CHECK(&field_unsigned, rows, false);
}

static void test_bool(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"true", "", "1"},
        {"false", "", "0"},
        {"TRUE", "f:1:1: k in x: 'TRUE' is neither true nor false\n", NULL},
        {"1", "f:1:1: k in x: '1' is neither true nor false\n", NULL},
    };
    CHECK(&field_bool, rows, false);
}

static void test_choice(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"green", "", "2"},
        {"gren", "f:1:1: unknown k 'gren' in x; did you mean 'green'?\n", NULL},
        {"purple", "f:1:1: unknown k 'purple' in x\n", NULL},
        {"infrared", "f:1:1: k in x: 'infrared' is refused: nobody sees it\n", NULL},
        {"[red]", "f:1:1: k in x has to be one value, not a list\n", NULL},
    };
    CHECK(&field_choice, rows, false);
}

static void test_flags(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[red]", "", "1"},
        {"[blue, red, red]", "", "5"},
        {"[]", "f:1:1: k in x has to be a list of at least one word\n", NULL},
        {"red", "f:1:1: k in x has to be a list of at least one word\n", NULL},
        {"[blu, green]", "f:1:2: unknown k 'blu' in x; did you mean 'blue'?\n", "2"},
        {"[[red]]", "f:1:2: k in x has to be one value, not a list\n", NULL},
        {"['${NONE}', red]",
         "f:1:2: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n", "1"},
    };
    CHECK(&field_flags, rows, false);
}

static void test_secret(void **state)
{
    (void)state;
#define UNSAFE                                                                                               \
    " in x has spaces, control characters or bytes beyond ASCII, which no header can carry, or is longer "   \
    "than 16384 bytes\n"
    static const struct row rows[] = {
        {"sk-1", "", "sk-1"},
        {"''", "", ""},
        {"${NAME}", "", "value"},
        {"{file: /key}", "", "sk-file"},
        {"\"a b\"", "f:1:1: k" UNSAFE, NULL},
        {"\"a\\r\\nb\"", "f:1:1: k" UNSAFE, NULL},
        {"{file: ''}", "f:1:8: k in x has to have 1 to 4096 bytes\n", NULL},
        {"{file: [a]}", "f:1:8: k in x has to be one value, not a list\n", NULL},
        {"{file: /empty}", "f:1:8: k in x: file '/empty' is empty\n", NULL},
        {"{}", "f:1:1: k in x has to be a text or {file: PATH}\n", NULL},
    };
    CHECK(&field_secret, rows, true);
}

static void test_file(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/cert", "", "/cert"},
        {"/nowhere", "f:1:1: k in x: '/nowhere' is no readable file\n", NULL},
        {"[]", "f:1:1: k in x has to be one value, not a list\n", NULL},
    };
    CHECK(&field_file, rows, true);
}

static void test_limits(void **state)
{
    (void)state;
    static char text[SECRET_MAX + 1];
    memset(text, 'k', sizeof(text));
    assert_true(loader_is_header_safe((struct str){text, SECRET_MAX}));
    assert_false(loader_is_header_safe((struct str){text, SECRET_MAX + 1}));
    assert_false(loader_is_header_safe(STR("\xc3\xa9")));
    assert_false(loader_is_header_safe(STR("a\x7f")));
    for (size_t len = FIELD_TEXT_MAX; len <= FIELD_TEXT_MAX + 1; len++) {
        struct loading loading;
        struct field field = field_of(&field_text);
        loading_start(&loading, (struct str){text, len});
        assert_int_equal(loader_check_text(&loading.loader, &field, loading.document.root),
                         len == FIELD_TEXT_MAX);
        loading_stop(&loading);
    }
}

static void test_was_read(void **state)
{
    (void)state;
    struct yaml_node node = {.kind = YAML_KIND_SCALAR, .text = STR("07")};
    assert_true(loader_was_read(&node, 7));
    assert_false(loader_was_read(&node, 0));
    node.is_broken = true;
    assert_false(loader_was_read(&node, 7));
    node = (struct yaml_node){.kind = YAML_KIND_SEQUENCE, .text = STR("7")};
    assert_false(loader_was_read(&node, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_name),   cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_bool),     cmocka_unit_test(test_choice), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_secret),   cmocka_unit_test(test_file),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
