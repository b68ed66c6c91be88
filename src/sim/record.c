/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/record.h"

#include <openssl/sha.h>

#define SLOT_MAX (RECORD_BODY_MAX + ((size_t)256 << 10))

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"under_way", "completed", "cancelled", "faulted"};
    return names[outcome];
}

void recorder_init(struct recorder *recorder)
{
    *recorder = (struct recorder){.oldest = 1};
    for (size_t i = 0; i < RECORD_SLOTS; i++)
        buf_init(&recorder->slots[i].bytes, SLOT_MAX);
}

static void record_forget(struct recorder *recorder, struct record *record)
{
    recorder->kept_bytes -= record->bytes.cap;
    buf_free(&record->bytes);
    record->number = 0;
}

void recorder_fini(struct recorder *recorder)
{
    for (size_t i = 0; i < RECORD_SLOTS; i++)
        record_forget(recorder, &recorder->slots[i]);
}

void recorder_clear(struct recorder *recorder)
{
    recorder_fini(recorder);
    recorder->oldest = recorder->last + 1;
}

static struct record *record_find(struct recorder *recorder, uint64_t number)
{
    struct record *record = &recorder->slots[number % RECORD_SLOTS];
    return number > 0 && record->number == number ? record : NULL;
}

static void recorder_shrink(struct recorder *recorder)
{
    while (recorder->kept_bytes > RECORD_TOTAL_MAX && recorder->oldest < recorder->last) {
        struct record *record = record_find(recorder, recorder->oldest++);
        if (record)
            record_forget(recorder, record);
    }
}

/* Fields are kept as lengths and bytes: reading them again needs no parser. */
static void fields_add(struct buf *out, const struct http_head *head)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        const uint32_t lengths[2] = {(uint32_t)field->name.len, (uint32_t)field->value.len};
        buf_add(out, (struct str){(const char *)lengths, sizeof(lengths)});
        buf_add(out, field->name);
        buf_add(out, field->value);
    }
}

uint64_t record_head(struct recorder *recorder, const struct http_head *head, usec_t at)
{
    uint64_t number = ++recorder->last;
    struct record *record = &recorder->slots[number % RECORD_SLOTS];
    struct buf *bytes = &record->bytes;
    if (number >= RECORD_SLOTS)
        recorder->oldest = MAX(recorder->oldest, number - RECORD_SLOTS + 1);
    recorder->kept_bytes -= bytes->cap;
    buf_clear(bytes);
    buf_add(bytes, head->method);
    buf_add(bytes, head->target);
    fields_add(bytes, head);
    recorder->kept_bytes += bytes->cap;
    record->number = buf_ok(bytes) ? number : 0;
    record->at = at;
    record->outcome = OUTCOME_UNDER_WAY;
    record->method_len = (uint32_t)head->method.len;
    record->target_len = (uint32_t)head->target.len;
    record->fields_len = (uint32_t)(bytes->len - head->method.len - head->target.len);
    record->body_len = 0;
    recorder_shrink(recorder);
    return record->number;
}

void record_body(struct recorder *recorder, uint64_t number, struct str body)
{
    struct record *record = record_find(recorder, number);
    if (!record)
        return;
    recorder->kept_bytes -= record->bytes.cap;
    buf_add(&record->bytes, (struct str){body.ptr, MIN(body.len, RECORD_BODY_MAX)});
    recorder->kept_bytes += record->bytes.cap;
    record->body_len = body.len;
    if (body.len > RECORD_BODY_MAX)
        SHA256((const unsigned char *)body.ptr, body.len, record->digest);
    recorder_shrink(recorder);
}

void record_outcome(struct recorder *recorder, uint64_t number, enum outcome outcome)
{
    struct record *record = record_find(recorder, number);
    if (record)
        record->outcome = outcome;
}

static struct str take(struct str *io_bytes, size_t len)
{
    struct str taken = {io_bytes->ptr, len};
    *io_bytes = str_from_offset(*io_bytes, len);
    return taken;
}

static void fields_write(struct str fields, struct json_writer *out)
{
    json_array_begin(out);
    while (fields.len > 0) {
        uint32_t lengths[2];
        memcpy(lengths, take(&fields, sizeof(lengths)).ptr, sizeof(lengths));
        json_array_begin(out);
        json_string(out, take(&fields, lengths[0]));
        json_string(out, take(&fields, lengths[1]));
        json_array_end(out);
    }
    json_array_end(out);
}

static void digest_write(const struct record *record, struct str kept_body, struct json_writer *out)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char text[2 * sizeof(digest)];
    if (record->body_len > RECORD_BODY_MAX)
        memcpy(digest, record->digest, sizeof(digest));
    else
        SHA256((const unsigned char *)kept_body.ptr, kept_body.len, digest);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    json_string(out, (struct str){text, sizeof(text)});
}

static void record_write(const struct record *record, struct json_writer *out)
{
    struct str bytes = buf_str(&record->bytes);
    json_object_begin(out);
    json_key(out, STR("number"));
    json_u64(out, record->number);
    json_key(out, STR("arrival_us"));
    json_u64(out, record->at);
    json_key(out, STR("outcome"));
    json_string(out, str_from(outcome_name(record->outcome)));
    json_key(out, STR("method"));
    json_string(out, take(&bytes, record->method_len));
    json_key(out, STR("target"));
    json_string(out, take(&bytes, record->target_len));
    json_key(out, STR("headers"));
    fields_write(take(&bytes, record->fields_len), out);
    json_key(out, STR("body_length"));
    json_u64(out, record->body_len);
    json_key(out, STR("body_sha256"));
    digest_write(record, bytes, out);
    json_key(out, STR("body"));
    json_string(out, bytes);
    json_object_end(out);
}

void recorder_write(const struct recorder *recorder, uint64_t count, struct json_writer *out)
{
    uint64_t first = recorder->last >= count ? recorder->last - count + 1 : 1;
    first = MAX(first, recorder->oldest);
    json_array_begin(out);
    for (uint64_t number = first; number <= recorder->last; number++) {
        const struct record *record = &recorder->slots[number % RECORD_SLOTS];
        if (record->number == number)
            record_write(record, out);
    }
    json_array_end(out);
}
