/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/wire/sse.c src/wire/json_read.cc src/wire/json_token.c src/base/str.c -lsimdjson */
#include "../../../src/llm/openai_answer.c"

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

static struct str padded(struct str text)
{
    char *bytes = calloc(1, text.len + JSON_PADDING);
    assert_non_null(bytes);
    memcpy(bytes, text.ptr, text.len);
    return (struct str){bytes, text.len};
}

static void unpad(struct str text)
{
    free((void *)(uintptr_t)text.ptr);
}

enum fact { EMPTY = 1, DONE = 2, FINISH = 4, ERROR = 8, USAGE_ONLY = 16 };

static unsigned facts_of(const struct openai_event *event)
{
    return (event->is_empty ? EMPTY : 0u) | (event->is_done ? DONE : 0u) | (event->has_finish ? FINISH : 0u) |
           (event->is_error ? ERROR : 0u) | (event->is_usage_only ? USAGE_ONLY : 0u);
}

static void assert_usage(const struct usage *actual, const struct usage *expected, const char *text)
{
    if (actual->is_known != expected->is_known || actual->input_tokens != expected->input_tokens ||
        actual->cached_tokens != expected->cached_tokens ||
        actual->output_tokens != expected->output_tokens ||
        actual->reasoning_tokens != expected->reasoning_tokens)
        fail_msg("usage of %s is %d %lu %lu %lu %lu", text, actual->is_known, actual->input_tokens,
                 actual->cached_tokens, actual->output_tokens, actual->reasoning_tokens);
}

#define CHUNK "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","

static const struct {
    const char *event;
    unsigned facts;
    struct usage usage;
} events[] = {
    /* no data */
    {"\n", EMPTY, {0}},
    {": ping\n\n", EMPTY, {0}},
    {"event: ping\nid: 7\n\n", EMPTY, {0}},
    /* the end */
    {"data: [DONE]\n\n", DONE, {0}},
    {"data:[DONE]\n\n", DONE, {0}},
    {"data:   [DONE]  \r\n\r\n", DONE, {0}},
    {"data: \t[DONE]\r\r", DONE, {0}},
    {"id: 1\nevent: end\ndata: [DONE]\n\n", DONE, {0}},
    {"data: [DONE] x\n\n", 0, {0}},
    {"data: \"[DONE]\"\n\n", 0, {0}},
    {"data: [done]\n\n", 0, {0}},
    {"data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n", 0, {0}},
    {"event: [DONE]\ndata: x\n\n", 0, {0}},
    /* content */
    {CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\" : null}],\"usage\" : "
           "null}\n\n",
     0,
     {0}},
    {CHUNK "\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", FINISH, {0}},
    {CHUNK "\"choices\":[{\"delta\":{},\"finish_reason\" :\t\"length\"}]}\r\n\r\n", FINISH, {0}},
    {CHUNK "\"choices\":[{\"finish_reason\":null},{\"finish_reason\":\"stop\"}]}\n\n", FINISH, {0}},
    {CHUNK "\"choices\":[{\"text\":\"x\",\"finish_reason\":\"tool_calls\",\"logprobs\":null}]}\n\n",
     FINISH,
     {0}},
    /* content that speaks of the words */
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"finish_reason\"},\"finish_reason\":null}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\": \"finish_reason\" } , \"finish_reason\": null}]}\n\n",
     0,
     {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\": "
           "\\\"stop\\\"\"},\"finish_reason\":null}]}\n\n",
     0,
     {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":1}\"},\"finish_"
           "reason\":null}]}\n\n",
     0,
     {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\": \"usage\" , \"role\":\"a\"}}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"error\"}}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\": {}\"}}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"content\": \"error\" }}]}\n\n", 0, {0}},
    {CHUNK "\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"finish_"
           "reason\\\": "
           "\\\"x\\\", \\\"usage\\\": {\\\"prompt_tokens\\\": 9}, \\\"error\\\": "
           "1}\"}}]},\"finish_reason\":null}]}\n\n",
     0,
     {0}},
    /* members of these names that are not at their place */
    {CHUNK "\"choices\":[{\"delta\":{},\"error\":{\"code\":1},\"usage\":{\"prompt_tokens\":5}}]}\n\n",
     0,
     {0}},
    {"data: {\"choices\":[],\"x\":{\"usage\":{\"prompt_tokens\":5},\"error\":1}}\n\n", 0, {0}},
    {"data: "
     "{\"id\":\"c\",\"choices\":[{\"delta\":{}}],\"x_groq\":{\"id\":\"r\",\"usage\":{\"queue_time\":0.1,"
     "\"prompt_tokens\":8}}}\n\n",
     0,
     {0}},
    /* usage: vLLM */
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"total_tokens\":31,\"completion_tokens\":20,"
           "\"prompt_tokens_details\":null}}\n\n",
     USAGE_ONLY,
     {true, 11, 0, 20, 0, 0}},
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":20,"
           "\"prompt_tokens_details\":{\"cached_tokens\":8}}}\n\n",
     USAGE_ONLY,
     {true, 11, 8, 20, 0, 0}},
    /* with every chunk (continuous_usage_stats) */
    {CHUNK "\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_"
           "tokens\":1}}\n\n",
     0,
     {true, 3, 0, 1, 0, 0}},
    /* OpenAI */
    {CHUNK
     "\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,"
     "\"prompt_tokens_details\":{\"cached_tokens\":64,\"audio_tokens\":1},\"completion_tokens_details\":"
     "{\"reasoning_tokens\":30,\"audio_tokens\":2,\"accepted_prediction_tokens\":3}}}\n\n",
     USAGE_ONLY,
     {true, 100, 64, 50, 30, 0}},
    {CHUNK "\"usage\":{\"completion_tokens_details\":{\"reasoning_tokens\":30},\"prompt_tokens_details\":"
           "{\"cached_tokens\":64},\"completion_tokens\":50,\"prompt_tokens\":100},\"choices\":[]}\n\n",
     USAGE_ONLY,
     {true, 100, 64, 50, 30, 0}},
    {"data: "
     "{\"usage\":{\"input_tokens\":7,\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":5,"
     "\"output_tokens_details\":{\"reasoning_tokens\":4}}}\n\n",
     USAGE_ONLY,
     {true, 7, 2, 5, 4, 0}},
    /* a details object of the wrong side does not count */
    {"data: "
     "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"completion_tokens_details\":"
     "{\"cached_tokens\":9},\"prompt_tokens_details\":{\"reasoning_tokens\":9}}}\n\n",
     USAGE_ONLY,
     {true, 1, 0, 2, 0, 0}},
    /* in the chunk with the finish reason */
    {CHUNK "\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
           "\"completion_tokens\":"
           "2}}\n\n",
     FINISH,
     {true, 1, 0, 2, 0, 0}},
    {CHUNK "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2},\"choices\":[{\"delta\":{},\"finish_"
           "reason\":\"stop\"}]}\n\n",
     FINISH,
     {true, 1, 0, 2, 0, 0}},
    /* usage that is none */
    {CHUNK "\"choices\":[],\"usage\":null}\n\n", 0, {0}},
    {CHUNK "\"choices\":[],\"usage\":7}\n\n", 0, {0}},
    {CHUNK "\"choices\":[],\"usage\":{}}\n\n", USAGE_ONLY, {0}},
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":null,\"completion_tokens\":\"3\"}}\n\n",
     USAGE_ONLY,
     {0}},
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1.5}}\n\n", USAGE_ONLY, {0}},
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":1}}\n\n",
     USAGE_ONLY,
     {true, 0, 0, 1, 0, 0}},
    {CHUNK "\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n", 0, {0}}, /* cut off: not JSON */
    /* errors */
    {"data: {\"error\":{\"message\":\"no\",\"type\":\"t\",\"code\":500}}\n\n", ERROR, {0}},
    {"data: {\"error\" : \"no\"}\n\n", ERROR, {0}},
    {"data: {\"object\":\"error\",\"message\":\"no\"}\n\n", 0, {0}},
    {"data: {\"error\":null,\"choices\":[]}\n\n", 0, {0}},
    {"event: error\ndata: {\"message\":\"no\"}\n\n", ERROR, {0}},
    {"event: error\ndata: not even JSON\n\n", ERROR, {0}},
    {"event: errors\ndata: {}\n\n", 0, {0}},
    /* nothing that we know */
    {"data:\n\n", 0, {0}},
    {"data: {}\n\n", 0, {0}},
    {"data: [\"usage\",{\"error\":1}]\n\n", 0, {0}},
    {"data: \"usage\"\n\n", 0, {0}},
    {"data: {\"usage\n\n", 0, {0}},
};

static void test_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        struct openai_event event;
        struct usage usage = {0};
        struct str bytes = padded(str_from(events[i].event));
        openai_event_read(reader, bytes, &event, &usage);
        if (facts_of(&event) != events[i].facts)
            fail_msg("facts of %s are %u, not %u", events[i].event, facts_of(&event), events[i].facts);
        assert_usage(&usage, &events[i].usage, events[i].event);
        unpad(bytes);
    }
}

/* What was known stays known when a later event tells nothing. */
static void test_usage_is_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        static const struct usage before = {true, 1000, 1001, 1002, 1003, 0};
        struct openai_event event;
        struct usage usage = before;
        struct str bytes = padded(str_from(events[i].event));
        openai_event_read(reader, bytes, &event, &usage);
        assert_usage(&usage, events[i].usage.is_known ? &events[i].usage : &before, events[i].event);
        unpad(bytes);
    }
}

/* Cut off anywhere, an event is never taken for the end of the stream or read past its bytes. */
static void test_events_cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        for (size_t len = 0; len < strlen(events[i].event); len++) {
            struct openai_event event;
            struct usage usage = {0};
            struct str bytes = padded((struct str){events[i].event, len});
            openai_event_read(reader, bytes, &event, &usage);
            assert_true(!event.is_done || events[i].facts == DONE || strstr(events[i].event, "[DONE] x"));
            assert_true(!event.is_empty || !usage.is_known);
            unpad(bytes);
        }
    }
}

static void test_usage_object(void **state)
{
    static const struct {
        const char *json;
        struct usage usage;
    } rows[] = {
        {"{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}", {true, 1, 0, 2, 0, 0}},
        {"{\"prompt_tokens\":8,\"total_tokens\":8}", {true, 8, 0, 0, 0, 0}}, /* embeddings */
        {"{\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":1},\"completion_tokens\":2,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":2}}",
         {true, 1, 1, 2, 2, 0}},
        {" { \"input_tokens\" : 4 , \"output_tokens\" : 5 } ", {true, 4, 0, 5, 0, 0}},
        {"{\"prompt_tokens\":0,\"completion_tokens\":0}", {true, 0, 0, 0, 0, 0}},
        {"{\"x\":{\"prompt_tokens\":9}}", {0}},
        {"{\"cached_tokens\":9,\"reasoning_tokens\":9}", {0}},
        {"null", {0}},
        {"[{\"prompt_tokens\":9}]", {0}},
        {"", {0}},
        {"{\"prompt_tokens\":9", {0}},
        {"{\"prompt_tokens\":9}}", {0}},
        {"{\"prompt_tokens\":9} x", {0}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const struct usage before = {true, 70, 71, 72, 73, 0};
        struct usage usage = before;
        struct str json = padded(str_from(rows[i].json));
        openai_usage_read(reader, json, &usage);
        assert_usage(&usage, rows[i].usage.is_known ? &rows[i].usage : &before, rows[i].json);
        unpad(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, begin, end),
        cmocka_unit_test_setup_teardown(test_usage_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_events_cut_short, begin, end),
        cmocka_unit_test_setup_teardown(test_usage_object, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
