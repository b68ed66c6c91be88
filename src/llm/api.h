/* SPDX-License-Identifier: Apache-2.0 */
/* What a method and path of the inference listener ask for. */
#pragma once

#include "base/str.h"

enum api_flag {
    API_READS_JSON = 1,      /* a JSON body is looked into for model, stream and user */
    API_NEEDS_MODEL = 2,     /* and is refused without a model */
    API_TELLS_USAGE = 4,     /* its streams know stream_options.include_usage */
    API_ENDS_WITH_DONE = 8,  /* its streams end with a finish_reason and [DONE] */
    API_ANSWERS_ITSELF = 16, /* answered from memory, no server is asked */
    API_IS_OPEN = 32,        /* no credentials asked for */
};

enum api {
#define API(name, ...) name,
#include "llm/api.def"
#undef API
    API_COUNT_
};

struct api_row {
    struct str method, path;
    unsigned flags;
    struct str text;
};

const struct api_row *api_row(enum api api);

enum api_found {
    API_FOUND,
    API_NO_PATH,
    API_NO_METHOD, /* the path exists, not with this method */
};

/* `target` may carry a query, which does not count. HEAD is taken where GET is. With API_NO_METHOD *ret_api is the API
 * that the path belongs to. */
MUST_USE enum api_found api_find(struct str method, struct str target, enum api *ret_api);

/* What stands in the place of the path's asterisk, query cut off. */
struct str api_path_rest(enum api api, struct str target);
