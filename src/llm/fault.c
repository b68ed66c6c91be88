/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/fault.h"

#include "wire/json_write.h"

static const struct fault_row rows[FAULT_COUNT_] = {
#define FAULT(name, status_, type_, code_, message_)                                                         \
    [name] = {.status = status_,                                                                             \
              .type = {type_, sizeof(type_) - 1},                                                            \
              .code = {code_, sizeof(code_) - 1},                                                            \
              .message = {message_, sizeof(message_) - 1}},
#include "llm/fault.def"
#undef FAULT
};

const struct fault_row *fault_row(enum fault fault)
{
    ASSERT(fault > FAULT_NONE && fault < FAULT_COUNT_);
    return &rows[fault];
}

enum fault fault_of_http_status(int status)
{
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT_; fault++)
        if (rows[fault].status == status)
            return fault;
    return FAULT_BAD_HTTP;
}

void openai_error_write(struct buf *out, enum fault fault, struct str detail, struct str param)
{
    const struct fault_row *row = fault_row(fault);
    struct json_writer w;
    json_write_init(&w, out);
    json_object_begin(&w);
    json_key(&w, STR("error"));
    json_object_begin(&w);
    json_key(&w, STR("message"));
    json_string(&w, detail.len > 0 ? detail : row->message);
    json_key(&w, STR("type"));
    json_string(&w, row->type);
    json_key(&w, STR("param"));
    if (param.len > 0)
        json_string(&w, param);
    else
        json_null(&w);
    json_key(&w, STR("code"));
    json_string(&w, row->code);
    json_object_end(&w);
    json_object_end(&w);
}

void openai_error_event_write(struct buf *out, enum fault fault, struct str detail)
{
    buf_add(out, STR("data: "));
    openai_error_write(out, fault, detail, STR_NONE);
    buf_add(out, STR("\n\n"));
}
