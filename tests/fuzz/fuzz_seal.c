/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a sealed text or a hash: nothing opens but what was sealed, which always does; what counts as a hash is
 * of bounded cost. */
#include "store/seal.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static const struct seal seal = {.key = {1, 2, 3}, .old_key = {4, 5, 6}, .has_old_key = true};

static void check_round_trip(struct str plain)
{
    struct buf sealed, opened;
    bool is_old = true;
    buf_init(&sealed, 1 << 20);
    buf_init(&opened, 1 << 20);
    CHECK(seal_close(&seal, plain, &sealed) == ERR_OK);
    CHECK(seal_is_sealed(buf_str(&sealed)));
    CHECK(seal_open(&seal, buf_str(&sealed), &opened, &is_old) == ERR_OK && !is_old);
    CHECK(str_eq(buf_str(&opened), plain));
    buf_free(&sealed);
    buf_free(&opened);
}

/* No input can be known to the keys, so none may open. */
static void check_forged(struct str text)
{
    struct buf sealed, opened;
    buf_init(&sealed, 1 << 20);
    buf_init(&opened, 1 << 20);
    buf_add(&sealed, STR(SEAL_PREFIX));
    buf_add(&sealed, text);
    CHECK(seal_open(&seal, buf_str(&sealed), &opened, NULL) == ERR_INVALID && opened.len == 0);
    buf_free(&sealed);
    buf_free(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    char mask[SECRET_MASK_MAX];
    uint8_t digest[KEY_DIGEST_SIZE];
    if (size > 65536)
        return 0;
    check_round_trip(text);
    check_forged(text);
    CHECK(secret_mask(text, mask).len <= 11);
    key_digest(&seal, text, digest);
    CHECK(!password_is_hash(text) || size < 256);
    return 0;
}
