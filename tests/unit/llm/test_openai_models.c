/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/llm/openai_models.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct json_reader *reader;
static struct arena arena;

static int begin(void **state)
{
    (void)state;
    reader = json_reader_new(4 << 20);
    arena_init(&arena, NULL);
    return reader ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_reader_free(reader);
    arena_fini(&arena);
    return 0;
}

static struct str padded(struct str text)
{
    char *bytes = calloc(1, text.len + JSON_PADDING);
    assert_non_null(bytes);
    memcpy(bytes, text.ptr, text.len);
    return (struct str){bytes, text.len};
}

/* Names joined by "|"; NULL: no list. */
static void test_read(void **state)
{
    static const char *const rows[][2] = {
        {"{\"object\":\"list\",\"data\":[{\"id\":\"a\",\"object\":\"model\"},{\"id\":\"b/c:d\"}]}",
         "a|b/c:d|"},
        {"{\"data\":[]}", ""},
        {"{\"data\":[{\"object\":\"model\",\"id\":\"caf\\u00e9\"}]}", "caf\xc3\xa9|"},
        {"{\"data\":[{\"id\":1},{\"id\":null},{\"id\":\"\"},{},7,\"x\",[{\"id\":\"no\"}],{\"id\":\"y\"}]}",
         "y|"},
        {"{\"data\":[{\"id\":\"a\",\"name\":\"no\",\"inner\":{\"id\":\"no\"},\"list\":[\"id\"]}]}", "a|"},
        {"{\"models\":[{\"name\":\"llama3:8b\",\"id\":\"no\"},{\"name\":\"q\"}]}", "llama3:8b|q|"},
        {"{\"object\":\"list\",\"models\":[{\"name\":\"q\"}],\"data\":[{\"id\":\"q\"}]}", "q|"},
        {"{\"data\":null,\"models\":[{\"name\":\"q\"}]}", "q|"},
        {"{\"data\":{\"data\":[{\"id\":\"no\"}]}}", NULL},
        {"{\"object\":\"list\"}", NULL},
        {"{}", NULL},
        {"[{\"id\":\"no\"}]", NULL},
        {"\"data\"", NULL},
        {"", NULL},
        {"{\"data\":[{\"id\":\"a\"}", NULL},
        {"<html>not JSON</html>", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str *names = NULL, body = padded(str_from(rows[i][0]));
        size_t count = 4711;
        enum err err = openai_models_read(reader, body, &arena, &names, &count);
        free((void *)(uintptr_t)body.ptr); /* the names live on */
        if (!rows[i][1]) {
            assert_int_equal(err, ERR_INVALID);
            assert_null(names);
            assert_int_equal(count, 4711);
            continue;
        }
        assert_int_equal(err, ERR_OK);
        struct buf joined;
        buf_init(&joined, 1000);
        for (size_t n = 0; n < count; n++) {
            buf_add(&joined, names[n]);
            buf_add_char(&joined, '|');
        }
        if (!str_eq(buf_str(&joined), str_from(rows[i][1])))
            fail_msg("names of %s are " STR_FMT, rows[i][0], STR_ARG(buf_str(&joined)));
        buf_free(&joined);
    }
}

static void test_a_very_long_list_is_cut(void **state)
{
    struct buf body;
    struct str *names;
    size_t count;
    (void)state;
    buf_init(&body, 4 << 20);
    buf_add(&body, STR("{\"data\":["));
    for (unsigned i = 0; i < MODELS_MAX + 5; i++)
        buf_printf(&body, "%s{\"id\":\"m%u\"}", i ? "," : "", i);
    buf_add(&body, STR("]}"));
    assert_true(buf_reserve(&body, JSON_PADDING));
    assert_int_equal(openai_models_read(reader, buf_str(&body), &arena, &names, &count), ERR_OK);
    assert_int_equal(count, MODELS_MAX);
    assert_true(str_eq(names[MODELS_MAX - 1], STR("m9999")));
    buf_free(&body);
}

static void test_write_then_read(void **state)
{
    struct buf body;
    struct json_writer w;
    struct str *names;
    size_t count;
    (void)state;
    buf_init(&body, 4096);
    json_write_init(&w, &body);
    json_object_begin(&w);
    json_key(&w, STR("data"));
    json_array_begin(&w);
    openai_model_write(&w, STR("plain"), STR("a"));
    openai_model_write(&w, STR("with \"quotes\"\n"), STR("b"));
    json_array_end(&w);
    json_object_end(&w);
    assert_true(buf_ok(&body) && buf_reserve(&body, JSON_PADDING));
    assert_true(str_find(buf_str(&body),
                         STR("{\"id\":\"plain\",\"object\":\"model\",\"created\":0,\"owned_by\":\"a\"}")) >
                0);
    assert_int_equal(openai_models_read(reader, buf_str(&body), &arena, &names, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(names[0], STR("plain")));
    assert_true(str_eq(names[1], STR("with \"quotes\"\n")));
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, begin, end),
        cmocka_unit_test_setup_teardown(test_a_very_long_list_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_write_then_read, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
