/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/suggest.c src/conf/endpoint.c */
/* clang-format on */
#include "../../../src/conf/providers.c"
#include "conf/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *name, *authority, *base_path, *variable, *health_path;
    unsigned local_port;
} expected[] = {
    {"openai", "api.openai.com", "/v1", "OPENAI_API_KEY", "", 0},
    {"groq", "api.groq.com", "/openai/v1", "GROQ_API_KEY", "", 0},
    {"vllm", "127.0.0.1:8000", "/v1", "", "/health", 8000},
    {"sglang", "127.0.0.1:30000", "/v1", "", "/health", 30000},
    {"llamacpp", "127.0.0.1:8080", "/v1", "", "/health", 8080},
    {"lmstudio", "127.0.0.1:1234", "/v1", "", "", 1234},
    {"ollama", "127.0.0.1:11434", "/v1", "", "/api/version", 11434},
    {"custom", NULL, "/v1", "", "", 0},
};

/* Every default endpoint parses, and to what the table says. */
static void test_rows(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_int_equal(provider_count, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const struct provider *provider = provider_find(str_from(expected[i].name));
        const char *reason = NULL;
        struct endpoint endpoint;
        assert_non_null(provider);
        assert_true(str_eq(provider->base_path, str_from(expected[i].base_path)));
        assert_true(str_eq(provider->key_variable, str_from(expected[i].variable)));
        assert_true(str_eq(provider->health_path, str_from(expected[i].health_path)));
        assert_int_equal(provider->local_port, expected[i].local_port);
        assert_int_equal(provider->default_endpoint.len > 0, expected[i].authority != NULL);
        if (!expected[i].authority)
            continue;
        assert_int_equal(
            endpoint_parse(provider->default_endpoint, provider->base_path, &arena, &endpoint, &reason),
            ERR_OK);
        assert_true(str_eq(endpoint.authority, str_from(expected[i].authority)));
        assert_int_equal(endpoint.tls, provider->local_port == 0);
    }
    arena_fini(&arena);
}

static void test_unknown(void **state)
{
    (void)state;
    assert_null(provider_find(STR("VLLM")));
    assert_null(provider_find(STR("")));
    assert_true(str_eq(provider_suggest(STR("vlm")), STR("vllm")));
    assert_true(str_eq(provider_suggest(STR("llama")), STR("ollama")));
    assert_true(str_eq(provider_suggest(STR("LlamaC")), STR("llamacpp")));
    assert_int_equal(provider_suggest(STR("anthropic")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
