/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/llm/fault.c"

#include "wire/json_read.h"
#include "wire/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct json_reader *reader;

static int begin(void **state)
{
    (void)state;
    reader = json_reader_new(1 << 20);
    return reader ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_reader_free(reader);
    return 0;
}

struct error_text {
    char message[600], type[100], param[100], code[100];
    bool param_is_null;
    unsigned members;
};

static enum json_visit visit(void *context, const struct json_item *item)
{
    struct error_text *error = context;
    struct str text;
    if (item->closing)
        return JSON_SKIP;
    if (item->depth == 0 || (item->depth == 1 && str_eq(item->key, STR("error"))))
        return JSON_ENTER;
    assert_int_equal(item->depth, 2);
    error->members++;
    if (item->type == JSON_NULL) {
        assert_true(str_eq(item->key, STR("param")));
        error->param_is_null = true;
        return JSON_SKIP;
    }
    assert_int_equal(json_item_text(item, &text), ERR_OK);
    char *place = str_eq(item->key, STR("message")) ? error->message
                  : str_eq(item->key, STR("type"))  ? error->type
                  : str_eq(item->key, STR("param")) ? error->param
                                                    : error->code;
    memcpy(place, text.ptr, text.len);
    place[text.len] = '\0';
    return JSON_SKIP;
}

static struct error_text read_error(struct str json)
{
    struct error_text error = {.members = 0};
    char bytes[4096] = {0};
    assert_true(json.len + JSON_PADDING < sizeof(bytes));
    memcpy(bytes, json.ptr, json.len);
    assert_int_equal(json_walk(reader, (struct str){bytes, json.len}, visit, &error), ERR_OK);
    assert_int_equal(error.members, 4);
    return error;
}

static void test_every_row(void **state)
{
    static const struct str nasty = {"line\nquote\" back\\ \x01 \xff", 22};
    (void)state;
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT_; fault++) {
        const struct fault_row *row = fault_row(fault);
        struct buf out;
        assert_true(row->status >= 400 && row->status < 600);
        assert_true(row->type.len > 0 && row->code.len > 0 && row->message.len > 0);
        buf_init(&out, 4096);
        openai_error_write(&out, fault, STR_NONE, STR_NONE);
        assert_true(buf_ok(&out));
        struct error_text error = read_error(buf_str(&out));
        assert_true(str_eq(str_from(error.message), row->message));
        assert_true(str_eq(str_from(error.type), row->type));
        assert_true(str_eq(str_from(error.code), row->code));
        assert_true(error.param_is_null);
        buf_clear(&out);
        openai_error_write(&out, fault, nasty, STR("a\"b"));
        error = read_error(buf_str(&out));
        assert_string_equal(error.param, "a\"b");
        assert_string_equal(error.message, "line\nquote\" back\\ \x01 \xef\xbf\xbd");
        assert_false(error.param_is_null);
        buf_free(&out);
    }
}

static void test_every_event(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT_; fault++) {
        struct buf out;
        struct sse_splitter splitter = {0};
        struct sse_event event;
        buf_init(&out, 4096);
        openai_error_event_write(&out, fault, STR("two\nlines"));
        assert_true(buf_ok(&out));
        assert_int_equal(sse_split(&splitter, buf_str(&out)), out.len); /* one event and nothing behind it */
        sse_event_read(buf_str(&out), &event);
        assert_true(event.has_data && !event.more_data);
        struct error_text error = read_error(event.data);
        assert_string_equal(error.message, "two\nlines");
        buf_free(&out);
    }
}

static void test_of_http_status(void **state)
{
    static const struct {
        int status;
        enum fault fault;
    } cases[] = {
        {400, FAULT_BAD_HTTP},     {408, FAULT_SLOW_REQUEST},   {413, FAULT_TOO_LARGE},
        {414, FAULT_URI_TOO_LONG}, {431, FAULT_HEAD_TOO_LARGE}, {501, FAULT_CODING},
        {505, FAULT_HTTP_VERSION}, {418, FAULT_BAD_HTTP},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(fault_of_http_status(cases[i].status), cases[i].fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_row, begin, end),
        cmocka_unit_test_setup_teardown(test_every_event, begin, end),
        cmocka_unit_test(test_of_http_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
