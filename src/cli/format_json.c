/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "wire/json_write.h"

static size_t skip_digits(struct str s, size_t at)
{
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    return at;
}

bool json_is_number(struct str text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-', digits = at;
    at = skip_digits(text, at);
    if (at == digits || (text.ptr[digits] == '0' && at > digits + 1))
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        digits = at + 1;
        at = skip_digits(text, digits);
        if (at == digits)
            return false;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        at += at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-');
        digits = at;
        at = skip_digits(text, digits);
        if (at == digits)
            return false;
    }
    return at == text.len;
}

/* Readers of JSON keep one of several equal keys; so the second "id" is "id_2". */
static void write_key(struct json_writer *writer, const struct sheet *sheet, size_t column)
{
    char memory[512];
    struct buf key;
    unsigned same = 1;
    struct str name = sheet->columns[column].name;
    for (size_t i = 0; i < column; i++)
        same += str_eq(sheet->columns[i].name, name);
    buf_init_fixed(&key, memory, sizeof(memory));
    buf_add(&key, name);
    buf_printf(&key, "_%u", same);
    json_key(writer, same > 1 && buf_ok(&key) ? buf_str(&key) : name);
}

static void json_begin(struct sheet *sheet)
{
    buf_add_char(sheet->out, '[');
}

/* The columns' type is only what most values have: each value is looked at. */
static void json_row(struct sheet *sheet, const struct cell *cells)
{
    struct json_writer writer;
    buf_add(sheet->out, sheet->rows > 0 ? STR(",\n") : STR("\n"));
    json_write_init(&writer, sheet->out);
    json_object_begin(&writer);
    for (size_t i = 0; i < sheet->column_count; i++) {
        write_key(&writer, sheet, i);
        if (cells[i].is_null)
            json_null(&writer);
        else if (sheet->columns[i].is_numeric && json_is_number(cells[i].text))
            json_raw(&writer, cells[i].text);
        else
            json_string(&writer, cells[i].text);
    }
    json_object_end(&writer);
}

static void json_end(struct sheet *sheet)
{
    buf_add(sheet->out, sheet->rows > 0 ? STR("\n]\n") : STR("]\n"));
}

const struct format format_json = {
    .name = STR("json"),
    .begin = json_begin,
    .row = json_row,
    .end = json_end,
};
