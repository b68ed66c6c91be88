/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask for what on the admin listener. Without a configured credential this machine may do everything and others
 * nothing; with one, everyone logs in (session cookie, the same as a bearer token, or Basic), but this machine may use
 * the routes marked REST_LOCAL without. Requests that a browser sends on behalf of a foreign page are refused. */
#pragma once

#include "web/rest.h"
#include "web/rest_routes.h"

struct rest_verdict {
    int status; /* 0: go on */
    const char *why;
    usec_t wait;      /* 429: how long */
    bool is_admin;    /* false: only what is open */
    struct str token; /* of the session that was named; a view into the head */
};

struct rest_verdict rest_guard(struct rest *rest, const struct http_conn *conn, const struct http_head *head,
                               const struct rest_route *route);

/* The credential in force; false: none is configured. */
bool rest_credential(struct rest *rest, struct admin_credential *ret_credential);

enum rest_login { REST_LOGIN_GOOD, REST_LOGIN_BAD, REST_LOGIN_TOO_OFTEN, REST_LOGIN_OFF };

/* Checks name and password against the settings, within the limit of attempts. *ret_wait: TOO_OFTEN. May take tens of
 * milliseconds. */
enum rest_login rest_check_login(struct rest *rest, const struct address *peer, struct str username,
                                 struct str password, usec_t *ret_wait);

/* This machine itself, not somebody behind a proxy on it. */
bool rest_is_local(const struct http_conn *conn, const struct http_head *head);

/* Whether a Host field can only mean this machine. A page whose name was pointed here (DNS rebinding) sends that name; it
 * has no session, so this matters where none is asked for. */
bool rest_is_our_name(struct str host, struct str listener_name);
