/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of a login: greeting, response, and what an authentication plugin says to its other half. */
#include "wire/mysql.h"

#define PROTOCOL_VERSION 10
#define NONCE_FIRST 8 /* bytes of the nonce that stand in the first half of the greeting */
#define RESERVED 23
#define SSL_REQUEST_SIZE 32
#define AUTH_SWITCH 0xfe
#define AUTH_MORE 0x01

void mysql_put_greeting(struct buf *out, uint8_t *io_sequence, const struct mysql_greeting *greeting)
{
    const char *nonce = (const char *)greeting->nonce;
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, PROTOCOL_VERSION, 1);
    buf_add(out, greeting->version);
    mysql_put_int(out, 0, 1);
    mysql_put_int(out, greeting->connection_id, 4);
    buf_add(out, (struct str){nonce, NONCE_FIRST});
    mysql_put_int(out, 0, 1);
    mysql_put_int(out, greeting->capabilities, 2);
    mysql_put_int(out, MYSQL_CHARSET_UTF8MB4, 1);
    mysql_put_int(out, MYSQL_STATUS_AUTOCOMMIT, 2);
    mysql_put_int(out, greeting->capabilities >> 16, 2);
    mysql_put_int(out, MYSQL_NONCE_SIZE + 1, 1);
    mysql_put_int(out, 0, 8);
    mysql_put_int(out, 0, 2);
    buf_add(out, (struct str){nonce + NONCE_FIRST, MYSQL_NONCE_SIZE - NONCE_FIRST});
    mysql_put_int(out, 0, 1);
    buf_add(out, greeting->plugin);
    mysql_put_int(out, 0, 1);
    mysql_packet_end(out, start, io_sequence);
}

/* Some clients leave out the NUL when the name ends the packet. */
static struct str take_last_name(struct mysql_reader *reader)
{
    const char *end = reader->rest.len > 0 ? memchr(reader->rest.ptr, 0, reader->rest.len) : NULL;
    return end ? mysql_take_text(reader) : mysql_take_rest(reader);
}

/* Names and values: nobody asks for them, but they have to be well-formed. */
static void skip_attributes(struct mysql_reader *reader)
{
    struct mysql_reader attributes = {.rest = mysql_take_lenenc_str(reader)};
    while (attributes.rest.len > 0 && !attributes.failed) {
        mysql_take_lenenc_str(&attributes);
        mysql_take_lenenc_str(&attributes);
    }
    reader->failed = reader->failed || attributes.failed;
}

static struct str take_auth(struct mysql_reader *reader, uint32_t capabilities)
{
    if (capabilities & MYSQL_CAN_LENENC_AUTH)
        return mysql_take_lenenc_str(reader);
    if (capabilities & MYSQL_CAN_SECURE_CONNECTION)
        return mysql_take_bytes(reader, mysql_take_int(reader, 1));
    return mysql_take_text(reader);
}

static void take_plugin(struct mysql_reader *reader, struct mysql_login *login)
{
    if (login->capabilities & MYSQL_CAN_PLUGIN_AUTH)
        login->plugin = take_last_name(reader);
    if ((login->capabilities & MYSQL_CAN_CONNECT_ATTRS) && reader->rest.len > 0)
        skip_attributes(reader);
}

enum err mysql_read_login(struct str payload, uint32_t offered, struct mysql_login *ret_login)
{
    struct mysql_reader reader = {.rest = payload};
    struct mysql_login login = {.capabilities = (uint32_t)mysql_take_int(&reader, 4) & offered};
    mysql_take_int(&reader, 4); /* the client's own bound for packets; ours are asked for by it */
    mysql_take_int(&reader, 1); /* its character set: text is UTF-8, whatever it says */
    mysql_take_bytes(&reader, RESERVED);
    if (reader.failed || !(login.capabilities & MYSQL_CAN_PROTOCOL_41))
        return ERR_INVALID;
    login.wants_tls = (login.capabilities & MYSQL_CAN_TLS) && payload.len == SSL_REQUEST_SIZE;
    if (!login.wants_tls) {
        login.user = mysql_take_text(&reader);
        login.auth = take_auth(&reader, login.capabilities);
        if ((login.capabilities & MYSQL_CAN_CONNECT_WITH_DB) && reader.rest.len > 0)
            login.database = mysql_take_text(&reader);
        take_plugin(&reader, &login);
    }
    if (reader.failed)
        return ERR_INVALID;
    *ret_login = login;
    return ERR_OK;
}

enum err mysql_read_change_user(struct str payload, uint32_t capabilities, struct mysql_login *ret_login)
{
    struct mysql_reader reader = {.rest = str_from_offset(payload, 1)};
    struct mysql_login login = {.capabilities = capabilities};
    login.user = mysql_take_text(&reader);
    /* Unlike in the response, the length is one byte in any case. */
    login.auth = take_auth(&reader, capabilities & ~(uint32_t)MYSQL_CAN_LENENC_AUTH);
    login.database = mysql_take_text(&reader);
    if (reader.rest.len > 0) {
        mysql_take_int(&reader, 2);
        take_plugin(&reader, &login);
    }
    if (reader.failed)
        return ERR_INVALID;
    *ret_login = login;
    return ERR_OK;
}

void mysql_put_auth_switch(struct buf *out, uint8_t *io_sequence, struct str plugin, const uint8_t *nonce)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, AUTH_SWITCH, 1);
    buf_add(out, plugin);
    mysql_put_int(out, 0, 1);
    buf_add(out, (struct str){(const char *)nonce, MYSQL_NONCE_SIZE});
    mysql_put_int(out, 0, 1);
    mysql_packet_end(out, start, io_sequence);
}

void mysql_put_auth_more(struct buf *out, uint8_t *io_sequence, struct str data)
{
    size_t start = mysql_packet_begin(out);
    mysql_put_int(out, AUTH_MORE, 1);
    buf_add(out, data);
    mysql_packet_end(out, start, io_sequence);
}
