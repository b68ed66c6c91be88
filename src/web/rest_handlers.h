/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers that rest_routes.def names. Each is called once, when the request's body has come; it answers, or runs a
 * statement whose end goes on with it. Internal to REST. */
#pragma once

struct rest_request;

#define REST_ROUTE(path, method, handle, ...) void handle(struct rest_request *req);
#include "web/rest_routes.def"
