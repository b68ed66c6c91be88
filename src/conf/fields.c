/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/fields.h"

#include "conf/suggest.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 64 /* bytes of a refused value that a message repeats */
#define SECRET_MAX ((size_t)16384)

_Static_assert(sizeof(enum strategy) == sizeof(unsigned), "field_choice writes an unsigned");

void loader_report(struct loader *loader, struct mark mark, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    diagnostic_add(loader->diagnostics, mark, STR_NONE, "%s", text);
}

struct str loader_copy(struct loader *loader, struct str text)
{
    struct str copy = arena_dup(&loader->config->arena, text);
    loader->no_memory = loader->no_memory || !copy.ptr;
    return copy;
}

const char *loader_term(const struct loader *loader)
{
    return loader->is_table ? "column" : "key";
}

static struct str shown(struct str text)
{
    return (struct str){text.ptr, MIN(text.len, SHOWN_MAX)};
}

void loader_report_unknown(struct loader *loader, struct mark mark, const char *what, struct str word,
                           struct str suggestion)
{
    diagnostic_add(loader->diagnostics, mark, suggestion, "unknown %s '" STR_FMT "' in %s", what,
                   STR_ARG(shown(word)), loader->place);
}

static bool check_scalar(struct loader *loader, const struct field *field, const struct yaml_node *node)
{
    if (node->kind == YAML_KIND_SCALAR)
        return true;
    loader_report(loader, node->mark, STR_FMT " in %s has to be one value, not a %s", STR_ARG(field->name),
                  loader->place, node->kind == YAML_KIND_SEQUENCE ? "list" : "mapping");
    return false;
}

static void report_value(struct loader *loader, const struct field *field, const struct yaml_node *node,
                         const char *expected)
{
    loader_report(loader, node->mark, STR_FMT " in %s: '" STR_FMT "' %s", STR_ARG(field->name), loader->place,
                  STR_ARG(shown(node->written)), expected);
}

bool loader_check_text(struct loader *loader, const struct field *field, const struct yaml_node *node)
{
    if (!check_scalar(loader, field, node))
        return false;
    for (size_t i = 0; i < node->text.len; i++) {
        if ((unsigned char)node->text.ptr[i] < ' ' || node->text.ptr[i] == 0x7f) {
            report_value(loader, field, node, "has control characters");
            return false;
        }
    }
    if (node->text.len > 0 && node->text.len <= FIELD_TEXT_MAX)
        return true;
    loader_report(loader, node->mark, STR_FMT " in %s has to have 1 to %d bytes", STR_ARG(field->name),
                  loader->place, FIELD_TEXT_MAX);
    return false;
}

static void read_text(struct loader *loader, const struct field *field, const struct yaml_node *node,
                      void *target)
{
    if (loader_check_text(loader, field, node))
        *(struct str *)target = loader_copy(loader, node->text);
}

static bool is_name(struct str text)
{
    if (text.len == 0 || text.len > FIELD_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], low = (char)(c | 0x20);
        if (!((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || (c && strchr("._-", c))))
            return false;
    }
    return true;
}

static void read_name(struct loader *loader, const struct field *field, const struct yaml_node *node,
                      void *target)
{
    if (!check_scalar(loader, field, node))
        return;
    if (is_name(node->text))
        *(struct str *)target = loader_copy(loader, node->text);
    else
        report_value(loader, field, node, "is not a name of 1 to 64 letters, digits, '.', '_', '-'");
}

static void read_unsigned(struct loader *loader, const struct field *field, const struct yaml_node *node,
                          void *target)
{
    uint64_t value;
    if (!check_scalar(loader, field, node))
        return;
    if (str_to_u64(node->text, &value) && value >= field->min && value <= field->max) {
        *(unsigned *)target = (unsigned)value;
        return;
    }
    char expected[64];
    snprintf(expected, sizeof(expected), "is not a whole number from %u to %u", field->min, field->max);
    report_value(loader, field, node, expected);
}

bool loader_was_read(const struct yaml_node *node, unsigned value)
{
    uint64_t written;
    return node->kind == YAML_KIND_SCALAR && !node->is_broken && str_to_u64(node->text, &written) &&
           written == value;
}

static void read_bool(struct loader *loader, const struct field *field, const struct yaml_node *node,
                      void *target)
{
    if (!check_scalar(loader, field, node))
        return;
    bool is_true = str_eq(node->text, STR("true"));
    if (is_true || str_eq(node->text, STR("false")))
        *(bool *)target = is_true;
    else
        report_value(loader, field, node, "is neither true nor false");
}

static const struct choice *find_choice(struct loader *loader, const struct field *field,
                                        const struct yaml_node *node)
{
    if (!check_scalar(loader, field, node))
        return NULL;
    struct suggestion suggestion;
    suggestion_init(&suggestion, node->text);
    for (size_t i = 0; i < field->choice_count; i++) {
        const struct choice *choice = &field->choices[i];
        if (!str_eq(choice->word, node->text)) {
            suggestion_offer(&suggestion, choice->word);
            continue;
        }
        if (!choice->refusal)
            return choice;
        report_value(loader, field, node, choice->refusal);
        return NULL;
    }
    char what[FIELD_NAME_MAX];
    snprintf(what, sizeof(what), STR_FMT, STR_ARG(field->name));
    loader_report_unknown(loader, node->mark, what, node->written, suggestion.best);
    return NULL;
}

static void read_choice(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        void *target)
{
    const struct choice *choice = find_choice(loader, field, node);
    if (choice)
        *(unsigned *)target = choice->value;
}

static void read_flags(struct loader *loader, const struct field *field, const struct yaml_node *node,
                       void *target)
{
    unsigned flags = 0;
    if (node->kind != YAML_KIND_SEQUENCE || !node->first) {
        loader_report(loader, node->mark, STR_FMT " in %s has to be a list of at least one word",
                      STR_ARG(field->name), loader->place);
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        const struct choice *choice = item->is_broken ? NULL : find_choice(loader, field, item);
        flags |= choice ? choice->value : 0;
    }
    *(unsigned *)target = flags;
}

bool loader_is_header_safe(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return text.len <= SECRET_MAX;
}

/* Never shows the value, and never what the variable in it stands for. */
static void keep_secret(struct loader *loader, const struct field *field, struct mark mark, struct str secret,
                        struct str *target)
{
    if (loader_is_header_safe(secret))
        *target = loader_copy(loader, secret);
    else
        loader_report(loader, mark,
                      STR_FMT " in %s has spaces, control characters or bytes beyond ASCII, which "
                              "no header can carry, or is longer than %zu bytes",
                      STR_ARG(field->name), loader->place, SECRET_MAX);
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static void read_secret_file(struct loader *loader, const struct field *field, const struct yaml_node *path,
                             struct str *target)
{
    struct buf content;
    buf_init(&content, SECRET_MAX);
    if (!buf_reserve(&content, SECRET_MAX)) { /* at once: growing leaves copies behind */
        loader->no_memory = true;
        return;
    }
    enum err err = loader->env->read_file(loader->env->context, path->text, &content);
    struct str secret = buf_str(&content);
    while (secret.len > 0 && is_line_end(secret.ptr[secret.len - 1]))
        secret.len--;
    if (err)
        loader_report(loader, path->mark, STR_FMT " in %s: file '" STR_FMT "': %s", STR_ARG(field->name),
                      loader->place, STR_ARG(shown(path->written)), config_env_reason(err));
    else if (secret.len == 0)
        loader_report(loader, path->mark, STR_FMT " in %s: file '" STR_FMT "' is empty", STR_ARG(field->name),
                      loader->place, STR_ARG(shown(path->written)));
    else
        keep_secret(loader, field, path->mark, secret, target);
    explicit_bzero(content.ptr, content.cap);
    buf_free(&content);
}

static void read_secret(struct loader *loader, const struct field *field, const struct yaml_node *node,
                        void *target)
{
    if (node->kind == YAML_KIND_SCALAR) {
        keep_secret(loader, field, node->mark, node->text, target);
        return;
    }
    const struct yaml_node *path = node->kind == YAML_KIND_MAPPING ? node->first : NULL;
    if (!path || path->next || !str_eq(path->key, STR("file"))) {
        loader_report(loader, node->mark, STR_FMT " in %s has to be a text or {file: PATH}",
                      STR_ARG(field->name), loader->place);
        return;
    }
    if (!path->is_broken && loader_check_text(loader, field, path))
        read_secret_file(loader, field, path, target);
}

static void read_file(struct loader *loader, const struct field *field, const struct yaml_node *node,
                      void *target)
{
    if (!loader_check_text(loader, field, node))
        return;
    if (loader->env->is_readable(loader->env->context, node->text))
        *(struct str *)target = loader_copy(loader, node->text);
    else
        report_value(loader, field, node, "is no readable file");
}

const struct field_type field_text = {"text", read_text};
const struct field_type field_name = {"name", read_name};
const struct field_type field_unsigned = {"whole number", read_unsigned};
const struct field_type field_bool = {"true or false", read_bool};
const struct field_type field_choice = {"one of", read_choice};
const struct field_type field_flags = {"list of", read_flags};
const struct field_type field_secret = {"secret: text or `{file: PATH}`", read_secret};
const struct field_type field_file = {"path of a readable file", read_file};
