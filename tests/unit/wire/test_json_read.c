/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/assert.c src/base/str.c src/base/buf.c src/wire/json_read.cc src/wire/json_token.c -lsimdjson -lstdc++ */
/* clang-format on */
#include "wire/json_read.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MAX_DOCUMENT ((size_t)8 << 20)

static struct json_reader *reader;

static int set_up(void **state)
{
    (void)state;
    reader = json_reader_new(MAX_DOCUMENT);
    return reader ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_reader_free(reader);
    return 0;
}

/* A copy with exactly the padding that is promised, filled with what an unfinished document might go on with.
 */
static struct str padded(struct str document, char filler)
{
    char *copy = malloc(document.len + JSON_PADDING);
    if (document.len > 0)
        memcpy(copy, document.ptr, document.len);
    memset(copy + document.len, filler, JSON_PADDING);
    return (struct str){copy, document.len};
}

static void padded_free(struct str document)
{
    free((void *)(uintptr_t)document.ptr);
}

/* A visitor that writes down what it is shown, and enters or leaves out what it is told to. */
struct tracer {
    struct buf trace;
    const char *skipped_key, *stop_key;
    struct str document;
    size_t texts_failed;
};

static const char type_letters[] = "oasntfz";

static void trace_item(struct tracer *tracer, const struct json_item *item)
{
    bool is_container = item->type == JSON_OBJECT || item->type == JSON_ARRAY;
    buf_printf(&tracer->trace, "%u%c%zu", item->depth, type_letters[item->type], item->index);
    if (item->key.len > 0)
        buf_printf(&tracer->trace, "%s" STR_FMT, item->key_is_escaped ? "~" : ":", STR_ARG(item->key));
    if (item->closing || !is_container)
        buf_printf(&tracer->trace, "=" STR_FMT, STR_ARG(item->raw));
    buf_add_char(&tracer->trace, ' ');
}

static enum json_visit trace_visitor(void *context, const struct json_item *item)
{
    struct tracer *tracer = context;
    struct str text;
    assert_true(item->raw.ptr >= tracer->document.ptr);
    assert_true(item->raw.ptr + item->raw.len <= tracer->document.ptr + tracer->document.len);
    if (!item->closing && (item->type == JSON_OBJECT || item->type == JSON_ARRAY))
        assert_ptr_equal(item->raw.ptr + item->raw.len, tracer->document.ptr + tracer->document.len);
    trace_item(tracer, item);
    if (item->type == JSON_STRING)
        tracer->texts_failed += json_item_text(item, &text) != ERR_OK;
    if (tracer->stop_key && str_eq(item->key, str_from(tracer->stop_key)))
        return JSON_STOP;
    return tracer->skipped_key && str_eq(item->key, str_from(tracer->skipped_key)) ? JSON_SKIP : JSON_ENTER;
}

static enum err trace(struct str document, const char *skipped_key, const char *stop_key,
                      struct tracer *tracer)
{
    *tracer = (struct tracer){.skipped_key = skipped_key, .stop_key = stop_key, .document = document};
    buf_init(&tracer->trace, 1 << 16);
    enum err err = json_walk(reader, document, trace_visitor, tracer);
    buf_add_char(&tracer->trace, '\0');
    return err;
}

static const struct {
    struct str document;
    const char *skipped_key, *stop_key, *trace;
} walks[] = {
    {STR("{}"), NULL, NULL, "0o0 0o0={} "},
    {STR("[]"), NULL, NULL, "0a0 0a0=[] "},
    {STR(" \r\n\t{ } \n"), NULL, NULL, "0o0 0o0={ } "},
    {STR("1"), NULL, NULL, "0n0=1 "},
    {STR(" -1.5e3 "), NULL, NULL, "0n0=-1.5e3 "},
    {STR("\"\""), NULL, NULL, "0s0=\"\" "},
    {STR(" \"a b\" "), NULL, NULL, "0s0=\"a b\" "},
    {STR("true"), NULL, NULL, "0t0=true "},
    {STR("false\n"), NULL, NULL, "0f0=false "},
    {STR("null"), NULL, NULL, "0z0=null "},
    {STR("{\"a\":1,\"b\":[true,\"x\" , null]}"), NULL, NULL,
     "0o0 1n0:a=1 1a1:b 2t0=true 2s1=\"x\" 2z2=null 1a1:b=[true,\"x\" , null] "
     "0o0={\"a\":1,\"b\":[true,\"x\" , null]} "},
    {STR("{\"a\":{\"b\":{}}}"), NULL, NULL,
     "0o0 1o0:a 2o0:b 2o0:b={} 1o0:a={\"b\":{}} 0o0={\"a\":{\"b\":{}}} "},
    {STR("[[1],[2]]"), NULL, NULL, "0a0 1a0 2n0=1 1a0=[1] 1a1 2n0=2 1a1=[2] 0a0=[[1],[2]] "},
    {STR("{\"a\":{\"x\":[1,{}]},\"b\":2}"), "a", NULL,
     "0o0 1o0:a 1n1:b=2 0o0={\"a\":{\"x\":[1,{}]},\"b\":2} "},
    {STR("{\"a\":[[[]]],\"b\":2}"), "a", NULL, "0o0 1a0:a 1n1:b=2 0o0={\"a\":[[[]]],\"b\":2} "},
    {STR("{\"a\":1,\"b\":2,\"c\":nonsense}"), NULL, "b", "0o0 1n0:a=1 1n1:b=2 "},
    {STR("{\"\\u0061\\n\":1,\"\\\"\":\"\\\\\"}"), NULL, NULL,
     "0o0 1n0~a\n=1 1s1~\"=\"\\\\\" 0o0={\"\\u0061\\n\":1,\"\\\"\":\"\\\\\"} "},
    {STR("{\"\":1,\"a\":1,\"a\":2}"), NULL, NULL, "0o0 1n0=1 1n1:a=1 1n2:a=2 0o0={\"\":1,\"a\":1,\"a\":2} "},
};

static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
        struct str document = padded(walks[i].document, 'x');
        struct tracer tracer;
        assert_int_equal(trace(document, walks[i].skipped_key, walks[i].stop_key, &tracer), ERR_OK);
        assert_string_equal(tracer.trace.ptr, walks[i].trace);
        buf_free(&tracer.trace);
        padded_free(document);
    }
}

static const struct str invalid[] = {
    STR(""),
    STR(" "),
    STR("\n\n"),
    STR("x"),
    STR("{"),
    STR("["),
    STR("}"),
    STR("]"),
    STR("\""),
    STR("\"a"),
    STR(","),
    STR(":"),
    STR("{]"),
    STR("[}"),
    STR("{}}"),
    STR("[]]"),
    STR("{}{}"),
    STR("{} x"),
    STR("[] 1"),
    STR("1 2"),
    STR("\"a\" \"b\""),
    STR("true false"),
    STR("1,"),
    STR("[[1]"),
    STR("[{}"),
    STR("[{\"a\":1}"),
    STR("{\"a\":{}"),
    STR("{\"a\":[1]"),
    STR("[1"),
    STR("[1,"),
    STR("[1,]"),
    STR("[,1]"),
    STR("[1 2]"),
    STR("[1,,2]"),
    STR("[:]"),
    STR("[1:2]"),
    STR("[\"a\":1]"),
    STR("{\"a\"}"),
    STR("{\"a\":}"),
    STR("{\"a\" 1}"),
    STR("{\"a\"::1}"),
    STR("{\"a\":1,}"),
    STR("{,\"a\":1}"),
    STR("{\"a\":1 \"b\":2}"),
    STR("{\"a\":1:2}"),
    STR("{\"a\":\"b\":1}"),
    STR("{\"x\":{\"a\":\"b\":1},\"y\":2}"),
    STR("{a:1}"),
    STR("{1:1}"),
    STR("{'a':1}"),
    STR("{\"a\":1]"),
    STR("[1}"),
    STR("{\"a\":[1}"),
    STR("{\"a\":[}]}"),
    STR("tru"),
    STR("truex"),
    STR("true1"),
    STR("True"),
    STR("nul"),
    STR("nulll"),
    STR("falsy"),
    STR("fals"),
    STR("01"),
    STR("1."),
    STR(".5"),
    STR("+1"),
    STR("-"),
    STR("1e"),
    STR("0x10"),
    STR("NaN"),
    STR("Infinity"),
    STR("1a"),
    STR("[01]"),
    STR("[1.]"),
    STR("[-]"),
    STR("[truex]"),
    STR("[tru]"),
    STR("[nul]"),
    STR("[1a]"),
    STR("[\"a\"b]"),
    STR("{\"a\":01}"),
    STR("{\"a\":tru}"),
    STR("{\"a\":+1}"),
    STR("{\"\\x\":1}"),
    STR("{\"\\u12\":1}"),
    STR("[\"a\nb\"]"),
    STR("[\"a\tb\"]"),
    STR("[\"a\0b\"]"),
    STR("{\"a\n\":1}"),
    STR("[\"\xff\"]"),
    STR("[\"\xc3\"]"),
    STR("[\"\xed\xa0\x80\"]"),
    STR("[\"\xc0\x80\"]"),
    STR("[\"\xf4\x90\x80\x80\"]"),
    STR("\xef\xbb\xbf{}"),
    STR("{}\0"),
    STR("\0{}"),
    STR("/**/{}"),
    STR("{} //"),
    STR("\xc2\xa0{}"),
    STR("\f{}"),
};

/* What lies behind the document must not complete it. */
static void test_refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char fillers[] = "\0}],:\"1e \\{[";
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        for (size_t f = 0; f < sizeof(fillers) - 1; f++) {
            struct str document = padded(invalid[i], fillers[f]);
            struct tracer tracer;
            if (trace(document, NULL, NULL, &tracer) != ERR_INVALID)
                fail_msg("\"" STR_FMT "\" behind which is '%c' is taken", STR_ARG(document), fillers[f]);
            assert_true(json_error_offset(reader) <= document.len);
            buf_free(&tracer.trace);
            padded_free(document);
        }
    }
}

/* Nor is it taken as part of a value that is passed over. */
static void test_refuses_it_where_it_is_skipped(void **state)
{
    (void)state;
    static const char fillers[] = "\0}],\"";
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        char text[256];
        size_t len = (size_t)snprintf(text, sizeof(text), "{\"a\":{\"b\":");
        memcpy(text + len, invalid[i].ptr, invalid[i].len);
        len += invalid[i].len;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "}}");
        for (size_t f = 0; f < sizeof(fillers) - 1; f++) {
            struct str document = padded((struct str){text, len}, fillers[f]);
            struct tracer tracer;
            if (trace(document, "a", NULL, &tracer) != ERR_INVALID)
                fail_msg("\"" STR_FMT "\" is passed over", STR_ARG(document));
            buf_free(&tracer.trace);
            padded_free(document);
        }
    }
}

static void test_every_prefix_is_invalid(void **state)
{
    (void)state;
    static const struct str whole = STR("{\"model\":\"m\\n\",\"a\":[1,2.5e3,{\"b\":null}],\"c\":{\"d\":[[],{}"
                                        "]},\"e\":true,\"f\":\"\xe2\x82\xac\"}");
    static const char fillers[] = "\0}],:\"1";
    for (size_t len = 0; len <= whole.len; len++) {
        for (size_t f = 0; f < sizeof(fillers) - 1; f++) {
            struct str document = padded((struct str){whole.ptr, len}, fillers[f]);
            struct tracer tracer;
            for (size_t skips = 0; skips < 3; skips++) {
                const char *skipped = skips == 1 ? "a" : skips == 2 ? "c" : NULL;
                enum err err = trace(document, skipped, NULL, &tracer);
                assert_int_equal(err, len == whole.len ? ERR_OK : ERR_INVALID);
                buf_free(&tracer.trace);
            }
            padded_free(document);
        }
    }
}

static enum json_visit skip_all(void *context, const struct json_item *item)
{
    (void)item;
    ++*(size_t *)context;
    return JSON_SKIP;
}

static void test_skipping_the_root(void **state)
{
    (void)state;
    static const struct {
        struct str document;
        enum err expected;
    } cases[] = {
        {STR("{\"a\":[1,2]} "), ERR_OK},   {STR("[{}]"), ERR_OK},          {STR("1"), ERR_OK},
        {STR("{\"a\":1} x"), ERR_INVALID}, {STR("[1] [2]"), ERR_INVALID},  {STR("{\"a\":{}"), ERR_INVALID},
        {STR("[[1]"), ERR_INVALID},        {STR("{\"a\":1"), ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str document = padded(cases[i].document, ']');
        size_t count = 0;
        assert_int_equal(json_walk(reader, document, skip_all, &count), cases[i].expected);
        assert_true(count <= 1);
        padded_free(document);
    }
}

struct expected_text {
    const char *text; /* NULL: a bad escape */
    size_t len;
    bool was_asked;
};

static enum json_visit check_text(void *context, const struct json_item *item)
{
    struct expected_text *expected = context;
    struct str first = STR_NONE, again = STR_NONE;
    enum err err = json_item_text(item, &first);
    expected->was_asked = true;
    assert_int_equal(err, expected->text ? ERR_OK : ERR_INVALID);
    assert_int_equal(json_item_text(item, &again), err);
    if (expected->text)
        assert_true(str_eq(first, (struct str){expected->text, expected->len}) && first.ptr == again.ptr);
    return JSON_SKIP;
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        struct str document;
        struct expected_text expected;
    } cases[] = {
        {STR("\"\""), {"", 0, false}},
        {STR("\"plain\""), {"plain", 5, false}},
        {STR("\"a\\n\\u20ac\\ud83d\\ude00\""), {"a\n\xe2\x82\xac\xf0\x9f\x98\x80", 9, false}},
        {STR("\"\\ud800\""), {"\xef\xbf\xbd", 3, false}},
        {STR("\"\\u0000\""), {"\0", 1, false}},
        {STR("\"\\x\""), {NULL, 0, false}},
        {STR("\"\\u12\""), {NULL, 0, false}},
        {STR("1"), {NULL, 0, false}},
        {STR("null"), {NULL, 0, false}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str document = padded(cases[i].document, '"');
        struct expected_text expected = cases[i].expected;
        assert_int_equal(json_walk(reader, document, check_text, &expected), ERR_OK);
        assert_true(expected.was_asked);
        padded_free(document);
    }
}

/* All texts of a document can be kept until the next walk. */
struct kept_texts {
    struct str texts[200];
    size_t count;
};

static enum json_visit keep_texts(void *context, const struct json_item *item)
{
    struct kept_texts *kept = context;
    if (item->type == JSON_STRING)
        assert_int_equal(json_item_text(item, &kept->texts[kept->count++]), ERR_OK);
    return JSON_ENTER;
}

static void test_texts_last(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_add_char(&out, '[');
    for (int i = 0; i < 200; i++)
        buf_printf(&out, "%s\"\\t%d\\n\"", i > 0 ? "," : "", i);
    buf_add_char(&out, ']');
    struct str document = padded(buf_str(&out), 0);
    struct kept_texts kept = {.count = 0};
    assert_int_equal(json_walk(reader, document, keep_texts, &kept), ERR_OK);
    padded_free(document);
    assert_int_equal(kept.count, 200);
    for (int i = 0; i < 200; i++) {
        char expected[16];
        sprintf(expected, "\t%d\n", i);
        assert_true(str_eq(kept.texts[i], str_from(expected)));
    }
    buf_free(&out);
}

struct number {
    enum err u64_err, double_err;
    uint64_t u64;
    double real;
};

static enum json_visit read_number(void *context, const struct json_item *item)
{
    struct number *number = context;
    number->u64_err = json_item_u64(item, &number->u64);
    number->double_err = json_item_double(item, &number->real);
    return JSON_SKIP;
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        struct str document;
        struct number expected;
    } cases[] = {
        {STR("0"), {ERR_OK, ERR_OK, 0, 0}},
        {STR("42"), {ERR_OK, ERR_OK, 42, 42}},
        {STR("18446744073709551615"), {ERR_OK, ERR_OK, UINT64_MAX, 18446744073709551615.0}},
        {STR("18446744073709551616"), {ERR_INVALID, ERR_OK, 7, 18446744073709551616.0}},
        {STR("-1"), {ERR_INVALID, ERR_OK, 7, -1}},
        {STR("-0"), {ERR_INVALID, ERR_OK, 7, -0.0}},
        {STR("1.0"), {ERR_INVALID, ERR_OK, 7, 1}},
        {STR("0.1"), {ERR_INVALID, ERR_OK, 7, 0.1}},
        {STR("1e3"), {ERR_INVALID, ERR_OK, 7, 1000}},
        {STR("1E+2"), {ERR_INVALID, ERR_OK, 7, 100}},
        {STR("1e400"), {ERR_INVALID, ERR_INVALID, 7, 7}},
        {STR("\"1\""), {ERR_INVALID, ERR_INVALID, 7, 7}},
        {STR("true"), {ERR_INVALID, ERR_INVALID, 7, 7}},
        {STR("null"), {ERR_INVALID, ERR_INVALID, 7, 7}},
        {STR("[1]"), {ERR_INVALID, ERR_INVALID, 7, 7}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str document = padded(cases[i].document, '1');
        struct number number = {ERR_BUSY, ERR_BUSY, 7, 7};
        assert_int_equal(json_walk(reader, document, read_number, &number), ERR_OK);
        assert_int_equal(number.u64_err, cases[i].expected.u64_err);
        assert_int_equal(number.double_err, cases[i].expected.double_err);
        assert_int_equal(number.u64, cases[i].expected.u64);
        assert_true(number.real == cases[i].expected.real);
        padded_free(document);
    }
}

/* `depth` arrays in each other. */
static struct str nested(size_t depth)
{
    char *text = malloc(2 * depth + JSON_PADDING);
    memset(text, '[', depth);
    memset(text + depth, ']', depth + JSON_PADDING);
    return (struct str){text, 2 * depth};
}

static enum json_visit enter_all(void *context, const struct json_item *item)
{
    (void)item;
    ++*(size_t *)context;
    return JSON_ENTER;
}

static enum json_visit enter_root(void *context, const struct json_item *item)
{
    ++*(size_t *)context;
    return item->depth == 0 ? JSON_ENTER : JSON_SKIP;
}

static void test_depth(void **state)
{
    (void)state;
    static const struct {
        size_t depth;
        json_visitor visitor;
        enum err expected;
    } cases[] = {
        {JSON_DEPTH_MAX, enter_all, ERR_OK},
        {JSON_DEPTH_MAX, enter_root, ERR_OK},
        {JSON_DEPTH_MAX, skip_all, ERR_OK},
        {JSON_DEPTH_MAX + 1, enter_all, ERR_LIMIT},
        {JSON_DEPTH_MAX + 1, enter_root, ERR_LIMIT},
        {JSON_DEPTH_MAX + 1, skip_all, ERR_LIMIT},
        {100000, enter_all, ERR_LIMIT},
        {100000, enter_root, ERR_LIMIT},
        {100000, skip_all, ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str document = nested(cases[i].depth);
        size_t count = 0;
        assert_int_equal(json_walk(reader, document, cases[i].visitor, &count), cases[i].expected);
        padded_free(document);
    }
}

static void test_document_limit(void **state)
{
    (void)state;
    struct json_reader *small = json_reader_new(10);
    struct str fits = padded(STR("[12345678]"), 0), over = padded(STR("[123456789]"), 0);
    size_t count = 0;
    assert_int_equal(json_walk(small, fits, enter_all, &count), ERR_OK);
    assert_int_equal(json_walk(small, over, enter_all, &count), ERR_LIMIT);
    assert_int_equal(json_walk(small, fits, enter_all, &count), ERR_OK);
    assert_int_equal(count, 6);
    padded_free(fits);
    padded_free(over);
    json_reader_free(small);
    json_reader_free(NULL);
}

struct big_facts {
    size_t text_len, count;
};

static enum json_visit visit_big(void *context, const struct json_item *item)
{
    struct big_facts *facts = context;
    struct str text;
    if (item->depth == 0)
        return JSON_ENTER;
    facts->count++;
    assert_int_equal(json_item_text(item, &text), ERR_OK);
    facts->text_len += text.len;
    return JSON_SKIP;
}

/* Documents of several MiB, between small ones, with texts that do and do not need unescaping. */
static void test_big_documents(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 5 << 20, 10, 3 << 20, 100000, 7 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t half = sizes[i] / 2, len = 2 * half + 7;
        char *text = malloc(len + JSON_PADDING);
        memset(text, 'x', len + JSON_PADDING);
        memcpy(text, "[\"", 2);
        memcpy(text + 2 + half, "\",\"", 3);
        memcpy(text + 5 + half, "\\n", 2);
        memcpy(text + len - 2, "\"]", 2);
        struct big_facts facts = {0, 0};
        assert_int_equal(json_walk(reader, (struct str){text, len}, visit_big, &facts), ERR_OK);
        assert_int_equal(facts.count, 2);
        assert_int_equal(facts.text_len, 2 * half - 1);
        free(text);
    }
}

static void test_error_offset(void **state)
{
    (void)state;
    static const struct {
        struct str document;
        size_t from, to;
    } cases[] = {
        {STR("{\"a\":1,\"b\":tru,\"c\":3}"), 7, 16},
        {STR("[1,2,3,4,5,6,7 8,9,10]"), 12, 18},
        {STR("{\"a\":\"unclosed"), 14, 14},
        {STR("{\"a\":1} x"), 7, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str document = padded(cases[i].document, 0);
        size_t count = 0;
        assert_int_equal(json_walk(reader, document, enter_all, &count), ERR_INVALID);
        assert_in_range(json_error_offset(reader), cases[i].from, cases[i].to);
        padded_free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_refuses_it_where_it_is_skipped),
        cmocka_unit_test(test_every_prefix_is_invalid),
        cmocka_unit_test(test_skipping_the_root),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts_last),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_document_limit),
        cmocka_unit_test(test_big_documents),
        cmocka_unit_test(test_error_offset),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
