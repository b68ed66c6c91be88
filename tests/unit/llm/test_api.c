/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/str.c src/base/assert.c */
#include "../../../src/llm/api.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_find(void **state)
{
    static const struct {
        const char *method, *target;
        enum api_found found;
        enum api api;
    } cases[] = {
        {"POST", "/v1/chat/completions", API_FOUND, API_CHAT},
        {"POST", "/v1/chat/completions?x=/v1/models", API_FOUND, API_CHAT},
        {"POST", "/v1/chat/completions?", API_FOUND, API_CHAT},
        {"POST", "/v1/completions", API_FOUND, API_COMPLETIONS},
        {"POST", "/v1/embeddings", API_FOUND, API_EMBEDDINGS},
        {"GET", "/v1/models", API_FOUND, API_MODELS},
        {"HEAD", "/v1/models", API_FOUND, API_MODELS},
        {"GET", "/v1/models?limit=1", API_FOUND, API_MODELS},
        {"GET", "/v1/models/m", API_FOUND, API_MODEL},
        {"HEAD", "/v1/models/org/m", API_FOUND, API_MODEL},
        {"GET", "/healthz", API_FOUND, API_HEALTHZ},
        {"HEAD", "/healthz", API_FOUND, API_HEALTHZ},
        {"GET", "/readyz?verbose", API_FOUND, API_READYZ},
        {"POST", "/v1/rerank", API_FOUND, API_OTHER},
        {"GET", "/v1/files/f", API_FOUND, API_OTHER},
        {"DELETE", "/v1/files/f", API_FOUND, API_OTHER},
        {"POST", "/v1/chat/completions/x", API_FOUND, API_OTHER},
        {"POST", "/v1/audio/speech", API_FOUND, API_OTHER},
        {"GET", "/v1/chat/completions", API_NO_METHOD, API_CHAT},
        {"HEAD", "/v1/chat/completions", API_NO_METHOD, API_CHAT},
        {"post", "/v1/chat/completions", API_NO_METHOD, API_CHAT}, /* methods are case-sensitive */
        {"PUT", "/v1/embeddings", API_NO_METHOD, API_EMBEDDINGS},
        {"POST", "/v1/models", API_NO_METHOD, API_MODELS},
        {"DELETE", "/v1/models/m", API_NO_METHOD, API_MODEL},
        {"POST", "/healthz", API_NO_METHOD, API_HEALTHZ},
        {"POST", "/chat/completions", API_NO_PATH, 0},
        {"POST", "/v1/", API_NO_PATH, 0},
        {"POST", "/v1", API_NO_PATH, 0},
        {"POST", "/v1?x", API_NO_PATH, 0},
        {"POST", "/v2/chat/completions", API_NO_PATH, 0},
        {"POST", "/V1/chat/completions", API_NO_PATH, 0},
        {"GET", "/", API_FOUND, API_ROOT},
        {"HEAD", "/?x", API_FOUND, API_ROOT},
        {"POST", "/", API_NO_METHOD, API_ROOT},
        {"GET", "//", API_NO_PATH, 0},
        {"GET", "/health", API_FOUND, API_HEALTH},
        {"GET", "/healthy", API_NO_PATH, 0},
        {"GET", "/healthz/", API_NO_PATH, 0},
        {"OPTIONS", "*", API_NO_PATH, 0},
        {"GET", "?/v1/models", API_NO_PATH, 0},
        {"GET", "", API_NO_PATH, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum api api = API_COUNT_;
        enum api_found found = api_find(str_from(cases[i].method), str_from(cases[i].target), &api);
        if (found != cases[i].found)
            fail_msg("%s %s: %d", cases[i].method, cases[i].target, found);
        assert_int_equal(api, found == API_NO_PATH ? API_COUNT_ : cases[i].api);
    }
}

static void test_path_rest(void **state)
{
    (void)state;
    assert_true(str_eq(api_path_rest(API_MODEL, STR("/v1/models/org/m:8b")), STR("org/m:8b")));
    assert_true(str_eq(api_path_rest(API_MODEL, STR("/v1/models/m?x=y")), STR("m")));
    assert_true(str_eq(api_path_rest(API_OTHER, STR("/v1/files?a")), STR("files")));
}

static void test_rows(void **state)
{
    (void)state;
    for (enum api api = 0; api < API_COUNT_; api++) {
        const struct api_row *row = api_row(api);
        assert_true(row->path.len > 0 && row->path.ptr[0] == '/' && row->text.len > 0);
        if (row->flags & API_NEEDS_MODEL)
            assert_true(row->flags & API_READS_JSON);
        if (row->flags & API_IS_OPEN) /* nothing that reaches a server is open to everybody */
            assert_true(row->flags & API_ANSWERS_ITSELF);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_path_rest),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
