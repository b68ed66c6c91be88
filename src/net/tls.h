/* SPDX-License-Identifier: Apache-2.0 */
/* TLS by OpenSSL: contexts for listeners and for connections to servers. Sessions are driven by struct sock. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <openssl/ssl.h>

/* A listener's context. TLS 1.2 at least. On failure `why` (at least TLS_WHY_MAX bytes) says what OpenSSL said and of
 * which file. The caller frees it with SSL_CTX_free; sessions hold their own reference. */
#define TLS_WHY_MAX 256
MUST_USE enum err tls_server_context(const char *cert_file, const char *key_file, char *why,
                                     SSL_CTX **ret_context);

/* For connections to servers. Verifies the peer against `ca_file` (NULL: the system's store) unless told not to. */
MUST_USE enum err tls_client_context(const char *ca_file, bool verify, char *why, SSL_CTX **ret_context);

/* A client session for `host`: SNI, and the name (or numeric address) that the certificate must carry.
 * NULL when memory is short. */
MUST_USE SSL *tls_client_session(SSL_CTX *context, const char *host);
