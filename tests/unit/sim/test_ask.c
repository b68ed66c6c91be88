/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/buf.c src/wire/json_read.cc -lsimdjson */
#include "../../../src/sim/ask.c"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct json_reader *reader;
static char padded[4096 + 64];

static struct str document(const char *json)
{
    size_t len = strlen(json);
    memset(padded, ' ', sizeof(padded));
    memcpy(padded, json, len);
    return (struct str){padded, len};
}

static struct ask read_ok(const char *json)
{
    struct ask ask;
    const char *why = NULL;
    assert_int_equal(ask_read(reader, document(json), &ask, &why), ERR_OK);
    return ask;
}

static void test_chat(void **state)
{
    (void)state;
    struct ask ask =
        read_ok("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"model\":\"a/b\",\"stream\":true,"
                "\"stream_options\":{\"include_usage\":true,\"x\":[1]},\"max_tokens\":5}");
    assert_true(str_eq(ask.model, STR("a/b")));
    assert_true(ask.stream && ask.include_usage);
    assert_int_equal(ask.max_tokens, 5);
    assert_int_equal(ask.prompt_bytes, sizeof("[{\"role\":\"user\",\"content\":\"hi\"}]") - 1);
}

static void test_defaults(void **state)
{
    (void)state;
    struct ask ask = read_ok("{\"model\":\"m\",\"stream\":null,\"max_completion_tokens\":null,"
                             "\"include_usage\":true,\"o\":{\"stream\":true,\"model\":\"n\"}}");
    assert_true(str_eq(ask.model, STR("m")));
    assert_false(ask.stream || ask.include_usage || ask.base64);
    assert_int_equal(ask.max_tokens, ASK_NO_LIMIT);
    assert_int_equal(ask.prompt_bytes, 0);
}

static void test_embeddings(void **state)
{
    (void)state;
    struct ask ask =
        read_ok("{\"model\":\"m\",\"input\":\"abc\",\"encoding_format\":\"base64\",\"dimensions\":7}");
    assert_true(ask.base64);
    assert_int_equal(ask.dimensions, 7);
    assert_int_equal(ask.prompt_bytes, 5);
    assert_false(read_ok("{\"model\":\"m\",\"encoding_format\":\"float\"}").base64);
}

static void test_refused(void **state)
{
    static const struct {
        const char *json, *why;
    } rows[] = {
        {"", "the body is not valid JSON"},
        {"{\"model\":\"m\"", "the body is not valid JSON"},
        {"[]", "the body must be a JSON object"},
        {"{}", "you must provide a 'model'"},
        {"{\"model\":\"\"}", "you must provide a 'model'"},
        {"{\"model\":1}", "'model' must be a string"},
        {"{\"model\":\"m\",\"stream\":1}", "'stream' must be a boolean"},
        {"{\"model\":\"m\",\"max_tokens\":-1}", "'max_tokens' must be a non-negative integer"},
        {"{\"model\":\"m\",\"stream_options\":{\"include_usage\":\"x\"}}",
         "'include_usage' must be a boolean"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask ask;
        const char *why = NULL;
        assert_int_equal(ask_read(reader, document(rows[i].json), &ask, &why), ERR_INVALID);
        assert_string_equal(why, rows[i].why);
    }
}

static void note_input(void *context, size_t index, struct str json)
{
    char *seen = context;
    size_t len = strlen(seen);
    snprintf(seen + len, 256 - len, "%zu:" STR_FMT ";", index, STR_ARG(json));
}

static void test_inputs(void **state)
{
    static const struct {
        const char *json, *seen;
    } rows[] = {
        {"{\"input\":\"a\",\"model\":\"m\"}", "0:\"a\";"},
        {"{\"input\":[\"a\",\"b\"]}", "0:\"a\";1:\"b\";"},
        {"{\"input\":[1,2]}", "0:[1,2];"},
        {"{\"input\":[[1,2],[3]]}", "0:[1,2];1:[3];"},
        {"{\"input\":[]}", ""},
        {"{\"other\":[\"a\"]}", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char seen[256] = "";
        assert_int_equal(ask_each_input(reader, document(rows[i].json), note_input, seen), ERR_OK);
        assert_string_equal(seen, rows[i].seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat),    cmocka_unit_test(test_defaults), cmocka_unit_test(test_embeddings),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_inputs),
    };
    reader = json_reader_new(1 << 20);
    int failed = reader ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    json_reader_free(reader);
    return failed;
}
