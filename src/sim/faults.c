/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/faults.h"

#include <xxhash.h>

struct part_row {
    struct str word;
    size_t offset;
};

#define ROW(word, field) {{word, sizeof(word) - 1}, offsetof(struct fault, field)},

static const struct part_row number_parts[] = {
#define NUMBER(word, field, help) ROW(word, field)
#define FLAG(word, field, help)
#include "sim/faults.def"
#undef NUMBER
#undef FLAG
};

static const struct part_row flag_parts[] = {
#define NUMBER(word, field, help)
#define FLAG(word, field, help) ROW(word, field)
#include "sim/faults.def"
#undef NUMBER
#undef FLAG
};

void fault_init(struct fault *fault)
{
    *fault = (struct fault){0};
    for (size_t i = 0; i < ARRAY_LEN(number_parts); i++)
        *(uint64_t *)(void *)((char *)fault + number_parts[i].offset) = FAULT_NONE;
    fault->drip_bytes = fault->drip_millis = FAULT_NONE;
}

static bool part_flag(struct fault *fault, struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_parts); i++) {
        if (str_eq(flag_parts[i].word, word)) {
            *(bool *)((char *)fault + flag_parts[i].offset) = true;
            return true;
        }
    }
    return false;
}

/* "N:MS" */
static bool part_drip(struct fault *fault, struct str value)
{
    ssize_t colon = str_find(value, STR(":"));
    uint64_t bytes = 0;
    uint64_t millis = 0;
    if (colon < 0 || !str_to_u64((struct str){value.ptr, (size_t)colon}, &bytes) || bytes == 0 ||
        !str_to_u64(str_from_offset(value, (size_t)colon + 1), &millis))
        return false;
    fault->drip_bytes = bytes;
    fault->drip_millis = millis;
    return true;
}

static bool part_value(struct fault *fault, struct str word, struct str value)
{
    if (str_eq(word, STR("drip")))
        return part_drip(fault, value);
    for (size_t i = 0; i < ARRAY_LEN(number_parts); i++) {
        if (str_eq(number_parts[i].word, word))
            return str_to_u64(value, (uint64_t *)(void *)((char *)fault + number_parts[i].offset));
    }
    return false;
}

static bool fault_is_sensible(const struct fault *fault)
{
    const uint64_t size_max = (uint64_t)1 << 40;
    return (fault->status == FAULT_NONE || (fault->status >= 200 && fault->status <= 599)) &&
           (fault->event_bytes == FAULT_NONE || fault->event_bytes <= (uint64_t)1 << 20) &&
           (fault->body == FAULT_NONE || fault->body <= size_max) &&
           (fault->events == FAULT_NONE || fault->events <= size_max);
}

enum err fault_parse(struct str spec, struct fault *ret_fault, struct buf *why)
{
    struct fault fault;
    fault_init(&fault);
    while (spec.len > 0) {
        ssize_t comma = str_find(spec, STR(","));
        struct str part = {spec.ptr, comma < 0 ? spec.len : (size_t)comma};
        spec = str_from_offset(spec, comma < 0 ? spec.len : (size_t)comma + 1);
        part = str_trim(part);
        ssize_t equals = str_find(part, STR("="));
        struct str word = {part.ptr, equals < 0 ? part.len : (size_t)equals};
        bool known = equals < 0 ? part_flag(&fault, word)
                                : part_value(&fault, word, str_from_offset(part, (size_t)equals + 1));
        if (!known) {
            buf_printf(why, "fault \"" STR_FMT "\" is not understood", STR_ARG(part));
            return ERR_INVALID;
        }
    }
    if (!fault_is_sensible(&fault)) {
        buf_add(why, STR("fault has a number out of range"));
        return ERR_INVALID;
    }
    *ret_fault = fault;
    return ERR_OK;
}

bool fault_is_raw(const struct fault *fault)
{
    return fault->cut != FAULT_NONE || fault->reset != FAULT_NONE || fault->stall != FAULT_NONE ||
           fault->corrupt != FAULT_NONE || fault->drip_bytes != FAULT_NONE || fault->reset_after_head ||
           fault->close_after_head;
}

uint64_t fault_key(struct str id)
{
    return XXH3_64bits(id.ptr, id.len) | 1; /* never 0, which is a free slot's */
}

bool fault_tally_use(struct fault_tally *tally, uint64_t key, uint64_t times)
{
    for (size_t i = 0; i < FAULT_TALLY_SLOTS; i++) {
        size_t slot = (size_t)(key + i) % FAULT_TALLY_SLOTS;
        if (tally->keys[slot] == 0)
            tally->keys[slot] = key;
        if (tally->keys[slot] == key)
            return tally->uses[slot]++ < times;
    }
    return false;
}
