/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>

static enum err tls_fail(SSL_CTX *context, const char *what, const char *file, char *why)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(why, TLS_WHY_MAX, "%s%s%s: %s", what, file ? " " : "", file ? file : "",
             reason ? reason : "unknown reason");
    ERR_clear_error();
    SSL_CTX_free(context);
    return ERR_TLS;
}

static SSL_CTX *tls_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* 14 instead of 47 KB a connection: buffers exist only while they hold something. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

enum err tls_server_context(const char *cert_file, const char *key_file, char *why, SSL_CTX **ret_context)
{
    SSL_CTX *context = tls_context(TLS_server_method());
    if (!context)
        return tls_fail(NULL, "cannot make a TLS context", NULL, why);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        return tls_fail(context, "cannot use certificate", cert_file, why);
    /* The first lets a key pass that is of another kind than the certificate's. */
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return tls_fail(context, "cannot use private key", key_file, why);
    *ret_context = context;
    return ERR_OK;
}

enum err tls_client_context(const char *ca_file, bool verify, char *why, SSL_CTX **ret_context)
{
    SSL_CTX *context = tls_context(TLS_client_method());
    if (!context)
        return tls_fail(NULL, "cannot make a TLS context", NULL, why);
    if (ca_file && SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        return tls_fail(context, "cannot use CA file", ca_file, why);
    if (!ca_file)
        SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    *ret_context = context;
    return ERR_OK;
}

SSL *tls_client_session(SSL_CTX *context, const char *host)
{
    SSL *session = SSL_new(context);
    if (!session)
        return NULL;
    struct in6_addr address;
    bool numeric = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    bool named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1
                         : SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, host) == 1;
    if (!named) {
        SSL_free(session);
        return NULL;
    }
    SSL_set_connect_state(session);
    return session;
}
