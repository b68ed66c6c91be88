/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/chunked.h"

#include "wire/bytes.h"

#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX 256
#define TRAILERS_MAX 8192

enum chunked_state {
    CHUNKED_SIZE, /* first: a zeroed struct begins here */
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_PAYLOAD,
    CHUNKED_PAYLOAD_CR,
    CHUNKED_PAYLOAD_LF,
    CHUNKED_LINE_START, /* of a trailer, or of the empty line that ends them */
    CHUNKED_NAME,
    CHUNKED_VALUE,
    CHUNKED_VALUE_LF,
    CHUNKED_LAST_LF,
    CHUNKED_ENDED,
    CHUNKED_FAILED,
};

/* `line` counts the digits. */
static enum chunked_state size_byte(struct chunked *c, unsigned char byte)
{
    int digit = byte_hex_value(byte);
    if (digit >= 0 && c->line < SIZE_DIGITS_MAX) {
        c->left = c->left << 4 | (unsigned)digit;
        c->line++;
        return CHUNKED_SIZE;
    }
    if (c->line == 0 || (byte != '\r' && byte != ';'))
        return CHUNKED_FAILED;
    c->line = 0;
    return byte == '\r' ? CHUNKED_SIZE_LF : CHUNKED_EXTENSION;
}

static enum chunked_state extension_byte(struct chunked *c, unsigned char byte)
{
    if (byte == '\r')
        return CHUNKED_SIZE_LF;
    return byte_is_control(byte) || ++c->line > EXTENSION_MAX ? CHUNKED_FAILED : CHUNKED_EXTENSION;
}

static enum chunked_state trailer_byte(enum chunked_state state, unsigned char byte)
{
    switch (state) {
    case CHUNKED_LINE_START:
        return byte == '\r' ? CHUNKED_LAST_LF : byte_is_token(byte) ? CHUNKED_NAME : CHUNKED_FAILED;
    case CHUNKED_NAME:
        return byte == ':' ? CHUNKED_VALUE : byte_is_token(byte) ? CHUNKED_NAME : CHUNKED_FAILED;
    case CHUNKED_VALUE:
        return byte == '\r' ? CHUNKED_VALUE_LF : byte_is_control(byte) ? CHUNKED_FAILED : CHUNKED_VALUE;
    case CHUNKED_VALUE_LF:
        return byte == '\n' ? CHUNKED_LINE_START : CHUNKED_FAILED;
    default: /* CHUNKED_LAST_LF */
        return byte == '\n' ? CHUNKED_ENDED : CHUNKED_FAILED;
    }
}

/* The state after one byte that is no payload. */
static enum chunked_state framing_byte(struct chunked *c, unsigned char byte)
{
    switch ((enum chunked_state)c->state) {
    case CHUNKED_SIZE:
        return size_byte(c, byte);
    case CHUNKED_EXTENSION:
        return extension_byte(c, byte);
    case CHUNKED_SIZE_LF:
        c->line = 0;
        return byte != '\n' ? CHUNKED_FAILED : c->left > 0 ? CHUNKED_PAYLOAD : CHUNKED_LINE_START;
    case CHUNKED_PAYLOAD_CR:
        return byte == '\r' ? CHUNKED_PAYLOAD_LF : CHUNKED_FAILED;
    case CHUNKED_PAYLOAD_LF:
        return byte == '\n' ? CHUNKED_SIZE : CHUNKED_FAILED;
    default:
        return ++c->trailers > TRAILERS_MAX ? CHUNKED_FAILED
                                            : trailer_byte((enum chunked_state)c->state, byte);
    }
}

static void take_payload(struct chunked *c, struct str *io_in, struct str *ret_data)
{
    size_t len = (size_t)MIN(c->left, io_in->len);
    *ret_data = (struct str){io_in->ptr, len};
    *io_in = str_from_offset(*io_in, len);
    c->left -= len;
    if (c->left == 0)
        c->state = CHUNKED_PAYLOAD_CR;
}

enum chunked_result chunked_next(struct chunked *c, struct str *io_in, struct str *ret_data)
{
    const char *at = io_in->ptr, *end = io_in->len > 0 ? at + io_in->len : at;
    while (at < end && c->state != CHUNKED_PAYLOAD && c->state < CHUNKED_ENDED)
        c->state = (uint8_t)framing_byte(c, (unsigned char)*at++);
    *io_in = (struct str){at, (size_t)(end - at)};
    if (c->state == CHUNKED_ENDED)
        return CHUNKED_END;
    if (c->state == CHUNKED_FAILED)
        return CHUNKED_BAD;
    if (at == end)
        return CHUNKED_MORE;
    take_payload(c, io_in, ret_data);
    return CHUNKED_DATA;
}

size_t chunked_write_head(uint64_t size, char *out)
{
    size_t digits = (size_t)(67 - __builtin_clzll(size | 1)) / 4;
    for (size_t i = digits; i-- > 0; size >>= 4)
        out[i] = "0123456789abcdef"[size & 15];
    memcpy(out + digits, "\r\n", 2);
    return digits + 2;
}
