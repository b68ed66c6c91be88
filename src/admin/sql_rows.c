/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sql_rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define FIRST_ROOM 16
#define PRINTED_MAX 512

/* What is outgrown stays in the arena until its end, at most as much again as the rows take. */
static bool make_room(struct sql_rows *rows)
{
    if (rows->count < rows->room)
        return true;
    size_t room = rows->room > 0 ? rows->room * 2 : FIRST_ROOM;
    struct sql_value *values = arena_take(rows->arena, room * rows->width * sizeof(*values));
    if (!values)
        return false;
    if (rows->count > 0)
        memcpy(values, rows->values, rows->count * rows->width * sizeof(*values));
    rows->values = values;
    rows->room = room;
    return true;
}

void sql_rows_begin(struct sql_rows *rows)
{
    rows->at = 0;
    if (rows->is_failed || !make_room(rows)) {
        rows->is_failed = true;
        return;
    }
    memset(rows->values + rows->count * rows->width, 0, rows->width * sizeof(*rows->values));
    rows->count++;
}

static void add(struct sql_rows *rows, struct sql_value value)
{
    if (rows->is_failed)
        return;
    ASSERT(rows->count > 0 && rows->at < rows->width);
    rows->values[(rows->count - 1) * rows->width + rows->at++] = value;
}

void sql_add_null(struct sql_rows *rows)
{
    add(rows, (struct sql_value){.type = SQL_NULL});
}

void sql_add_integer(struct sql_rows *rows, int64_t value)
{
    add(rows, (struct sql_value){.type = SQL_INTEGER, .integer = value});
}

void sql_add_real(struct sql_rows *rows, double value)
{
    add(rows, (struct sql_value){.type = SQL_DOUBLE, .real = value});
}

void sql_add_text(struct sql_rows *rows, struct str text)
{
    add(rows, (struct sql_value){.type = SQL_TEXT, .text = text});
}

void sql_add_copy(struct sql_rows *rows, struct str text)
{
    struct str copy = arena_dup(rows->arena, text);
    if (!copy.ptr)
        rows->is_failed = true;
    sql_add_text(rows, copy);
}

void sql_add_printf(struct sql_rows *rows, const char *fmt, ...)
{
    char text[PRINTED_MAX];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ASSERT(length >= 0 && (size_t)length < sizeof(text));
    sql_add_copy(rows, (struct str){text, (size_t)length});
}

void sql_add_time(struct sql_rows *rows, usec_t realtime)
{
    char text[32];
    time_t seconds = (time_t)(realtime / USEC_PER_SEC);
    struct tm parts;
    if (realtime == 0 || !gmtime_r(&seconds, &parts)) {
        sql_add_null(rows);
        return;
    }
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    sql_add_copy(rows, str_from(text));
}
