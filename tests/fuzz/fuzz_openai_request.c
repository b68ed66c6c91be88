/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request body: what is taken can be changed in its places alone. A body that is JSON through and
 * through is read alike whatever lies behind it, and is after the changes the same request but for its model and its
 * wish for usage. */
#include "../unit/llm/request_check.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static struct json_reader *reader;

/* One reading, with the body in memory of its own that ends with the padding. */
struct reading {
    char *memory;
    struct str body;
    struct arena arena;
    enum fault fault;
    struct openai_request req;
    struct str param;
};

static void reading_begin(struct reading *r, struct str body, char filler, bool needs_text)
{
    *r = (struct reading){.memory = malloc(body.len + JSON_PADDING), .req.model_at = 4711};
    CHECK(r->memory);
    if (body.len > 0)
        memcpy(r->memory, body.ptr, body.len);
    memset(r->memory + body.len, filler, JSON_PADDING);
    r->body = (struct str){r->memory, body.len};
    arena_init(&r->arena, NULL);
    r->fault = openai_request_read(reader, r->body, needs_text, &r->arena, &r->req, &r->param);
}

static void reading_end(struct reading *r)
{
    arena_fini(&r->arena);
    free(r->memory);
}

static enum json_visit visit_all(void *context, const struct json_item *item)
{
    struct str text;
    if (!item->closing && item->type == JSON_STRING && json_item_text(item, &text) != ERR_OK)
        *(bool *)context = true;
    return JSON_ENTER;
}

/* Escapes in texts that nobody asks for are not looked at, so that some bodies that are no JSON are taken. */
static bool is_json(struct str body)
{
    bool has_bad_text = false;
    return json_walk(reader, body, visit_all, &has_bad_text) == ERR_OK && !has_bad_text;
}

static bool is_same_token(const struct reading *a, const struct reading *b, size_t at, size_t at_b)
{
    return at == at_b && (at == 0 || a->body.ptr[at] == b->body.ptr[at]);
}

static void check_same(const struct reading *a, const struct reading *b)
{
    const struct openai_request *x = &a->req, *y = &b->req;
    CHECK(str_eq(x->model, y->model) && str_eq(x->user, y->user));
    CHECK(x->is_stream == y->is_stream && x->wants_usage == y->wants_usage);
    CHECK(x->model_size == y->model_size && is_same_token(a, b, x->model_at, y->model_at));
    CHECK(is_same_token(a, b, x->options_at, y->options_at));
    CHECK(is_same_token(a, b, x->include_at, y->include_at));
}

static void check_fault(const struct reading *r)
{
    static const struct str names[] = {
        {"model", 5}, {"stream", 6},   {"stream_options", 14}, {"stream_options.include_usage", 28},
        {"user", 4},  {"messages", 8}, {"prompt", 6},
    };
    CHECK(r->req.model_at == 4711); /* untouched */
    CHECK(r->fault == FAULT_BAD_JSON || r->fault == FAULT_TOO_DEEP || r->fault == FAULT_BAD_FIELD);
    bool is_named = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        is_named |= str_eq(r->param, names[i]);
    CHECK(is_named == (r->fault == FAULT_BAD_FIELD));
}

static void check_places(const struct reading *r)
{
    const struct openai_request *req = &r->req;
    CHECK(req->object_at < r->body.len && r->body.ptr[req->object_at] == '{');
    CHECK(req->model.len == 0 || req->model_size > 0);
    if (req->model_size > 0) {
        CHECK(req->model_at > req->object_at && req->model_size <= r->body.len - req->model_at);
        CHECK(r->body.ptr[req->model_at] == '"' && r->body.ptr[req->model_at + req->model_size - 1] == '"');
    }
}

/* Whatever the bytes are: a fault is told, or there are changes that leave all else as it is. */
static void check_alone(const struct reading *r)
{
    struct splices splices = {0};
    if (r->fault != FAULT_NONE) {
        check_fault(r);
        return;
    }
    check_places(r);
    openai_request_ask_usage(&r->req, &splices);
    if (r->req.model_size > 0)
        openai_request_rename(&r->req, RENAMED, &splices);
    struct str changed = apply_splices(&splices, r->body);
    check_only_splices_changed(&splices, r->body, changed);
    free((void *)(uintptr_t)changed.ptr);
}

/* The request as it goes to a server: both changes, whether it is a stream or not. */
static void check_changed(const struct reading *r)
{
    struct splices splices = {0}, again = {0};
    struct reading changed;
    if (r->req.is_stream)
        openai_request_ask_usage(&r->req, &splices);
    if (r->req.model_size > 0)
        openai_request_rename(&r->req, RENAMED, &splices);
    struct str body = apply_splices(&splices, r->body);
    reading_begin(&changed, body, 'x', true);
    CHECK(changed.fault == FAULT_NONE);
    CHECK(str_eq(changed.req.model, r->req.model_size > 0 ? STR("renamed-model") : STR_NONE));
    CHECK(str_eq(changed.req.user, r->req.user) && str_eq(changed.req.last_text, r->req.last_text));
    CHECK(changed.req.is_stream == r->req.is_stream);
    CHECK(changed.req.wants_usage == (r->req.is_stream || r->req.wants_usage));
    if (changed.req.is_stream) {
        openai_request_ask_usage(&changed.req, &again);
        CHECK(again.count == 0); /* once is enough */
    }
    reading_end(&changed);
    free((void *)(uintptr_t)body.ptr);
}

/* The same body with other bytes behind it. */
static void check_filler(const struct reading *r, char filler)
{
    struct reading other;
    reading_begin(&other, r->body, filler, true);
    CHECK(other.fault == r->fault && str_eq(other.param, r->param));
    if (r->fault == FAULT_NONE) {
        check_same(&other, r);
        CHECK(str_eq(other.req.last_text, r->req.last_text));
    }
    reading_end(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char fillers[] = {'\0', '}', '"', ','};
    struct reading text, bare;
    if (!reader)
        reader = json_reader_new(1 << 20);
    if (size > 1 << 16)
        return 0;
    struct str in = {(const char *)data, size};
    reading_begin(&text, in, ' ', true);
    reading_begin(&bare, in, ' ', false);
    check_alone(&text);
    check_alone(&bare);
    if (is_json(text.body)) {
        for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
            check_filler(&text, fillers[i]);
        if (text.fault == FAULT_NONE) {
            CHECK(bare.fault == FAULT_NONE && bare.req.last_text.len == 0); /* it looks at less */
            check_same(&bare, &text);
            check_splices(reader, &text.req, text.body);
            check_changed(&text);
        }
        if (bare.fault == FAULT_NONE)
            check_splices(reader, &bare.req, bare.body);
    }
    reading_end(&bare);
    reading_end(&text);
    return 0;
}
