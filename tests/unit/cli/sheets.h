/* SPDX-License-Identifier: Apache-2.0 */
/* Rows given as arrays of texts, and what a format makes of them. */
#pragma once

#include "cli/format.h"
#include "pieces.h"

#define COLUMNS_MAX 8

struct given {
    struct column columns[COLUMNS_MAX];
    size_t column_count;
    const char *const *values; /* row after row; NULL: NULL */
    size_t row_count;
    bool skip_names;
};

static inline void give_row(const struct given *given, size_t row, struct cell *ret_cells)
{
    for (size_t i = 0; i < given->column_count; i++) {
        const char *text = given->values[row * given->column_count + i];
        ret_cells[i] = (struct cell){.text = str_from(text), .is_null = !text};
    }
}

/* `out` is emptied and holds what was written. */
static inline void write_sheet(const struct format *format, const struct given *given, struct buf *out)
{
    struct column columns[COLUMNS_MAX];
    struct cell cells[COLUMNS_MAX];
    memcpy(columns, given->columns, sizeof(columns));
    buf_clear(out);
    struct sheet sheet = {.columns = columns,
                          .column_count = given->column_count,
                          .with_names = !given->skip_names,
                          .out = out};
    for (size_t row = 0; format->measure && row < given->row_count; row++) {
        give_row(given, row, cells);
        format->measure(&sheet, cells);
    }
    format->begin(&sheet);
    for (; sheet.rows < given->row_count; sheet.rows++) {
        give_row(given, sheet.rows, cells);
        format->row(&sheet, cells);
    }
    format->end(&sheet);
}

static inline void check_sheet(const struct format *format, const struct given *given, const char *expected)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    write_sheet(format, given, &out);
    assert_true(buf_ok(&out));
    check_text(buf_str(&out), expected);
    buf_free(&out);
}
