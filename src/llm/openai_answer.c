/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/openai_answer.h"

#include "wire/bytes.h"
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

/* Members that make an event worth more than a glance. */
enum { MEMBER_FINISH, MEMBER_USAGE, MEMBER_ERROR, MEMBER_COUNT_ };

static const struct str member_names[MEMBER_COUNT_] = {
    /* as they stand behind the quotation mark */
    [MEMBER_FINISH] = {"finish_reason\"", 14},
    [MEMBER_USAGE] = {"usage\"", 6},
    [MEMBER_ERROR] = {"error\"", 6},
};

/* Whether a member's name ends before `rest`, and its value is not null. */
static bool has_value(struct str rest)
{
    rest = skip_space(rest);
    if (rest.len == 0 || rest.ptr[0] != ':') /* it was a value, not a name */
        return false;
    rest = skip_space(str_from_offset(rest, 1));
    return rest.len > 0 && rest.ptr[0] != 'n'; /* the one value that begins so is null */
}

/* Bits of those members that stand anywhere in `data` with a value that is not null. Text content cannot fake them:
 * within a JSON string the quotes are escaped, and a string that is just the word has no colon behind it. */
static unsigned find_members(struct str data)
{
    unsigned found = 0;
    const char *end = data.ptr + data.len;
    for (const char *at = data.ptr; (at = bytes_find_word(at, end, 'f', 'u', 'e')) < end; at++) {
        struct str text = {at + 1, (size_t)(end - at) - 1};
        for (unsigned i = 0; i < MEMBER_COUNT_; i++)
            if (str_starts(text, member_names[i]) && has_value(str_from_offset(text, member_names[i].len)))
                found |= 1u << i;
    }
    return found;
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
    unsigned members = find_members(fields.data);
    ret_event->has_finish = members & 1u << MEMBER_FINISH;
    ret_event->is_error = str_eq(fields.name, STR("error"));
    /* Most events carry neither; only those that might are parsed. */
    if (!(members & (1u << MEMBER_USAGE | 1u << MEMBER_ERROR)))
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
