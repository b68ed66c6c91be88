/* SPDX-License-Identifier: Apache-2.0 */
/* Model lists in the OpenAI dialect: GET /v1/models, read from servers and written for clients. Pure. */
#pragma once

#include "base/arena.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

/* One model object; the caller keeps the list's frame: {"object":"list","data":[ ... ]}. */
void openai_model_write(struct json_writer *w, struct str id, struct str owner);

/* Names in a server's list, {"data":[{"id":...}]} or, as Ollama's older servers have it, {"models":[{"name":...}]}.
 * They live in `arena`. ERR_INVALID: no such list. */
MUST_USE enum err openai_models_read(struct json_reader *reader, struct str body, struct arena *arena,
                                     struct str **ret_names, size_t *ret_count);
