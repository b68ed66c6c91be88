/* SPDX-License-Identifier: Apache-2.0 */
/* The table of providers. Constant: any thread may read it, pointers into it stay valid for ever. */
#pragma once

#include "conf/config.h"

extern const struct provider providers[];
extern const size_t provider_count;

/* NULL when there is none of that name. */
const struct provider *provider_find(struct str name);

/* The name that was probably meant; empty when none is near. */
struct str provider_suggest(struct str name);
