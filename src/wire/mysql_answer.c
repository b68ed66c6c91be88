/* SPDX-License-Identifier: Apache-2.0 */
/* What a server answers: success, failure, and the head and end of a result set. */
#include "wire/mysql.h"

#define HEADER_OK 0x00
#define HEADER_END 0xfe
#define HEADER_ERROR 0xff
#define NULL_VALUE 0xfb
#define FIXED_FIELDS_SIZE 0x0c
#define OK_INFO_MAX 1024
#define ERROR_MESSAGE_MAX 4096

#define FLAG_BLOB 0x0010
#define FLAG_BINARY 0x0080
#define FLAG_NUMBER 0x8000
#define DECIMALS_ANY 31
#define TEXT_WIDTH 65535
#define INTEGER_WIDTH 20
#define DOUBLE_WIDTH 22
#define DATETIME_WIDTH 19

static void put_ok(struct buf *out, uint8_t *io_sequence, unsigned header, const struct mysql_ok *ok)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, header, 1);
    mysql_put_lenenc(out, ok->affected);
    mysql_put_lenenc(out, ok->last_insert_id);
    mysql_put_int(out, ok->status, 2);
    mysql_put_int(out, ok->warnings, 2);
    /* To the end of the packet by the book; but clients read a length-encoded text, and take nothing for none. */
    if (ok->info.len > 0)
        mysql_put_lenenc_str(out, (struct str){ok->info.ptr, MIN(ok->info.len, OK_INFO_MAX)});
    mysql_packet_end(out, start, io_sequence);
}

void mysql_put_ok(struct buf *out, uint8_t *io_sequence, const struct mysql_ok *ok)
{
    put_ok(out, io_sequence, HEADER_OK, ok);
}

void mysql_put_error(struct buf *out, uint8_t *io_sequence, unsigned code, const char *sqlstate,
                     struct str message)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, HEADER_ERROR, 1);
    mysql_put_int(out, code, 2);
    if (sqlstate) {
        buf_add_char(out, '#');
        buf_add(out, (struct str){sqlstate, 5});
    }
    buf_add(out, (struct str){message.ptr, MIN(message.len, ERROR_MESSAGE_MAX)});
    mysql_packet_end(out, start, io_sequence);
}

void mysql_put_end(struct buf *out, uint8_t *io_sequence, uint32_t capabilities, const struct mysql_ok *ok)
{
    if (capabilities & MYSQL_CAN_DEPRECATE_EOF) {
        put_ok(out, io_sequence, HEADER_END, ok);
        return;
    }
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, HEADER_END, 1);
    mysql_put_int(out, ok->warnings, 2);
    mysql_put_int(out, ok->status, 2);
    mysql_packet_end(out, start, io_sequence);
}

void mysql_put_column_count(struct buf *out, uint8_t *io_sequence, size_t count)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_lenenc(out, count);
    mysql_packet_end(out, start, io_sequence);
}

static const struct column_shape {
    enum mysql_type type;
    enum mysql_charset charset;
    uint32_t width;
    uint16_t flags;
    uint8_t decimals;
} shapes[] = {
    {MYSQL_TYPE_LONGLONG, MYSQL_CHARSET_BINARY, INTEGER_WIDTH, FLAG_NUMBER | FLAG_BINARY, 0},
    {MYSQL_TYPE_DOUBLE, MYSQL_CHARSET_BINARY, DOUBLE_WIDTH, FLAG_NUMBER | FLAG_BINARY, DECIMALS_ANY},
    {MYSQL_TYPE_DATETIME, MYSQL_CHARSET_BINARY, DATETIME_WIDTH, FLAG_BINARY, 0},
    {MYSQL_TYPE_BLOB, MYSQL_CHARSET_BINARY, TEXT_WIDTH, FLAG_BLOB | FLAG_BINARY, 0},
    {MYSQL_TYPE_VAR_STRING, MYSQL_CHARSET_UTF8MB4, TEXT_WIDTH, 0, DECIMALS_ANY},
};

/* The last is for all that are not listed. */
static const struct column_shape *shape_of(enum mysql_type type)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(shapes) && shapes[i].type != type)
        i++;
    return &shapes[i];
}

void mysql_put_column(struct buf *out, uint8_t *io_sequence, const struct mysql_column *column,
                      bool is_field_list)
{
    const struct column_shape *shape = shape_of(column->type);
    size_t start = mysql_packet_begin(out);
    mysql_put_lenenc_str(out, STR("def"));
    mysql_put_lenenc_str(out, column->schema);
    mysql_put_lenenc_str(out, column->table);
    mysql_put_lenenc_str(out, column->table);
    mysql_put_lenenc_str(out, column->name);
    mysql_put_lenenc_str(out, column->name);
    mysql_put_lenenc(out, FIXED_FIELDS_SIZE);
    mysql_put_int(out, shape->charset, 2);
    mysql_put_int(out, shape->width, 4);
    mysql_put_int(out, shape->type, 1);
    mysql_put_int(out, shape->flags, 2);
    mysql_put_int(out, shape->decimals, 1);
    mysql_put_int(out, 0, 2);
    if (is_field_list)
        mysql_put_int(out, NULL_VALUE, 1);
    mysql_packet_end(out, start, io_sequence);
}

void mysql_put_prepared(struct buf *out, uint8_t *io_sequence, uint32_t statement, size_t columns,
                        size_t params, uint16_t warnings)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, HEADER_OK, 1);
    mysql_put_int(out, statement, 4);
    mysql_put_int(out, columns, 2);
    mysql_put_int(out, params, 2);
    mysql_put_int(out, 0, 1);
    mysql_put_int(out, warnings, 2);
    mysql_packet_end(out, start, io_sequence);
}
