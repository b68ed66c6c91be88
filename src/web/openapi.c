/* SPDX-License-Identifier: Apache-2.0 */
/* /api/openapi.json: the tables of rest_routes.def and rest_fields.def as OpenAPI 3.1 (OpenAPI Specification 3.1.0). */
#include "web/rest_handlers.h"
#include "web/rest_request.h"

static void put(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, str_from(key));
    json_string(w, value);
}

static void begin(struct json_writer *w, const char *key)
{
    json_key(w, str_from(key));
    json_object_begin(w);
}

static void put_reference(struct json_writer *w, const char *kind, struct str name, const char *ending)
{
    char text[128];
    struct buf path;
    buf_init_fixed(&path, text, sizeof(text));
    buf_printf(&path, "#/components/%s/" STR_FMT "%s", kind, STR_ARG(name), ending);
    put(w, "$ref", buf_str(&path));
}

/* ---- objects ---- */

static void put_type(struct json_writer *w, const struct rest_field *field)
{
    static const char *const types[] = {
        [REST_INTEGER] = "integer", [REST_NUMBER] = "number", [REST_BOOLEAN] = "boolean",
        [REST_TEXT] = "string",     [REST_SECRET] = "string", [REST_VALUE] = "string"};
    json_key(w, STR("type"));
    if (!(field->flags & REST_NULLABLE)) {
        json_string(w, str_from(types[field->kind]));
        return;
    }
    json_array_begin(w);
    json_string(w, str_from(types[field->kind]));
    json_string(w, STR("null"));
    json_array_end(w);
}

static void write_field(struct json_writer *w, const struct rest_field *field)
{
    json_key(w, field->name);
    json_object_begin(w);
    put_type(w, field);
    if (field->kind == REST_INTEGER || field->kind == REST_NUMBER) {
        json_key(w, STR("minimum"));
        json_u64(w, 0);
    }
    if (field->flags & REST_READ_ONLY) {
        json_key(w, STR("readOnly"));
        json_bool(w, true);
    }
    put(w, "description", field->help);
    json_object_end(w);
}

static void write_required(struct json_writer *w, const struct rest_object *object)
{
    json_key(w, STR("required"));
    json_array_begin(w);
    for (size_t i = 0; i < object->field_count; i++)
        if (object->fields[i].flags & REST_REQUIRED)
            json_string(w, object->fields[i].name);
    json_array_end(w);
}

/* As it is answered; `is_input`: as it is sent, without what only answers have. */
static void write_schema(struct json_writer *w, const struct rest_object *object, bool is_input)
{
    json_object_begin(w);
    json_key(w, STR("type"));
    json_string(w, STR("object"));
    put(w, "description", object->help);
    begin(w, "properties");
    for (size_t i = 0; i < object->field_count; i++) {
        unsigned flags = object->fields[i].flags;
        if (is_input ? !(flags & REST_READ_ONLY) : !(flags & REST_HIDDEN))
            write_field(w, &object->fields[i]);
    }
    json_object_end(w);
    json_object_end(w);
}

static void write_new_schema(struct json_writer *w, const struct rest_object *object)
{
    json_object_begin(w);
    json_key(w, STR("allOf"));
    json_array_begin(w);
    json_object_begin(w);
    put_reference(w, "schemas", object->title, "Change");
    json_object_end(w);
    json_array_end(w);
    write_required(w, object);
    json_object_end(w);
}

static void key_with_ending(struct json_writer *w, struct str title, const char *ending)
{
    char text[64];
    struct buf name;
    buf_init_fixed(&name, text, sizeof(text));
    buf_printf(&name, STR_FMT "%s", STR_ARG(title), ending);
    json_key(w, buf_str(&name));
}

/* Server: in answers. ServerChange: any of the fields. ServerNew: those that are required too. */
static void write_schemas(struct json_writer *w)
{
    begin(w, "schemas");
    for (unsigned id = 0; id < REST_OBJECT_COUNT_; id++) {
        const struct rest_object *object = rest_object((enum rest_object_id)id);
        if (object->table.len > 0) {
            json_key(w, object->title);
            write_schema(w, object, false);
        }
        key_with_ending(w, object->title, "Change");
        write_schema(w, object, true);
        key_with_ending(w, object->title, "New");
        write_new_schema(w, object);
    }
    json_key(w, STR("Error"));
    json_raw(
        w, STR("{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\","
               "\"properties\":{\"message\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"},"
               "\"param\":{\"type\":[\"string\",\"null\"]},\"code\":{\"type\":\"string\"}}}}}"));
    json_object_end(w);
}

/* ---- paths ---- */

static void write_parameter(struct json_writer *w, struct str name, const char *place, const char *type,
                            bool is_required, const char *help)
{
    json_object_begin(w);
    put(w, "name", name);
    put(w, "in", str_from(place));
    json_key(w, STR("required"));
    json_bool(w, is_required);
    begin(w, "schema");
    put(w, "type", str_from(type));
    json_object_end(w);
    put(w, "description", str_from(help));
    json_object_end(w);
}

static const char *key_type(const struct rest_object *object)
{
    return object && rest_field_find(object, object->key)->kind == REST_INTEGER ? "integer" : "string";
}

static void write_parameters(struct json_writer *w, const struct rest_route *route)
{
    const struct rest_object *object = rest_object(route->object);
    ssize_t open = str_find(route->path, STR("{")), close = str_find(route->path, STR("}"));
    json_key(w, STR("parameters"));
    json_array_begin(w);
    if (open >= 0) {
        struct str name = {route->path.ptr + open + 1, (size_t)(close - open - 1)};
        write_parameter(w, name, "path", key_type(object), true, "Which one.");
        if (object == rest_object(REST_OBJECT_MODELS))
            write_parameter(w, STR("valid_from"), "query", "string", false,
                            "Which of the model's prices; left out, the newest.");
    }
    if (route->flags & REST_KEY_IN_QUERY)
        write_parameter(w, object->key, "query", key_type(object), true, "Which one.");
    if (route->flags & REST_PAGES) {
        write_parameter(w, STR("limit"), "query", "integer", false, "Most rows to answer.");
        write_parameter(w, STR("offset"), "query", "integer", false, "Rows to pass over.");
    }
    json_array_end(w);
}

static void write_body(struct json_writer *w, const struct rest_route *route)
{
    begin(w, "requestBody");
    json_key(w, STR("required"));
    json_bool(w, true);
    begin(w, "content");
    begin(w, "application/json");
    begin(w, "schema");
    put_reference(w, "schemas", rest_object(route->object)->title,
                  route->flags & REST_WHOLE ? "New" : "Change");
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void write_content(struct json_writer *w, const struct rest_route *route)
{
    begin(w, "content");
    begin(w, route->flags & REST_METRICS ? "text/plain" : "application/json");
    begin(w, "schema");
    if (route->flags & REST_LIST) {
        put(w, "type", STR("array"));
        begin(w, "items");
        put_reference(w, "schemas", rest_object(route->object)->title, "");
        json_object_end(w);
    } else if (route->flags & REST_ROW) {
        put_reference(w, "schemas", rest_object(route->object)->title, "");
    }
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void write_responses(struct json_writer *w, const struct rest_route *route)
{
    begin(w, "responses");
    begin(w, route->flags & REST_CREATES ? "201" : "2XX");
    put(w, "description", STR("Done."));
    write_content(w, route);
    json_object_end(w);
    begin(w, "default");
    put(w, "description", STR("What was wrong."));
    json_key(w, STR("content"));
    json_raw(w, STR("{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}"));
    json_object_end(w);
    json_object_end(w);
}

static void write_security(struct json_writer *w, const struct rest_route *route)
{
    json_key(w, STR("security"));
    if (route->flags & REST_OPEN)
        json_raw(w, STR("[]"));
    else if (route->flags & REST_LOCAL)
        json_raw(w, STR("[{},{\"session\":[]},{\"token\":[]},{\"basic\":[]}]"));
    else
        json_raw(w, STR("[{\"session\":[]},{\"token\":[]},{\"basic\":[]}]"));
}

static struct str lower(struct str method, char text[16])
{
    size_t len = MIN(method.len, (size_t)15);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(method.ptr[i] | 0x20);
    return (struct str){text, len};
}

static void write_operation(struct json_writer *w, const struct rest_route *route)
{
    char text[16];
    const struct rest_object *object = rest_object(route->object);
    json_key(w, lower(route->method, text));
    json_object_begin(w);
    put(w, "summary", route->summary);
    if (object)
        put(w, "description", object->help);
    write_parameters(w, route);
    if (route->flags & REST_BODY)
        write_body(w, route);
    write_responses(w, route);
    write_security(w, route);
    json_object_end(w);
}

static bool is_first_of_path(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (str_eq(rest_routes[i].path, rest_routes[index].path))
            return false;
    return true;
}

static void write_paths(struct json_writer *w)
{
    begin(w, "paths");
    for (size_t i = 0; i < rest_route_count; i++) {
        if (!is_first_of_path(i))
            continue;
        json_key(w, rest_routes[i].path);
        json_object_begin(w);
        for (size_t k = i; k < rest_route_count; k++)
            if (str_eq(rest_routes[k].path, rest_routes[i].path))
                write_operation(w, &rest_routes[k]);
        json_object_end(w);
    }
    json_object_end(w);
}

void rest_answer_openapi(struct rest_request *req)
{
    struct json_writer *w = &req->json;
    json_object_begin(w);
    put(w, "openapi", STR("3.1.0"));
    begin(w, "info");
    put(w, "title", STR("Fairlead administration"));
    put(w, "version", STR(FAIRLEAD_VERSION));
    json_object_end(w);
    write_paths(w);
    begin(w, "components");
    write_schemas(w);
    begin(w, "securitySchemes");
    json_key(w, STR("session"));
    json_raw(w, STR("{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"" ADMIN_SESSION_COOKIE "\"}"));
    json_key(w, STR("token"));
    json_raw(w, STR("{\"type\":\"http\",\"scheme\":\"bearer\"}"));
    json_key(w, STR("basic"));
    json_raw(w, STR("{\"type\":\"http\",\"scheme\":\"basic\"}"));
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
    rest_answer_json(req, 200);
}
