/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts and sessions, and the socks that drive them, two of them against each other in one loop. */
#include "../../../src/net/tls.c"

#include "base/macros.h"
#include "net/sock.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define GIVE_UP 30 /* seconds; the alarm then ends the process, whatever it waits for */
#define DAY (24 * 3600L)

static char directory[64];
/* `cert` is for localhost and 127.0.0.1 and trusts itself; `other` too; `old` has expired. */
static char cert[100], cert_key[100], other[100], other_key[100], old[100], old_key[100], junk[100],
    rsa_key[100], nowhere[100];
static char *const files[] = {cert, cert_key, other, other_key, old, old_key, junk, rsa_key};

/* Self-signed, valid from `from` to `to` seconds from now. */
static void make_certificate(const char *cert_file, const char *key_file, long from, long to)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_true(key && x509 && names);
    X509_set_version(x509, X509_VERSION_3);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const void *)"test", -1, -1,
                               0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_gmtime_adj(X509_getm_notBefore(x509), from);
    X509_gmtime_adj(X509_getm_notAfter(x509), to);
    X509_set_pubkey(x509, key);
    assert_int_equal(X509_add_ext(x509, names, -1), 1);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    FILE *to_cert = fopen(cert_file, "w"), *to_key = fopen(key_file, "w");
    assert_true(to_cert && to_key);
    assert_int_equal(PEM_write_X509(to_cert, x509), 1);
    assert_int_equal(PEM_write_PrivateKey(to_key, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(to_cert);
    fclose(to_key);
    X509_EXTENSION_free(names);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void make_rsa_key(const char *key_file)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    FILE *file = fopen(key_file, "w");
    assert_true(key && file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    EVP_PKEY_free(key);
}

static int files_begin(void **state)
{
    static const char *const names[] = {"cert", "cert_key", "other", "other_key",
                                        "old",  "old_key",  "junk",  "rsa_key"};
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the programs do: OpenSSL writes without MSG_NOSIGNAL */
    snprintf(directory, sizeof(directory), "/tmp/test_tls.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        snprintf(files[i], sizeof(cert), "%s/%s.pem", directory, names[i]);
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere.pem", directory);
    make_certificate(cert, cert_key, -DAY, DAY);
    make_certificate(other, other_key, -DAY, DAY);
    make_certificate(old, old_key, -2 * DAY, -DAY);
    make_rsa_key(rsa_key);
    FILE *file = fopen(junk, "w");
    return file && fputs("this is no certificate\n", file) >= 0 ? fclose(file) : -1;
}

static int files_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    return rmdir(directory);
}

/* ---- contexts ---- */

static void test_files(void **state)
{
    const struct {
        const char *cert, *key; /* without a key, the first is a client's CA file */
        const char *named;      /* by the message; NULL: no error */
    } rows[] = {
        {cert, cert_key, NULL},   {nowhere, cert_key, nowhere},
        {cert, nowhere, nowhere}, {junk, cert_key, junk},
        {cert, junk, junk},       {cert, other_key, other_key},
        {cert, cert, cert},       {directory, cert_key, directory},
        {cert, NULL, NULL},       {nowhere, NULL, nowhere},
        {junk, NULL, junk},       {cert_key, NULL, cert_key},
        {cert, rsa_key, rsa_key},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SSL_CTX *context = (SSL_CTX *)4711;
        char why[TLS_WHY_MAX] = "";
        enum err err = rows[i].key ? tls_server_context(rows[i].cert, rows[i].key, why, &context)
                                   : tls_client_context(rows[i].cert, true, why, &context);
        assert_int_equal(err, rows[i].named ? ERR_TLS : ERR_OK);
        assert_int_equal(ERR_peek_error(), 0); /* what is left there would spoil another connection */
        if (err == ERR_OK) {
            assert_int_equal(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
            SSL_CTX_free(context);
            continue;
        }
        assert_ptr_equal(context, (SSL_CTX *)4711); /* untouched */
        const char *at = strstr(why, rows[i].named);
        if (!at || !strstr(at, ": ") || strstr(why, "unknown reason"))
            fail_msg("does not say why, and of which file: %s", why);
    }
}

/* ---- connections ---- */

struct side {
    struct sock sock;
    enum io handshake;
    unsigned events;
};

static struct loop loop;
static struct side client, server;

static void on_event(struct sock *sock, unsigned events)
{
    struct side *side = CONTAINER_OF(sock, struct side, sock);
    if (side->handshake == IO_AGAIN)
        side->handshake = sock_handshake(sock);
    else
        side->events |= events;
}

static void on_closed(struct sock *sock)
{
    (void)sock;
}

static void side_begin(struct side *side, int fd, SSL *session)
{
    *side = (struct side){.handshake = IO_AGAIN};
    assert_non_null(session);
    assert_int_equal(sock_init(&side->sock, &loop, fd, on_event, on_closed), ERR_OK);
    sock_set_tls(&side->sock, session);
    sock_want(&side->sock, SOCK_READABLE);
    side->handshake = sock_handshake(&side->sock);
}

/* Connects the two and shakes hands until both know how it went. Contexts are given back at once: sessions
 * hold their own references. */
static void connect_to(const char *host, const char *ca, bool verify, const char *cert_file,
                       const char *key_file)
{
    char why[TLS_WHY_MAX];
    int ends[2];
    SSL_CTX *client_context, *server_context;
    assert_int_equal(tls_server_context(cert_file, key_file, why, &server_context), ERR_OK);
    assert_int_equal(tls_client_context(ca, verify, why, &client_context), ERR_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    SSL *session = SSL_new(server_context);
    assert_non_null(session);
    SSL_set_accept_state(session);
    side_begin(&server, ends[1], session);
    side_begin(&client, ends[0], tls_client_session(client_context, host));
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    while (client.handshake == IO_AGAIN || server.handshake == IO_AGAIN)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static void disconnect(void)
{
    sock_close(&client.sock);
    sock_close(&server.sock);
    loop_settle(&loop);
}

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    return loop_init(&loop) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    loop_fini(&loop);
    alarm(0);
    return 0;
}

/* The next bytes that `side` can read, up to `size`; waits for events as its owner would. */
static enum io side_read(struct side *side, void *out, size_t size, size_t *ret_n)
{
    enum io io;
    while ((io = sock_read(&side->sock, out, size, ret_n)) == IO_AGAIN)
        for (side->events = 0; !(side->events & SOCK_READABLE);)
            uv_run(&loop.uv, UV_RUN_ONCE);
    return io;
}

static void send_text(struct side *side, const char *text)
{
    struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
    size_t n;
    assert_true(sock_writev(&side->sock, &piece, 1, &n) == IO_OK && n == piece.iov_len);
}

static void assert_text(struct side *side, const char *text)
{
    char bytes[64];
    size_t n;
    assert_int_equal(side_read(side, bytes, sizeof(bytes), &n), IO_OK);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
}

static void test_certificates(void **state)
{
    const struct {
        const char *host, *ca, *cert, *key;
        bool verify;
        long verdict;
    } rows[] = {
        {"localhost", cert, cert, cert_key, true, X509_V_OK},
        {"LOCALHOST", cert, cert, cert_key, true, X509_V_OK},
        {"127.0.0.1", cert, cert, cert_key, true, X509_V_OK},
        {"other.test", cert, cert, cert_key, true, X509_V_ERR_HOSTNAME_MISMATCH},
        {"localhost.test", cert, cert, cert_key, true, X509_V_ERR_HOSTNAME_MISMATCH},
        {"test", cert, cert, cert_key, true, X509_V_ERR_HOSTNAME_MISMATCH}, /* its CN: names come first */
        {"127.0.0.2", cert, cert, cert_key, true, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"::1", cert, cert, cert_key, true, X509_V_ERR_IP_ADDRESS_MISMATCH},
        {"localhost", cert, other, other_key, true, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
        {"localhost", NULL, cert, cert_key, true, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
        {"localhost", old, old, old_key, true, X509_V_ERR_CERT_HAS_EXPIRED},
        {"other.test", NULL, old, old_key, false, X509_V_OK},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        connect_to(rows[i].host, rows[i].ca, rows[i].verify, rows[i].cert, rows[i].key);
        long verdict = SSL_get_verify_result(client.sock.tls);
        bool is_fine = rows[i].verdict == X509_V_OK;
        if (rows[i].verify && verdict != rows[i].verdict)
            fail_msg("row %zu: %s", i, X509_verify_cert_error_string(verdict));
        assert_int_equal(client.handshake, is_fine ? IO_OK : IO_FAIL);
        if (is_fine) {
            const char *name = SSL_get_servername(server.sock.tls, TLSEXT_NAMETYPE_host_name);
            bool is_numeric = rows[i].host[0] == '1'; /* of which SNI knows none (RFC 6066) */
            assert_true(is_numeric ? name == NULL : strcmp(name, rows[i].host) == 0);
            send_text(&client, "hello");
            assert_text(&server, "hello");
        }
        disconnect();
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void test_ends(void **state)
{
    char byte;
    size_t n;
    (void)state;
    connect_to("localhost", cert, true, cert, cert_key);
    send_text(&server, "all");
    sock_shutdown(&server.sock);
    assert_text(&client, "all");
    assert_int_equal(side_read(&client, &byte, 1, &n), IO_EOF);
    send_text(&client, "thanks"); /* only one direction has ended */
    assert_text(&server, "thanks");
    disconnect();
    connect_to("localhost", cert, true, cert, cert_key);
    send_text(&server, "part");
    sock_reset(&server.sock); /* says no goodbye */
    assert_text(&client, "part");
    assert_int_equal(side_read(&client, &byte, 1, &n), IO_FAIL); /* cut off: not to be taken for complete */
    disconnect();
}

/* Small pieces go as one record and arrive with one read; what a read leaves of a record, no kernel tells of.
 */
static void test_records(void **state)
{
    static char chunk[10000], got[20000];
    struct iovec pieces[] = {{"head,", 5}, {chunk, sizeof(chunk)}, {"", 0}, {",end", 4}};
    size_t n, total = 5 + sizeof(chunk) + 4;
    (void)state;
    memset(chunk, 'x', sizeof(chunk));
    connect_to("localhost", cert, true, cert, cert_key);
    send_text(&server, "hi"); /* behind the handshake's last records: all that come now are the test's own */
    assert_text(&client, "hi");
    for (size_t most = 100; most <= sizeof(got); most *= 200) {
        size_t at = 0;
        assert_true(sock_writev(&server.sock, pieces, ARRAY_LEN(pieces), &n) == IO_OK && n == total);
        for (; at < total; at += n) {
            client.events = 0;
            sock_want(&client.sock, at == 0 ? SOCK_READABLE : 0); /* and again, as one does who had to wait */
            sock_want(&client.sock, SOCK_READABLE);
            while (!(client.events &
                     SOCK_READABLE)) /* no sleep: tasks belong to a turn, and this is between two */
                uv_run(&loop.uv, UV_RUN_NOWAIT);
            assert_int_equal(sock_read(&client.sock, got + at, MIN(most, sizeof(got) - at), &n), IO_OK);
            assert_int_equal(n, MIN(most, total - at));
        }
        assert_memory_equal(got, "head,xx", 7);
        assert_memory_equal(got + total - 6, "xx,end", 6);
        assert_int_equal(sock_read(&client.sock, got, 1, &n), IO_AGAIN);
    }
    disconnect();
}

#define MUCH ((size_t)4 << 20)

static void test_back_pressure(void **state)
{
    static char sent[MUCH], got[MUCH];
    size_t written = 0, taken = 0, stalls = 0;
    (void)state;
    for (size_t i = 0; i < MUCH; i++)
        sent[i] = (char)(i * 2654435761u >> 13);
    connect_to("localhost", cert, true, cert, cert_key);
    while (taken < MUCH) {
        size_t n = 0, middle = MAX(written, MUCH / 2); /* as buffers are: where one ends does not move */
        struct iovec pieces[] = {{sent + written, middle - written}, {sent + middle, MUCH - middle}};
        enum io io = written < MUCH ? sock_writev(&server.sock, pieces, 2, &n) : IO_AGAIN;
        written += n;
        if (io == IO_OK)
            continue;
        assert_int_equal(io, IO_AGAIN);
        stalls++;
        assert_int_equal(side_read(&client, got + taken, MIN((size_t)50000, MUCH - taken), &n), IO_OK);
        taken += n;
    }
    assert_true(stalls > 1);
    assert_memory_equal(got, sent, MUCH);
    disconnect();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),   TEST(test_certificates),  TEST(test_ends),
        TEST(test_records), TEST(test_back_pressure),
    };
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
