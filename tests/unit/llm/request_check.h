/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold for every request that openai_request_read accepts, whatever its bytes: shared by the unit test and
 * the fuzz target. Faults abort. */
#pragma once

#include "llm/openai_request.h"

#include <stdio.h>
#include <stdlib.h>

#define RENAMED STR("\"renamed-model\"")

struct found {
    bool is_object, stream_usage, has_model;
    unsigned options, includes, models;
};

static inline void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "request_check: %s\n", what);
        abort();
    }
}

/* Reads the changed body again, by itself: not through openai_request_read. */
static inline enum json_visit found_visit(void *context, const struct json_item *item)
{
    struct found *found = context;
    if (item->closing)
        return JSON_SKIP;
    if (item->depth == 0) {
        found->is_object = item->type == JSON_OBJECT;
        return JSON_ENTER;
    }
    if (item->depth == 2 && str_eq(item->key, STR("include_usage"))) {
        found->includes++;
        found->stream_usage = item->type == JSON_TRUE;
    }
    if (item->depth == 1 && str_eq(item->key, STR("model"))) {
        found->models++;
        found->has_model = str_eq(item->raw, RENAMED);
    }
    if (item->depth != 1 || !str_eq(item->key, STR("stream_options")))
        return JSON_SKIP;
    found->options++;
    return JSON_ENTER;
}

/* Joins the pieces into memory with padding; the caller frees. */
static inline struct str apply_splices(const struct splices *splices, struct str body)
{
    struct iovec pieces[SPLICE_PIECES_MAX];
    size_t count = splices_apply(splices, body, pieces), len = 0;
    char *bytes = calloc(1, splices_length(splices, body) + JSON_PADDING);
    check(bytes != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + len, pieces[i].iov_base, pieces[i].iov_len);
        len += pieces[i].iov_len;
    }
    check(len == splices_length(splices, body), "splices_length is not the length");
    return (struct str){bytes, len};
}

/* Undoes the changes byte by byte: what is left has to be the body itself. */
static inline void check_only_splices_changed(const struct splices *splices, struct str body,
                                              struct str changed)
{
    size_t at = 0, from = 0;
    for (size_t i = 0; i < splices->count; i++) {
        const struct splice *splice = &splices->items[i];
        size_t run = splice->at - from;
        check(splice->at >= from && splice->at + splice->cut <= body.len, "splices overlap or are outside");
        check(memcmp(changed.ptr + at, body.ptr + from, run) == 0, "bytes between splices differ");
        at += run + splice->insert.len;
        from = splice->at + splice->cut;
    }
    check(str_eq(str_from_offset(changed, at), str_from_offset(body, from)),
          "bytes behind the splices differ");
}

/* Both changes, as for a stream that is sent under another model name. */
static inline void check_splices(struct json_reader *reader, const struct openai_request *req,
                                 struct str body)
{
    struct splices splices = {0};
    struct found found = {0};
    if (req->is_stream)
        openai_request_ask_usage(req, &splices);
    if (req->model_size > 0)
        openai_request_rename(req, RENAMED, &splices);
    struct str changed = apply_splices(&splices, body);
    check_only_splices_changed(&splices, body, changed);
    check(json_walk(reader, changed, found_visit, &found) == ERR_OK && found.is_object,
          "changed body is not JSON");
    if (req->is_stream) {
        check(found.options == 1 && found.includes == 1, "stream_options.include_usage stands not once");
        check(found.stream_usage, "include_usage is not true");
        check(!req->wants_usage || splices.count == (req->model_size > 0),
              "changed though the client asked itself");
    }
    if (req->model_size > 0)
        check(found.models == 1 && found.has_model, "the model is not renamed");
    free((void *)(uintptr_t)changed.ptr);
}
