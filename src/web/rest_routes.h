/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that REST is made of: objects with their fields, and paths with their methods. Constant, any thread. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum rest_kind { REST_INTEGER, REST_NUMBER, REST_BOOLEAN, REST_TEXT, REST_SECRET, REST_VALUE };

enum rest_field_flag { REST_REQUIRED = 1, REST_READ_ONLY = 2, REST_HIDDEN = 4, REST_NULLABLE = 8 };

struct rest_field {
    struct str name, other_name; /* other_name may be empty */
    enum rest_kind kind;
    unsigned flags;
    struct str help;
};

enum rest_object_id {
#define REST_TABLE(id, ...) REST_OBJECT_##id,
#include "web/rest_fields.def"
    REST_OBJECT_COUNT_,
    REST_OBJECT_NONE = REST_OBJECT_COUNT_
};

#define REST_FIELDS_MAX 24 /* of one object */

struct rest_object {
    struct str title;  /* in openapi.json */
    struct str table;  /* of SQL; empty: no rows */
    struct str key;    /* column that the path names */
    struct str number; /* column that the store numbers; may be empty */
    struct str help;
    const struct rest_field *fields;
    size_t field_count;
};

enum rest_route_flag {
    REST_OPEN = 1,
    REST_LOCAL = 2,
    REST_BODY = 4,
    REST_CREATES = 8,
    REST_PAGES = 16,
    REST_LIST = 32,
    REST_ROW = 64,
    REST_METRICS = 128,
    REST_KEY_IN_QUERY = 256,
    REST_WHOLE = 512,
};

struct rest_request;

struct rest_route {
    struct str path, method;
    void (*handle)(struct rest_request *req);
    enum rest_object_id object;
    unsigned flags;
    struct str summary;
};

extern const struct rest_route rest_routes[];
extern const size_t rest_route_count;

/* NULL for REST_OBJECT_NONE. */
const struct rest_object *rest_object(enum rest_object_id id);

/* By name or other name; NULL: there is none. */
const struct rest_field *rest_field_find(const struct rest_object *object, struct str name);

/* A path that is there, and the method on it. */
struct rest_match {
    const struct rest_route *first; /* any of the path's routes; NULL: no such path */
    const struct rest_route *route; /* NULL: the path does not take the method */
    struct str part;                /* what stands for the braces, still percent-encoded */
};

/* `path` is without its query. HEAD is taken where GET is. */
struct rest_match rest_match(struct str method, struct str path);

/* "GET, HEAD, OPTIONS": the methods of a path, for the Allow field. */
void rest_allow_write(const struct rest_route *first, struct buf *out);

/* The value of `name` in a query or a form, decoded (WHATWG URL, application/x-www-form-urlencoded). False: not there. */
bool rest_query_find(struct arena *arena, struct str query, struct str name, struct str *ret_value);

/* Without percent signs (RFC 3986 section 2.1); ptr is NULL when memory is short. `plus_is_space`: as in forms. */
struct str rest_percent_decode(struct arena *arena, struct str text, bool plus_is_space);
