/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of one line a row: CSV and tab-separated. */
#include "cli/format.h"

static bool needs_quotes(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(",\"\r\n", text.ptr[i]) && text.ptr[i] != '\0')
            return true;
    }
    return text.len == 0; /* nothing at all is NULL */
}

static void csv_field(struct buf *out, struct str text)
{
    if (!needs_quotes(text)) {
        buf_add(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void csv_begin(struct sheet *sheet)
{
    for (size_t i = 0; sheet->with_names && i < sheet->column_count; i++) {
        csv_field(sheet->out, sheet->columns[i].name);
        buf_add(sheet->out, i + 1 < sheet->column_count ? STR(",") : STR("\r\n"));
    }
}

static void csv_row(struct sheet *sheet, const struct cell *cells)
{
    for (size_t i = 0; i < sheet->column_count; i++) {
        if (!cells[i].is_null)
            csv_field(sheet->out, cells[i].text);
        buf_add(sheet->out, i + 1 < sheet->column_count ? STR(",") : STR("\r\n"));
    }
}

static void nothing(struct sheet *sheet)
{
    (void)sheet;
}

const struct format format_csv = {
    .name = STR("csv"),
    .begin = csv_begin,
    .row = csv_row,
    .end = nothing,
};

static void tabs_field(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '\t':
            buf_add(out, STR("\\t"));
            break;
        case '\n':
            buf_add(out, STR("\\n"));
            break;
        case '\\':
            buf_add(out, STR("\\\\"));
            break;
        case '\0':
            buf_add(out, STR("\\0"));
            break;
        default:
            buf_add_char(out, text.ptr[i]);
        }
    }
}

/* Names come with the first row: an empty result is an empty output. */
static void tabs_row(struct sheet *sheet, const struct cell *cells)
{
    for (size_t i = 0; sheet->rows == 0 && sheet->with_names && i < sheet->column_count; i++) {
        tabs_field(sheet->out, sheet->columns[i].name);
        buf_add_char(sheet->out, i + 1 < sheet->column_count ? '\t' : '\n');
    }
    for (size_t i = 0; i < sheet->column_count; i++) {
        if (cells[i].is_null)
            buf_add(sheet->out, STR("NULL"));
        else
            tabs_field(sheet->out, cells[i].text);
        buf_add_char(sheet->out, i + 1 < sheet->column_count ? '\t' : '\n');
    }
}

const struct format format_tabs = {
    .name = STR("tabs"),
    .begin = nothing,
    .row = tabs_row,
    .end = nothing,
};
