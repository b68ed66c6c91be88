/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"
#include "cli/text.h"

static const struct cell null_cell = {.text = {"NULL", 4}};

static const struct cell *shown(const struct cell *cell)
{
    return cell->is_null ? &null_cell : cell;
}

static void table_measure(struct sheet *sheet, const struct cell *cells)
{
    for (size_t i = 0; i < sheet->column_count; i++) {
        size_t width = text_show(NULL, shown(&cells[i])->text, false);
        sheet->columns[i].width = MAX(sheet->columns[i].width, width);
    }
}

static void table_border(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->column_count; i++) {
        buf_add_char(sheet->out, '+');
        text_repeat(sheet->out, '-', sheet->columns[i].width + 2);
    }
    buf_add(sheet->out, STR("+\n"));
}

static void table_cell(struct sheet *sheet, const struct column *column, struct str text, bool is_right)
{
    size_t room = column->width - MIN(column->width, text_show(NULL, text, false));
    buf_add(sheet->out, STR("| "));
    text_repeat(sheet->out, ' ', is_right ? room : 0);
    text_show(sheet->out, text, false);
    text_repeat(sheet->out, ' ', is_right ? 1 : room + 1);
}

/* A column that may be NULL has room for it, so that tables of one query look alike. */
static void table_begin(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->column_count; i++) {
        struct column *column = &sheet->columns[i];
        size_t name = sheet->with_names ? text_show(NULL, column->name, false) : 0;
        column->width = MAX(column->width, MAX(name, column->is_nullable ? null_cell.text.len : 0));
    }
}

static void table_top(struct sheet *sheet)
{
    table_border(sheet);
    if (!sheet->with_names)
        return;
    for (size_t i = 0; i < sheet->column_count; i++)
        table_cell(sheet, &sheet->columns[i], sheet->columns[i].name, false);
    buf_add(sheet->out, STR("|\n"));
    table_border(sheet);
}

static void table_row(struct sheet *sheet, const struct cell *cells)
{
    if (sheet->rows == 0)
        table_top(sheet);
    for (size_t i = 0; i < sheet->column_count; i++)
        table_cell(sheet, &sheet->columns[i], shown(&cells[i])->text, sheet->columns[i].is_numeric);
    buf_add(sheet->out, STR("|\n"));
}

static void table_end(struct sheet *sheet)
{
    if (sheet->rows > 0)
        table_border(sheet);
}

const struct format format_table = {
    .name = STR("table"),
    .has_footer = true,
    .measure = table_measure,
    .begin = table_begin,
    .row = table_row,
    .end = table_end,
};

static void vertical_begin(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->column_count; i++)
        sheet->columns[i].width = text_show(NULL, sheet->columns[i].name, false);
}

static void vertical_row(struct sheet *sheet, const struct cell *cells)
{
    size_t widest = 0;
    for (size_t i = 0; i < sheet->column_count; i++)
        widest = MAX(widest, sheet->columns[i].width);
    text_repeat(sheet->out, '*', 27);
    buf_printf(sheet->out, " %llu. row ", (unsigned long long)(sheet->rows + 1));
    text_repeat(sheet->out, '*', 27);
    buf_add_char(sheet->out, '\n');
    for (size_t i = 0; i < sheet->column_count; i++) {
        if (sheet->with_names) {
            text_repeat(sheet->out, ' ', widest - sheet->columns[i].width);
            text_show(sheet->out, sheet->columns[i].name, false);
            buf_add(sheet->out, STR(": "));
        }
        text_show(sheet->out, shown(&cells[i])->text, true);
        buf_add_char(sheet->out, '\n');
    }
}

static void vertical_end(struct sheet *sheet)
{
    (void)sheet;
}

const struct format format_vertical = {
    .name = STR("vertical"),
    .has_footer = true,
    .begin = vertical_begin,
    .row = vertical_row,
    .end = vertical_end,
};
