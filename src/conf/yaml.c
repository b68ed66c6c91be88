/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/yaml.h"

#include "conf/expand.h"

#include <yaml.h>

struct anchor {
    struct anchor *older;
    struct str name;
    const struct yaml_node *node;
    bool is_complete; /* its node is read to the end, so an alias cannot contain itself */
};

struct builder {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    struct yaml_document document;
    const struct config_env *env;
    struct diagnostics *diagnostics;
    struct str text; /* the whole file */
    struct anchor *anchors;
    size_t anchor_count, node_count, value_bytes;
};

static struct mark mark_of(yaml_mark_t mark)
{
    return (struct mark){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

static struct str str_of(const yaml_char_t *text)
{
    return str_from((const char *)text);
}

/* Refuses the file at the current event. */
#define refuse(builder, ...)                                                                                 \
    (diagnostic_add((builder)->diagnostics, mark_of((builder)->event.start_mark), STR_NONE, __VA_ARGS__),    \
     ERR_INVALID)

/* Bytes that are not UTF-8 come with an offset only. */
static struct mark mark_of_offset(struct str text, size_t offset)
{
    struct mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        bool is_end = text.ptr[i] == '\n';
        mark.line += is_end;
        mark.column = is_end ? 1 : mark.column + 1;
    }
    return mark;
}

static enum err report_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ERR_NO_MEMORY;
    const char *problem = parser->problem ? parser->problem : "unknown problem";
    bool is_reader = parser->error == YAML_READER_ERROR;
    struct mark mark =
        is_reader ? mark_of_offset(builder->text, parser->problem_offset) : mark_of(parser->problem_mark);
    diagnostic_add(builder->diagnostics, mark, STR_NONE, "YAML syntax: %s%s%s", problem,
                   parser->context ? ", " : "", parser->context ? parser->context : "");
    return ERR_INVALID;
}

static enum err advance(struct builder *builder)
{
    yaml_event_delete(&builder->event);
    return yaml_parser_parse(&builder->parser, &builder->event) ? ERR_OK : report_syntax(builder);
}

static enum err new_node(struct builder *builder, enum yaml_kind kind, struct yaml_node **ret_node)
{
    if (++builder->node_count > YAML_NODES_MAX)
        return refuse(builder, "more than %zu values, aliases counted as written out", YAML_NODES_MAX);
    struct yaml_node *node = ARENA_NEW(&builder->document.arena, struct yaml_node);
    if (!node)
        return ERR_NO_MEMORY;
    node->kind = kind;
    node->mark = mark_of(builder->event.start_mark);
    node->size = 1;
    node->older = builder->document.newest;
    builder->document.newest = node;
    *ret_node = node;
    return ERR_OK;
}

static enum err add_anchor(struct builder *builder, const yaml_char_t *name, const struct yaml_node *node,
                           struct anchor **ret_anchor)
{
    if (++builder->anchor_count > YAML_ANCHORS_MAX)
        return refuse(builder, "more than %d anchors", YAML_ANCHORS_MAX);
    struct anchor *anchor = ARENA_NEW(&builder->document.arena, struct anchor);
    struct str copy = arena_dup(&builder->document.arena, str_of(name));
    if (!anchor || !copy.ptr)
        return ERR_NO_MEMORY;
    *anchor = (struct anchor){.older = builder->anchors, .name = copy, .node = node};
    builder->anchors = anchor;
    *ret_anchor = anchor;
    return ERR_OK;
}

/* A copy of the named node's top: it gets its own place and siblings, and shares what is below. */
static enum err build_alias(struct builder *builder, unsigned depth, struct yaml_node **ret_node)
{
    struct str name = str_of(builder->event.data.alias.anchor);
    const struct anchor *anchor = builder->anchors;
    while (anchor && !str_eq(anchor->name, name))
        anchor = anchor->older;
    if (!anchor)
        return refuse(builder, "alias '*" STR_FMT "' without an anchor before it", STR_ARG(name));
    if (!anchor->is_complete)
        return refuse(builder, "alias '*" STR_FMT "' contains itself", STR_ARG(name));
    if (depth + anchor->node->height > YAML_DEPTH_MAX)
        return refuse(builder, "nested deeper than %d levels", YAML_DEPTH_MAX);
    builder->node_count += anchor->node->size - 1;
    struct yaml_node *node;
    enum err err = new_node(builder, anchor->node->kind, &node);
    if (err)
        return err;
    struct mark mark = node->mark;
    struct yaml_node *older = node->older;
    *node = *anchor->node;
    node->mark = mark;
    node->older = older;
    node->next = NULL;
    node->key = STR_NONE;
    *ret_node = node;
    return ERR_OK;
}

static enum err expand_value(struct builder *builder, struct yaml_node *node)
{
    char memory[512];
    struct buf message;
    buf_init_fixed(&message, memory, sizeof(memory));
    enum err err = expand_text(node->written, builder->env, &builder->document.arena, &node->text, &message);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err) {
        node->is_broken = true;
        diagnostic_add(builder->diagnostics, node->mark, STR_NONE, STR_FMT, STR_ARG(buf_str(&message)));
    }
    return ERR_OK;
}

static enum err build_scalar(struct builder *builder, struct yaml_node *node)
{
    const yaml_event_t *event = &builder->event;
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    struct str written = {(const char *)event->data.scalar.value, event->data.scalar.length};
    node->written = node->text = arena_dup(&builder->document.arena, written);
    if (!node->text.ptr)
        return ERR_NO_MEMORY;
    if (str_find(written, STR("$")) >= 0) {
        enum err err = expand_value(builder, node);
        if (err)
            return err;
    }
    builder->value_bytes += node->text.len;
    if (builder->value_bytes > YAML_VALUES_MAX)
        return refuse(builder, "more than %zu bytes of values after expansion", YAML_VALUES_MAX);
    return ERR_OK;
}

static enum err build_node(struct builder *builder, unsigned depth, struct yaml_node **ret_node);

static void adopt(struct yaml_node *parent, struct yaml_node **io_last, struct yaml_node *child)
{
    *(*io_last ? &(*io_last)->next : &parent->first) = child;
    *io_last = child;
    parent->size += child->size;
    parent->height = MAX(parent->height, child->height + 1);
}

static enum err build_sequence(struct builder *builder, unsigned depth, struct yaml_node *node)
{
    struct yaml_node *last = NULL;
    for (;;) {
        enum err err = advance(builder);
        if (err || builder->event.type == YAML_SEQUENCE_END_EVENT)
            return err;
        struct yaml_node *item;
        err = build_node(builder, depth + 1, &item);
        if (err)
            return err;
        adopt(node, &last, item);
    }
}

static enum err read_key(struct builder *builder, const struct yaml_node *node, struct str *ret_key)
{
    const yaml_event_t *event = &builder->event;
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.tag || event->data.scalar.anchor)
        return refuse(builder, "a key has to be a plain name");
    struct str key = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (yaml_get(node, key))
        diagnostic_add(builder->diagnostics, mark_of(event->start_mark), STR_NONE,
                       "duplicate key '" STR_FMT "'", STR_ARG(key));
    key = arena_dup(&builder->document.arena, key);
    if (!key.ptr)
        return ERR_NO_MEMORY;
    *ret_key = key;
    return ERR_OK;
}

static enum err build_mapping(struct builder *builder, unsigned depth, struct yaml_node *node)
{
    struct yaml_node *last = NULL;
    for (unsigned count = 0;; count++) {
        struct str key = STR_NONE;
        enum err err = advance(builder);
        if (err || builder->event.type == YAML_MAPPING_END_EVENT)
            return err;
        if (count == YAML_KEYS_MAX)
            return refuse(builder, "more than %d keys in one mapping", YAML_KEYS_MAX);
        struct mark key_mark = mark_of(builder->event.start_mark);
        err = read_key(builder, node, &key);
        if (!err)
            err = advance(builder);
        struct yaml_node *value;
        if (!err)
            err = build_node(builder, depth + 1, &value);
        if (err)
            return err;
        value->key = key;
        value->key_mark = key_mark;
        adopt(node, &last, value);
    }
}

/* Kind, anchor and tag of the current event; false when it begins no node of its own. */
static bool read_properties(const yaml_event_t *event, enum yaml_kind *ret_kind,
                            const yaml_char_t **ret_anchor, const yaml_char_t **ret_tag)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        *ret_kind = YAML_KIND_SCALAR;
        *ret_anchor = event->data.scalar.anchor;
        *ret_tag = event->data.scalar.tag;
        return true;
    case YAML_SEQUENCE_START_EVENT:
        *ret_kind = YAML_KIND_SEQUENCE;
        *ret_anchor = event->data.sequence_start.anchor;
        *ret_tag = event->data.sequence_start.tag;
        return true;
    case YAML_MAPPING_START_EVENT:
        *ret_kind = YAML_KIND_MAPPING;
        *ret_anchor = event->data.mapping_start.anchor;
        *ret_tag = event->data.mapping_start.tag;
        return true;
    default:
        return false;
    }
}

static enum err build_content(struct builder *builder, unsigned depth, struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_KIND_SCALAR:
        return build_scalar(builder, node);
    case YAML_KIND_SEQUENCE:
        return build_sequence(builder, depth, node);
    case YAML_KIND_MAPPING:
        return build_mapping(builder, depth, node);
    }
    return ERR_INVALID;
}

/* The node that begins with the current event; its last event is the current one afterwards. Recursion is
 * bounded by YAML_DEPTH_MAX. */
static enum err build_node(struct builder *builder, unsigned depth, struct yaml_node **ret_node)
{
    enum yaml_kind kind;
    const yaml_char_t *name, *tag;
    if (!read_properties(&builder->event, &kind, &name, &tag))
        return build_alias(builder, depth, ret_node);
    if (depth > YAML_DEPTH_MAX)
        return refuse(builder, "nested deeper than %d levels", YAML_DEPTH_MAX);
    if (tag)
        return refuse(builder, "tags ('!...') are not supported");
    struct yaml_node *node;
    struct anchor *anchor = NULL;
    enum err err = new_node(builder, kind, &node);
    if (!err && name)
        err = add_anchor(builder, name, node, &anchor);
    if (!err)
        err = build_content(builder, depth, node);
    if (err)
        return err;
    if (anchor)
        anchor->is_complete = true;
    *ret_node = node;
    return ERR_OK;
}

/* STREAM-START (DOCUMENT-START node DOCUMENT-END)? STREAM-END */
static enum err build_document(struct builder *builder)
{
    enum err err = advance(builder);
    if (!err)
        err = advance(builder);
    if (!err && builder->event.type == YAML_STREAM_END_EVENT)
        return new_node(builder, YAML_KIND_SCALAR, &builder->document.root);
    if (!err)
        err = advance(builder);
    if (!err)
        err = build_node(builder, 0, &builder->document.root);
    if (!err)
        err = advance(builder);
    if (!err)
        err = advance(builder);
    if (!err && builder->event.type != YAML_STREAM_END_EVENT)
        return refuse(builder, "a second document begins here; a file holds one");
    return err;
}

enum err yaml_load(struct str text, const struct config_env *env, struct diagnostics *io_diagnostics,
                   struct yaml_document *ret_document)
{
    if (text.len > YAML_FILE_MAX) {
        diagnostic_add(io_diagnostics, (struct mark){0}, STR_NONE, "larger than %zu MiB",
                       YAML_FILE_MAX >> 20);
        return ERR_INVALID;
    }
    if (str_starts(text, STR("\xef\xbb\xbf"))) /* byte order mark */
        text = str_from_offset(text, 3);
    struct builder builder = {.env = env, .diagnostics = io_diagnostics, .text = text};
    if (!yaml_parser_initialize(&builder.parser))
        return ERR_NO_MEMORY;
    arena_init(&builder.document.arena, NULL);
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    const char *start = text.len > 0 ? text.ptr : ""; /* libyaml aborts on NULL */
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)start, text.len);
    enum err err = build_document(&builder);
    yaml_event_delete(&builder.event);
    yaml_parser_delete(&builder.parser);
    if (err)
        yaml_fini(&builder.document);
    else
        *ret_document = builder.document;
    return err;
}

static void wipe(struct str text)
{
    if (text.len > 0)
        explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
}

void yaml_fini(struct yaml_document *document)
{
    for (struct yaml_node *node = document->newest; node; node = node->older) {
        wipe(node->text);
        wipe(node->written);
    }
    arena_fini(&document->arena);
    document->root = document->newest = NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *node, struct str key)
{
    for (const struct yaml_node *child = node->first; child; child = child->next)
        if (str_eq(child->key, key))
            return child;
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != YAML_KIND_SCALAR || node->is_quoted)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        if (str_eq(node->written, str_from(nulls[i])))
            return true;
    return false;
}
