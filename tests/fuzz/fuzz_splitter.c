/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as statements: by lines it splits as it does whole, and pieces lie one behind the other. What is remembered
 * of a statement, what completes it and how it is shown must bear any bytes too. */
#include "cli/complete.h"
#include "cli/remember.h"
#include "cli/splitter.h"
#include "cli/text.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void take_all(struct splitter *splitter, bool is_last, struct buf *out)
{
    struct str text = STR("");
    size_t line = 0;
    enum piece piece;
    while ((piece = splitter_next(splitter, is_last, &text, &line)) != PIECE_NONE) {
        CHECK(line >= 1);
        buf_printf(out, "%d %zu %zu:", (int)piece, line, text.len);
        buf_add(out, text);
        if (piece == PIECE_STATEMENT || piece == PIECE_VERTICAL)
            remember_line(text, out);
    }
}

static void split(struct str text, bool by_lines, struct buf *out)
{
    struct splitter splitter;
    splitter_init(&splitter, (size_t)1 << 20);
    while (text.len > 0) {
        const char *end = by_lines ? memchr(text.ptr, '\n', text.len) : NULL;
        struct str line = {text.ptr, end ? (size_t)(end - text.ptr) + 1 : text.len};
        CHECK(splitter_feed(&splitter, line) == ERR_OK);
        take_all(&splitter, false, out);
        text = str_from_offset(text, line.len);
    }
    take_all(&splitter, true, out);
    splitter_fini(&splitter);
}

static void check_completion(struct str text)
{
    struct catalog catalog;
    struct arena arena;
    struct completion found;
    catalog_init(&catalog);
    arena_init(&arena, NULL);
    CHECK(catalog_add(&catalog, STR("ai_servers"), STR("name")) == ERR_OK);
    CHECK(complete(text, &catalog, &arena, &found));
    CHECK(found.typed <= text.len);
    for (size_t i = 0; i < found.count; i++)
        CHECK(found.words[i].len >= found.typed && found.common <= found.words[i].len);
    catalog_fini(&catalog);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf whole, lines, shown;
    buf_init(&whole, (size_t)16 << 20);
    buf_init(&lines, (size_t)16 << 20);
    buf_init(&shown, (size_t)16 << 20);
    split(text, false, &whole);
    split(text, true, &lines);
    CHECK(buf_ok(&whole) && buf_ok(&lines) && str_eq(buf_str(&whole), buf_str(&lines)));
    check_completion(text);
    size_t width = text_show(&shown, text, false);
    CHECK(buf_ok(&shown) && width <= shown.len && width == text_show(NULL, text, false));
    buf_free(&whole);
    buf_free(&lines);
    buf_free(&shown);
    return 0;
}
