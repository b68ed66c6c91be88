/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/ask.h"

struct ask_visit {
    struct ask ask;
    const char *why; /* first fault found */
    bool in_stream_options;
};

static enum json_visit ask_fail(struct ask_visit *visit, const char *why)
{
    visit->why = why;
    return JSON_STOP;
}

static struct str without_quotes(struct str raw)
{
    return (struct str){raw.ptr + 1, raw.len - 2};
}

static enum json_visit ask_bool(struct ask_visit *visit, const struct json_item *item, bool *ret_value,
                                const char *why)
{
    if (item->type != JSON_TRUE && item->type != JSON_FALSE && item->type != JSON_NULL)
        return ask_fail(visit, why);
    *ret_value = item->type == JSON_TRUE;
    return JSON_SKIP;
}

static enum json_visit ask_number(struct ask_visit *visit, const struct json_item *item, uint64_t *ret_value,
                                  const char *why)
{
    if (item->type == JSON_NULL || json_item_u64(item, ret_value) == ERR_OK)
        return JSON_SKIP;
    return ask_fail(visit, why);
}

/* Containers are entered, so that their second visit shows where they end. */
static enum json_visit ask_prompt(struct ask_visit *visit, const struct json_item *item)
{
    if (item->type == JSON_ARRAY && !item->closing)
        return JSON_ENTER;
    visit->ask.prompt_bytes += item->raw.len;
    return JSON_SKIP;
}

static enum json_visit ask_member(struct ask_visit *visit, const struct json_item *item)
{
    struct str key = item->key;
    struct ask *ask = &visit->ask;
    if (str_eq(key, STR("model"))) {
        if (item->type != JSON_STRING)
            return ask_fail(visit, "'model' must be a string");
        ask->model = without_quotes(item->raw);
        return JSON_SKIP;
    }
    if (str_eq(key, STR("stream")))
        return ask_bool(visit, item, &ask->stream, "'stream' must be a boolean");
    if (str_eq(key, STR("max_tokens")) || str_eq(key, STR("max_completion_tokens")))
        return ask_number(visit, item, &ask->max_tokens, "'max_tokens' must be a non-negative integer");
    if (str_eq(key, STR("dimensions")))
        return ask_number(visit, item, &ask->dimensions, "'dimensions' must be a positive integer");
    if (str_eq(key, STR("encoding_format")))
        ask->base64 = str_eq(item->raw, STR("\"base64\""));
    if (str_eq(key, STR("messages")) || str_eq(key, STR("prompt")) || str_eq(key, STR("input")))
        return ask_prompt(visit, item);
    if (str_eq(key, STR("stream_options")) && item->type == JSON_OBJECT) {
        visit->in_stream_options = !item->closing;
        return JSON_ENTER;
    }
    return JSON_SKIP;
}

static enum json_visit ask_visitor(void *context, const struct json_item *item)
{
    struct ask_visit *visit = context;
    if (item->depth == 0)
        return item->type == JSON_OBJECT ? JSON_ENTER : ask_fail(visit, "the body must be a JSON object");
    if (item->depth == 1)
        return ask_member(visit, item);
    if (visit->in_stream_options && str_eq(item->key, STR("include_usage")))
        return ask_bool(visit, item, &visit->ask.include_usage, "'include_usage' must be a boolean");
    return JSON_SKIP;
}

enum err ask_read(struct json_reader *reader, struct str body, struct ask *ret_ask, const char **ret_why)
{
    struct ask_visit visit = {.ask = {.max_tokens = ASK_NO_LIMIT}};
    if (json_walk(reader, body, ask_visitor, &visit) != ERR_OK)
        visit.why = "the body is not valid JSON";
    else if (!visit.why && visit.ask.model.len == 0)
        visit.why = "you must provide a 'model'";
    if (visit.why) {
        *ret_why = visit.why;
        return ERR_INVALID;
    }
    *ret_ask = visit.ask;
    return ERR_OK;
}

/* ---- the inputs of an embeddings request ---- */

struct input_visit {
    void (*on_input)(void *context, size_t index, struct str json);
    void *context;
    bool in_input, is_one; /* is_one: the list holds token ids, so it is one input */
};

static enum json_visit input_member(struct input_visit *visit, const struct json_item *item)
{
    if (!str_eq(item->key, STR("input")))
        return JSON_SKIP;
    if (item->type == JSON_ARRAY && !item->closing) {
        visit->in_input = true;
        visit->is_one = false;
        return JSON_ENTER;
    }
    visit->in_input = false;
    if (item->type == JSON_STRING || visit->is_one)
        visit->on_input(visit->context, 0, item->raw);
    return JSON_SKIP;
}

static enum json_visit input_visitor(void *context, const struct json_item *item)
{
    struct input_visit *visit = context;
    if (item->depth == 0)
        return JSON_ENTER;
    if (item->depth == 1)
        return input_member(visit, item);
    if (!visit->in_input || item->depth > 2)
        return JSON_SKIP;
    if (item->type == JSON_NUMBER) {
        visit->is_one = true;
        return JSON_SKIP;
    }
    if (item->type == JSON_ARRAY && !item->closing)
        return JSON_ENTER;
    visit->on_input(visit->context, item->index, item->raw);
    return JSON_SKIP;
}

enum err ask_each_input(struct json_reader *reader, struct str body,
                        void (*on_input)(void *context, size_t index, struct str json), void *context)
{
    struct input_visit visit = {.on_input = on_input, .context = context};
    return json_walk(reader, body, input_visitor, &visit);
}
