/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: a JSON object, or a form, read against the fields of the route's object. */
#include "web/rest_request.h"

#include <openssl/crypto.h>

struct reading {
    struct rest_request *req;
    struct str field; /* at fault; empty: the body itself */
    const char *why;  /* NULL: good so far */
};

bool rest_is_mask(struct str text)
{
    if (text.len == 11 && str_eq((struct str){text.ptr + 4, 3}, STR("...")))
        return true;
    size_t stars = 0;
    while (stars < text.len && text.ptr[stars] == '*')
        stars++;
    return stars == text.len && stars >= 4;
}

/* ---- values ---- */

static bool read_integer(const struct json_item *item, struct sql_value *ret_value)
{
    uint64_t value;
    if (json_item_u64(item, &value) != ERR_OK || value > INT64_MAX)
        return false;
    *ret_value = rest_integer(value);
    return true;
}

static bool read_number(const struct json_item *item, struct sql_value *ret_value)
{
    double value;
    if (json_item_double(item, &value) != ERR_OK || value < 0)
        return false;
    *ret_value = (struct sql_value){.type = SQL_DOUBLE, .real = value};
    return true;
}

/* As SQL has it: also 0 and 1. */
static bool read_boolean(const struct json_item *item, struct sql_value *ret_value)
{
    if (item->type == JSON_TRUE || item->type == JSON_FALSE) {
        *ret_value = rest_integer(item->type == JSON_TRUE);
        return true;
    }
    return read_integer(item, ret_value) && ret_value->integer <= 1;
}

static bool read_text(struct rest_request *req, const struct json_item *item, struct sql_value *ret_value)
{
    struct str text;
    if (json_item_text(item, &text) != ERR_OK)
        return false;
    *ret_value = rest_text(arena_dup(&req->arena, text));
    return ret_value->text.ptr != NULL;
}

static bool read_value(struct rest_request *req, const struct json_item *item, struct sql_value *ret_value)
{
    if (item->type == JSON_STRING)
        return read_text(req, item, ret_value);
    if (item->type != JSON_NUMBER && item->type != JSON_TRUE && item->type != JSON_FALSE)
        return false;
    *ret_value = rest_text(arena_dup(&req->arena, item->raw));
    return ret_value->text.ptr != NULL;
}

/* NULL: good; else what was expected. */
static const char *read_kind(struct rest_request *req, const struct rest_field *field,
                             const struct json_item *item, struct sql_value *ret_value)
{
    switch (field->kind) {
    case REST_INTEGER:
        return read_integer(item, ret_value) ? NULL : "expected a whole number, not negative";
    case REST_NUMBER:
        return read_number(item, ret_value) ? NULL : "expected a number, not negative";
    case REST_BOOLEAN:
        return read_boolean(item, ret_value) ? NULL : "expected true or false";
    case REST_VALUE:
        return read_value(req, item, ret_value) ? NULL : "expected a text, a number, true or false";
    default:
        return read_text(req, item, ret_value) ? NULL : "expected a text";
    }
}

/* ---- fields ---- */

static bool is_row(const struct rest_request *req)
{
    return req->object->table.len > 0;
}

/* What an answer showed may come back in a change; in something new it can only be a mistake. */
static const char *take_read_only(const struct rest_request *req)
{
    return req->route->flags & REST_CREATES ? "is read-only" : NULL;
}

static const char *take_field(struct rest_request *req, const struct rest_field *field,
                              const struct json_item *item)
{
    struct rest_value *value = &req->values[field - req->object->fields];
    if (field->flags & REST_READ_ONLY)
        return take_read_only(req);
    if (value->is_given)
        return "is given twice";
    if (item->type == JSON_NULL) {
        value->is_given = true; /* its type is SQL_NULL */
        return field->flags & REST_NULLABLE ? NULL : "may not be null";
    }
    const char *why = read_kind(req, field, item, &value->value);
    value->is_given = !why;
    if (why || field->kind != REST_SECRET || !is_row(req) || !rest_is_mask(value->value.text))
        return why;
    value->is_given = false; /* the mask of an answer: the secret stays */
    return req->route->flags & REST_CREATES ? "is a mask, not a secret" : NULL;
}

static enum json_visit on_item(void *context, const struct json_item *item)
{
    struct reading *reading = context;
    struct rest_request *req = reading->req;
    if (item->depth == 0) {
        if (item->type != JSON_OBJECT && !item->closing)
            reading->why = "The body has to be a JSON object.";
        return reading->why ? JSON_STOP : JSON_ENTER;
    }
    const struct rest_field *field = rest_field_find(req->object, item->key);
    reading->why = field ? take_field(req, field, item) : "is unknown";
    if (!reading->why)
        return JSON_SKIP;
    reading->field = arena_dup(&req->arena, field ? field->name : item->key);
    return JSON_STOP;
}

static void read_json(struct reading *reading, struct str body)
{
    enum err err = json_walk(reading->req->rest->json, body, on_item, reading);
    if (err != ERR_OK && !reading->why)
        reading->why = err == ERR_NO_MEMORY ? "No memory to read the body." : "The body is not valid JSON.";
}

/* Forms carry texts only; what the object does not know (a submit button's name) is nobody's. */
static void read_form(struct rest_request *req, struct str body)
{
    for (size_t i = 0; i < req->object->field_count; i++) {
        struct str text;
        if (rest_query_find(&req->arena, body, req->object->fields[i].name, &text))
            req->values[i] = (struct rest_value){.is_given = true, .value = rest_text(text)};
    }
}

static void find_missing(struct reading *reading)
{
    const struct rest_object *object = reading->req->object;
    for (size_t i = 0; i < object->field_count && !reading->why; i++) {
        if (!(object->fields[i].flags & REST_REQUIRED) || reading->req->values[i].is_given)
            continue;
        reading->why = "is missing";
        reading->field = object->fields[i].name;
    }
}

bool rest_read_body(struct rest_request *req)
{
    struct reading reading = {.req = req};
    struct str body = body_str(&req->conn->body);
    if (req->is_form && req->object == rest_object(REST_OBJECT_LOGIN))
        read_form(req, body);
    else if (body.len == 0)
        reading.why = "The body has to be a JSON object.";
    else
        read_json(&reading, body);
    if (!reading.why && (req->route->flags & REST_WHOLE))
        find_missing(&reading);
    if (body.len > 0) /* it may hold secrets, and connections are not asked to wipe */
        OPENSSL_cleanse(req->conn->body.ptr, body.len);
    if (!reading.why)
        return true;
    if (reading.field.len > 0)
        rest_fail(req, 400, reading.field, "Field '%.*s' %s%s.", (int)MIN(reading.field.len, 100),
                  reading.field.ptr, reading.why[0] == 'e' ? "is of the wrong type: " : "", reading.why);
    else
        rest_fail(req, 400, STR_NONE, "%s", reading.why);
    return false;
}

bool rest_read_number(struct rest_request *req, struct str name, uint64_t max, uint64_t *io_value)
{
    struct str text;
    uint64_t value;
    if (!rest_query_find(&req->arena, req->query, name, &text))
        return true;
    if (str_to_u64(text, &value) && value <= max) {
        *io_value = value;
        return true;
    }
    rest_fail(req, 400, name, "Parameter '" STR_FMT "' has to be a whole number from 0 to %llu.",
              STR_ARG(name), (unsigned long long)max);
    return false;
}
