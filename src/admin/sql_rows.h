/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are made at once and read later: of live views, and of commands. */
#pragma once

#include "admin/sql.h"
#include "base/arena.h"
#include "base/clock.h"

struct sql_rows {
    struct arena *arena; /* of values and texts; borrowed */
    size_t width;        /* values a row */
    struct sql_value *values;
    size_t count, room;
    size_t at;      /* of the row being made: the next value */
    bool is_failed; /* memory was short: the rows are not complete */
};

static inline struct sql_rows sql_rows_of(struct arena *arena, size_t width)
{
    return (struct sql_rows){.arena = arena, .width = width};
}

/* A new row, all NULL; values are then added from the left. */
void sql_rows_begin(struct sql_rows *rows);

void sql_add_null(struct sql_rows *rows);
void sql_add_integer(struct sql_rows *rows, int64_t value);
void sql_add_real(struct sql_rows *rows, double value);

/* The text has to stay as long as the rows. */
void sql_add_text(struct sql_rows *rows, struct str text);

/* A copy in the rows' arena. */
void sql_add_copy(struct sql_rows *rows, struct str text);
void sql_add_printf(struct sql_rows *rows, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "YYYY-MM-DD HH:MM:SS", UTC; NULL for 0. */
void sql_add_time(struct sql_rows *rows, usec_t realtime);

static inline const struct sql_value *sql_rows_get(const struct sql_rows *rows, size_t row)
{
    return rows->values + row * rows->width;
}
