/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_log.h"

#include "wire/json_write.h"

/* Written by hand, not by the JSON writer or printf: it is on the path of every request. Names are literals of ours,
 * values go through json_append_string. */

static void add_name(struct buf *out, struct str name)
{
    buf_add(out, STR(",\""));
    buf_add(out, name);
    buf_add(out, STR("\":"));
}

static void add_text(struct buf *out, struct str name, struct str value)
{
    if (value.len == 0)
        return;
    add_name(out, name);
    json_append_string(out, value);
}

static void add_number(struct buf *out, struct str name, uint64_t value)
{
    add_name(out, name);
    buf_add_u64(out, value);
}

void access_log_json(struct buf *out, const struct access_record *record)
{
    char text[MAX(CLOCK_TEXT_MAX, ADDRESS_TEXT_MAX)];
    buf_add(out, STR("{\"time\":\""));
    buf_add(out, (struct str){text, clock_format(record->realtime, text)});
    buf_add_char(out, '"');
    add_text(out, STR("id"), record->id);
    add_text(out, STR("client"), address_format(record->client, text));
    add_text(out, STR("method"), record->method);
    add_text(out, STR("path"), record->path);
    add_text(out, STR("api"), record->api);
    add_text(out, STR("model"), record->model);
    add_text(out, STR("user"), record->user);
    add_text(out, STR("hostgroup"), record->hostgroup);
    add_text(out, STR("server"), record->server);
    add_number(out, STR("status"), (uint64_t)record->status);
    add_name(out, STR("stream"));
    buf_add(out, record->is_stream ? STR("true") : STR("false"));
    add_number(out, STR("attempts"), record->attempts);
    add_number(out, STR("bytes_in"), record->bytes_in);
    add_number(out, STR("bytes_out"), record->bytes_out);
    add_number(out, STR("queue_us"), record->queue);
    add_number(out, STR("connect_us"), record->connect);
    add_number(out, STR("first_byte_us"), record->first_byte);
    add_number(out, STR("overhead_us"), record->overhead);
    add_number(out, STR("total_us"), record->total);
    if (record->usage.is_known) {
        add_number(out, STR("input_tokens"), record->usage.input_tokens);
        add_number(out, STR("output_tokens"), record->usage.output_tokens);
        if (record->usage.cached_tokens > 0)
            add_number(out, STR("cached_tokens"), record->usage.cached_tokens);
        if (record->usage.reasoning_tokens > 0)
            add_number(out, STR("reasoning_tokens"), record->usage.reasoning_tokens);
    }
    add_text(out, STR("error"), record->error);
    buf_add(out, STR("}\n"));
}

static void add_column(struct buf *out, struct str value)
{
    buf_add_char(out, ' ');
    if (value.len == 0) {
        buf_add_char(out, '-');
        return;
    }
    for (size_t i = 0; i < value.len; i++) /* one column stays one column, one line one line */
        buf_add_char(out, value.ptr[i] > ' ' && value.ptr[i] < 0x7f ? value.ptr[i] : '_');
}

void access_log_text(struct buf *out, const struct access_record *record)
{
    char text[MAX(CLOCK_TEXT_MAX, ADDRESS_TEXT_MAX)];
    buf_add(out, (struct str){text, clock_format(record->realtime, text)});
    add_column(out, address_format(record->client, text));
    add_column(out, record->id);
    add_column(out, record->method);
    add_column(out, record->path);
    add_column(out, record->model);
    add_column(out, record->server);
    buf_add_char(out, ' ');
    buf_add_u64(out, (uint64_t)record->status);
    buf_add(out, STR(" total="));
    buf_add_u64(out, record->total / USEC_PER_MSEC);
    buf_add(out, STR("ms queue="));
    buf_add_u64(out, record->queue / USEC_PER_MSEC);
    buf_add(out, STR("ms ttfb="));
    buf_add_u64(out, record->first_byte / USEC_PER_MSEC);
    buf_add(out, STR("ms attempts="));
    buf_add_u64(out, record->attempts);
    if (record->usage.is_known) {
        buf_add(out, STR(" tokens="));
        buf_add_u64(out, record->usage.input_tokens);
        buf_add_char(out, '/');
        buf_add_u64(out, record->usage.output_tokens);
    }
    if (record->error.len > 0)
        add_column(out, record->error);
    buf_add_char(out, '\n');
}
