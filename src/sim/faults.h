/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong on purpose: "status=503,retry-after=2,times=2". Pure, but for the tally of `times`. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define FAULT_NONE UINT64_MAX

/* Numbers are FAULT_NONE when not given. Raw bytes are those of the answer on the wire, heads and framing
 * included. */
struct fault {
#define NUMBER(word, field, help) uint64_t field;
#define FLAG(word, field, help) bool field;
#include "sim/faults.def"
#undef NUMBER
#undef FLAG
    uint64_t drip_bytes, drip_millis; /* "drip=N:MS" */
};

/* Nothing goes wrong. */
void fault_init(struct fault *fault);

/* ERR_INVALID: `why` names the part that is not understood. An empty `spec` is no fault. */
MUST_USE enum err fault_parse(struct str spec, struct fault *ret_fault, struct buf *why);

/* Whether the bytes of the answer have to pass one by one under the fault's eyes. */
bool fault_is_raw(const struct fault *fault);

/* How often each fault with `times` has been used. Zeroed to begin. */
#define FAULT_TALLY_SLOTS 4096

struct fault_tally {
    uint64_t keys[FAULT_TALLY_SLOTS]; /* 0: free */
    uint64_t uses[FAULT_TALLY_SLOTS];
};

/* Under what uses are counted: of an x-sim-fault-id, or of the fault's text. */
uint64_t fault_key(struct str id);

/* Counts one use under `key`; false when there were `times` before, or the tally is full. */
bool fault_tally_use(struct fault_tally *tally, uint64_t key, uint64_t times);
