/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/render.h"

#include "sim/text.h"

#include <openssl/evp.h>
#include <xxhash.h>

#define DIMENSIONS_MAX 8192

struct embedding_list {
    struct sim_request *req;
    struct buf *out;
    uint64_t dimensions;
    bool has_items;
};

static void vector_add_numbers(struct buf *out, uint64_t hash, uint64_t dimensions)
{
    buf_add_char(out, '[');
    for (uint64_t i = 0; i < dimensions; i++)
        buf_printf(out, i == 0 ? "%.9g" : ",%.9g", (double)text_vector_item(hash, i));
    buf_add_char(out, ']');
}

/* Little-endian float32 in base64. */
static void vector_add_base64(struct buf *out, uint64_t hash, uint64_t dimensions)
{
    float vector[DIMENSIONS_MAX];
    for (uint64_t i = 0; i < dimensions; i++)
        vector[i] = text_vector_item(hash, i);
    size_t size = (size_t)dimensions * sizeof(float);
    buf_add_char(out, '"');
    if (!buf_reserve(out, (size + 2) / 3 * 4 + 1)) /* + 1: the encoder terminates */
        return;
    int len = EVP_EncodeBlock((unsigned char *)out->ptr + out->len, (const unsigned char *)vector, (int)size);
    out->len += (size_t)len;
    buf_add_char(out, '"');
}

static void embedding_add(void *context, size_t index, struct str json)
{
    struct embedding_list *list = context;
    uint64_t hash = XXH3_64bits(json.ptr, json.len);
    buf_add(list->out, list->has_items ? STR(",{\"object\":\"embedding\",\"index\":")
                                       : STR("{\"object\":\"embedding\",\"index\":"));
    list->has_items = true;
    buf_add_u64(list->out, index);
    buf_add(list->out, STR(",\"embedding\":"));
    if (list->req->ask.base64)
        vector_add_base64(list->out, hash, list->dimensions);
    else
        vector_add_numbers(list->out, hash, list->dimensions);
    buf_add_char(list->out, '}');
}

void render_embeddings(struct sim_request *req, struct str body, struct buf *out)
{
    uint64_t dimensions = req->ask.dimensions > 0 ? req->ask.dimensions : req->sim->settings.dimensions;
    struct embedding_list list = {.req = req, .out = out, .dimensions = MIN(dimensions, DIMENSIONS_MAX)};
    buf_add(out, STR("{\"object\":\"list\",\"data\":["));
    if (ask_each_input(req->sim->reader, body, embedding_add, &list) != ERR_OK)
        out->failed = true; /* it was read before: only memory can be short */
    buf_add(out, STR("],\"model\":\""));
    buf_add(out, req->ask.model);
    buf_printf(out, "\",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
               (unsigned long long)req->prompt_tokens, (unsigned long long)req->prompt_tokens);
}
