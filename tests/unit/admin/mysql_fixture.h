/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the loopback with a fake engine behind it, and clients that are plain sockets in the same thread. Includer
 * has included a source of src/admin/. */
#pragma once

#include "admin/mysql_internal.h"

#include "fake_engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP (10 * USEC_PER_SEC)
#define SOME_CAPABILITIES                                                                                    \
    (MYSQL_CAN_LONG_PASSWORD | MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_SECURE_CONNECTION | MYSQL_CAN_PLUGIN_AUTH)
#define OK_PACKET STR("\0\0\0\x02\0\0\0")
#define OK_IN_TRANSACTION STR("\0\0\0\x03\0\0\0")
#define EOF_PACKET STR("\xfe\0\0\x02\0")

static struct loop loop;
static struct settings settings;
static struct mysql_server server;
static struct address server_address;
static unsigned closed_servers;
static uv_timer_t kick; /* keeps a turn from sleeping while a test polls its plain sockets */

struct client {
    int fd;
    SSL *tls;       /* NULL in the clear */
    struct buf got; /* not yet taken */
    bool saw_end;
    uint8_t nonce[MYSQL_NONCE_SIZE];
    uint8_t sequence; /* of the packet last taken */
    struct buf payload;
};

static const struct settings *fixture_settings(struct mysql_owner *owner)
{
    (void)owner;
    return &settings;
}

static void fixture_account(struct mysql_owner *owner, struct str user, struct mysql_account *ret_account)
{
    (void)owner;
    mysql_admin_account(&settings, user, ret_account);
}

static struct mysql_owner owner = {fixture_settings, fixture_account};

static void on_kick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_server_closed(struct mysql_server *closed)
{
    assert_ptr_equal(closed, &server);
    closed_servers++;
}

static inline void turn(void)
{
    uv_run(&loop.uv, UV_RUN_ONCE);
}

#define RUN_UNTIL(done)                                                                                      \
    do {                                                                                                     \
        usec_t give_up_at_ = clock_monotonic() + GIVE_UP;                                                    \
        while (!(done)) {                                                                                    \
            if (clock_monotonic() > give_up_at_)                                                             \
                fail_msg("never came: %s", #done);                                                           \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

static int begin(void **state)
{
    (void)state;
    int fd;
    settings_init(&settings);
    settings.admin_password = STR("secret");
    fake_runs = fake_resumes = closed_servers = 0;
    fake_is_broken = false;
    if (loop_init(&loop) != ERR_OK || !address_parse(STR("127.0.0.1"), 0, &server_address) ||
        listener_reserve(&server_address, &fd) != ERR_OK)
        return -1;
    mysql_server_init(&server, &loop, NULL, &owner, STR("5.7.0-Test"));
    if (mysql_server_listen(&server, &server_address, fd) != ERR_OK)
        return -1;
    uv_timer_init(&loop.uv, &kick);
    uv_timer_start(&kick, on_kick, 1, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (!server.is_closing)
        mysql_server_close(&server, on_server_closed);
    RUN_UNTIL(closed_servers > 0);
    assert_int_equal(fake_sessions, 0);
    mysql_server_fini(&server);
    uv_close((uv_handle_t *)&kick, NULL);
    loop_settle(&loop);
    loop_fini(&loop);
    return 0;
}

/* ---- a client ---- */

static struct client client_connect(void)
{
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    buf_init(&client.got, (size_t)256 << 20);
    buf_init(&client.payload, (size_t)256 << 20);
    assert_int_equal(connect(client.fd, &server_address.any, server_address.size), 0);
    return client;
}

static inline void client_close(struct client *client)
{
    SSL_free(client->tls);
    close(client->fd);
    buf_free(&client->got);
    buf_free(&client->payload);
}

static ssize_t client_write(struct client *client, struct str bytes)
{
    if (!client->tls)
        return send(client->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    int n = SSL_write(client->tls, bytes.ptr, (int)bytes.len);
    errno = n <= 0 ? EAGAIN : 0;
    return n;
}

static void client_send(struct client *client, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = client_write(client, bytes);
        if (n > 0)
            bytes = str_from_offset(bytes, (size_t)n);
        else if (errno == EAGAIN)
            turn();
        else
            return;
    }
}

static void client_send_packet(struct client *client, uint8_t sequence, struct str payload)
{
    struct buf out;
    buf_init(&out, (size_t)256 << 20);
    size_t start = mysql_packet_begin(&out);
    buf_add(&out, payload);
    mysql_packet_end(&out, start, &sequence);
    client_send(client, buf_str(&out));
    buf_free(&out);
}

static void client_read(struct client *client)
{
    char piece[65536];
    ssize_t n = 0;
    if (!client->tls)
        n = recv(client->fd, piece, sizeof(piece), MSG_DONTWAIT);
    else if ((n = SSL_read(client->tls, piece, sizeof(piece))) <= 0)
        errno = SSL_get_error(client->tls, (int)n) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
    if (n > 0)
        buf_add(&client->got, (struct str){piece, (size_t)n});
    else if ((n == 0 && !client->tls) || (errno != EAGAIN && errno != EINTR))
        client->saw_end = true;
}

static bool client_has_packet(struct client *client)
{
    client_read(client);
    const uint8_t *got = (const uint8_t *)client->got.ptr;
    return client->got.len >= 4 &&
           client->got.len >= 4 + ((size_t)got[0] | (size_t)got[1] << 8 | (size_t)got[2] << 16);
}

/* The next packet (of one frame); its number in client->sequence. */
static struct str client_take(struct client *client)
{
    RUN_UNTIL(client_has_packet(client));
    const uint8_t *got = (const uint8_t *)client->got.ptr;
    size_t size = (size_t)got[0] | (size_t)got[1] << 8 | (size_t)got[2] << 16;
    client->sequence = got[3];
    buf_clear(&client->payload);
    buf_add(&client->payload, (struct str){client->got.ptr + 4, size});
    buf_consume(&client->got, 4 + size);
    return buf_str(&client->payload);
}

static void assert_packet_(struct client *client, uint8_t sequence, struct str expected, int line)
{
    struct str payload = client_take(client);
    if (client->sequence != sequence)
        fail_msg("line %d: sequence number %u instead of %u", line, client->sequence, sequence);
    if (!str_eq(payload, expected)) {
        print_message("line %d: got %zu bytes:", line, payload.len);
        for (size_t i = 0; i < MIN(payload.len, 200); i++)
            print_message(payload.ptr[i] >= ' ' && payload.ptr[i] < 127 ? "%c" : "\\x%02x",
                          (uint8_t)payload.ptr[i]);
        fail_msg("another packet was expected");
    }
}
#define assert_packet(client, sequence, expected) assert_packet_(client, sequence, expected, __LINE__)

/* An error with this number, whose message contains `part`. */
static inline void assert_error_(struct client *client, uint8_t sequence, unsigned code, const char *sqlstate,
                                 const char *part, int line)
{
    struct str payload = client_take(client);
    struct mysql_reader reader = {.rest = payload};
    bool is_error = mysql_take_int(&reader, 1) == 0xff && mysql_take_int(&reader, 2) == code;
    bool has_state =
        mysql_take_int(&reader, 1) == '#' && str_eq(mysql_take_bytes(&reader, 5), str_from(sqlstate));
    if (!is_error || !has_state || client->sequence != sequence || str_find(reader.rest, str_from(part)) < 0)
        fail_msg("line %d: packet %u is: " STR_FMT, line, client->sequence, STR_ARG(payload));
}
#define assert_error(client, sequence, code, sqlstate, part)                                                 \
    assert_error_(client, sequence, code, sqlstate, part, __LINE__)

static inline void assert_end(struct client *client)
{
    RUN_UNTIL((client_read(client), client->saw_end));
    assert_int_equal(client->got.len, 0);
}

/* ---- logging in ---- */

static void client_take_greeting(struct client *client)
{
    struct mysql_reader reader = {.rest = client_take(client)};
    assert_int_equal(client->sequence, 0);
    assert_int_equal(mysql_take_int(&reader, 1), 10);
    mysql_take_text(&reader);
    mysql_take_int(&reader, 4);
    memcpy(client->nonce, mysql_take_bytes(&reader, 8).ptr, 8);
    mysql_take_bytes(&reader, 19);
    memcpy(client->nonce + 8, mysql_take_bytes(&reader, 12).ptr, 12);
    assert_false(reader.failed);
}

static void add_login_head(struct buf *out, uint32_t capabilities)
{
    mysql_put_int(out, capabilities, 4);
    mysql_put_int(out, 1 << 24, 4);
    mysql_put_int(out, 45, 1);
    for (unsigned i = 0; i < 23; i++)
        buf_add_char(out, 0);
}

static inline void client_send_login(struct client *client, uint8_t sequence, uint32_t capabilities,
                                     const char *user, struct str auth, const char *plugin)
{
    struct buf out;
    buf_init(&out, 1024);
    add_login_head(&out, capabilities);
    buf_add(&out, (struct str){user, strlen(user) + 1});
    buf_add_char(&out, (char)auth.len);
    buf_add(&out, auth);
    buf_add(&out, (struct str){plugin, strlen(plugin) + 1});
    client_send_packet(client, sequence, buf_str(&out));
    buf_free(&out);
}

static inline struct str native_scramble(const struct client *client, struct str password, char out[20])
{
    uint8_t once[20], twice[20], text[40], salted[20];
    EVP_Digest(password.ptr, password.len, once, NULL, EVP_sha1(), NULL);
    EVP_Digest(once, 20, twice, NULL, EVP_sha1(), NULL);
    memcpy(text, client->nonce, 20);
    memcpy(text + 20, twice, 20);
    EVP_Digest(text, 40, salted, NULL, EVP_sha1(), NULL);
    for (size_t i = 0; i < 20; i++)
        out[i] = (char)(once[i] ^ salted[i]);
    return (struct str){out, 20};
}

static inline struct str sha2_scramble(const struct client *client, struct str password, char out[32])
{
    uint8_t once[32], text[52], salted[32];
    EVP_Digest(password.ptr, password.len, once, NULL, EVP_sha256(), NULL);
    EVP_Digest(once, 32, text, NULL, EVP_sha256(), NULL);
    memcpy(text + 32, client->nonce, 20);
    EVP_Digest(text, 52, salted, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < 32; i++)
        out[i] = (char)(once[i] ^ salted[i]);
    return (struct str){out, 32};
}

/* A client that is in, without CLIENT_DEPRECATE_EOF unless asked for. */
static inline struct client client_login(uint32_t more_capabilities)
{
    char scramble[20];
    struct client client = client_connect();
    client_take_greeting(&client);
    client_send_login(&client, 1, SOME_CAPABILITIES | more_capabilities, "admin",
                      native_scramble(&client, settings.admin_password, scramble), "mysql_native_password");
    assert_packet(&client, 2, OK_PACKET);
    return client;
}

static inline void client_command(struct client *client, enum mysql_command command, struct str argument)
{
    struct buf out;
    buf_init(&out, (size_t)256 << 20);
    buf_add_char(&out, (char)command);
    buf_add(&out, argument);
    client_send_packet(client, 0, buf_str(&out));
    buf_free(&out);
}

static inline void client_query(struct client *client, const char *text)
{
    client_command(client, MYSQL_COM_QUERY, str_from(text));
}
