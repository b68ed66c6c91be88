/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c src/base/str.c src/base/buf.c */
#include "../../../src/wire/json_write.c"

#include "exact.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_written(const struct buf *out, const char *expected)
{
    if (!str_eq(buf_str(out), str_from(expected)))
        fail_msg("\"" STR_FMT "\" is not \"%s\"", STR_ARG(buf_str(out)), expected);
}

static void test_nesting_and_commas(void **state)
{
    (void)state;
    struct json_writer w;
    struct buf out;
    buf_init(&out, 4096);
    json_write_init(&w, &out);
    json_object_begin(&w);
    json_key(&w, STR("a"));
    json_u64(&w, 1);
    json_key(&w, STR("b"));
    json_array_begin(&w);
    json_null(&w);
    json_bool(&w, true);
    json_bool(&w, false);
    json_object_begin(&w);
    json_object_end(&w);
    json_array_begin(&w);
    json_array_end(&w);
    json_string(&w, STR("x"));
    json_string(&w, STR_NONE);
    json_array_end(&w);
    json_key(&w, STR("c\"d"));
    json_raw(&w, STR("{\"raw\":[1, 2]}"));
    json_object_end(&w);
    assert_true(buf_ok(&out));
    assert_written(&out, "{\"a\":1,\"b\":[null,true,false,{},[],\"x\",\"\"],\"c\\\"d\":{\"raw\":[1, 2]}}");
    buf_free(&out);
}

static void test_deepest_nesting(void **state)
{
    (void)state;
    struct json_writer w;
    struct buf out;
    buf_init(&out, 4096);
    json_write_init(&w, &out);
    for (int i = 0; i < JSON_WRITE_DEPTH - 1; i++)
        json_array_begin(&w);
    for (int i = 0; i < JSON_WRITE_DEPTH - 1; i++)
        json_array_end(&w);
    assert_written(&out, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    buf_free(&out);
}

static void test_integers(void **state)
{
    (void)state;
    struct json_writer w;
    struct buf out;
    buf_init(&out, 4096);
    json_write_init(&w, &out);
    json_array_begin(&w);
    json_u64(&w, 0);
    json_u64(&w, UINT64_MAX);
    json_i64(&w, 0);
    json_i64(&w, -1);
    json_i64(&w, INT64_MAX);
    json_i64(&w, INT64_MIN);
    json_array_end(&w);
    assert_written(&out, "[0,18446744073709551615,0,-1,9223372036854775807,-9223372036854775808]");
    buf_free(&out);
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *expected;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {100000, "100000"},
        {1e22, "1e+22"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "4.94065645841247e-324"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_writer w;
        struct buf out;
        buf_init(&out, 4096);
        json_write_init(&w, &out);
        json_double(&w, cases[i].value);
        assert_written(&out, cases[i].expected);
        buf_free(&out);
    }
}

static void test_doubles_read_back(void **state)
{
    (void)state;
    static const double values[] = {
        DBL_MAX, DBL_MIN, DBL_EPSILON, 1e15, 123456789012345678.0, 2.2250738585072011e-308};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct buf out;
        buf_init(&out, 64);
        append_double(&out, values[i]);
        buf_add_char(&out, '\0');
        assert_true(strtod(out.ptr, NULL) == values[i]);
        buf_free(&out);
    }
}

#define BAD "\xef\xbf\xbd"

static const struct {
    struct str value;
    const char *expected;
} string_cases[] = {
    {STR(""), ""},
    {STR("plain"), "plain"},
    {STR("quote\" back\\slash /"), "quote\\\" back\\\\slash /"},
    {STR("\b\t\n\f\r"), "\\b\\t\\n\\f\\r"},
    {STR("\0\x01\x0b\x1f"), "\\u0000\\u0001\\u000b\\u001f"},
    {STR("\x7f"), "\x7f"},
    {STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {STR("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
     "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {STR("\xed\x9f\xbf\xee\x80\x80"), "\xed\x9f\xbf\xee\x80\x80"},
    {STR("a\x80z"), "a" BAD "z"},
    {STR("\xff\xfe"), BAD BAD},
    {STR("\xc0\xaf"), BAD BAD},         /* overlong */
    {STR("\xe0\x9f\xbf"), BAD BAD BAD}, /* overlong */
    {STR("\xf0\x8f\xbf\xbf"), BAD BAD BAD BAD},
    {STR("\xed\xa0\x80"), BAD BAD BAD}, /* a surrogate */
    {STR("\xf4\x90\x80\x80"), BAD BAD BAD BAD},
    {STR("\xf5\x80\x80\x80"), BAD BAD BAD BAD},
    {STR("\xc3"), BAD}, /* cut short */
    {STR("\xe2\x82"), BAD BAD},
    {STR("\xf0\x9f\x98"), BAD BAD BAD},
    {STR("\xc3\""), BAD "\\\""},
    {STR("\xe2\x82\n"), BAD BAD "\\n"},
};

/* Also with enough before and behind that the wide steps meet it. */
static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(string_cases); i++) {
        for (size_t before = 0; before < 80; before++) {
            char text[200], expected[400];
            size_t len = before + string_cases[i].value.len;
            memset(text, 'x', sizeof(text));
            memcpy(text + before, string_cases[i].value.ptr, string_cases[i].value.len);
            size_t behind = before % 3 * 20;
            struct str value = exact_copy((struct str){text, len + behind});
            snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)before, text,
                     string_cases[i].expected, (int)behind, text + len);
            struct buf out;
            buf_init(&out, 4096);
            json_append_string(&out, value);
            assert_written(&out, expected);
            buf_free(&out);
            exact_free(value);
        }
    }
}

static void test_full_buffer_is_reported(void **state)
{
    (void)state;
    char memory[6];
    struct json_writer w;
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    json_write_init(&w, &out);
    json_array_begin(&w);
    json_string(&w, STR("too long"));
    json_array_end(&w);
    assert_false(buf_ok(&out));
}

static struct json_writer misused;

static void key_outside_of_object(void)
{
    json_key(&misused, STR("a"));
}

static void key_in_array(void)
{
    json_array_begin(&misused);
    json_key(&misused, STR("a"));
}

static void two_keys(void)
{
    json_object_begin(&misused);
    json_key(&misused, STR("a"));
    json_key(&misused, STR("b"));
}

static void value_without_key(void)
{
    json_object_begin(&misused);
    json_null(&misused);
}

static void key_without_value(void)
{
    json_object_begin(&misused);
    json_key(&misused, STR("a"));
    json_object_end(&misused);
}

static void wrong_bracket(void)
{
    json_object_begin(&misused);
    json_array_end(&misused);
}

static void bracket_too_many(void)
{
    json_array_begin(&misused);
    json_array_end(&misused);
    json_array_end(&misused);
}

static void second_root(void)
{
    json_null(&misused);
    json_null(&misused);
}

static void too_deep(void)
{
    for (int i = 0; i < JSON_WRITE_DEPTH; i++)
        json_array_begin(&misused);
}

/* Runs `misuse` in a process of its own; true when that aborts. */
static bool aborts(void (*misuse)(void))
{
    pid_t child = fork();
    if (child == 0) {
        char memory[256];
        struct buf out;
        fclose(stderr);
        buf_init_fixed(&out, memory, sizeof(memory));
        json_write_init(&misused, &out);
        misuse();
        _exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_misuse_aborts(void **state)
{
    (void)state;
    static void (*const misuses[])(void) = {key_outside_of_object, key_in_array,      two_keys,
                                            value_without_key,     key_without_value, wrong_bracket,
                                            bracket_too_many,      second_root,       too_deep};
    for (size_t i = 0; i < ARRAY_LEN(misuses); i++)
        if (!aborts(misuses[i]))
            fail_msg("misuse %zu goes unnoticed", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting_and_commas),
        cmocka_unit_test(test_deepest_nesting),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_full_buffer_is_reported),
        cmocka_unit_test(test_misuse_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
