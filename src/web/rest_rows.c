/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table as resources: list, one, create, change, remove, and the settings, which are set and not written. */
#include "conf/settings.h"
#include "store/seal.h"
#include "web/rest_handlers.h"
#include "web/rest_request.h"

#define LIMIT_MAX 1000000
#define LOCATION_MAX 512

/* ---- statements ---- */

static void say(struct rest_request *req, const char *text)
{
    buf_add(&req->statement, str_from(text));
}

static const struct rest_value *given(const struct rest_request *req, struct str name)
{
    const struct rest_field *field = rest_field_find(req->object, name);
    const struct rest_value *value = field ? &req->values[field - req->object->fields] : NULL;
    return value && value->is_given ? value : NULL;
}

static void say_select(struct rest_request *req)
{
    const char *before = "SELECT ";
    rest_statement_clear(req);
    for (size_t i = 0; i < req->object->field_count; i++) {
        if (req->object->fields[i].flags & REST_HIDDEN)
            continue;
        say(req, before);
        buf_add(&req->statement, req->object->fields[i].name);
        before = ", ";
    }
    say(req, " FROM ");
    buf_add(&req->statement, req->object->table);
}

static void say_where(struct rest_request *req, struct str column, struct sql_value value)
{
    say(req, " WHERE ");
    buf_add(&req->statement, column);
    say(req, " = ?");
    rest_param_add(req, value);
}

/* A price has a second key. Left out, the newest one is meant. */
static void say_valid_from(struct rest_request *req, const struct sql_value *value, struct sql_value model)
{
    if (value) {
        say(req, " AND valid_from = ?");
        rest_param_add(req, *value);
    } else {
        say(req, " AND valid_from = (SELECT MAX(valid_from) FROM ai_models WHERE model = ?)");
        rest_param_add(req, model);
    }
}

static bool is_price(const struct rest_request *req)
{
    return req->object == rest_object(REST_OBJECT_MODELS);
}

static void say_where_key(struct rest_request *req, struct sql_value key)
{
    struct str day;
    struct sql_value value;
    say_where(req, req->object->key, key);
    if (!is_price(req))
        return;
    bool has_day = rest_query_find(&req->arena, req->query, STR("valid_from"), &day);
    value = rest_text(day);
    say_valid_from(req, has_day ? &value : NULL, key);
}

/* ---- rows as JSON ---- */

static bool hides_value(const struct rest_request *req, const struct sql_value *values)
{
    if (req->object != rest_object(REST_OBJECT_VARIABLES))
        return false;
    const struct setting *setting = setting_find(values[0].text);
    return setting && setting->kind == SETTING_KIND_SECRET;
}

/* SQL shows masks already; whatever else it were, no secret leaves here. */
static void write_mask(struct rest_request *req, struct str text)
{
    json_string(&req->json, text.len == 0 || rest_is_mask(text) ? text : STR("****"));
}

static void write_field(struct rest_request *req, const struct rest_field *field,
                        const struct sql_value *values, const struct sql_value *value)
{
    bool is_secret = field->kind == REST_SECRET || (field->kind == REST_VALUE && hides_value(req, values));
    json_key(&req->json, field->name);
    if (is_secret && value->type != SQL_NULL)
        write_mask(req, value->type == SQL_INTEGER || value->type == SQL_DOUBLE ? STR("****") : value->text);
    else if (field->kind == REST_BOOLEAN && value->type == SQL_INTEGER)
        json_bool(&req->json, value->integer != 0);
    else
        rest_write_value(req, value);
}

static void on_row(struct rest_request *req, const struct sql_value *values, size_t count)
{
    size_t column = 0;
    json_object_begin(&req->json);
    for (size_t i = 0; i < req->object->field_count && column < count; i++) {
        const struct rest_field *field = &req->object->fields[i];
        if (field->flags & REST_HIDDEN)
            continue;
        write_field(req, field, values, &values[column]);
        column++;
    }
    if (req->made_key.len > 0) {
        json_key(&req->json, STR("api_key"));
        json_string(&req->json, req->made_key);
    }
    json_object_end(&req->json);
}

/* ---- list ---- */

static void list_done(struct rest_request *req)
{
    json_array_end(&req->json);
    rest_answer_json(req, 200);
}

static void say_order(struct rest_request *req)
{
    say(req, " ORDER BY ");
    if (rest_field_find(req->object, STR("priority")))
        say(req, "priority, ");
    buf_add(&req->statement, req->object->key);
    if (is_price(req))
        say(req, ", valid_from");
}

void rest_rows_list(struct rest_request *req)
{
    uint64_t limit = LIMIT_MAX, offset = 0;
    if (!rest_read_number(req, STR("limit"), LIMIT_MAX, &limit) ||
        !rest_read_number(req, STR("offset"), INT64_MAX, &offset))
        return;
    say_select(req);
    say_order(req);
    say(req, " LIMIT ? OFFSET ?");
    rest_param_add(req, rest_integer(limit));
    rest_param_add(req, rest_integer(offset));
    json_array_begin(&req->json);
    rest_run(req, on_row, list_done);
}

/* ---- one ---- */

static void not_found(struct rest_request *req)
{
    rest_fail(req, 404, req->object->key, "There is no such row in " STR_FMT ".",
              STR_ARG(req->object->table));
}

/* What the path, or where it may the query, calls the row. False: answered. */
static bool read_key(struct rest_request *req, struct sql_value *ret_key)
{
    uint64_t number;
    struct str text = req->part;
    const struct rest_field *field = rest_field_find(req->object, req->object->key);
    if ((req->route->flags & REST_KEY_IN_QUERY) &&
        !rest_query_find(&req->arena, req->query, req->object->key, &text)) {
        rest_fail(req, 400, req->object->key, "Parameter '" STR_FMT "' is missing.",
                  STR_ARG(req->object->key));
        return false;
    }
    *ret_key = rest_text(text);
    if (field->kind != REST_INTEGER)
        return true;
    if (!str_to_u64(text, &number) || number > INT64_MAX) {
        rest_fail(req, 400, req->object->key, "'" STR_FMT "' has to be a whole number.",
                  STR_ARG(req->object->key));
        return false;
    }
    *ret_key = rest_integer(number);
    return true;
}

static void one_done(struct rest_request *req)
{
    if (req->row_count == 0)
        not_found(req);
    else
        rest_answer_json(req, req->route->flags & REST_CREATES ? 201 : 200);
}

void rest_rows_one(struct rest_request *req)
{
    struct sql_value key;
    if (!read_key(req, &key))
        return;
    say_select(req);
    say_where_key(req, key);
    rest_run(req, on_row, one_done);
}

/* ---- create ---- */

/* Letters, digits and "-._~" stand for themselves (RFC 3986 section 2.3). */
static void add_encoded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~/", c))
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* A key too long for a header field goes without. */
static void add_location(struct rest_request *req, struct sql_value key)
{
    char memory[LOCATION_MAX];
    struct buf line;
    buf_init_fixed(&line, memory, sizeof(memory));
    buf_printf(&line, "Location: " STR_FMT "/", STR_ARG(req->route->path));
    if (key.type == SQL_INTEGER)
        buf_add_u64(&line, (uint64_t)key.integer);
    else
        add_encoded(&line, key.text);
    buf_add(&line, STR("\r\n"));
    if (buf_ok(&line))
        buf_add(&req->fields, buf_str(&line));
}

static void created(struct rest_request *req)
{
    const struct rest_value *key = given(req, req->object->key);
    struct sql_value number = rest_integer(req->outcome.last_insert_id), day = rest_text(STR("1970-01-01"));
    const struct rest_value *given_day = is_price(req) ? given(req, STR("valid_from")) : NULL;
    add_location(req, key ? key->value : number);
    say_select(req);
    say_where(req, key ? req->object->key : req->object->number, key ? key->value : number);
    if (is_price(req))
        say_valid_from(req, given_day ? &given_day->value : &day, key->value);
    rest_run(req, on_row, one_done);
}

static bool make_key(struct rest_request *req)
{
    if (req->object != rest_object(REST_OBJECT_KEYS) || given(req, STR("api_key")))
        return true;
    char key[CLIENT_KEY_SIZE + 1];
    client_key_make(key);
    req->made_key = arena_dup(&req->arena, (struct str){key, CLIENT_KEY_SIZE});
    if (!req->made_key.ptr)
        return false;
    const struct rest_field *field = rest_field_find(req->object, STR("api_key"));
    req->values[field - req->object->fields] =
        (struct rest_value){.is_given = true, .value = rest_text(req->made_key)};
    return true;
}

/* The columns that were given, with `before` in front of the first, `behind` behind each, and their values as parameters. */
static void say_given(struct rest_request *req, const char *before, const char *behind)
{
    for (size_t i = 0; i < req->object->field_count; i++) {
        if (!req->values[i].is_given)
            continue;
        say(req, before);
        buf_add(&req->statement, req->object->fields[i].name);
        say(req, behind);
        rest_param_add(req, req->values[i].value);
        before = ", ";
    }
}

void rest_rows_create(struct rest_request *req)
{
    if (!make_key(req)) {
        rest_fail(req, 503, STR_NONE, "No memory for a key.");
        return;
    }
    rest_statement_clear(req);
    say(req, "INSERT INTO ");
    buf_add(&req->statement, req->object->table);
    say_given(req, " (", "");
    say(req, req->param_count > 0 ? ") VALUES (?" : " DEFAULT VALUES");
    for (size_t i = 1; i < req->param_count; i++)
        say(req, ", ?");
    say(req, req->param_count > 0 ? ")" : "");
    rest_run(req, NULL, created);
}

/* ---- change ---- */

static void changed(struct rest_request *req)
{
    const struct rest_value *new_key = given(req, req->object->key);
    const struct rest_value *new_day = is_price(req) ? given(req, STR("valid_from")) : NULL;
    struct sql_value key;
    if (!read_key(req, &key))
        return;
    if (new_key)
        key = new_key->value;
    say_select(req);
    if (new_day) {
        say_where(req, req->object->key, key);
        say_valid_from(req, &new_day->value, key);
    } else {
        say_where_key(req, key);
    }
    rest_run(req, on_row, one_done);
}

void rest_rows_change(struct rest_request *req)
{
    struct sql_value key;
    if (!read_key(req, &key))
        return;
    rest_statement_clear(req);
    say(req, "UPDATE ");
    buf_add(&req->statement, req->object->table);
    say_given(req, " SET ", " = ?");
    say_where_key(req, key);
    if (req->param_count == 1 || (is_price(req) && req->param_count == 2))
        rest_rows_one(req); /* nothing to change but secrets that stay */
    else
        rest_run(req, NULL, changed);
}

/* ---- remove ---- */

static void removed(struct rest_request *req)
{
    if (req->outcome.affected == 0)
        not_found(req);
    else
        rest_answer_ok(req);
}

void rest_rows_remove(struct rest_request *req)
{
    struct sql_value key;
    if (!read_key(req, &key))
        return;
    rest_statement_clear(req);
    say(req, "DELETE FROM ");
    buf_add(&req->statement, req->object->table);
    say_where_key(req, key);
    rest_run(req, NULL, removed);
}

/* ---- settings ---- */

/* As MySQL reads a text: quotes doubled, backslashes too. */
static void say_quoted(struct rest_request *req, struct str text)
{
    buf_add_char(&req->statement, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\')
            buf_add_char(&req->statement, text.ptr[i]);
        buf_add_char(&req->statement, text.ptr[i]);
    }
    buf_add_char(&req->statement, '\'');
}

/* The name is one of ours, so it can stand in a statement as it is. NULL: answered. */
static const struct setting *find_setting(struct rest_request *req)
{
    const struct setting *setting = setting_find(req->part);
    if (!setting)
        rest_fail(req, 404, STR("variable_name"), "There is no such setting.");
    return setting;
}

static void say_set(struct rest_request *req, const struct setting *setting)
{
    rest_statement_clear(req);
    say(req, "SET ");
    buf_add(&req->statement, setting->name);
    say(req, " = ");
}

void rest_variable_set(struct rest_request *req)
{
    const struct setting *setting = find_setting(req);
    if (!setting)
        return;
    struct str text = given(req, STR("variable_value"))->value.text;
    if (setting->kind == SETTING_KIND_SECRET && rest_is_mask(text)) {
        rest_rows_one(req);
        return;
    }
    say_set(req, setting);
    say_quoted(req, text);
    rest_run(req, NULL, rest_rows_one);
}

void rest_variable_unset(struct rest_request *req)
{
    const struct setting *setting = find_setting(req);
    if (!setting)
        return;
    say_set(req, setting);
    say(req, "DEFAULT");
    rest_run(req, NULL, rest_answer_ok);
}

/* ---- drain ---- */

static void drain_found(struct rest_request *req)
{
    if (req->row_count == 0) {
        rest_fail(req, 404, STR("name"), "There is no such server.");
        return;
    }
    rest_statement_clear(req);
    say(req, "DRAIN SERVER ");
    say_quoted(req, req->part);
    rest_run(req, NULL, rest_answer_ok);
}

void rest_server_drain(struct rest_request *req)
{
    rest_statement_clear(req);
    say(req, "SELECT name FROM ai_servers WHERE name = ?");
    rest_param_add(req, rest_text(req->part));
    rest_run(req, NULL, drain_found);
}
