/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/openai_models.h"

#define MODELS_MAX 10000 /* a list that is longer is cut: it would be a mistake of the server */

void openai_model_write(struct json_writer *w, struct str id, struct str owner)
{
    json_object_begin(w);
    json_key(w, STR("id"));
    json_string(w, id);
    json_key(w, STR("object"));
    json_string(w, STR("model"));
    json_key(w, STR("created"));
    json_u64(w, 0);
    json_key(w, STR("owned_by"));
    json_string(w, owner);
    json_object_end(w);
}

struct name_node {
    struct name_node *next;
    struct str name;
};

struct models_reading {
    struct arena *arena;
    struct name_node *first, **tail;
    size_t count;
    struct str name_key; /* of the list under way: "id" in data, "name" in models */
    bool found_list, no_memory;
};

static enum json_visit models_add(struct models_reading *r, const struct json_item *item)
{
    struct str text;
    if (json_item_text(item, &text) != ERR_OK || text.len == 0 || r->count == MODELS_MAX)
        return JSON_SKIP;
    struct name_node *node = ARENA_NEW(r->arena, struct name_node);
    struct str name = node ? arena_dup(r->arena, text) : STR_NONE;
    if (!name.ptr) {
        r->no_memory = true;
        return JSON_STOP;
    }
    node->name = name;
    *r->tail = node;
    r->tail = &node->next;
    r->count++;
    return JSON_SKIP;
}

static enum json_visit visit(void *context, const struct json_item *item)
{
    struct models_reading *r = context;
    if (item->closing)
        return JSON_SKIP;
    switch (item->depth) {
    case 0:
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_STOP;
    case 1:
        if (item->type != JSON_ARRAY || r->found_list)
            return JSON_SKIP;
        if (str_eq(item->key, STR("data")))
            r->name_key = STR("id");
        else if (str_eq(item->key, STR("models")))
            r->name_key = STR("name");
        else
            return JSON_SKIP;
        r->found_list = true;
        return JSON_ENTER;
    case 2:
        return item->type == JSON_OBJECT ? JSON_ENTER : JSON_SKIP;
    default:
        return str_eq(item->key, r->name_key) ? models_add(r, item) : JSON_SKIP;
    }
}

enum err openai_models_read(struct json_reader *reader, struct str body, struct arena *arena,
                            struct str **ret_names, size_t *ret_count)
{
    struct models_reading r = {.arena = arena};
    r.tail = &r.first;
    enum err err = json_walk(reader, body, visit, &r);
    if (err != ERR_OK || !r.found_list)
        return ERR_INVALID;
    struct str *names = ARENA_NEW_ARRAY(arena, struct str, r.count + 1);
    if (!names || r.no_memory)
        return ERR_NO_MEMORY;
    size_t i = 0;
    for (struct name_node *node = r.first; node; node = node->next)
        names[i++] = node->name;
    *ret_names = names;
    *ret_count = r.count;
    return ERR_OK;
}
