/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of a complete head mean for the message: the half of http1.h that knows field names. Only
 * http1.c calls these. */
#pragma once

#include "wire/http1.h"

/* Sets framing, content_length, keep_alive, expect_continue and names_hop_by_hop from the fields, whose names
 * have been checked to be tokens. `authority`: of a target in absolute-form, which Host has to equal; else
 * STR_NONE. */
MUST_USE enum http_parse http_request_fields_apply(struct http_head *head, struct str authority);
MUST_USE enum http_parse http_response_fields_apply(struct http_head *head, bool to_head);
