/* SPDX-License-Identifier: Apache-2.0 */
/* The only C++ file: a C face for simdjson's on-demand reading, which tells errors as codes; nothing here
 * throws. */

/* The library's own assertions are about its callers, but what a peer sends could reach some. */
#define SIMDJSON_DEVELOPMENT_CHECKS 0
#include <charconv>
#include <new>
#include <simdjson.h>

extern "C" {
#include "wire/json_read.h"
#include "wire/json_token.h"
}

#include <stdlib.h>

namespace ondemand = simdjson::ondemand;

#define CAPACITY_MIN ((size_t)16 * 1024)
#define CAPACITY_KEPT ((size_t)1024 * 1024)

struct json_reader {
    ondemand::parser parser;
    size_t max_document;
    size_t error_offset = 0;
    bool is_walking = false;
    char *text = nullptr; /* unescaped strings of the present document, one behind the other */
    size_t text_len = 0, text_cap = 0;
    struct str last_raw = {}, last_text = {}; /* a visitor that asks twice is answered with the same bytes */

    explicit json_reader(size_t max) : parser(max), max_document(max)
    {
    }
};

struct walk {
    struct json_reader *reader;
    struct str document;
    ondemand::document *root;
    json_visitor visitor;
    void *context;
};

/* How a part of the walk ended. */
enum pass { PASS_ON, PASS_STOP, PASS_INVALID, PASS_UNENDED, PASS_TOO_DEEP, PASS_NO_MEMORY };

struct json_reader *json_reader_new(size_t max_document)
{
    return new (std::nothrow) json_reader(MIN(max_document, simdjson::SIMDJSON_MAXSIZE_BYTES));
}

void json_reader_free(struct json_reader *reader)
{
    if (reader)
        free(reader->text);
    delete reader;
}

size_t json_error_offset(const struct json_reader *reader)
{
    return reader->error_offset;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str without_space_behind(struct str s)
{
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Every string of a document is unescaped at most once, so that one buffer of the document's size holds them
 * all. */
static enum err reserve_text(struct json_reader *reader, size_t document_len, size_t more)
{
    if (reader->text_len == 0 && reader->text_cap < document_len) {
        free(reader->text);
        reader->text = (char *)malloc(document_len);
        reader->text_cap = reader->text ? document_len : 0;
    }
    if (!reader->text)
        return ERR_NO_MEMORY;
    return more <= reader->text_cap - reader->text_len ? ERR_OK : ERR_LIMIT;
}

/* `quoted`: with both quotes. A string without escapes is viewed where it is. */
static enum err string_text(const struct walk *walk, struct str quoted, struct str *ret_text)
{
    struct json_reader *reader = walk->reader;
    struct str inner = {quoted.ptr + 1, quoted.len - 2};
    if (inner.len == 0 || !memchr(inner.ptr, '\\', inner.len)) {
        *ret_text = inner;
        return ERR_OK;
    }
    if (quoted.ptr != reader->last_raw.ptr) {
        size_t len;
        enum err err = reserve_text(reader, walk->document.len, inner.len);
        if (err != ERR_OK)
            return err;
        char *to = reader->text + reader->text_len;
        if (!json_token_unescape(inner, to, &len))
            return ERR_INVALID;
        reader->text_len += len;
        reader->last_raw = quoted;
        reader->last_text = (struct str){to, len};
    }
    *ret_text = reader->last_text;
    return ERR_OK;
}

enum err json_item_text(const struct json_item *item, struct str *ret_text)
{
    if (item->type != JSON_STRING)
        return ERR_INVALID;
    return string_text((const struct walk *)item->opaque, item->raw, ret_text);
}

enum err json_item_u64(const struct json_item *item, uint64_t *ret_value)
{
    return item->type == JSON_NUMBER && str_to_u64(item->raw, ret_value) ? ERR_OK : ERR_INVALID;
}

enum err json_item_double(const struct json_item *item, double *ret_value)
{
    double value;
    if (item->type != JSON_NUMBER ||
        std::from_chars(item->raw.ptr, item->raw.ptr + item->raw.len, value).ec != std::errc())
        return ERR_INVALID;
    *ret_value = value;
    return ERR_OK;
}

/* Tells the type of the value that begins the token; false when none does. */
static bool read_type(struct str token, enum json_type *ret_type)
{
    switch (token.len > 0 ? token.ptr[0] : '\0') {
    case '{':
        *ret_type = JSON_OBJECT;
        return true;
    case '[':
        *ret_type = JSON_ARRAY;
        return true;
    case '"':
        *ret_type = JSON_STRING;
        return token.len >= 2 && token.ptr[token.len - 1] == '"';
    case 't':
        *ret_type = JSON_TRUE;
        return str_eq(token, STR("true"));
    case 'f':
        *ret_type = JSON_FALSE;
        return str_eq(token, STR("false"));
    case 'n':
        *ret_type = JSON_NULL;
        return str_eq(token, STR("null"));
    default:
        *ret_type = JSON_NUMBER;
        return json_token_is_number(token);
    }
}

/* Where the next token begins; the end of the document when there is none. */
static const char *next_token(const struct walk *walk)
{
    const char *at;
    return walk->root->current_location().get(at) ? walk->document.ptr + walk->document.len : at;
}

static enum pass visit(const struct walk *walk, const struct json_item *item, bool *ret_enters)
{
    enum json_visit wish = walk->visitor(walk->context, item);
    bool is_container = item->type == JSON_OBJECT || item->type == JSON_ARRAY;
    *ret_enters = wish == JSON_ENTER && is_container;
    if (wish == JSON_STOP)
        return PASS_STOP;
    return is_container && item->depth >= JSON_DEPTH_MAX ? PASS_TOO_DEEP : PASS_ON;
}

/* The second visit of a container, which has just been read to its end. */
static enum pass visit_closing(const struct walk *walk, struct json_item *item)
{
    bool enters;
    struct str whole = {item->raw.ptr, (size_t)(next_token(walk) - item->raw.ptr)};
    item->raw = without_space_behind(whole);
    item->closing = true;
    return visit(walk, item, &enters) == PASS_STOP ? PASS_STOP : PASS_ON;
}

static enum pass walk_value(const struct walk *walk, ondemand::value value, struct json_item *item);

/* After a member: on-demand trusts that a closing bracket follows, and would look for it behind the document.
 */
static enum pass pass_member(const struct walk *walk, enum pass pass)
{
    bool is_cut = pass == PASS_ON && next_token(walk) == walk->document.ptr + walk->document.len;
    return is_cut ? PASS_INVALID : pass;
}

/* The key's length is not told, but its closing quote is known to exist. */
static enum pass read_key(const struct walk *walk, const char *start, struct json_item *item)
{
    const char *at = start;
    for (; *at != '"'; at++) {
        item->key_is_escaped |= *at == '\\';
        at += *at == '\\';
    }
    item->key = (struct str){start, (size_t)(at - start)};
    if (!item->key_is_escaped)
        return PASS_ON;
    enum err err = string_text(walk, (struct str){start - 1, item->key.len + 2}, &item->key);
    return err == ERR_OK ? PASS_ON : err == ERR_NO_MEMORY ? PASS_NO_MEMORY : PASS_INVALID;
}

static struct json_item item_at(unsigned depth, size_t index)
{
    struct json_item item = {};
    item.depth = depth;
    item.index = index;
    return item;
}

static enum pass walk_object(const struct walk *walk, ondemand::object object, unsigned depth)
{
    size_t index = 0;
    for (auto next : object) {
        ondemand::field field;
        if (std::move(next).get(field))
            return PASS_INVALID;
        struct json_item item = item_at(depth, index++);
        enum pass pass = read_key(walk, field.key().raw(), &item);
        if (pass == PASS_ON)
            pass = pass_member(walk, walk_value(walk, field.value(), &item));
        if (pass != PASS_ON)
            return pass;
    }
    return PASS_ON;
}

static enum pass walk_array(const struct walk *walk, ondemand::array array, unsigned depth)
{
    size_t index = 0;
    for (auto next : array) {
        ondemand::value value;
        if (std::move(next).get(value))
            return PASS_INVALID;
        struct json_item item = item_at(depth, index++);
        enum pass pass = pass_member(walk, walk_value(walk, value, &item));
        if (pass != PASS_ON)
            return pass;
    }
    return PASS_ON;
}

static enum json_visit visit_nothing(void *, const struct json_item *)
{
    return JSON_ENTER;
}

/* Goes through an object or array, visiting its members or not. `value`: an ondemand::value, or the document.
 */
template <class container>
static enum pass walk_container(const struct walk *walk, container &value, struct json_item *item,
                                bool enters)
{
    ondemand::object object;
    ondemand::array array;
    bool is_object = item->type == JSON_OBJECT;
    if (is_object ? value.get_object().get(object) : value.get_array().get(array))
        return PASS_INVALID;
    /* The iterator's own way of skipping counts brackets without telling them apart, and can be led astray. */
    struct walk quiet = {walk->reader, walk->document, walk->root, visit_nothing, nullptr};
    const struct walk *inner = enters ? walk : &quiet;
    enum pass pass =
        is_object ? walk_object(inner, object, item->depth + 1) : walk_array(inner, array, item->depth + 1);
    return pass == PASS_ON && enters ? visit_closing(walk, item) : pass;
}

/* A container's token is its bracket alone; it is shown with all that follows. */
static bool read_item(const struct walk *walk, std::string_view token, struct json_item *item)
{
    item->raw = without_space_behind((struct str){token.data(), token.size()});
    item->opaque = (void *)walk;
    if (!read_type(item->raw, &item->type))
        return false;
    if (item->type == JSON_OBJECT || item->type == JSON_ARRAY)
        item->raw.len = (size_t)(walk->document.ptr + walk->document.len - item->raw.ptr);
    return true;
}

static enum pass walk_value(const struct walk *walk, ondemand::value value, struct json_item *item)
{
    bool enters;
    if (!read_item(walk, value.raw_json_token(), item))
        return PASS_INVALID;
    enum pass pass = visit(walk, item, &enters);
    if (pass != PASS_ON)
        return pass;
    if (item->type == JSON_OBJECT || item->type == JSON_ARRAY)
        return walk_container(walk, value, item, enters);
    /* Other scalars are stepped over by the iterator, but a string before a colon it would take for a key. */
    if (item->type == JSON_STRING && value.get_raw_json_string().error())
        return PASS_INVALID;
    return PASS_ON;
}

/* Whether the document's last bracket can be its first one's. */
static bool is_ended(struct str document, enum json_type type)
{
    struct str whole = without_space_behind(document);
    return whole.ptr[whole.len - 1] == (type == JSON_OBJECT ? '}' : ']');
}

/* Nothing but white space may follow the value. */
static enum pass walk_root(const struct walk *walk)
{
    const char *end = walk->document.ptr + walk->document.len;
    struct json_item item = item_at(0, 0);
    std::string_view token;
    bool enters;
    if (walk->root->raw_json_token().get(token) || !read_item(walk, token, &item))
        return PASS_INVALID;
    bool is_container = item.type == JSON_OBJECT || item.type == JSON_ARRAY;
    if (!is_container && token.data() + token.size() != end)
        return PASS_INVALID;
    if (is_container && !is_ended(walk->document, item.type))
        return PASS_UNENDED;
    enum pass pass = visit(walk, &item, &enters);
    if (pass != PASS_ON || !is_container)
        return pass;
    pass = walk_container(walk, *walk->root, &item, enters);
    return pass == PASS_ON && next_token(walk) != end ? PASS_INVALID : pass;
}

static enum err ensure_capacity(struct json_reader *reader, size_t len)
{
    if (reader->parser.capacity() >= len)
        return ERR_OK;
    size_t capacity = CAPACITY_MIN;
    while (capacity < len)
        capacity *= 2;
    capacity = MIN(capacity, reader->parser.max_capacity());
    return reader->parser.allocate(capacity) ? ERR_NO_MEMORY : ERR_OK;
}

static void give_index_back(struct json_reader *reader)
{
    if (reader->parser.capacity() > CAPACITY_KEPT)
        reader->parser = ondemand::parser(reader->max_document);
}

/* Texts outlive their walk, so their memory is given back only here. */
static void forget_texts(struct json_reader *reader)
{
    reader->text_len = 0;
    reader->last_raw = STR_NONE;
    if (reader->text_cap > CAPACITY_KEPT) {
        free(reader->text);
        reader->text = nullptr;
        reader->text_cap = 0;
    }
}

static enum err walk_document(struct json_reader *reader, struct walk *walk)
{
    ondemand::document root;
    size_t len = walk->document.len;
    simdjson::error_code error =
        reader->parser.iterate(walk->document.ptr, len, len + JSON_PADDING).get(root);
    if (error == simdjson::MEMALLOC)
        return ERR_NO_MEMORY;
    reader->error_offset = error == simdjson::UNCLOSED_STRING ? len : 0;
    if (error)
        return ERR_INVALID;
    walk->root = &root;
    switch (walk_root(walk)) {
    case PASS_TOO_DEEP:
        return ERR_LIMIT;
    case PASS_NO_MEMORY:
        return ERR_NO_MEMORY;
    case PASS_UNENDED:
        reader->error_offset = len;
        return ERR_INVALID;
    case PASS_INVALID:
        reader->error_offset = (size_t)(next_token(walk) - walk->document.ptr);
        return ERR_INVALID;
    default:
        return ERR_OK;
    }
}

enum err json_walk(struct json_reader *reader, struct str document, json_visitor visitor, void *context)
{
    struct walk walk = {reader, document, nullptr, visitor, context};
    ASSERT(!reader->is_walking);
    forget_texts(reader);
    reader->error_offset = 0;
    if (document.len > reader->max_document)
        return ERR_LIMIT;
    if (document.len == 0)
        return ERR_INVALID;
    enum err err = ensure_capacity(reader, document.len);
    if (err != ERR_OK)
        return err;
    reader->is_walking = true;
    err = walk_document(reader, &walk);
    reader->is_walking = false;
    give_index_back(reader);
    return err;
}
