/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of single JSON tokens, where json_read has to be exact and its library is not. Pure. */
#pragma once

#include "base/str.h"

/* Whether all of `token` is a number by the grammar of RFC 8259 section 6. */
bool json_token_is_number(struct str token);

/* Writes what `escaped`, a string's bytes without its quotes, stands for to `out`, which has room for
 * escaped.len bytes: no escape is shorter than what it stands for. Lone surrogates become U+FFFD. False, and
 * *ret_len untouched, when an escape is bad. */
MUST_USE bool json_token_unescape(struct str escaped, char *out, size_t *ret_len);
