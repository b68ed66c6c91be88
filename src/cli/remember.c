/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/remember.h"

#include "cli/lexeme.h"

static bool contains_nocase(struct str text, struct str needle)
{
    for (size_t at = 0; at + needle.len <= text.len; at++) {
        if (str_eq_nocase((struct str){text.ptr + at, needle.len}, needle))
            return true;
    }
    return false;
}

bool is_confidential(struct str statement)
{
    static const struct str signs[] = {STR("password"), STR("_key"), STR("secret"), STR("identified by")};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (contains_nocase(statement, signs[i]))
            return true;
    }
    return false;
}

void remember_line(struct str statement, struct buf *out)
{
    struct lexeme_span span;
    bool has_gap = false;
    for (size_t at = 0; at < statement.len; at += span.len) {
        span = lexeme_read(statement, at, 0);
        struct str lexeme = {statement.ptr + at, span.len};
        bool is_gap = span.kind == LEXEME_SPACE || span.kind == LEXEME_LINE_COMMENT ||
                      (span.kind == LEXEME_BLOCK_COMMENT && !str_starts(lexeme, STR("/*!")));
        if (!is_gap && has_gap && out->len > 0)
            buf_add_char(out, ' ');
        if (!is_gap)
            buf_add(out, lexeme);
        has_gap = is_gap;
        if (!span.is_closed)
            break;
    }
}
