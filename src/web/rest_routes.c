/* SPDX-License-Identifier: Apache-2.0 */
#include "web/rest_routes.h"

#include "web/rest_handlers.h"

#define TEXT_OF(literal)                                                                                     \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

/* ---- objects ---- */

#define REST_TABLE(id, ...) static const struct rest_field fields_##id[] = {
#define REST_FIELD(id, name_, kind_, flags_, other_, help_)                                                  \
    {.name = TEXT_OF(name_),                                                                                 \
     .other_name = TEXT_OF(other_),                                                                          \
     .kind = REST_##kind_,                                                                                   \
     .flags = flags_,                                                                                        \
     .help = TEXT_OF(help_)},
#define REST_END(id)                                                                                         \
    }                                                                                                        \
    ;                                                                                                        \
    _Static_assert(ARRAY_LEN(fields_##id) <= REST_FIELDS_MAX, "raise REST_FIELDS_MAX");
#include "web/rest_fields.def"

static const struct rest_object objects[REST_OBJECT_COUNT_] = {
#define REST_TABLE(id, title_, table_, key_, number_, help_)                                                 \
    [REST_OBJECT_##id] = {.title = TEXT_OF(title_),                                                          \
                          .table = TEXT_OF(table_),                                                          \
                          .key = TEXT_OF(key_),                                                              \
                          .number = TEXT_OF(number_),                                                        \
                          .help = TEXT_OF(help_),                                                            \
                          .fields = fields_##id,                                                             \
                          .field_count = ARRAY_LEN(fields_##id)},
#include "web/rest_fields.def"
};

const struct rest_object *rest_object(enum rest_object_id id)
{
    return id == REST_OBJECT_NONE ? NULL : &objects[id];
}

const struct rest_field *rest_field_find(const struct rest_object *object, struct str name)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct rest_field *field = &object->fields[i];
        if (str_eq(field->name, name) || (field->other_name.len > 0 && str_eq(field->other_name, name)))
            return field;
    }
    return NULL;
}

/* ---- routes ---- */

const struct rest_route rest_routes[] = {
#define REST_ROUTE(path_, method_, handle_, object_, flags_, summary_)                                       \
    {.path = TEXT_OF(path_),                                                                                 \
     .method = TEXT_OF(method_),                                                                             \
     .handle = handle_,                                                                                      \
     .object = REST_OBJECT_##object_,                                                                        \
     .flags = flags_,                                                                                        \
     .summary = TEXT_OF(summary_)},
#include "web/rest_routes.def"
};

const size_t rest_route_count = ARRAY_LEN(rest_routes);

static bool path_fits(struct str pattern, struct str path, struct str *ret_part)
{
    ssize_t open = str_find(pattern, STR("{")), close = str_find(pattern, STR("}"));
    if (open < 0)
        return str_eq(pattern, path);
    struct str before = {pattern.ptr, (size_t)open}, after = str_from_offset(pattern, (size_t)close + 1);
    if (path.len <= before.len + after.len || !str_starts(path, before) ||
        !str_eq(str_from_offset(path, path.len - after.len), after))
        return false;
    *ret_part = (struct str){path.ptr + before.len, path.len - before.len - after.len};
    return true;
}

static bool method_fits(const struct rest_route *route, struct str method)
{
    return str_eq(route->method, method) ||
           (str_eq(route->method, STR("GET")) && str_eq(method, STR("HEAD")));
}

struct rest_match rest_match(struct str method, struct str path)
{
    struct rest_match match = {0};
    for (size_t i = 0; i < rest_route_count && !match.route; i++) {
        const struct rest_route *route = &rest_routes[i];
        if (!match.first && path_fits(route->path, path, &match.part))
            match.first = route;
        if (match.first && str_eq(route->path, match.first->path) && method_fits(route, method))
            match.route = route;
    }
    return match;
}

void rest_allow_write(const struct rest_route *first, struct buf *out)
{
    for (size_t i = 0; i < rest_route_count; i++) {
        if (!str_eq(rest_routes[i].path, first->path))
            continue;
        buf_add(out, rest_routes[i].method);
        buf_add(out, str_eq(rest_routes[i].method, STR("GET")) ? STR(", HEAD, ") : STR(", "));
    }
    buf_add(out, STR("OPTIONS"));
}

/* ---- queries and forms ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str rest_percent_decode(struct arena *arena, struct str text, bool plus_is_space)
{
    char *out = arena_take(arena, text.len + 1);
    size_t len = 0;
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
        if (text.ptr[i] == '%' && low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = text.ptr[i] == '+' && plus_is_space ? ' ' : text.ptr[i];
        }
    }
    out[len] = '\0';
    return (struct str){out, len};
}

/* Cuts `io_text` at the first `sign`: what stands before it. */
static struct str cut(struct str *io_text, struct str sign)
{
    ssize_t at = str_find(*io_text, sign);
    struct str before = *io_text;
    if (at >= 0)
        before.len = (size_t)at;
    *io_text = str_from_offset(*io_text, before.len + 1);
    return before;
}

bool rest_query_find(struct arena *arena, struct str query, struct str name, struct str *ret_value)
{
    while (query.len > 0) {
        struct str value = cut(&query, STR("&"));
        struct str key = rest_percent_decode(arena, cut(&value, STR("=")), true);
        if (!str_eq(key, name))
            continue;
        *ret_value = rest_percent_decode(arena, value, true);
        return ret_value->ptr != NULL;
    }
    return false;
}
