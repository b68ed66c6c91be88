/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/expand.c -lyaml */
/* clang-format on */
#include "../../../src/conf/yaml.c"
#include "fake_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* Loads and prints what is said; the tree is the caller's when ERR_OK. */
static enum err load(struct str text, struct yaml_document *document, char printed[4096])
{
    struct diagnostics diagnostics;
    struct buf out;
    buf_init_fixed(&out, printed, 4095);
    diagnostics_init(&diagnostics);
    enum err err = yaml_load(text, &fake_env, &diagnostics, document);
    diagnostics_print(&diagnostics, STR("f"), &out);
    assert_true(buf_ok(&out));
    printed[out.len] = '\0';
    diagnostics_fini(&diagnostics);
    return err;
}

/* The tree in one line: scalars as they are, quoted ones in quotes, with line:column. */
static void draw(const struct yaml_node *node, struct buf *out)
{
    buf_printf(out, "%u:%u", node->mark.line, node->mark.column);
    if (node->kind == YAML_KIND_SCALAR) {
        const char *quote = node->is_quoted ? "'" : "";
        buf_printf(out, "=%s" STR_FMT "%s%s", quote, STR_ARG(node->text), quote, node->is_broken ? "!" : "");
        return;
    }
    buf_add_char(out, node->kind == YAML_KIND_MAPPING ? '{' : '[');
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            buf_add_char(out, ' ');
        if (node->kind == YAML_KIND_MAPPING)
            buf_printf(out, "%u:%u " STR_FMT ": ", child->key_mark.line, child->key_mark.column,
                       STR_ARG(child->key));
        draw(child, out);
    }
    buf_add_char(out, node->kind == YAML_KIND_MAPPING ? '}' : ']');
}

static const struct {
    const char *yaml, *drawn, *printed; /* drawn NULL: refused */
} rows[] = {
    {"", "1:1=", ""},
    {"# nothing\n", "2:1=", ""},
    {"a: 1\n", "1:1{1:1 a: 1:4=1}", ""},
    {"\xef\xbb\xbf"
     "a: 1\n",
     "1:1{1:1 a: 1:4=1}", ""},
    {"---\na: 1\n...\n", "2:1{2:1 a: 2:4=1}", ""},
    {"a:\n  - x\n  - 'y'\n  - \"z\"\n", "1:1{1:1 a: 2:3[2:5=x 3:5='y' 4:5='z']}", ""},
    {"{a: [1, {b: c}]}", "1:1{1:2 a: 1:5[1:6=1 1:9{1:10 b: 1:13=c}]}", ""},
    {"a: ${NAME}-${NONE:-d}", "1:1{1:1 a: 1:4=value-d}", ""},
    {"${NAME}: x", "1:1{1:1 ${NAME}: 1:10=x}", ""}, /* keys are as written */
    {"a: &x [1, 2]\nb: *x\n", "1:1{1:1 a: 1:4[1:8=1 1:11=2] 2:1 b: 2:4[1:8=1 1:11=2]}", ""},
    {"[&x 1, *x, &x 2, *x]", "1:1[1:2=1 1:8=1 1:12=2 1:18=2]", ""},
    /* errors that leave a tree */
    {"a: ${NONE}\nb: ${", "1:1{1:1 a: 1:4=${NONE}! 2:1 b: 2:4=${!}",
     "f:1:4: environment variable 'NONE' is not set; ${NONE:-default} gives it a default\n"
     "f:2:4: '${' without '}'; a literal dollar is $$\n"},
    {"a: 1\nb: 2\na: 3\n", "1:1{1:1 a: 1:4=1 2:1 b: 2:4=2 3:1 a: 3:4=3}", "f:3:1: duplicate key 'a'\n"},
    /* errors that do not */
    {"a: [1, 2\nb: 3\n", NULL,
     "f:2:2: YAML syntax: did not find expected ',' or ']', while parsing a flow sequence\n"},
    {"a: 1\n\tb: 2\n", NULL,
     "f:2:1: YAML syntax: found a tab character that violates indentation, while scanning a plain scalar\n"},
    {"a: b: c\n", NULL, "f:1:5: YAML syntax: mapping values are not allowed in this context\n"},
    {"a: 'x\n", NULL, "f:2:1: YAML syntax: found unexpected end of stream, while scanning a quoted scalar\n"},
    {"a: 1\nb: \xff\n", NULL, "f:2:4: YAML syntax: invalid leading UTF-8 octet\n"},
    {"a: 1\n---\nb: 2\n", NULL, "f:2:1: a second document begins here; a file holds one\n"},
    {"a: *x\n", NULL, "f:1:4: alias '*x' without an anchor before it\n"},
    {"a: &x [*x]\n", NULL, "f:1:8: alias '*x' contains itself\n"},
    {"a: !!str 1\n", NULL, "f:1:4: tags ('!...') are not supported\n"},
    {"a: !x {}\n", NULL, "f:1:4: tags ('!...') are not supported\n"},
    {"? [1]\n: 2\n", NULL, "f:1:3: a key has to be a plain name\n"},
    {"&x a: 1\n*x : 2\n", NULL, "f:1:1: a key has to be a plain name\n"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct yaml_document document;
        char printed[4096], drawn[1024];
        struct buf out;
        enum err err = load(str_from(rows[i].yaml), &document, printed);
        assert_string_equal(printed, rows[i].printed);
        assert_int_equal(err, rows[i].drawn ? ERR_OK : ERR_INVALID);
        if (err)
            continue;
        buf_init_fixed(&out, drawn, sizeof(drawn) - 1);
        draw(document.root, &out);
        drawn[out.len] = '\0';
        assert_string_equal(drawn, rows[i].drawn);
        yaml_fini(&document);
    }
}

/* An empty file is read to an empty buffer, and that has no memory. */
static void test_no_memory_at_all(void **state)
{
    (void)state;
    struct yaml_document document;
    char printed[4096];
    assert_int_equal(load(STR_NONE, &document, printed), ERR_OK);
    assert_true(yaml_is_null(document.root));
    yaml_fini(&document);
}

static void test_nulls(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        bool is_null;
    } values[] = {
        {"", true},     {"~", true},   {"null", true}, {"NULL", true},       {"''", false},
        {"'~'", false}, {"[]", false}, {"{}", false},  {"${NONE:-}", false}, {"nil", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct yaml_document document;
        char text[64], printed[4096];
        snprintf(text, sizeof(text), "a: %s", values[i].yaml);
        assert_int_equal(load(str_from(text), &document, printed), ERR_OK);
        assert_int_equal(yaml_is_null(yaml_get(document.root, STR("a"))), values[i].is_null);
        assert_null(yaml_get(document.root, STR("b")));
        yaml_fini(&document);
    }
}

/* Loads `count` times `piece` between two ends. */
static enum err load_repeated(const char *head, const char *piece, size_t count, const char *tail,
                              char printed[4096])
{
    struct buf text;
    struct yaml_document document;
    buf_init(&text, YAML_FILE_MAX + 16);
    buf_add(&text, str_from(head));
    for (size_t i = 0; i < count; i++)
        buf_add(&text, str_from(piece));
    buf_add(&text, str_from(tail));
    assert_true(buf_ok(&text));
    enum err err = load(buf_str(&text), &document, printed);
    if (!err)
        yaml_fini(&document);
    buf_free(&text);
    return err;
}

static void test_depth(void **state)
{
    (void)state;
    char printed[4096];
    assert_int_equal(load_repeated("", "[", YAML_DEPTH_MAX + 1, "", printed), ERR_INVALID);
    assert_int_equal(load_repeated("", "- ", YAML_DEPTH_MAX, "1", printed), ERR_OK);
    assert_int_equal(load_repeated("", "- ", YAML_DEPTH_MAX + 1, "1", printed), ERR_INVALID);
    assert_string_equal(printed, "f:1:67: nested deeper than 32 levels\n");
}

/* Levels below an alias count too: each line is one level deeper than the last. */
static void test_depth_by_alias(void **state)
{
    (void)state;
    struct buf text;
    struct yaml_document document;
    char printed[4096];
    buf_init(&text, 4096);
    buf_add(&text, STR("- &a0 x\n"));
    for (int i = 1; i <= 40; i++)
        buf_printf(&text, "- &a%d [*a%d]\n", i, i - 1);
    assert_int_equal(load(buf_str(&text), &document, printed), ERR_INVALID);
    assert_string_equal(printed, "f:33:9: nested deeper than 32 levels\n");
    buf_free(&text);
}

/* Nine levels of nine aliases: 9^9 nodes if written out. */
static void test_alias_bomb(void **state)
{
    (void)state;
    struct buf text;
    struct yaml_document document;
    char printed[4096];
    buf_init(&text, 4096);
    buf_add(&text, STR("a0: &a0 x\n"));
    for (int i = 1; i <= 9; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++)
            buf_printf(&text, "%s*a%d", j ? ", " : "", i - 1);
        buf_add(&text, STR("]\n"));
    }
    assert_int_equal(load(buf_str(&text), &document, printed), ERR_INVALID);
    assert_string_equal(printed, "f:7:15: more than 200000 values, aliases counted as written out\n");
    buf_free(&text);
}

static void test_counts(void **state)
{
    (void)state;
    char printed[4096];
    assert_int_equal(load_repeated("", "- 1\n", YAML_NODES_MAX - 1, "", printed), ERR_OK);
    assert_int_equal(load_repeated("", "- 1\n", YAML_NODES_MAX, "", printed), ERR_INVALID);
    assert_string_equal(printed, "f:200000:3: more than 200000 values, aliases counted as written out\n");
    assert_int_equal(load_repeated("", "- &a 1\n", YAML_ANCHORS_MAX, "", printed), ERR_OK);
    assert_int_equal(load_repeated("", "- &a 1\n", YAML_ANCHORS_MAX + 1, "", printed), ERR_INVALID);
    assert_string_equal(printed, "f:1001:3: more than 1000 anchors\n");
    assert_int_equal(load_repeated("#", "x", YAML_FILE_MAX, "", printed), ERR_INVALID);
    assert_string_equal(printed, "f: larger than 16 MiB\n");
}

static void test_key_count(void **state)
{
    (void)state;
    struct buf text;
    struct yaml_document document;
    char printed[4096];
    buf_init(&text, 65536);
    for (int i = 0; i < YAML_KEYS_MAX; i++)
        buf_printf(&text, "k%d: 1\n", i);
    assert_int_equal(load(buf_str(&text), &document, printed), ERR_OK);
    yaml_fini(&document);
    buf_add(&text, STR("more: 1\n"));
    assert_int_equal(load(buf_str(&text), &document, printed), ERR_INVALID);
    assert_string_equal(printed, "f:1001:1: more than 1000 keys in one mapping\n");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_no_memory_at_all),
        cmocka_unit_test(test_nulls),          cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_by_alias), cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_counts),         cmocka_unit_test(test_key_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
