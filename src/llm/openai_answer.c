/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/openai_answer.h"

#include "wire/sse.h"

#include <ctype.h>

/* Usage members by their place: top of the object, or within one of its detail objects. */
struct usage_reading {
    struct usage *usage;
    unsigned depth; /* of the usage object's members */
    bool in_input_details;
};

static enum json_visit visit_usage_member(struct usage_reading *r, const struct json_item *item)
{
    struct usage *usage = r->usage;
    if (item->type == JSON_OBJECT) {
        r->in_input_details =
            str_eq(item->key, STR("prompt_tokens_details")) || str_eq(item->key, STR("input_tokens_details"));
        return r->in_input_details || str_eq(item->key, STR("completion_tokens_details")) ||
                       str_eq(item->key, STR("output_tokens_details"))
                   ? JSON_ENTER
                   : JSON_SKIP;
    }
    uint64_t value;
    if (json_item_u64(item, &value) != ERR_OK)
        return JSON_SKIP;
    if (str_eq(item->key, STR("prompt_tokens")) || str_eq(item->key, STR("input_tokens")))
        usage->input_tokens = value;
    else if (str_eq(item->key, STR("completion_tokens")) || str_eq(item->key, STR("output_tokens")))
        usage->output_tokens = value;
    else
        return JSON_SKIP;
    usage->is_known = true;
    return JSON_SKIP;
}

static enum json_visit visit_usage(struct usage_reading *r, const struct json_item *item)
{
    uint64_t value;
    if (item->closing)
        return JSON_SKIP;
    if (item->depth == r->depth)
        return visit_usage_member(r, item);
    if (json_item_u64(item, &value) != ERR_OK)
        return JSON_SKIP;
    if (r->in_input_details && str_eq(item->key, STR("cached_tokens")))
        r->usage->cached_tokens = value;
    else if (!r->in_input_details && str_eq(item->key, STR("reasoning_tokens")))
        r->usage->reasoning_tokens = value;
    return JSON_SKIP;
}

static enum json_visit visit_usage_root(void *context, const struct json_item *item)
{
    if (item->depth > 0 || item->closing)
        return visit_usage(context, item);
    return item->type == JSON_OBJECT ? JSON_ENTER : JSON_STOP;
}

void openai_usage_read(struct json_reader *reader, struct str json, struct usage *io_usage)
{
    struct usage usage = {0};
    struct usage_reading r = {.usage = &usage, .depth = 1};
    if (json_walk(reader, json, visit_usage_root, &r) == ERR_OK && usage.is_known)
        *io_usage = usage;
}

/* ---- events ---- */

struct event_reading {
    struct usage_reading usage;
    bool in_usage, has_usage, has_choice, has_error;
};

static enum json_visit visit_event(void *context, const struct json_item *item)
{
    struct event_reading *r = context;
    if (item->closing)
        return JSON_SKIP;
    if (item->depth == 0)
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_STOP;
    if (item->depth > 1) {
        if (r->in_usage)
            return visit_usage(&r->usage, item);
        r->has_choice = true;
        return JSON_SKIP;
    }
    r->in_usage = str_eq(item->key, STR("usage"));
    if (r->in_usage && item->type == JSON_OBJECT) {
        r->has_usage = true;
        return JSON_ENTER;
    }
    if (str_eq(item->key, STR("error")) && item->type != JSON_NULL)
        r->has_error = true;
    return str_eq(item->key, STR("choices")) && item->type == JSON_ARRAY ? JSON_ENTER : JSON_SKIP;
}

static struct str skip_space(struct str text)
{
    while (text.len > 0 && isspace((unsigned char)text.ptr[0]))
        text = str_from_offset(text, 1);
    return text;
}

/* Whether `key` (quotes included) stands in `data` as a member whose value is not null. Text content cannot fake it:
 * within a JSON string the quotes are escaped, and a string that is just the word has no colon behind it. */
static bool has_value(struct str data, struct str key)
{
    for (ssize_t at; (at = str_find(data, key)) >= 0;) {
        data = skip_space(str_from_offset(data, (size_t)at + key.len));
        if (data.len == 0 || data.ptr[0] != ':') /* a value, not a name */
            continue;
        struct str value = skip_space(str_from_offset(data, 1));
        if (value.len > 0 && value.ptr[0] != 'n') /* the one value that begins so is null */
            return true;
    }
    return false;
}

void openai_event_read(struct json_reader *reader, struct str event, struct openai_event *ret_event,
                       struct usage *io_usage)
{
    struct sse_event fields;
    *ret_event = (struct openai_event){0};
    sse_event_read(event, &fields);
    if (!fields.has_data) {
        ret_event->is_empty = true;
        return;
    }
    if (str_eq(str_trim(fields.data), STR("[DONE]"))) {
        ret_event->is_done = true;
        return;
    }
    ret_event->has_finish = has_value(fields.data, STR("\"finish_reason\""));
    ret_event->is_error = str_eq(fields.name, STR("error"));
    /* Most events carry neither; only those that might are parsed. */
    if (!has_value(fields.data, STR("\"usage\"")) && !has_value(fields.data, STR("\"error\"")))
        return;
    struct usage usage = {0};
    struct event_reading r = {.usage = {.usage = &usage, .depth = 2}};
    if (json_walk(reader, fields.data, visit_event, &r) != ERR_OK)
        return;
    if (usage.is_known)
        *io_usage = usage;
    ret_event->is_error |= r.has_error;
    ret_event->is_usage_only = r.has_usage && !r.has_choice;
}
