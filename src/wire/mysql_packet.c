/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of 3 bytes length and 1 byte sequence number, packets out of them, and the fields within. */
#include "wire/mysql.h"

#include <openssl/crypto.h>

#define PAYLOAD_MAX ((size_t)1 << 31) /* the buffer's own bound; what a session may send is far less */
#define RESERVE_MAX ((size_t)65536)
#define LENENC_2 0xfc
#define LENENC_3 0xfd
#define LENENC_8 0xfe

void mysql_inbound_init(struct mysql_inbound *in)
{
    *in = (struct mysql_inbound){0};
    buf_init(&in->payload, PAYLOAD_MAX);
}

void mysql_inbound_fini(struct mysql_inbound *in)
{
    if (in->payload.ptr)
        OPENSSL_cleanse(in->payload.ptr, in->payload.cap);
    buf_free(&in->payload);
}

static struct str take_front(struct str *io_bytes, size_t size)
{
    struct str front = {io_bytes->ptr, MIN(size, io_bytes->len)};
    *io_bytes = str_from_offset(*io_bytes, front.len);
    return front;
}

/* The header is complete. */
static enum mysql_read inbound_begin_frame(struct mysql_inbound *in, size_t max)
{
    size_t size = (size_t)in->header[0] | (size_t)in->header[1] << 8 | (size_t)in->header[2] << 16;
    if (in->header[3] != in->sequence)
        return MYSQL_READ_OUT_OF_ORDER;
    if (size > max || in->payload.len > max - size)
        return MYSQL_READ_TOO_LARGE;
    in->sequence++;
    in->frame_left = size;
    in->is_split = size == MYSQL_FRAME_MAX;
    return buf_reserve(&in->payload, MIN(size, RESERVE_MAX)) ? MYSQL_READ_PACKET : MYSQL_READ_NO_MEMORY;
}

enum mysql_read mysql_inbound_next(struct mysql_inbound *in, struct str *io_bytes, size_t max,
                                   struct str *ret_payload)
{
    if (in->is_complete)
        buf_clear(&in->payload);
    in->is_complete = false;
    do {
        if (in->header_len < MYSQL_HEADER_SIZE) {
            struct str piece = take_front(io_bytes, (size_t)MYSQL_HEADER_SIZE - in->header_len);
            if (piece.len > 0)
                memcpy(in->header + in->header_len, piece.ptr, piece.len);
            in->header_len = (uint8_t)(in->header_len + piece.len);
            if (in->header_len < MYSQL_HEADER_SIZE)
                return MYSQL_READ_MORE;
            enum mysql_read begun = inbound_begin_frame(in, max);
            if (begun != MYSQL_READ_PACKET)
                return begun;
        }
        struct str piece = take_front(io_bytes, in->frame_left);
        buf_add(&in->payload, piece);
        if (!buf_ok(&in->payload))
            return MYSQL_READ_NO_MEMORY;
        in->frame_left -= piece.len;
        if (in->frame_left > 0)
            return MYSQL_READ_MORE;
        in->header_len = 0;
    } while (in->is_split);
    in->is_complete = true;
    *ret_payload = buf_str(&in->payload);
    return MYSQL_READ_PACKET;
}

size_t mysql_inbound_missing(const struct mysql_inbound *in)
{
    return in->header_len < MYSQL_HEADER_SIZE ? (size_t)MYSQL_HEADER_SIZE - in->header_len : in->frame_left;
}

size_t mysql_packet_begin(struct buf *out)
{
    size_t start = out->len;
    mysql_put_int(out, 0, MYSQL_HEADER_SIZE);
    return start;
}

static void frame_head(char *at, size_t size, uint8_t *io_sequence)
{
    at[0] = (char)(size & 0xff);
    at[1] = (char)(size >> 8 & 0xff);
    at[2] = (char)(size >> 16 & 0xff);
    at[3] = (char)(*io_sequence)++;
}

/* Moves the payload's frames apart, the last one first, so that their heads fit between them. */
static void frames_spread(char *payload, size_t size)
{
    for (size_t i = size / MYSQL_FRAME_MAX; i > 0; i--) {
        size_t at = i * MYSQL_FRAME_MAX;
        memmove(payload + at + i * MYSQL_HEADER_SIZE, payload + at, MIN(size - at, MYSQL_FRAME_MAX));
    }
}

void mysql_packet_end(struct buf *out, size_t start, uint8_t *io_sequence)
{
    if (!buf_ok(out))
        return;
    size_t size = out->len - start - MYSQL_HEADER_SIZE, more = size / MYSQL_FRAME_MAX;
    if (more > 0) {
        if (!buf_reserve(out, more * MYSQL_HEADER_SIZE))
            return;
        frames_spread(out->ptr + start + MYSQL_HEADER_SIZE, size);
        out->len += more * MYSQL_HEADER_SIZE;
    }
    for (size_t i = 0; i <= more; i++)
        frame_head(out->ptr + start + i * (MYSQL_FRAME_MAX + MYSQL_HEADER_SIZE),
                   MIN(size - i * MYSQL_FRAME_MAX, MYSQL_FRAME_MAX), io_sequence);
}

/* ---- fields ---- */

static bool reader_has(struct mysql_reader *reader, size_t size)
{
    if (!reader->failed && size <= reader->rest.len)
        return true;
    reader->failed = true;
    return false;
}

uint64_t mysql_take_int(struct mysql_reader *reader, size_t size)
{
    uint64_t value = 0;
    if (!reader_has(reader, size))
        return 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)reader->rest.ptr[i] << 8 * i;
    reader->rest = str_from_offset(reader->rest, size);
    return value;
}

uint64_t mysql_take_lenenc(struct mysql_reader *reader)
{
    uint64_t first = mysql_take_int(reader, 1);
    switch (first) {
    case LENENC_2:
        return mysql_take_int(reader, 2);
    case LENENC_3:
        return mysql_take_int(reader, 3);
    case LENENC_8:
        return mysql_take_int(reader, 8);
    case 0xfb: /* NULL, where a number has to be */
    case 0xff:
        reader->failed = true;
        return 0;
    default:
        return first;
    }
}

struct str mysql_take_bytes(struct mysql_reader *reader, size_t size)
{
    return reader_has(reader, size) ? take_front(&reader->rest, size) : STR_NONE;
}

struct str mysql_take_lenenc_str(struct mysql_reader *reader)
{
    uint64_t size = mysql_take_lenenc(reader);
    return mysql_take_bytes(reader, size);
}

struct str mysql_take_text(struct mysql_reader *reader)
{
    const char *end = reader->rest.len > 0 ? memchr(reader->rest.ptr, 0, reader->rest.len) : NULL;
    if (!end || reader->failed) {
        reader->failed = true;
        return STR_NONE;
    }
    struct str text = take_front(&reader->rest, (size_t)(end - reader->rest.ptr));
    take_front(&reader->rest, 1);
    return text;
}

struct str mysql_take_rest(struct mysql_reader *reader)
{
    return mysql_take_bytes(reader, reader->rest.len);
}

void mysql_put_int(struct buf *out, uint64_t value, size_t size)
{
    char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(value >> 8 * i & 0xff);
    buf_add(out, (struct str){bytes, size});
}

void mysql_put_lenenc(struct buf *out, uint64_t value)
{
    if (value < 0xfb) {
        mysql_put_int(out, value, 1);
        return;
    }
    size_t size = value <= 0xffff ? 2 : value <= 0xffffff ? 3 : 8;
    mysql_put_int(out, size == 2 ? LENENC_2 : size == 3 ? LENENC_3 : LENENC_8, 1);
    mysql_put_int(out, value, size);
}

void mysql_put_lenenc_str(struct buf *out, struct str text)
{
    mysql_put_lenenc(out, text.len);
    buf_add(out, text);
}
