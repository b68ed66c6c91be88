/* SPDX-License-Identifier: Apache-2.0 */
/* The words that the simulated model says: "tok0 tok1 tok2 ...", one a token, each followed by a space, so
 * that a reader sees when one is lost, doubled or out of order. Pure. */
#pragma once

#include "base/buf.h"

/* Adds `count` words, beginning with number `first`. */
void text_add(struct buf *out, uint64_t first, uint64_t count);

/* Numbers of an embedding of `input`: multiples of 1/128 in [-1, 1), exact as float and short as text. */
float text_vector_item(uint64_t input_hash, uint64_t index);
