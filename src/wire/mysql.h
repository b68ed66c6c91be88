/* SPDX-License-Identifier: Apache-2.0 */
/* The MySQL client/server protocol, a server's side of it: packets, login, answers, values ("Client/Server Protocol" in
 * the MySQL Source Code Documentation). Pure: bytes in, bytes out. Only protocol 41 is spoken; of the optional parts
 * TLS, authentication plugins, connection attributes and CLIENT_DEPRECATE_EOF.
 *
 * Every mysql_put_x with a sequence number appends one whole packet to `out`; as with all buffers, a failure shows in
 * buf_ok(out). Nothing that is read is copied: results are views into the payload. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define MYSQL_HEADER_SIZE 4
#define MYSQL_FRAME_MAX ((size_t)0xffffff) /* a frame of this size has another one behind it */
#define MYSQL_NONCE_SIZE 20
#define MYSQL_PARAMS_MAX 65535

enum mysql_capability {
    MYSQL_CAN_LONG_PASSWORD = 1 << 0, /* without it a MariaDB client takes the server for a MariaDB one */
    MYSQL_CAN_FOUND_ROWS = 1 << 1,
    MYSQL_CAN_LONG_FLAG = 1 << 2,
    MYSQL_CAN_CONNECT_WITH_DB = 1 << 3,
    MYSQL_CAN_PROTOCOL_41 = 1 << 9,
    MYSQL_CAN_TLS = 1 << 11,
    MYSQL_CAN_TRANSACTIONS = 1 << 13,
    MYSQL_CAN_SECURE_CONNECTION = 1 << 15,
    MYSQL_CAN_PLUGIN_AUTH = 1 << 19,
    MYSQL_CAN_CONNECT_ATTRS = 1 << 20,
    MYSQL_CAN_LENENC_AUTH = 1 << 21,
    MYSQL_CAN_DEPRECATE_EOF = 1 << 24,
};

enum mysql_status { MYSQL_STATUS_IN_TRANSACTION = 1, MYSQL_STATUS_AUTOCOMMIT = 2 };

enum mysql_command {
    MYSQL_COM_QUIT = 0x01,
    MYSQL_COM_INIT_DB = 0x02,
    MYSQL_COM_QUERY = 0x03,
    MYSQL_COM_FIELD_LIST = 0x04,
    MYSQL_COM_STATISTICS = 0x09,
    MYSQL_COM_PROCESS_KILL = 0x0c,
    MYSQL_COM_PING = 0x0e,
    MYSQL_COM_CHANGE_USER = 0x11,
    MYSQL_COM_STMT_PREPARE = 0x16,
    MYSQL_COM_STMT_EXECUTE = 0x17,
    MYSQL_COM_STMT_SEND_LONG_DATA = 0x18,
    MYSQL_COM_STMT_CLOSE = 0x19,
    MYSQL_COM_STMT_RESET = 0x1a,
    MYSQL_COM_SET_OPTION = 0x1b,
    MYSQL_COM_RESET_CONNECTION = 0x1f,
};

enum mysql_type {
    MYSQL_TYPE_DECIMAL = 0,
    MYSQL_TYPE_TINY = 1,
    MYSQL_TYPE_SHORT = 2,
    MYSQL_TYPE_LONG = 3,
    MYSQL_TYPE_FLOAT = 4,
    MYSQL_TYPE_DOUBLE = 5,
    MYSQL_TYPE_NULL = 6,
    MYSQL_TYPE_TIMESTAMP = 7,
    MYSQL_TYPE_LONGLONG = 8,
    MYSQL_TYPE_INT24 = 9,
    MYSQL_TYPE_DATE = 10,
    MYSQL_TYPE_TIME = 11,
    MYSQL_TYPE_DATETIME = 12,
    MYSQL_TYPE_YEAR = 13,
    MYSQL_TYPE_VARCHAR = 15,
    MYSQL_TYPE_BIT = 16,
    MYSQL_TYPE_BOOL = 244,
    MYSQL_TYPE_JSON = 245,
    MYSQL_TYPE_NEWDECIMAL = 246,
    MYSQL_TYPE_ENUM = 247,
    MYSQL_TYPE_SET = 248,
    MYSQL_TYPE_TINY_BLOB = 249,
    MYSQL_TYPE_MEDIUM_BLOB = 250,
    MYSQL_TYPE_LONG_BLOB = 251,
    MYSQL_TYPE_BLOB = 252,
    MYSQL_TYPE_VAR_STRING = 253,
    MYSQL_TYPE_STRING = 254,
    MYSQL_TYPE_GEOMETRY = 255,
};

enum mysql_charset { MYSQL_CHARSET_UTF8MB4 = 45, MYSQL_CHARSET_BINARY = 63 };

/* ---- packets (mysql_packet.c) ---- */

enum mysql_read {
    MYSQL_READ_MORE,
    MYSQL_READ_PACKET,
    MYSQL_READ_TOO_LARGE,
    MYSQL_READ_OUT_OF_ORDER,
    MYSQL_READ_NO_MEMORY,
};

/* Puts packets together out of the frames in a stream of bytes. Every result but MORE and PACKET is final. */
struct mysql_inbound {
    struct buf payload;
    uint8_t header[MYSQL_HEADER_SIZE];
    uint8_t header_len;
    uint8_t sequence; /* that the next frame carries, in either direction; back to 0 for each command */
    size_t frame_left;
    bool is_split;    /* the present frame is a full one */
    bool is_complete; /* `payload` was handed out and is dropped with the next call */
};

void mysql_inbound_init(struct mysql_inbound *in);
void mysql_inbound_fini(struct mysql_inbound *in); /* wipes it: it may hold a password */

/* Consumes from `io_bytes`. A packet of more than `max` bytes is refused when its header comes; beyond 64 KiB
 * memory grows with what has come, not with what is announced. The payload stays until the next call. */
enum mysql_read mysql_inbound_next(struct mysql_inbound *in, struct str *io_bytes, size_t max,
                                   struct str *ret_payload);

/* Bytes up to the end of the header or of the frame: who reads no more than that cannot read past the packet. */
size_t mysql_inbound_missing(const struct mysql_inbound *in);

/* Between the two, bytes are appended to `out`; the end makes them a packet, of several frames if need be. */
size_t mysql_packet_begin(struct buf *out);
void mysql_packet_end(struct buf *out, size_t start, uint8_t *io_sequence);

/* Fields of a payload. Reading past the end gives zeros and marks the reader as failed. */
struct mysql_reader {
    struct str rest;
    bool failed;
};

uint64_t mysql_take_int(struct mysql_reader *reader, size_t size); /* 1 to 8 bytes, little-endian */
uint64_t mysql_take_lenenc(struct mysql_reader *reader);
struct str mysql_take_bytes(struct mysql_reader *reader, size_t size);
struct str mysql_take_lenenc_str(struct mysql_reader *reader);
struct str mysql_take_text(struct mysql_reader *reader); /* up to a NUL, which goes too */
struct str mysql_take_rest(struct mysql_reader *reader);

void mysql_put_int(struct buf *out, uint64_t value, size_t size);
void mysql_put_lenenc(struct buf *out, uint64_t value);
void mysql_put_lenenc_str(struct buf *out, struct str text);

/* ---- login (mysql_login.c) ---- */

/* Handshake v10. */
struct mysql_greeting {
    struct str version; /* of the server */
    uint32_t connection_id;
    const uint8_t *nonce; /* MYSQL_NONCE_SIZE bytes, none of them 0 */
    uint32_t capabilities;
    struct str plugin;
};
void mysql_put_greeting(struct buf *out, uint8_t *io_sequence, const struct mysql_greeting *greeting);

/* A client's handshake response, or its request to change the user. */
struct mysql_login {
    uint32_t capabilities; /* both sides' */
    bool wants_tls;        /* an SSLRequest: the rest is empty and follows under TLS */
    struct str user, auth, database;
    struct str plugin; /* empty: none named */
};

/* ERR_INVALID: malformed; or the client speaks no protocol 41. */
MUST_USE enum err mysql_read_login(struct str payload, uint32_t offered, struct mysql_login *ret_login);

/* COM_CHANGE_USER, the command byte included. */
MUST_USE enum err mysql_read_change_user(struct str payload, uint32_t capabilities,
                                         struct mysql_login *ret_login);

void mysql_put_auth_switch(struct buf *out, uint8_t *io_sequence, struct str plugin, const uint8_t *nonce);
void mysql_put_auth_more(struct buf *out, uint8_t *io_sequence, struct str data);

/* ---- passwords on the wire (mysql_auth.c) ---- */

#define MYSQL_NATIVE_PASSWORD STR("mysql_native_password")
#define MYSQL_CACHING_SHA2 STR("caching_sha2_password")
#define MYSQL_CLEAR_PASSWORD STR("mysql_clear_password")

#define MYSQL_DIGEST_SIZE 32

/* caching_sha2_password's bytes of authentication. */
enum mysql_sha2 { MYSQL_SHA2_KEY_REQUEST = 2, MYSQL_SHA2_FAST_OK = 3, MYSQL_SHA2_FULL = 4 };

/* Whether `auth` is what a client that knows `password` sends for `nonce`. Constant time. An empty password is none. */
bool mysql_native_is(struct str auth, const uint8_t *nonce, struct str password);

/* SHA-256 of the SHA-256 of the password: enough to check a scramble, not to make one. */
void mysql_sha2_digest(struct str password, uint8_t out[MYSQL_DIGEST_SIZE]);
bool mysql_sha2_is(struct str auth, const uint8_t *nonce, const uint8_t digest[MYSQL_DIGEST_SIZE]);

/* The password that a client sent encrypted (RSA-OAEP) and covered with the nonce, into `out` of MYSQL_PASSWORD_MAX
 * bytes, which the caller wipes. ERR_INVALID: not for this key. `key` is an EVP_PKEY. */
#define MYSQL_PASSWORD_MAX 512
struct evp_pkey_st;
MUST_USE enum err mysql_rsa_open(struct evp_pkey_st *key, struct str sealed, const uint8_t *nonce, char *out,
                                 struct str *ret_password);

/* ---- answers (mysql_answer.c) ---- */

struct mysql_ok {
    uint64_t affected, last_insert_id;
    uint16_t status; /* enum mysql_status */
    uint16_t warnings;
    struct str info;
};

void mysql_put_ok(struct buf *out, uint8_t *io_sequence, const struct mysql_ok *ok);

/* `sqlstate` NULL: before the greeting, when a client does not know yet that the server speaks protocol 41. */
void mysql_put_error(struct buf *out, uint8_t *io_sequence, unsigned code, const char *sqlstate,
                     struct str message);

/* Ends columns or rows: an EOF packet, with CLIENT_DEPRECATE_EOF an OK packet in its clothes. */
void mysql_put_end(struct buf *out, uint8_t *io_sequence, uint32_t capabilities, const struct mysql_ok *ok);

struct mysql_column {
    struct str schema, table, name;
    enum mysql_type type; /* LONGLONG, DOUBLE, VAR_STRING, BLOB or DATETIME */
};

void mysql_put_column_count(struct buf *out, uint8_t *io_sequence, size_t count);

/* `is_field_list`: in the answer to COM_FIELD_LIST, which adds the column's default. */
void mysql_put_column(struct buf *out, uint8_t *io_sequence, const struct mysql_column *column,
                      bool is_field_list);

void mysql_put_prepared(struct buf *out, uint8_t *io_sequence, uint32_t statement, size_t columns,
                        size_t params, uint16_t warnings);

/* ---- values (mysql_value.c) ---- */

/* Values of a text row. */
void mysql_put_text_null(struct buf *out);
void mysql_put_text_integer(struct buf *out, int64_t value);
void mysql_put_text_double(struct buf *out,
                           double value); /* the shortest text that reads back as the same value */

/* A binary row begins with its map of NULLs, all clear. Returns where the map lies. */
size_t mysql_put_binary_row(struct buf *out, size_t columns);
void mysql_set_binary_null(struct buf *out, size_t map, size_t column);
void mysql_put_double(struct buf *out, double value);

/* "YYYY-MM-DD", optionally " HH:MM:SS" and ".ffffff"; false, and nothing written, for anything else. */
bool mysql_put_datetime(struct buf *out, struct str text);

/* DECIMAL digits of a number as people write it; enough for both directions. */
#define MYSQL_DOUBLE_TEXT_MAX 32
struct str mysql_double_text(double value, char *out);

enum mysql_param_kind {
    MYSQL_PARAM_NULL,
    MYSQL_PARAM_INTEGER,
    MYSQL_PARAM_REAL,
    MYSQL_PARAM_BYTES,    /* text or binary */
    MYSQL_PARAM_TEXT,     /* made from a date or time */
    MYSQL_PARAM_DATETIME, /* "YYYY-MM-DD HH:MM:SS", and ".ffffff" if it has microseconds */
};

struct mysql_param {
    enum mysql_param_kind kind;
    int64_t integer;
    double real;
    struct str text;
};

/* A prepared statement's parameters, kept from one execution to the next. */
struct mysql_binding {
    size_t count;
    uint16_t *types; /* `count`: enum mysql_type, and MYSQL_TYPE_UNSIGNED */
    bool has_types;
    const struct buf *long_data; /* `count`, may be NULL; what COM_STMT_SEND_LONG_DATA brought, if cap > 0 */
};
#define MYSQL_TYPE_UNSIGNED 0x8000

/* COM_STMT_EXECUTE behind its 10 bytes of head. `ret_params` has room for binding->count. Texts that had to be made are
 * in `arena`. On ERR_INVALID and ERR_LIMIT (a number that no int64_t holds) *ret_at is the parameter's index. */
MUST_USE enum err mysql_read_params(struct str bytes, struct mysql_binding *binding, struct arena *arena,
                                    struct mysql_param *ret_params, size_t *ret_at);
