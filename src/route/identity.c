/* SPDX-License-Identifier: Apache-2.0 */
#include "route/identity.h"

#include <xxhash.h>

static size_t slots_for(size_t count)
{
    size_t slots = 8;
    while (slots < 2 * count)
        slots *= 2;
    return slots;
}

static uint64_t hash_of_digest(const uint8_t *digest)
{
    uint64_t hash; /* as good as random already */
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

static void put(uint32_t *index, size_t mask, uint64_t hash, size_t position)
{
    size_t at = hash & mask;
    while (index[at] != 0)
        at = (at + 1) & mask;
    index[at] = (uint32_t)position + 1;
}

enum err identities_init(struct identities *identities, const struct config *config, struct arena *arena)
{
    size_t user_slots = slots_for(config->user_count), key_slots = slots_for(config->api_key_count);
    *identities = (struct identities){
        .config = config,
        .users = ARENA_NEW_ARRAY(arena, uint32_t, user_slots),
        .keys = ARENA_NEW_ARRAY(arena, uint32_t, key_slots),
        .user_mask = user_slots - 1,
        .key_mask = key_slots - 1,
    };
    if (!identities->users || !identities->keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->user_count; i++) {
        struct str name = config->users[i].name;
        put(identities->users, identities->user_mask, XXH3_64bits(name.ptr, name.len), i);
    }
    for (size_t i = 0; i < config->api_key_count; i++)
        put(identities->keys, identities->key_mask, hash_of_digest(config->api_keys[i].digest), i);
    return ERR_OK;
}

const struct user_config *identity_user(const struct identities *identities, struct str name)
{
    if (identities->config->user_count == 0)
        return NULL;
    size_t at = XXH3_64bits(name.ptr, name.len) & identities->user_mask;
    for (; identities->users[at] != 0; at = (at + 1) & identities->user_mask) {
        const struct user_config *user = &identities->config->users[identities->users[at] - 1];
        if (str_eq(user->name, name))
            return user;
    }
    return NULL;
}

const struct user_config *identity_of_key(const struct identities *identities,
                                          const uint8_t digest[API_KEY_DIGEST_SIZE])
{
    size_t at = hash_of_digest(digest) & identities->key_mask;
    for (; identities->keys[at] != 0; at = (at + 1) & identities->key_mask) {
        const struct api_key_config *key = &identities->config->api_keys[identities->keys[at] - 1];
        if (memcmp(key->digest, digest, API_KEY_DIGEST_SIZE) == 0)
            return key->is_active ? &identities->config->users[key->user] : NULL;
    }
    return NULL;
}
