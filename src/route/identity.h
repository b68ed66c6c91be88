/* SPDX-License-Identifier: Apache-2.0 */
/* Who clients are: users and their keys of one configuration, indexed. Immutable after identities_init; any thread. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"

struct identities {
    const struct config *config;
    uint32_t *users, *keys; /* open addressing: position in the configuration + 1; 0 is free */
    size_t user_mask, key_mask;
};

MUST_USE enum err identities_init(struct identities *identities, const struct config *config, struct arena *arena);

/* NULL when there is none of that name. */
const struct user_config *identity_user(const struct identities *identities, struct str name);

/* The key's user; NULL for a key that is unknown or not active. The user may be inactive. */
const struct user_config *identity_of_key(const struct identities *identities,
                                          const uint8_t digest[API_KEY_DIGEST_SIZE]);
