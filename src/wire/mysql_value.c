/* SPDX-License-Identifier: Apache-2.0 */
/* Values: of rows as text and in binary, and of the parameters of a prepared statement. */
#include "wire/mysql.h"

#include <stdio.h>
#include <stdlib.h>

#define NULL_VALUE 0xfb
#define ROW_MAP_OFFSET 2 /* two bits of a row's map mean nothing */
#define SEND_UNSIGNED 0x80
#define TEMPORAL_TEXT_MAX 40

void mysql_put_text_null(struct buf *out)
{
    mysql_put_int(out, NULL_VALUE, 1);
}

void mysql_put_text_integer(struct buf *out, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    mysql_put_lenenc_str(out, (struct str){text, (size_t)len});
}

struct str mysql_double_text(double value, char *out)
{
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, MYSQL_DOUBLE_TEXT_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return (struct str){out, (size_t)len};
}

void mysql_put_text_double(struct buf *out, double value)
{
    char text[MYSQL_DOUBLE_TEXT_MAX];
    mysql_put_lenenc_str(out, mysql_double_text(value, text));
}

size_t mysql_put_binary_row(struct buf *out, size_t columns)
{
    mysql_put_int(out, 0, 1);
    size_t map = out->len;
    for (size_t i = 0; i < (columns + ROW_MAP_OFFSET + 7) / 8; i++)
        buf_add_char(out, 0);
    return map;
}

void mysql_set_binary_null(struct buf *out, size_t map, size_t column)
{
    size_t bit = column + ROW_MAP_OFFSET;
    if (buf_ok(out))
        out->ptr[map + bit / 8] = (char)((uint8_t)out->ptr[map + bit / 8] | 1u << bit % 8);
}

void mysql_put_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    mysql_put_int(out, bits, sizeof(bits));
}

/* ---- dates ---- */

struct moment {
    unsigned year, month, day, hour, minute, second, micros;
};

/* `size` digits in front of `separator` (0: anything). */
static bool take_digits(struct str *io_text, size_t size, char separator, unsigned *ret_value)
{
    unsigned value = 0;
    if (io_text->len < size + (separator != 0))
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)(uint8_t)io_text->ptr[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    if (separator && io_text->ptr[size] != separator)
        return false;
    *io_text = str_from_offset(*io_text, size + (separator != 0));
    *ret_value = value;
    return true;
}

static bool take_fraction(struct str text, unsigned *ret_micros)
{
    unsigned micros, digits = (unsigned)text.len;
    if (digits == 0 || digits > 6 || !take_digits(&text, digits, 0, &micros))
        return false;
    for (; digits < 6; digits++)
        micros *= 10;
    *ret_micros = micros;
    return true;
}

static bool moment_parse(struct str text, struct moment *ret_moment)
{
    struct moment moment = {0};
    if (!take_digits(&text, 4, '-', &moment.year) || !take_digits(&text, 2, '-', &moment.month) ||
        !take_digits(&text, 2, 0, &moment.day) || moment.month > 12 || moment.day > 31)
        return false;
    if (text.len > 0) {
        bool has_fraction = text.len > sizeof(" HH:MM:SS") - 1;
        if (text.ptr[0] != ' ' && text.ptr[0] != 'T')
            return false;
        text = str_from_offset(text, 1);
        if (!take_digits(&text, 2, ':', &moment.hour) || !take_digits(&text, 2, ':', &moment.minute) ||
            !take_digits(&text, 2, has_fraction ? '.' : 0, &moment.second) || moment.hour > 23 ||
            moment.minute > 59 || moment.second > 59)
            return false;
        if (has_fraction ? !take_fraction(text, &moment.micros) : text.len > 0)
            return false;
    }
    *ret_moment = moment;
    return true;
}

bool mysql_put_datetime(struct buf *out, struct str text)
{
    struct moment moment;
    if (!moment_parse(text, &moment))
        return false;
    mysql_put_int(out, moment.micros > 0 ? 11 : 7, 1);
    mysql_put_int(out, moment.year, 2);
    mysql_put_int(out, moment.month, 1);
    mysql_put_int(out, moment.day, 1);
    mysql_put_int(out, moment.hour, 1);
    mysql_put_int(out, moment.minute, 1);
    mysql_put_int(out, moment.second, 1);
    if (moment.micros > 0)
        mysql_put_int(out, moment.micros, 4);
    return true;
}

/* ---- parameters ---- */

static enum err param_text(struct arena *arena, const char *text, int len, enum mysql_param_kind kind,
                           struct mysql_param *param)
{
    param->kind = kind;
    param->text = arena_dup(arena, (struct str){text, (size_t)len});
    return param->text.ptr ? ERR_OK : ERR_NO_MEMORY;
}

/* 4 bytes are a date, 7 have a time of day, 11 microseconds too, 0 is the zero date. */
static enum err take_datetime(struct mysql_reader *reader, bool is_date, struct arena *arena,
                              struct mysql_param *param)
{
    char text[TEMPORAL_TEXT_MAX];
    size_t size = mysql_take_int(reader, 1);
    struct mysql_reader fields = {.rest = mysql_take_bytes(reader, size)};
    struct moment moment = {0};
    if (reader->failed || (size != 0 && size != 4 && size != 7 && size != 11))
        return ERR_INVALID;
    moment.year = size ? (unsigned)mysql_take_int(&fields, 2) : 0;
    moment.month = size ? (unsigned)mysql_take_int(&fields, 1) : 0;
    moment.day = size ? (unsigned)mysql_take_int(&fields, 1) : 0;
    moment.hour = size > 4 ? (unsigned)mysql_take_int(&fields, 1) : 0;
    moment.minute = size > 4 ? (unsigned)mysql_take_int(&fields, 1) : 0;
    moment.second = size > 4 ? (unsigned)mysql_take_int(&fields, 1) : 0;
    moment.micros = size > 7 ? (unsigned)mysql_take_int(&fields, 4) : 0;
    if (moment.year > 9999 || moment.month > 12 || moment.day > 31 || moment.hour > 23 ||
        moment.minute > 59 || moment.second > 59 || moment.micros > 999999)
        return ERR_INVALID;
    int len = snprintf(text, sizeof(text), "%04u-%02u-%02u", moment.year, moment.month, moment.day);
    if (!is_date)
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %02u:%02u:%02u", moment.hour, moment.minute,
                        moment.second);
    if (!is_date && moment.micros > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, ".%06u", moment.micros);
    return param_text(arena, text, len, is_date ? MYSQL_PARAM_TEXT : MYSQL_PARAM_DATETIME, param);
}

static enum err take_time(struct mysql_reader *reader, struct arena *arena, struct mysql_param *param)
{
    char text[TEMPORAL_TEXT_MAX];
    size_t size = mysql_take_int(reader, 1);
    struct mysql_reader fields = {.rest = mysql_take_bytes(reader, size)};
    if (reader->failed || (size != 0 && size != 8 && size != 12))
        return ERR_INVALID;
    bool is_negative = size && mysql_take_int(&fields, 1) != 0;
    uint64_t days = size ? mysql_take_int(&fields, 4) : 0;
    uint64_t hour = size ? mysql_take_int(&fields, 1) : 0;
    uint64_t minute = size ? mysql_take_int(&fields, 1) : 0, second = size ? mysql_take_int(&fields, 1) : 0;
    uint64_t micros = size > 8 ? mysql_take_int(&fields, 4) : 0;
    if (hour > 23 || minute > 59 || second > 59 || micros > 999999)
        return ERR_INVALID;
    int len = snprintf(text, sizeof(text), "%s%02llu:%02u:%02u", is_negative ? "-" : "",
                       (unsigned long long)(days * 24 + hour), (unsigned)minute, (unsigned)second);
    if (micros > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, ".%06u", (unsigned)micros);
    return param_text(arena, text, len, MYSQL_PARAM_TEXT, param);
}

static enum err take_integer(struct mysql_reader *reader, size_t size, bool is_unsigned,
                             struct mysql_param *param)
{
    uint64_t value = mysql_take_int(reader, size);
    unsigned above = 64 - 8 * (unsigned)size;
    param->kind = MYSQL_PARAM_INTEGER;
    param->integer = is_unsigned ? (int64_t)value : (int64_t)(value << above) >> above;
    return is_unsigned && value > INT64_MAX ? ERR_LIMIT : ERR_OK;
}

static enum err take_real(struct mysql_reader *reader, size_t size, struct mysql_param *param)
{
    uint64_t bits = mysql_take_int(reader, size);
    uint32_t low = (uint32_t)bits;
    float single;
    memcpy(&single, &low, sizeof(single));
    memcpy(&param->real, &bits, sizeof(bits));
    if (size == sizeof(single))
        param->real = (double)single;
    param->kind = MYSQL_PARAM_REAL;
    return ERR_OK;
}

static enum err take_param(struct mysql_reader *reader, uint16_t type, struct arena *arena,
                           struct mysql_param *param)
{
    bool is_unsigned = type & MYSQL_TYPE_UNSIGNED;
    switch ((enum mysql_type)(type & 0xff)) {
    case MYSQL_TYPE_NULL:
        param->kind = MYSQL_PARAM_NULL;
        return ERR_OK;
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_BOOL:
        return take_integer(reader, 1, is_unsigned, param);
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return take_integer(reader, 2, is_unsigned, param);
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_INT24:
        return take_integer(reader, 4, is_unsigned, param);
    case MYSQL_TYPE_LONGLONG:
        return take_integer(reader, 8, is_unsigned, param);
    case MYSQL_TYPE_FLOAT:
        return take_real(reader, sizeof(float), param);
    case MYSQL_TYPE_DOUBLE:
        return take_real(reader, sizeof(double), param);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return take_datetime(reader, (type & 0xff) == MYSQL_TYPE_DATE, arena, param);
    case MYSQL_TYPE_TIME:
        return take_time(reader, arena, param);
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_JSON:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_GEOMETRY:
        param->kind = MYSQL_PARAM_BYTES;
        param->text = mysql_take_lenenc_str(reader);
        return ERR_OK;
    }
    return ERR_INVALID;
}

static enum err take_types(struct mysql_reader *reader, struct mysql_binding *binding)
{
    bool is_new = mysql_take_int(reader, 1) == 1;
    if (!is_new)
        return !reader->failed && binding->has_types ? ERR_OK : ERR_INVALID;
    struct mysql_reader types = {.rest = mysql_take_bytes(reader, 2 * binding->count)};
    if (reader->failed)
        return ERR_INVALID;
    for (size_t i = 0; i < binding->count; i++) {
        unsigned type = (unsigned)mysql_take_int(&types, 1);
        bool is_unsigned = mysql_take_int(&types, 1) & SEND_UNSIGNED;
        binding->types[i] = (uint16_t)(type | (is_unsigned ? MYSQL_TYPE_UNSIGNED : 0));
    }
    binding->has_types = true;
    return ERR_OK;
}

enum err mysql_read_params(struct str bytes, struct mysql_binding *binding, struct arena *arena,
                           struct mysql_param *ret_params, size_t *ret_at)
{
    struct mysql_reader reader = {.rest = bytes};
    *ret_at = 0;
    if (binding->count == 0)
        return ERR_OK;
    struct str map = mysql_take_bytes(&reader, (binding->count + 7) / 8);
    enum err err = take_types(&reader, binding);
    for (size_t i = 0; i < binding->count && err == ERR_OK; i++) {
        *ret_at = i;
        ret_params[i] = (struct mysql_param){.kind = MYSQL_PARAM_NULL};
        if (binding->long_data && binding->long_data[i].cap > 0)
            ret_params[i] =
                (struct mysql_param){.kind = MYSQL_PARAM_BYTES, .text = buf_str(&binding->long_data[i])};
        else if (!((uint8_t)map.ptr[i / 8] >> i % 8 & 1))
            err = take_param(&reader, binding->types[i], arena, &ret_params[i]);
        if (reader.failed)
            err = ERR_INVALID;
    }
    return err;
}
