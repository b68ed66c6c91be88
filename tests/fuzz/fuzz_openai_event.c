/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an event of a stream, and as a usage object. Of an event whose data is JSON through and through, a
 * second reader that visits every value says what has to be found. */
#include "llm/openai_answer.h"
#include "wire/sse.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static struct json_reader *reader;

/* `front`, `in` and `back` in memory of their own that ends with the padding; the caller frees. */
static struct str padded(struct str front, struct str in, struct str back, char filler)
{
    size_t len = front.len + in.len + back.len;
    char *memory = malloc(len + JSON_PADDING);
    CHECK(memory);
    memcpy(memory, front.ptr, front.len);
    if (in.len > 0)
        memcpy(memory + front.len, in.ptr, in.len);
    memcpy(memory + front.len + in.len, back.ptr, back.len);
    memset(memory + len, filler, JSON_PADDING);
    return (struct str){memory, len};
}

static void unpad(struct str text)
{
    free((void *)(uintptr_t)text.ptr);
}

static bool is_same_usage(const struct usage *a, const struct usage *b)
{
    return a->is_known == b->is_known && a->input_tokens == b->input_tokens &&
           a->cached_tokens == b->cached_tokens && a->output_tokens == b->output_tokens &&
           a->reasoning_tokens == b->reasoning_tokens;
}

/* Not what a server says, so that it shows whether usage was stored or left alone. */
static const struct usage untouched = {false, 1, 2, 3, 4};

/* ---- the second reader ---- */

struct facts {
    bool is_object, has_usage, has_choice, has_error, has_count;
    bool in_usage, in_choices;
    bool has_finish;
    bool is_escaped; /* some name is written with escapes: allowed, but not always looked through */
};

static enum json_visit note(void *context, const struct json_item *item)
{
    struct facts *facts = context;
    uint64_t count;
    if (item->closing)
        return JSON_SKIP;
    facts->is_escaped |= item->key_is_escaped;
    if (item->depth == 0)
        facts->is_object = item->type == JSON_OBJECT;
    if (item->depth == 1) {
        facts->in_usage = item->type == JSON_OBJECT && str_eq(item->key, STR("usage"));
        facts->in_choices = item->type == JSON_ARRAY && str_eq(item->key, STR("choices"));
        facts->has_usage |= facts->in_usage;
        facts->has_error |= str_eq(item->key, STR("error")) && item->type != JSON_NULL;
    }
    facts->has_choice |= item->depth == 2 && facts->in_choices;
    if (item->depth == 3 && facts->in_choices && str_eq(item->key, STR("finish_reason")))
        facts->has_finish |= item->type != JSON_NULL;
    if (item->depth == 2 && facts->in_usage && json_item_u64(item, &count) == ERR_OK)
        facts->has_count |=
            str_eq(item->key, STR("prompt_tokens")) || str_eq(item->key, STR("input_tokens")) ||
            str_eq(item->key, STR("completion_tokens")) || str_eq(item->key, STR("output_tokens"));
    return JSON_ENTER;
}

static void check_facts(const struct sse_event *fields, const struct openai_event *event,
                        const struct usage *usage)
{
    struct facts facts = {0};
    if (json_walk(reader, fields->data, note, &facts) != ERR_OK || !facts.is_object || facts.is_escaped)
        return;
    bool is_named_error = str_eq(fields->name, STR("error"));
    CHECK(event->is_error == (facts.has_error || is_named_error));
    CHECK(event->is_usage_only == (facts.has_usage && !facts.has_choice));
    CHECK(usage->is_known == facts.has_count);
    CHECK(!facts.has_finish || event->has_finish);
}

/* ---- the checks ---- */

static void check_event(struct str in, char filler)
{
    struct str bytes = padded(STR(""), in, STR(""), filler);
    struct openai_event event;
    struct usage usage = untouched;
    struct sse_event fields;
    openai_event_read(reader, bytes, &event, &usage);
    sse_event_read(bytes, &fields);
    CHECK(event.is_empty == !fields.has_data);
    if (event.is_empty || event.is_done) {
        CHECK(event.is_empty != event.is_done);
        CHECK(!event.has_finish && !event.is_error && !event.is_usage_only);
    }
    CHECK(event.is_done == (fields.has_data && str_eq(str_trim(fields.data), STR("[DONE]"))));
    CHECK(usage.is_known || is_same_usage(&usage, &untouched));
    if (!event.is_empty && !event.is_done)
        check_facts(&fields, &event, &usage);
    unpad(bytes);
}

/* A usage object says the same by itself and within an event. */
static void check_usage(struct str in, char filler)
{
    struct str json = padded(STR(""), in, STR(""), filler);
    struct usage usage = untouched, in_event = untouched;
    struct openai_event event;
    struct facts facts = {0};
    char *bytes = (char *)(uintptr_t)json.ptr;
    for (size_t i = 0; i < json.len; i++) /* line ends would end the event's data */
        if (bytes[i] == '\n' || bytes[i] == '\r')
            bytes[i] = ' ';
    openai_usage_read(reader, json, &usage);
    CHECK(usage.is_known || is_same_usage(&usage, &untouched));
    if (json_walk(reader, json, note, &facts) == ERR_OK && facts.is_object && usage.is_known) {
        struct str whole = padded(STR("data: {\"choices\":[],\"usage\":"), json, STR("}\n\n"), filler);
        openai_event_read(reader, whole, &event, &in_event);
        CHECK(is_same_usage(&in_event, &usage));
        CHECK(event.is_usage_only && !event.is_empty && !event.is_done && !event.is_error);
        unpad(whole);
    }
    unpad(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char fillers[] = {'\0', '}', '"', '1'};
    if (!reader)
        reader = json_reader_new(1 << 20);
    if (size > 1 << 16)
        return 0;
    struct str in = {(const char *)data, size};
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        check_event(in, fillers[i]);
        check_usage(in, fillers[i]);
    }
    return 0;
}
