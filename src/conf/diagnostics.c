/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 512

void diagnostics_init(struct diagnostics *diagnostics)
{
    *diagnostics = (struct diagnostics){0};
    arena_init(&diagnostics->arena, NULL);
}

void diagnostics_fini(struct diagnostics *diagnostics)
{
    arena_fini(&diagnostics->arena);
    diagnostics->count = diagnostics->notices = diagnostics->dropped = 0;
}

static struct str copy_clean(struct arena *arena, struct str text)
{
    char *copy = arena_take(arena, text.len + 1);
    if (!copy)
        return STR_NONE;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i];
    copy[text.len] = '\0';
    return (struct str){copy, text.len};
}

static bool keep(struct diagnostics *diagnostics, struct mark mark, struct str suggestion, bool is_notice,
                 const char *fmt, va_list args)
{
    char text[MESSAGE_MAX];
    if (diagnostics->count == DIAGNOSTICS_MAX)
        return false;
    int len = vsnprintf(text, sizeof(text), fmt, args);
    struct str message = {text, MIN((size_t)MAX(len, 0), sizeof(text) - 1)};
    struct diagnostic added = {
        .mark = mark,
        .message = copy_clean(&diagnostics->arena, message),
        .suggestion = copy_clean(&diagnostics->arena, suggestion),
        .is_notice = is_notice,
    };
    if (!added.message.ptr || !added.suggestion.ptr)
        return false;
    diagnostics->items[diagnostics->count++] = added;
    return true;
}

void diagnostic_add(struct diagnostics *diagnostics, struct mark mark, struct str suggestion, const char *fmt,
                    ...)
{
    va_list args;
    va_start(args, fmt);
    diagnostics->dropped += !keep(diagnostics, mark, suggestion, false, fmt, args);
    va_end(args);
}

void diagnostic_notice(struct diagnostics *diagnostics, struct mark mark, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    diagnostics->notices += keep(diagnostics, mark, STR_NONE, true, fmt, args);
    va_end(args);
}

static bool is_before(struct mark a, struct mark b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
    for (size_t i = 1; i < diagnostics->count; i++) {
        struct diagnostic moved = diagnostics->items[i];
        size_t at = i;
        for (; at > 0 && is_before(moved.mark, diagnostics->items[at - 1].mark); at--)
            diagnostics->items[at] = diagnostics->items[at - 1];
        diagnostics->items[at] = moved;
    }
}

void diagnostics_print(const struct diagnostics *diagnostics, struct str path, struct buf *out)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        buf_add(out, path);
        if (item->mark.line > 0)
            buf_printf(out, ":%u:%u", item->mark.line, item->mark.column);
        buf_printf(out, ": %s" STR_FMT, item->is_notice ? "notice: " : "", STR_ARG(item->message));
        if (item->suggestion.len > 0)
            buf_printf(out, "; did you mean '" STR_FMT "'?", STR_ARG(item->suggestion));
        buf_add_char(out, '\n');
    }
    if (diagnostics->dropped > 0)
        buf_printf(out, STR_FMT ": and %zu more\n", STR_ARG(path), diagnostics->dropped);
}
