/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out. A session is a cookie for browsers, and the same text a bearer token for programs. */
#include "web/rest_guard.h"
#include "web/rest_handlers.h"
#include "web/rest_request.h"

#include <openssl/crypto.h>

static bool speaks_tls(const struct rest_request *req)
{
    const struct gateway_listener *listener = req->conn->via;
    return listener->tls != NULL;
}

static void add_cookie(struct rest_request *req, struct str token, usec_t life)
{
    buf_printf(&req->fields,
               "Set-Cookie: " ADMIN_SESSION_COOKIE "=" STR_FMT
               "; Path=/; Max-Age=%llu; HttpOnly; SameSite=Strict%s\r\n",
               STR_ARG(token), (unsigned long long)(life / USEC_PER_SEC), speaks_tls(req) ? "; Secure" : "");
}

static void open_session(struct rest_request *req)
{
    struct rest *rest = req->rest;
    struct admin_credential credential;
    char token[ADMIN_TOKEN_SIZE + 1];
    if (!rest_credential(rest, &credential)) {
        rest_fail(req, 403, STR_NONE, "No admin_password is configured.");
        return;
    }
    admin_session_open(&rest->sessions, &credential, loop_now(rest->loop), token);
    add_cookie(req, (struct str){token, ADMIN_TOKEN_SIZE}, ADMIN_SESSION_LIFE);
    OPENSSL_cleanse(token, sizeof(token));
    if (!req->is_form) {
        rest_answer_ok(req);
        return;
    }
    buf_add(&req->fields, STR("Location: /\r\n")); /* a browser goes on there */
    rest_answer(req, 303, JSON_TYPE, STR("{\"status\":\"ok\"}"));
}

void rest_login_open(struct rest_request *req)
{
    usec_t wait = 0;
    switch (rest_check_login(req->rest, &req->conn->peer, req->values[0].value.text,
                             req->values[1].value.text, &wait)) {
    case REST_LOGIN_GOOD:
        open_session(req);
        break;
    case REST_LOGIN_TOO_OFTEN:
        buf_printf(&req->fields, "Retry-After: %llu\r\n",
                   (unsigned long long)((wait + USEC_PER_SEC - 1) / USEC_PER_SEC));
        rest_fail(req, 429, STR_NONE, "Too many failed logins from this address.");
        break;
    case REST_LOGIN_OFF:
        rest_fail(req, 403, STR_NONE,
                  "No admin_password is configured: the machine itself needs no login, others have none.");
        break;
    default:
        buf_add(&req->fields, STR("WWW-Authenticate: Bearer realm=\"fairlead\"\r\n"));
        rest_fail(req, 401, STR_NONE, "Wrong username or password.");
    }
}

void rest_login_close(struct rest_request *req)
{
    admin_session_close(&req->rest->sessions, req->token);
    add_cookie(req, STR(""), 0);
    rest_answer_ok(req);
}
