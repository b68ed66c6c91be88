/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/arena.c src/base/assert.c src/base/buf.c src/base/str.c src/wire/mysql_login.c src/wire/mysql_packet.c src/wire/mysql_value.c */
/* clang-format on */
/* What a MySQL client may send. The first byte says what the others are: a stream of frames, which cut into pieces reads
 * as it does whole; a handshake response; a change of user; parameters of an execution; the text of a date. */
#include "wire/mysql.h"

#include <stdlib.h>

#define PACKET_MAX ((size_t)4096)
#define PARAMS_MAX 20

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static struct str exact(struct str s)
{
    char *copy = malloc(s.len > 0 ? s.len : 1);
    CHECK(copy);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

static void exact_free(struct str s)
{
    free((char *)(uintptr_t)s.ptr);
}

static bool is_within(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* ---- frames ---- */

struct frames {
    enum mysql_read last;
    size_t packets;
    struct buf payloads; /* with "|" behind each */
};

static struct frames read_frames(struct str in, size_t piece)
{
    struct frames frames = {.last = MYSQL_READ_MORE};
    struct mysql_inbound inbound;
    mysql_inbound_init(&inbound);
    buf_init(&frames.payloads, 1 << 24);
    for (size_t at = 0; at < in.len && frames.last == MYSQL_READ_MORE; at += piece) {
        struct str copy = exact((struct str){in.ptr + at, MIN(piece, in.len - at)}), rest = copy, payload;
        while ((frames.last = mysql_inbound_next(&inbound, &rest, PACKET_MAX, &payload)) ==
               MYSQL_READ_PACKET) {
            CHECK(payload.len <= PACKET_MAX);
            buf_add(&frames.payloads, payload);
            buf_add_char(&frames.payloads, '|');
            frames.packets++;
        }
        CHECK(frames.last != MYSQL_READ_MORE || rest.len == 0);
        CHECK(frames.last != MYSQL_READ_MORE || mysql_inbound_missing(&inbound) > 0);
        exact_free(copy);
    }
    mysql_inbound_fini(&inbound);
    return frames;
}

static void check_frames(struct str in)
{
    static const size_t pieces[] = {1, 2, 3, 5, 64};
    struct frames whole = read_frames(in, MAX(in.len, 1));
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct frames cut = read_frames(in, pieces[i]);
        CHECK(cut.last == whole.last && cut.packets == whole.packets);
        CHECK(str_eq(buf_str(&cut.payloads), buf_str(&whole.payloads)));
        buf_free(&cut.payloads);
    }
    buf_free(&whole.payloads);
}

/* ---- logins ---- */

static void check_login_views(const struct mysql_login *login, struct str in)
{
    CHECK(is_within(login->user, in) && is_within(login->auth, in));
    CHECK(is_within(login->database, in) && is_within(login->plugin, in));
    CHECK(login->user.len == 0 || !memchr(login->user.ptr, 0, login->user.len));
}

static void check_login(struct str in)
{
    struct mysql_login login;
    if (mysql_read_login(in, UINT32_MAX, &login) == ERR_OK)
        check_login_views(&login, in);
    if (mysql_read_login(in, MYSQL_CAN_PROTOCOL_41 | MYSQL_CAN_SECURE_CONNECTION, &login) == ERR_OK) {
        CHECK(!login.wants_tls && login.plugin.len == 0);
        check_login_views(&login, in);
    }
}

static void check_change_user(struct str in)
{
    struct mysql_login login;
    if (mysql_read_change_user(in, UINT32_MAX, &login) == ERR_OK)
        check_login_views(&login, in);
}

/* ---- executions ---- */

/* A date that was understood is one that can be sent. */
static void check_param(const struct mysql_param *param)
{
    char memory[16];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    CHECK(param->kind <= MYSQL_PARAM_DATETIME);
    if (param->kind == MYSQL_PARAM_DATETIME)
        CHECK(mysql_put_datetime(&out, param->text) && buf_ok(&out));
    if (param->kind == MYSQL_PARAM_REAL) {
        char text[MYSQL_DOUBLE_TEXT_MAX];
        CHECK(mysql_double_text(param->real, text).len < sizeof(text));
    }
}

/* Twice: the second execution may rest on the types of the first. */
static void check_params(struct str in)
{
    uint16_t types[PARAMS_MAX];
    struct mysql_param params[PARAMS_MAX];
    struct arena arena;
    if (in.len < 2)
        return;
    struct mysql_binding binding = {.count = (uint8_t)in.ptr[0] % (PARAMS_MAX + 1), .types = types};
    size_t cut = MIN((size_t)(uint8_t)in.ptr[1], in.len - 2);
    struct str parts[] = {exact((struct str){in.ptr + 2, cut}), exact(str_from_offset(in, 2 + cut))};
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t at;
        enum err err = mysql_read_params(parts[i], &binding, &arena, params, &at);
        for (size_t j = 0; err == ERR_OK && j < binding.count; j++)
            check_param(&params[j]);
        CHECK(err == ERR_OK || err == ERR_INVALID || err == ERR_LIMIT);
        CHECK(binding.count == 0 || at < binding.count);
        exact_free(parts[i]);
    }
    arena_fini(&arena);
}

static void check_datetime(struct str in)
{
    char memory[16];
    struct buf out;
    buf_init_fixed(&out, memory, sizeof(memory));
    bool is_date = mysql_put_datetime(&out, in);
    CHECK(buf_ok(&out) && is_date == (out.len > 0));
    CHECK(!is_date || out.len == (size_t)out.ptr[0] + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct str) = {check_frames, check_login, check_change_user, check_params,
                                                 check_datetime};
    if (size == 0)
        return 0;
    struct str in = exact((struct str){(const char *)data + 1, size - 1});
    checks[data[0] % ARRAY_LEN(checks)](in);
    exact_free(in);
    return 0;
}
