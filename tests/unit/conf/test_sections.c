/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/sections.c"
#include "loader_check.h"

struct animal {
    struct str name;
    unsigned legs;
    struct str note;
    unsigned checks;
};

static void check_animal(struct loader *loader, const struct yaml_node *node, void *object)
{
    (void)loader;
    assert_int_equal(node->kind, YAML_KIND_MAPPING);
    ((struct animal *)object)->checks++;
}

static const struct field animal_fields[] = {
    {.name = {"name", 4}, .type = &field_name, .offset = offsetof(struct animal, name), .is_required = true},
    {.name = {"legs", 4},
     .type = &field_unsigned,
     .offset = offsetof(struct animal, legs),
     .default_text = "4",
     .max = 8},
    {.name = {"note", 4}, .type = &field_text, .offset = offsetof(struct animal, note)},
};

static const struct section animals = {.name = "animals",
                                       .fields = animal_fields,
                                       .field_count = ARRAY_LEN(animal_fields),
                                       .object_size = sizeof(struct animal),
                                       .check = check_animal};

static void test_list(void **state)
{
    (void)state;
    struct loading loading;
    size_t count;
    loading_start(&loading, STR("- {name: dog}\n- {name: bird, legs: 2, note: sings}\n"));
    struct animal *list = section_read_list(&loading.loader, &animals, loading.document.root, &count);
    assert_string_equal(loading_print(&loading), "");
    assert_int_equal(count, 2);
    assert_true(str_eq(list[0].name, STR("dog")));
    assert_int_equal(list[0].legs, 4);
    assert_null(list[0].note.ptr);
    assert_int_equal(list[0].checks, 1);
    assert_int_equal(list[1].legs, 2);
    assert_true(str_eq(list[1].note, STR("sings")));
    loading_stop(&loading);
}

static const struct {
    const char *yaml, *printed;
    size_t count;
} rows[] = {
    {"", "", 0},
    {"[]", "", 0},
    {"{}", "f:1:1: animals has to be a list\n", 0},
    {"dog", "f:1:1: animals has to be a list\n", 0},
    {"[dog]", "f:1:2: animals[0] has to be a mapping (key: value)\n", 1},
    {"[{}, {name: a}]", "f:1:2: missing key 'name' in animals[0]\n", 2},
    {"[{name: a, leg: 2}]", "f:1:12: unknown key 'leg' in animals[0]; did you mean 'legs'?\n", 1},
    {"[{name: a, wings: 2, 'x\ty': 1}]",
     "f:1:12: unknown key 'wings' in animals[0]\nf:1:22: unknown key 'x?y' in animals[0]\n", 1},
    {"[{name: , legs: ~}]",
     "f:1:3: name in animals[0] has no value\nf:1:11: legs in animals[0] has no value\n", 1},
    {"[{name: a, legs: 9}]", "f:1:18: legs in animals[0]: '9' is not a whole number from 0 to 8\n", 1},
    /* a broken value is reported once */
    {"[{name: '${NONE}'}, '${NONE}']",
     "f:1:9: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n"
     "f:1:21: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n",
     2},
    {"&a [&b {name: x}, *b]", "", 2},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loading loading;
        size_t count;
        loading_start(&loading, str_from(rows[i].yaml));
        void *list = section_read_list(&loading.loader, &animals, loading.document.root, &count);
        assert_string_equal(loading_print(&loading), rows[i].printed);
        assert_int_equal(count, rows[i].count);
        assert_true(count == 0 || list);
        loading_stop(&loading);
    }
}

static void test_absent(void **state)
{
    (void)state;
    struct loading loading;
    size_t count = 7;
    loading_start(&loading, STR(""));
    assert_null(section_read_list(&loading.loader, &animals, NULL, &count));
    assert_int_equal(count, 0);
    loading_stop(&loading);
}

static void test_too_many(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct loading loading;
        struct buf yaml;
        size_t count;
        buf_init(&yaml, 1 << 20);
        for (size_t i = 0; i < SECTION_ITEMS_MAX + extra; i++)
            buf_printf(&yaml, "- {name: a%zu}\n", i);
        loading_start(&loading, buf_str(&yaml));
        section_read_list(&loading.loader, &animals, loading.document.root, &count);
        assert_int_equal(count, extra ? 0 : SECTION_ITEMS_MAX);
        assert_string_equal(loading_print(&loading),
                            extra ? "f:1:1: animals has more than 10000 entries\n" : "");
        if (!extra)
            section_check_names(&loading.loader, &animals, loading.document.root);
        assert_int_equal(loading.diagnostics.count, extra);
        loading_stop(&loading);
        buf_free(&yaml);
    }
}

/* Every repetition is reported at its own place, whatever the order in the list. */
static void test_names(void **state)
{
    (void)state;
    struct loading loading;
    loading_start(&loading, STR("- {name: b}\n- {name: a}\n- {name: ab}\n- {name: b}\n- {name: a}\n"
                                "- {name: b}\n- {name: [b]}\n- b\n- {nam: b}\n"));
    section_check_names(&loading.loader, &animals, loading.document.root);
    diagnostics_sort(&loading.diagnostics);
    assert_string_equal(loading_print(&loading), "f:4:10: duplicate name 'b' in animals, as in line 1\n"
                                                 "f:5:10: duplicate name 'a' in animals, as in line 2\n"
                                                 "f:6:10: duplicate name 'b' in animals, as in line 4\n");
    loading_stop(&loading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),     cmocka_unit_test(test_rows),  cmocka_unit_test(test_absent),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
