/* SPDX-License-Identifier: Apache-2.0 */
/* That the description is whole; whether it is good OpenAPI, tests/flow/test_rest.py asks a validator. */
#include "../../../src/web/openapi.c"

#include "rest_fixture.h"

#include "wire/json_read.h"

struct seen {
    size_t paths, operations, schemas;
    unsigned depth; /* of the object that is being counted */
    struct str section;
};

static enum json_visit count(void *context, const struct json_item *item)
{
    struct seen *seen = context;
    if (item->closing || item->depth == 0)
        return JSON_ENTER;
    if (item->depth == 1)
        seen->section = item->key;
    bool in_paths = str_eq(seen->section, STR("paths"));
    if (in_paths && item->depth == 2)
        seen->paths++;
    if (in_paths && item->depth == 3) {
        seen->operations++;
        return JSON_SKIP;
    }
    if (item->depth == 2 && str_eq(item->key, STR("schemas")))
        return JSON_ENTER;
    if (str_eq(seen->section, STR("components")) && item->depth == 3)
        seen->schemas++;
    return item->depth < 3 && item->type == JSON_OBJECT ? JSON_ENTER : JSON_SKIP;
}

static size_t distinct_paths(void)
{
    size_t paths = 0;
    for (size_t i = 0; i < rest_route_count; i++)
        paths += is_first_of_path(i);
    return paths;
}

static void test_every_route_is_described(void **state)
{
    struct seen seen = {0};
    struct buf document;
    (void)state;
    assert_int_equal(ask("GET", "/api/openapi.json", NULL), 200);
    buf_init(&document, REST_ANSWER_MAX);
    buf_add(&document, str_from(answer_body()));
    size_t len = document.len;
    assert_true(buf_reserve(&document, JSON_PADDING));
    assert_int_equal(json_walk(rest.json, (struct str){document.ptr, len}, count, &seen), ERR_OK);
    assert_int_equal(seen.paths, distinct_paths());
    assert_int_equal(seen.operations, rest_route_count);
    assert_true(seen.schemas > 2 * REST_OBJECT_COUNT_);
    buf_free(&document);
}

static void test_fields(void **state)
{
    (void)state;
    ask("GET", "/api/openapi.json", NULL);
    assert_true(answer_has("\"openapi\":\"3.1.0\""));
    assert_true(answer_has("\"weight\":{\"type\":\"integer\",\"minimum\":0,\"description\":\""));
    assert_true(answer_has("\"match_model\":{\"type\":[\"string\",\"null\"],\"description\":\""));
    assert_true(answer_has("\"ServerNew\":{\"allOf\":[{\"$ref\":\"#/components/schemas/"
                           "ServerChange\"}],\"required\":[\"name\"]}"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rest_begin, rest_end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_every_route_is_described), TEST(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
