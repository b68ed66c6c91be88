/* SPDX-License-Identifier: Apache-2.0 */
/* What REST reads out of heads before anybody has logged in: path, query, cookie, Host. Input: four lines. */
#include "web/admin_session.h"
#include "web/rest_guard.h"
#include "web/rest_routes.h"

#include <stdint.h>
#include <stdlib.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_within(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* A copy of exactly the line's size, so that a reader's overrun is seen. */
static struct str take_line(struct str *io_input, char **ret_memory)
{
    ssize_t end = str_find(*io_input, STR("\n"));
    size_t len = end < 0 ? io_input->len : (size_t)end;
    char *copy = malloc(len + (len == 0));
    require(copy != NULL);
    if (len > 0)
        memcpy(copy, io_input->ptr, len);
    *io_input = str_from_offset(*io_input, len + 1);
    *ret_memory = copy;
    return (struct str){copy, len};
}

static void read_path(struct str path)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct rest_match match = rest_match(str_from(methods[i]), path);
        require(is_within(match.part, path));
        require(!match.route || match.first);
        require(!match.route || str_eq(match.route->path, match.first->path));
        require(!match.first || str_find(match.first->path, STR("{")) < 0 || match.part.len > 0);
    }
}

static void read_query(struct arena *arena, struct str query)
{
    static const char *const names[] = {"limit", "rule_id", ""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str value = STR_NONE;
        if (rest_query_find(arena, query, str_from(names[i]), &value))
            require(value.ptr && value.len <= query.len && value.ptr[value.len] == '\0');
    }
    for (unsigned plus = 0; plus < 2; plus++) {
        struct str plain = rest_percent_decode(arena, query, plus);
        require(plain.ptr && plain.len <= query.len && plain.ptr[plain.len] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct arena arena;
    char *memory[4];
    arena_init(&arena, NULL);
    read_path(take_line(&input, &memory[0]));
    read_query(&arena, take_line(&input, &memory[1]));
    struct str cookie = take_line(&input, &memory[2]);
    require(is_within(admin_session_cookie(cookie), cookie));
    (void)rest_is_our_name(take_line(&input, &memory[3]), STR("panel"));
    for (size_t i = 0; i < ARRAY_LEN(memory); i++)
        free(memory[i]);
    arena_fini(&arena);
    return 0;
}
