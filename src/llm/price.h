/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens cost: a table of well-known models, and rows of the operator's own that stand above it. Pure; whole
 * nano-dollars throughout, so that sums are exact. */
#pragma once

#include "conf/config.h"
#include "llm/usage.h"

/* The row that holds for `model` on day `today` (days since 1970-01-01, UTC), or NULL: the price is not known.
 *
 * Local rows go first: among those whose name begins the model's and that are valid, the longest name counts, and of equal
 * ones the newest. A built-in row fits its own name and that name with a '-' and more behind it ("gpt-4o-2024-08-06" is
 * gpt-4o, "gpt-4.1" is not gpt-4); the longest counts. The result lives as long as `local`, or for ever. */
const struct price_config *price_find(const struct price_config *local, size_t count, struct str model,
                                      unsigned today);

/* In nano-dollars; UINT64_MAX if it does not fit. Reasoning costs what output costs. No row costs nothing: whether a
 * price is known is the caller's to count. */
uint64_t price_cost(const struct price_config *row, const struct usage *usage);

/* The day of the built-in table, as in valid_from. */
unsigned price_table_day(void);
