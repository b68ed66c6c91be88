/* SPDX-License-Identifier: Apache-2.0 */
/* Finds one top-level member of a JSON object that streams past, and keeps a copy of its value: how usage is
 * read from an answer of any length without holding the answer. Resumable at every byte; runs of string
 * content and nested values are passed over many bytes at a time. It does not validate: on what is not a JSON
 * object it finds nothing. */
#pragma once

#include "base/str.h"

#define JSON_SCAN_VALUE_MAX 1024

struct json_scan {
    struct str key; /* wanted, borrowed; spelled without escapes in the document */
    uint32_t depth;
    uint32_t matched; /* bytes of the key matched so far */
    uint8_t state;    /* enum in json_scan.c */
    bool in_string, escaped, capturing;
    bool found; /* value holds the whole value: the last one when the key is repeated, as soon as it begins */
    uint16_t value_len;
    char value[JSON_SCAN_VALUE_MAX]; /* longer values are not captured */
};

void json_scan_init(struct json_scan *scan, struct str key);
void json_scan_feed(struct json_scan *scan, struct str piece);

/* The value, valid as long as `scan`; empty when not (yet) found. */
struct str json_scan_value(const struct json_scan *scan);
