/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/api.h"

static const struct api_row rows[API_COUNT_] = {
#define API(name, method_, path_, flags_, text_)                                                             \
    [name] = {.method = {method_, sizeof(method_) - 1},                                                      \
              .path = {path_, sizeof(path_) - 1},                                                            \
              .flags = flags_,                                                                               \
              .text = {text_, sizeof(text_) - 1}},
#include "llm/api.def"
#undef API
};

const struct api_row *api_row(enum api api)
{
    ASSERT(api < API_COUNT_);
    return &rows[api];
}

static struct str path_of(struct str target)
{
    ssize_t query = str_find(target, STR("?"));
    if (query >= 0)
        target.len = (size_t)query;
    return target;
}

static bool path_matches(struct str pattern, struct str path)
{
    if (pattern.ptr[pattern.len - 1] != '*')
        return str_eq(pattern, path);
    struct str prefix = {pattern.ptr, pattern.len - 1};
    return str_starts(path, prefix) && path.len > prefix.len;
}

static bool method_matches(struct str wanted, struct str method)
{
    return wanted.len == 0 || str_eq(wanted, method) ||
           (str_eq(wanted, STR("GET")) && str_eq(method, STR("HEAD")));
}

enum api_found api_find(struct str method, struct str target, enum api *ret_api)
{
    struct str path = path_of(target);
    enum api first = API_COUNT_; /* of those with that path */
    for (enum api api = 0; api < API_COUNT_; api++) {
        if (!path_matches(rows[api].path, path))
            continue;
        /* A known path with another method is relayed only if it is not one that we give a meaning to. */
        bool is_catch_all = first != API_COUNT_ && rows[api].method.len == 0;
        if (!is_catch_all && method_matches(rows[api].method, method)) {
            *ret_api = api;
            return API_FOUND;
        }
        first = MIN(first, api);
    }
    if (first == API_COUNT_)
        return API_NO_PATH;
    *ret_api = first;
    return API_NO_METHOD;
}

struct str api_path_rest(enum api api, struct str target)
{
    return str_from_offset(path_of(target), rows[api].path.len - 1);
}
