/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/llm/splice.c src/wire/json_read.cc src/wire/json_token.c src/base/arena.c src/base/str.c -lsimdjson */
#include "../../../src/llm/openai_request.c"

#include "request_check.h"

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
    reader = json_reader_new(1 << 20);
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

/* The body in memory of its own with the padding behind it, so that a read too far is seen. */
static struct str padded(const char *text)
{
    size_t len = strlen(text);
    char *bytes = calloc(1, len + JSON_PADDING);
    assert_non_null(bytes);
    memcpy(bytes, text, len);
    return (struct str){bytes, len};
}

static void unpad(struct str body)
{
    free((void *)(uintptr_t)body.ptr);
}

static void assert_text(struct str actual, const char *expected, const char *what, const char *body)
{
    if (!str_eq(actual, str_from(expected)))
        fail_msg("%s of %s is \"" STR_FMT "\", not \"%s\"", what, body, STR_ARG(actual), expected);
}

static void test_facts(void **state)
{
    static const struct {
        const char *body, *model, *user;
        bool is_stream, wants_usage;
    } rows[] = {
        {"{}", "", "", false, false},
        {" \n{ } \t", "", "", false, false},
        {"{\"model\":\"m\"}", "m", "", false, false},
        {"{\"model\":\"\"}", "", "", false, false},
        {"{\"model\" : \"a/b:c\" , \"stream\" : true }", "a/b:c", "", true, false},
        {"{\"stream\":false,\"model\":\"m\",\"user\":\"u\"}", "m", "u", false, false},
        {"{\"stream\":null,\"model\":\"m\"}", "m", "", false, false},
        {"{\"mod\\u0065l\":\"m\"}", "m", "", false, false},
        {"{\"model\":\"caf\\u00e9 \\\"x\\\"\"}", "caf\xc3\xa9 \"x\"", "", false, false},
        {"{\"str\\u0065am\":true,\"model\":\"m\"}", "m", "", true, false},
        {"{\"model\":\"m\",\"user\":null}", "m", "", false, false},
        {"{\"model\":\"m\",\"user\":7}", "m", "", false, false},
        {"{\"Model\":\"no\",\"model\":\"m\"}", "m", "", false, false},
        {"{\"x\":{\"model\":\"inner\",\"stream\":true},\"model\":\"m\"}", "m", "", false, false},
        {"{\"metadata\":[{\"user\":\"inner\"}],\"model\":\"m\",\"user\":\"u\"}", "m", "u", false, false},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "m", "", true,
         true},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":false}}", "m", "", true,
         false},
        {"{\"stream_options\":{\"inc\\u006cude_usage\":true},\"model\":\"m\",\"stream\":true}", "m", "", true,
         true},
        {"{\"stream_options\":null,\"model\":\"m\",\"stream\":true}", "m", "", true, false},
        {"{\"x\":{\"include_usage\":true},\"model\":\"m\",\"stream\":true}", "m", "", true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openai_request req;
        struct str param, body = padded(rows[i].body);
        enum fault fault = openai_request_read(reader, body, false, &arena, &req, &param);
        if (fault != FAULT_NONE)
            fail_msg("fault %d for %s", fault, rows[i].body);
        assert_text(req.model, rows[i].model, "model", rows[i].body);
        assert_text(req.user, rows[i].user, "user", rows[i].body);
        assert_int_equal(req.is_stream, rows[i].is_stream);
        assert_int_equal(req.wants_usage, rows[i].wants_usage);
        assert_int_equal(req.last_text.len, 0);
        assert_int_equal(body.ptr[req.object_at], '{');
        check_splices(reader, &req, body);
        unpad(body);
    }
}

static void test_faults(void **state)
{
    static const struct {
        const char *body;
        enum fault fault;
        const char *param;
    } rows[] = {
        {"", FAULT_BAD_JSON, ""},
        {" ", FAULT_BAD_JSON, ""},
        {"[]", FAULT_BAD_JSON, ""},
        {"\"model\"", FAULT_BAD_JSON, ""},
        {"null", FAULT_BAD_JSON, ""},
        {"1", FAULT_BAD_JSON, ""},
        {"{", FAULT_BAD_JSON, ""},
        {"{\"model\":\"m\"", FAULT_BAD_JSON, ""},
        {"{\"model\":\"m\",}", FAULT_BAD_JSON, ""},
        {"{\"model\":\"m\"} x", FAULT_BAD_JSON, ""},
        {"{\"model\":\"m\"}{}", FAULT_BAD_JSON, ""},
        {"{'model':'m'}", FAULT_BAD_JSON, ""},
        {"{\"model\":\"\xff\"}", FAULT_BAD_JSON, ""},
        {"{\"model\":1}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":null}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":true}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":[\"m\"]}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":{\"a\":1}}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":\"\\q\"}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":\"a\",\"model\":\"a\"}", FAULT_BAD_FIELD, "model"},
        {"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", FAULT_BAD_FIELD, "model"},
        {"{\"stream\":1}", FAULT_BAD_FIELD, "stream"},
        {"{\"stream\":\"true\"}", FAULT_BAD_FIELD, "stream"},
        {"{\"stream\":[]}", FAULT_BAD_FIELD, "stream"},
        {"{\"stream\":{}}", FAULT_BAD_FIELD, "stream"},
        {"{\"stream\":true,\"stream\":false}", FAULT_BAD_FIELD, "stream"},
        {"{\"stream_options\":true}", FAULT_BAD_FIELD, "stream_options"},
        {"{\"stream_options\":[]}", FAULT_BAD_FIELD, "stream_options"},
        {"{\"stream_options\":\"\"}", FAULT_BAD_FIELD, "stream_options"},
        {"{\"stream_options\":0}", FAULT_BAD_FIELD, "stream_options"},
        {"{\"stream_options\":null,\"stream_options\":{}}", FAULT_BAD_FIELD, "stream_options"},
        {"{\"stream_options\":{\"include_usage\":1}}", FAULT_BAD_FIELD, "stream_options.include_usage"},
        {"{\"stream_options\":{\"include_usage\":null}}", FAULT_BAD_FIELD, "stream_options.include_usage"},
        {"{\"stream_options\":{\"include_usage\":\"true\"}}", FAULT_BAD_FIELD,
         "stream_options.include_usage"},
        {"{\"stream_options\":{\"include_usage\":{}}}", FAULT_BAD_FIELD, "stream_options.include_usage"},
        {"{\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}", FAULT_BAD_FIELD,
         "stream_options.include_usage"},
        {"{\"user\":\"a\",\"user\":\"a\"}", FAULT_BAD_FIELD, "user"},
        {"{\"messages\":[],\"messages\":[]}", FAULT_BAD_FIELD, "messages"},
        {"{\"prompt\":\"a\",\"prompt\":\"b\"}", FAULT_BAD_FIELD, "prompt"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openai_request req = {.object_at = 4711};
        struct str param = STR_NONE, body = padded(rows[i].body);
        enum fault fault = openai_request_read(reader, body, true, &arena, &req, &param);
        if (fault != rows[i].fault)
            fail_msg("fault %d for %s", fault, rows[i].body);
        assert_text(param, rows[i].param, "param", rows[i].body);
        assert_int_equal(req.object_at, 4711); /* untouched */
        unpad(body);
    }
}

/* Body, and the body that asks for usage; NULL: no change. */
static void test_ask_usage(void **state)
{
    static const char *const rows[][2] = {
        {"{\"stream\":true}", "{\"stream_options\":{\"include_usage\":true},\"stream\":true}"},
        {" {\"stream\":true}", " {\"stream_options\":{\"include_usage\":true},\"stream\":true}"},
        {"{ \"stream\": true }", "{\"stream_options\":{\"include_usage\":true}, \"stream\": true }"},
        {"{\"stream\":true,\"stream_options\":null}",
         "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream\":true,\"stream_options\":{}}",
         "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\": { \n} ,\"stream\":true}",
         "{\"stream_options\": {\"include_usage\":true \n} ,\"stream\":true}"},
        {"{\"stream\":true,\"stream_options\":{\"x\":1}}",
         "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":1}}"},
        {"{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":true}}}",
         "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"x\":{\"include_usage\":true}}}"},
        {"{\"stream\":true,\"stream_options\":{\"include_usage\":false}}",
         "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream\":true,\"stream_options\":{\"x\":[1,{}], \"include_usage\" : false , \"y\":2}}",
         "{\"stream\":true,\"stream_options\":{\"x\":[1,{}], \"include_usage\" : true , \"y\":2}}"},
        {"{\"stream\":true,\"stream_options\":{\"include_usage\":true}}", NULL},
        {"{\"stream\":true,\"stream_options\":{\"x\":0,\"include_usage\":true,\"y\":[]}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openai_request req;
        struct splices splices = {0};
        struct str param, body = padded(rows[i][0]);
        assert_int_equal(openai_request_read(reader, body, false, &arena, &req, &param), FAULT_NONE);
        openai_request_ask_usage(&req, &splices);
        assert_int_equal(splices.count, rows[i][1] != NULL);
        struct str changed = apply_splices(&splices, body);
        assert_text(changed, rows[i][1] ? rows[i][1] : rows[i][0], "change", rows[i][0]);
        check_splices(reader, &req, body);
        unpad(changed);
        unpad(body);
    }
}

static void test_rename_keeps_all_else(void **state)
{
    struct openai_request req;
    struct splices splices = {0};
    struct str param,
        body = padded("{\"a\" : 1,\"model\" : \"o\\u006cd\" , \"stream\":true,\"b\":[\"old\"]}");
    (void)state;
    assert_int_equal(openai_request_read(reader, body, false, &arena, &req, &param), FAULT_NONE);
    openai_request_rename(&req, STR("\"new\""), &splices);
    openai_request_ask_usage(&req, &splices);
    struct str changed = apply_splices(&splices, body);
    assert_text(
        changed,
        "{\"stream_options\":{\"include_usage\":true},\"a\" : 1,\"model\" : \"new\" , \"stream\":true,"
        "\"b\":[\"old\"]}",
        "change", body.ptr);
    unpad(changed);
    unpad(body);
}

static void test_last_text(void **state)
{
    static const struct {
        const char *body, *text;
    } rows[] = {
        {"{\"messages\":[]}", ""},
        {"{\"messages\":\"x\"}", ""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "hi"},
        {"{\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}]}", "hi"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"l\\u00e4\\n\"}]}", "l\xc3\xa4\n"},
        {"{\"messages\":[{\"role\":\"us\\u0065r\",\"content\":\"hi\"}]}", "hi"},
        {"{\"messages\":[{\"r\\u006fle\":\"user\",\"c\\u006fntent\":\"hi\"}]}", "hi"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"no\"},"
         "{\"role\":\"user\",\"content\":\"two\"}]}",
         "two"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"tool\",\"content\":\"no\"}]}",
         "one"},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"no\"},{\"role\":\"assistant\",\"content\":null}]"
         "}",
         ""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
         "{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\",\"text\":\"no\"}},{\"type\":\"text\",\"text\":"
         "\"b\"}]}]}",
         "b"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
         "{\"type\":\"image_url\",\"image_url\":{\"url\":\"u\"}}]},{\"role\":\"tool\",\"content\":[{\"text\":"
         "\"no\"}]}]}",
         "a"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"no\","
         "\"tool_calls\":[{\"role\":\"user\",\"function\":{\"arguments\":\"{}\",\"content\":\"no\"}}]}]}",
         "one"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", ""},
        {"{\"messages\":[1,\"x\",null,[{\"role\":\"user\",\"content\":\"no\"}],{\"role\":\"user\","
         "\"content\":\"y\"}]}",
         "y"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":7}]}", ""},
        {"{\"x\":[{\"role\":\"user\",\"content\":\"no\"}],\"messages\":[{\"role\":\"user\",\"content\":\"y\"}"
         "],"
         "\"z\":[{\"role\":\"user\",\"content\":\"no\"}]}",
         "y"},
        {"{\"prompt\":\"once\"}", "once"},
        {"{\"prompt\":\"o\\tk\"}", "o\tk"},
        {"{\"prompt\":[\"a\",\"b\"]}", ""},
        {"{\"prompt\":null}", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openai_request req;
        struct str param, body = padded(rows[i].body);
        enum fault fault = openai_request_read(reader, body, true, &arena, &req, &param);
        if (fault != FAULT_NONE)
            fail_msg("fault %d for %s", fault, rows[i].body);
        assert_text(req.last_text, rows[i].text, "last text", rows[i].body);
        unpad(body);
        if (req.last_text.len > 0) /* kept, not a view of the body */
            assert_text(req.last_text, rows[i].text, "kept text", rows[i].body);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *body;
        enum temperature temperature;
        uint64_t max_tokens, choices;
    } rows[] = {
        {"{}", TEMPERATURE_ABSENT, 0, 0},
        {"{\"temperature\":0}", TEMPERATURE_ZERO, 0, 0},
        {"{\"temperature\":0.0,\"n\":3}", TEMPERATURE_ZERO, 0, 3},
        {"{\"temperature\":-0}", TEMPERATURE_ZERO, 0, 0},
        {"{\"temperature\":0.01}", TEMPERATURE_OTHER, 0, 0},
        {"{\"temperature\":null}", TEMPERATURE_ABSENT, 0, 0},
        {"{\"temperature\":\"0\"}", TEMPERATURE_OTHER, 0, 0}, /* not a number: nothing to rely on */
        {"{\"max_tokens\":5}", TEMPERATURE_ABSENT, 5, 0},
        {"{\"max_completion_tokens\":7,\"max_tokens\":5}", TEMPERATURE_ABSENT, 7, 0},
        {"{\"max_tokens\":-5,\"n\":1.5}", TEMPERATURE_ABSENT, 0, 0},
        {"{\"messages\":[{\"temperature\":0,\"max_tokens\":9}]}", TEMPERATURE_ABSENT, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openai_request req;
        struct str param, body = padded(rows[i].body);
        assert_int_equal(openai_request_read(reader, body, false, &arena, &req, &param), FAULT_NONE);
        assert_int_equal(req.temperature, rows[i].temperature);
        assert_int_equal(req.max_tokens, rows[i].max_tokens);
        assert_int_equal(req.choices, rows[i].choices);
        unpad(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_facts, begin, end),
        cmocka_unit_test_setup_teardown(test_faults, begin, end),
        cmocka_unit_test_setup_teardown(test_numbers, begin, end),
        cmocka_unit_test_setup_teardown(test_ask_usage, begin, end),
        cmocka_unit_test_setup_teardown(test_rename_keeps_all_else, begin, end),
        cmocka_unit_test_setup_teardown(test_last_text, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
