/* SPDX-License-Identifier: Apache-2.0 */
/* Client keys are hashed once a request: SHA-256 without the allocations of the newer interface. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define SEALED_TEXT_MAX ((size_t)1 << 20) /* bytes of a plain text */
#define KEY_FILE_SIZE (2 * SEAL_KEY_SIZE) /* hexadecimal digits, and the end of the line */
#define SHA256_BLOCK 64

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Without randomness nothing here is safe; OpenSSL's generator fails only when the kernel's does. */
static void random_bytes(uint8_t *out, size_t count)
{
    int good = RAND_bytes(out, (int)count);
    ASSERT(good == 1);
}

/* ---- key files ---- */

struct key_file {
    char path[PATH_MAX];
    char *why;
};

static enum err key_file_error(const struct key_file *file, const char *reason)
{
    snprintf(file->why, SEAL_WHY_MAX, "key file %.300s: %s", file->path, reason);
    return ERR_SYSTEM;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(const char *text, uint8_t key[SEAL_KEY_SIZE])
{
    for (size_t i = 0; i < SEAL_KEY_SIZE; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum err read_key(const struct key_file *file, int fd, uint8_t key[SEAL_KEY_SIZE])
{
    struct stat status;
    char text[KEY_FILE_SIZE + 2];
    if (fstat(fd, &status) != 0)
        return key_file_error(file, strerror(errno));
    if ((status.st_mode & 077) != 0)
        return key_file_error(file, "others can read it; it has to have mode 0600");
    ssize_t len = read(fd, text, sizeof(text));
    if (len < 0)
        return key_file_error(file, strerror(errno));
    bool is_key = len == KEY_FILE_SIZE + 1 && text[KEY_FILE_SIZE] == '\n' && parse_key(text, key);
    OPENSSL_cleanse(text, sizeof(text));
    return is_key
               ? ERR_OK
               : key_file_error(file, "does not hold a key: 64 hexadecimal digits and the end of the line");
}

static bool write_all(int fd, const char *text, size_t len)
{
    return write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

static bool sync_folder(struct str folder)
{
    int fd = open(folder.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* Under another name first: a crash leaves a whole key or none. What an earlier one has left is of no use to anybody. */
static enum err make_key(const struct key_file *file, struct str folder, uint8_t key[SEAL_KEY_SIZE])
{
    char text[KEY_FILE_SIZE + 2], path[PATH_MAX + 4];
    random_bytes(key, SEAL_KEY_SIZE);
    for (size_t i = 0; i < SEAL_KEY_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    memcpy(text + KEY_FILE_SIZE, "\n", 2);
    snprintf(path, sizeof(path), "%s.new", file->path);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, text, KEY_FILE_SIZE + 1);
    int reason = errno;
    OPENSSL_cleanse(text, sizeof(text));
    if (fd >= 0)
        close(fd);
    if (!good || rename(path, file->path) != 0 || !sync_folder(folder))
        return key_file_error(file, strerror(good ? errno : reason));
    return ERR_OK;
}

/* `may_make`: otherwise ERR_NOT_FOUND when it is missing. */
static enum err load_key_file(struct str folder, const char *name, bool may_make, uint8_t key[SEAL_KEY_SIZE],
                              char *why)
{
    struct key_file file = {.why = why};
    int len = snprintf(file.path, sizeof(file.path), "%.*s/%s", STR_ARG(folder), name);
    if (len < 0 || (size_t)len >= sizeof(file.path))
        return key_file_error(&file, strerror(ENAMETOOLONG));
    int fd = open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return may_make ? make_key(&file, folder, key) : ERR_NOT_FOUND;
    if (fd < 0)
        return key_file_error(&file, strerror(errno));
    enum err err = read_key(&file, fd, key);
    close(fd);
    return err;
}

/* ---- keys of the process ---- */

static enum err use_passphrase(const char *setting, struct str passphrase, uint8_t key[SEAL_KEY_SIZE],
                               char *why)
{
    if (passphrase.len < SEAL_PASSPHRASE_MIN) {
        snprintf(why, SEAL_WHY_MAX, "%s: the passphrase has %zu bytes, it has to have at least %d", setting,
                 passphrase.len, SEAL_PASSPHRASE_MIN);
        return ERR_INVALID;
    }
    SHA256((const uint8_t *)passphrase.ptr, passphrase.len, key);
    return ERR_OK;
}

/* Who sets a passphrase for the first time has rows under the key file still. */
static enum err find_old_key(struct seal *seal, struct str data_dir, struct str passphrase,
                             struct str old_passphrase, char *why)
{
    enum err err = ERR_NOT_FOUND;
    if (old_passphrase.len > 0)
        err = use_passphrase("api_key_encryption_key_old", old_passphrase, seal->old_key, why);
    else if (passphrase.len > 0)
        err = load_key_file(data_dir, "secret.key", false, seal->old_key, why);
    seal->has_old_key = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err seal_init(struct seal *seal, struct str data_dir, struct str passphrase, struct str old_passphrase,
                   char *why)
{
    enum err err;
    *seal = (struct seal){0};
    if (passphrase.len > 0)
        err = use_passphrase("api_key_encryption_key", passphrase, seal->key, why);
    else
        err = load_key_file(data_dir, "secret.key", true, seal->key, why);
    if (err == ERR_OK)
        err = find_old_key(seal, data_dir, passphrase, old_passphrase, why);
    if (err == ERR_OK)
        err = load_key_file(data_dir, "digest.key", true, seal->digest_key, why);
    if (err != ERR_OK)
        seal_fini(seal);
    return err;
}

void seal_fini(struct seal *seal)
{
    OPENSSL_cleanse(seal, sizeof(*seal));
}

/* ---- AES-256-GCM ---- */

bool seal_is_sealed(struct str text)
{
    return str_starts(text, STR(SEAL_PREFIX));
}

static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t *key, struct str plain, uint8_t *packed)
{
    uint8_t *text = packed + NONCE_SIZE;
    int len = 0, rest = 0;
    random_bytes(packed, NONCE_SIZE);
    return EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, packed) == 1 &&
           EVP_EncryptUpdate(context, text, &len, (const uint8_t *)plain.ptr, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(context, text + len, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, text + plain.len) == 1;
}

/* False: another key, or not as it was sealed. */
static bool decrypt(EVP_CIPHER_CTX *context, const uint8_t *key, uint8_t *packed, size_t size, uint8_t *plain)
{
    size_t text_len = size - NONCE_SIZE - TAG_SIZE;
    uint8_t *text = packed + NONCE_SIZE;
    int len = 0, rest = 0;
    return EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, packed) == 1 &&
           EVP_DecryptUpdate(context, plain, &len, text, (int)text_len) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, text + text_len) == 1 &&
           EVP_DecryptFinal_ex(context, plain + len, &rest) == 1;
}

enum err seal_close(const struct seal *seal, struct str plain, struct buf *out)
{
    size_t size = NONCE_SIZE + plain.len + TAG_SIZE;
    size_t text_size = (size + 2) / 3 * 4;
    if (plain.len > SEALED_TEXT_MAX)
        return ERR_LIMIT;
    uint8_t *packed = malloc(size);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    enum err err = ERR_NO_MEMORY;
    /* One byte more: OpenSSL ends the text with a NUL. */
    if (packed && context && buf_reserve(out, sizeof(SEAL_PREFIX) + text_size) &&
        encrypt(context, seal->key, plain, packed)) {
        buf_add(out, STR(SEAL_PREFIX));
        EVP_EncodeBlock((uint8_t *)out->ptr + out->len, packed, (int)size);
        out->len += text_size;
        err = ERR_OK;
    }
    EVP_CIPHER_CTX_free(context);
    free(packed);
    return err;
}

/* Strict, as there is one way to write a byte sequence: OpenSSL's reader lets spaces and stray '=' pass. */
static bool base64_is_valid(struct str text)
{
    size_t padding = 0;
    if (text.len == 0 || text.len % 4 != 0)
        return false;
    while (padding < 2 && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len - padding; i++)
        if (!text.ptr[i] || !strchr(base64_digits, text.ptr[i]))
            return false;
    return true;
}

static size_t base64_decode(struct str text, uint8_t *out)
{
    int len = EVP_DecodeBlock(out, (const uint8_t *)text.ptr, (int)text.len);
    if (len < 0)
        return 0;
    return (size_t)len - (text.ptr[text.len - 1] == '=') - (text.ptr[text.len - 2] == '=');
}

/* Tries the new key, then the old one; `plain` has room for what was sealed. */
static enum err open_packed(const struct seal *seal, uint8_t *packed, size_t size, uint8_t *plain,
                            bool *is_old)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context)
        return ERR_NO_MEMORY;
    bool opened = decrypt(context, seal->key, packed, size, plain);
    *is_old = !opened && seal->has_old_key;
    if (*is_old)
        opened = decrypt(context, seal->old_key, packed, size, plain);
    EVP_CIPHER_CTX_free(context);
    return opened ? ERR_OK : ERR_INVALID;
}

/* Appends what `packed` holds. */
static enum err unpack(const struct seal *seal, uint8_t *packed, size_t size, struct buf *out, bool *is_old)
{
    if (size < NONCE_SIZE + TAG_SIZE)
        return ERR_INVALID;
    size_t plain_len = size - NONCE_SIZE - TAG_SIZE;
    if (!buf_reserve(out, plain_len + 1))
        return ERR_NO_MEMORY;
    enum err err = open_packed(seal, packed, size, (uint8_t *)out->ptr + out->len, is_old);
    if (err == ERR_OK)
        out->len += plain_len;
    return err;
}

static enum err open_sealed(const struct seal *seal, struct str text, struct buf *out, bool *is_old)
{
    if (!base64_is_valid(text) || text.len > 2 * SEALED_TEXT_MAX)
        return ERR_INVALID;
    uint8_t *packed = malloc(text.len);
    if (!packed)
        return ERR_NO_MEMORY;
    enum err err = unpack(seal, packed, base64_decode(text, packed), out, is_old);
    free(packed);
    return err;
}

enum err seal_open(const struct seal *seal, struct str text, struct buf *out, bool *ret_is_old)
{
    bool is_old = false;
    enum err err = ERR_OK;
    if (seal_is_sealed(text)) {
        err = open_sealed(seal, str_from_offset(text, sizeof(SEAL_PREFIX) - 1), out, &is_old);
    } else {
        buf_add(out, text);
        err = buf_ok(out) ? ERR_OK : ERR_NO_MEMORY;
    }
    if (err == ERR_OK && ret_is_old)
        *ret_is_old = is_old;
    return err;
}

/* ---- what may be shown, and client keys ---- */

struct str secret_mask(struct str secret, char out[SECRET_MASK_MAX])
{
    int len;
    if (secret.len <= 8)
        len = snprintf(out, SECRET_MASK_MAX, "****");
    else
        len = snprintf(out, SECRET_MASK_MAX, "%.4s...%.4s", secret.ptr, secret.ptr + secret.len - 4);
    return (struct str){out, (size_t)len};
}

/* RFC 2104; the key is shorter than a block. */
void key_digest(const struct seal *seal, struct str key, uint8_t out[KEY_DIGEST_SIZE])
{
    SHA256_CTX hash;
    uint8_t inner[SHA256_BLOCK], outer[SHA256_BLOCK];
    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        uint8_t byte = i < SEAL_KEY_SIZE ? seal->digest_key[i] : 0;
        inner[i] = byte ^ 0x36;
        outer[i] = byte ^ 0x5c;
    }
    SHA256_Init(&hash);
    SHA256_Update(&hash, inner, sizeof(inner));
    SHA256_Update(&hash, key.ptr, key.len);
    SHA256_Final(out, &hash);
    SHA256_Init(&hash);
    SHA256_Update(&hash, outer, sizeof(outer));
    SHA256_Update(&hash, out, KEY_DIGEST_SIZE);
    SHA256_Final(out, &hash);
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
    OPENSSL_cleanse(&hash, sizeof(hash));
}

void client_key_make(char out[CLIENT_KEY_SIZE + 1])
{
    uint8_t random[CLIENT_KEY_SIZE - 3];
    random_bytes(random, sizeof(random));
    memcpy(out, "fl-", 3);
    /* Six bits of each byte, so every character is as likely; those that need quoting nowhere. */
    for (size_t i = 0; i < sizeof(random); i++) {
        char digit = base64_digits[random[i] & 63];
        out[3 + i] = digit == '+' ? '-' : digit == '/' ? '_' : digit;
    }
    out[CLIENT_KEY_SIZE] = '\0';
    OPENSSL_cleanse(random, sizeof(random));
}
