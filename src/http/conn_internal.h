/* SPDX-License-Identifier: Apache-2.0 */
/* What conn.c (reading) and conn_write.c (writing) say to each other; nobody else includes it. */
#pragma once

#include "http/conn.h"

/* conn_write.c: the socket takes bytes again. */
void conn_on_writable(struct http_conn *conn);

/* conn.c: the answer has gone out whole; on to the next request, or to the end. */
void conn_next(struct http_conn *conn);
