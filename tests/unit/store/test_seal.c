/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../src/store/seal.c"

#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PASSPHRASE STR("a passphrase of 32 characters!!!")
#define OTHER STR("quite another passphrase, longer")

static char why[SEAL_WHY_MAX];

static struct seal seal_of(struct str passphrase, struct str old)
{
    struct seal seal;
    why[0] = '\0';
    if (seal_init(&seal, str_from(folder), passphrase, old, why) != ERR_OK)
        print_error("%s\n", why);
    assert_string_equal(why, "");
    return seal;
}

static struct buf opened;

static enum err open_text(const struct seal *seal, struct str text, bool *is_old)
{
    buf_free(&opened);
    buf_init(&opened, SEALED_TEXT_MAX * 2);
    return seal_open(seal, text, &opened, is_old);
}

static void what_is_sealed_opens_again(void **state)
{
    struct seal seal = seal_of(PASSPHRASE, STR_NONE);
    static char plain[600];
    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (char)(i * 7);
    for (size_t len = 0; len < sizeof(plain); len++) {
        struct buf sealed;
        bool is_old = true;
        buf_init(&sealed, 4096);
        buf_add(&sealed, STR("before:"));
        assert_int_equal(seal_close(&seal, (struct str){plain, len}, &sealed), ERR_OK);
        struct str text = str_from_offset(buf_str(&sealed), 7);
        assert_true(seal_is_sealed(text));
        assert_int_equal(text.len, 4 + (len + 28 + 2) / 3 * 4);
        assert_int_equal(open_text(&seal, text, &is_old), ERR_OK);
        assert_true(str_eq(buf_str(&opened), (struct str){plain, len}));
        assert_false(is_old);
        buf_free(&sealed);
    }
    seal_fini(&seal);
}

/* Made with another implementation: key SHA-256("a passphrase of 32 characters!!!"), nonce of bytes 0 to 11. */
static void a_row_of_mindbalancer_opens(void **state)
{
    struct seal seal = seal_of(PASSPHRASE, STR_NONE);
    (void)state;
    assert_int_equal(
        open_text(&seal, STR("enc:AAECAwQFBgcICQoL/z0IT4uwqaP7vIrdR5iMcsz4rMqmJZd2jRyDXhGzyA=="), NULL),
        ERR_OK);
    assert_true(str_eq(buf_str(&opened), STR("sk-abcdefgh1234")));
    seal_fini(&seal);
}

static void the_same_text_is_never_sealed_the_same(void **state)
{
    struct seal seal = seal_of(PASSPHRASE, STR_NONE);
    struct buf a, b;
    (void)state;
    buf_init(&a, 1024);
    buf_init(&b, 1024);
    assert_int_equal(seal_close(&seal, STR("sk-1"), &a), ERR_OK);
    assert_int_equal(seal_close(&seal, STR("sk-1"), &b), ERR_OK);
    assert_false(str_eq(buf_str(&a), buf_str(&b)));
    buf_free(&a);
    buf_free(&b);
    seal_fini(&seal);
}

static void a_changed_byte_is_found(void **state)
{
    struct seal seal = seal_of(PASSPHRASE, STR_NONE);
    struct buf sealed;
    (void)state;
    buf_init(&sealed, 1024);
    assert_int_equal(seal_close(&seal, STR("sk-secret-key-12"), &sealed), ERR_OK);
    for (size_t i = 4; i < sealed.len; i++) {
        char before = sealed.ptr[i];
        if (before == '=')
            continue;
        sealed.ptr[i] = before == 'A' ? 'Q' : 'A'; /* differ in the bits that count even before the padding */
        assert_int_equal(open_text(&seal, buf_str(&sealed), NULL), ERR_INVALID);
        assert_int_equal(opened.len, 0);
        sealed.ptr[i] = before;
    }
    for (size_t len = 4; len < sealed.len; len++)
        assert_int_equal(open_text(&seal, (struct str){sealed.ptr, len}, NULL), ERR_INVALID);
    buf_free(&sealed);
    seal_fini(&seal);
}

static void nonsense_is_refused(void **state)
{
    struct seal seal = seal_of(PASSPHRASE, STR_NONE);
    static const struct str texts[] = {
        STR("enc:"),          STR("enc:===="),     STR("enc:AAAA"),
        STR("enc:A"),         STR("enc:!!!!"),     STR("enc:AAAA AAA"),
        STR("enc:AAAA\0AAA"), STR("enc:A===AAAA"), STR("enc:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(open_text(&seal, texts[i], NULL), ERR_INVALID);
    assert_int_equal(open_text(&seal, STR("sk-plain"), NULL), ERR_OK);
    assert_true(str_eq(buf_str(&opened), STR("sk-plain")));
    seal_fini(&seal);
}

static void an_old_key_still_opens(void **state)
{
    struct seal old = seal_of(OTHER, STR_NONE), both = seal_of(PASSPHRASE, OTHER),
                new = seal_of(PASSPHRASE, STR_NONE);
    struct buf sealed;
    bool is_old = false;
    (void)state;
    buf_init(&sealed, 1024);
    assert_int_equal(seal_close(&old, STR("sk-1"), &sealed), ERR_OK);
    assert_int_equal(open_text(&new, buf_str(&sealed), NULL), ERR_INVALID);
    assert_int_equal(open_text(&both, buf_str(&sealed), &is_old), ERR_OK);
    assert_true(is_old && str_eq(buf_str(&opened), STR("sk-1")));
    buf_clear(&sealed);
    assert_int_equal(seal_close(&both, STR("sk-2"), &sealed), ERR_OK);
    assert_int_equal(open_text(&new, buf_str(&sealed), &is_old), ERR_OK);
    assert_false(is_old);
    buf_free(&sealed);
}

static void without_a_passphrase_there_is_a_key_file(void **state)
{
    struct seal first = seal_of(STR_NONE, STR_NONE), second = seal_of(STR_NONE, STR_NONE);
    size_t len;
    (void)state;
    assert_memory_equal(&first, &second, sizeof(first));
    assert_memory_not_equal(first.key, first.digest_key, SEAL_KEY_SIZE);
    assert_int_equal(file_mode(in_folder("secret.key")), 0600);
    assert_int_equal(file_mode(in_folder("digest.key")), 0600);
    assert_int_not_equal(access(in_folder("secret.key.new"), F_OK), 0);
    char *content = file_content(in_folder("secret.key"), &len);
    assert_int_equal(len, 65);
    free(content);
    /* A passphrase that comes later: what the file has sealed still opens. */
    struct seal later = seal_of(PASSPHRASE, STR_NONE);
    assert_true(later.has_old_key);
    assert_memory_equal(later.old_key, first.key, SEAL_KEY_SIZE);
    assert_memory_equal(later.digest_key, first.digest_key, SEAL_KEY_SIZE);
}

static void a_key_that_a_crash_left_half_made_is_made_anew(void **state)
{
    (void)state;
    file_write(in_folder("secret.key.new"), "half", 4);
    seal_of(STR_NONE, STR_NONE);
    assert_int_not_equal(access(in_folder("secret.key.new"), F_OK), 0);
}

static void assert_refused(struct str passphrase, struct str old, const char *reason)
{
    struct seal seal;
    static const struct seal wiped;
    assert_int_not_equal(seal_init(&seal, str_from(folder), passphrase, old, why), ERR_OK);
    if (!strstr(why, reason))
        print_error("%s\n", why);
    assert_non_null(strstr(why, reason));
    assert_memory_equal(&seal, &wiped, sizeof(seal));
}

static void what_is_no_good_key_is_refused(void **state)
{
    (void)state;
    assert_refused(STR("fifteen bytes.."), STR_NONE,
                   "api_key_encryption_key: the passphrase has 15 bytes, it has to have at least 16");
    assert_refused(PASSPHRASE, STR("short"), "api_key_encryption_key_old: the passphrase has 5 bytes");
    file_write(in_folder("secret.key"), "short\n", 6);
    chmod(in_folder("secret.key"), 0600);
    assert_refused(STR_NONE, STR_NONE, "secret.key: does not hold a key");
    unlink(in_folder("secret.key"));
    seal_of(STR_NONE, STR_NONE);
    chmod(in_folder("digest.key"), 0640);
    assert_refused(STR_NONE, STR_NONE, "digest.key: others can read it; it has to have mode 0600");
    unlink(in_folder("digest.key"));
    snprintf(folder + strlen(folder), 8, "/none");
    assert_refused(STR_NONE, STR_NONE, "secret.key: No such file or directory");
    *strrchr(folder, '/') = '\0';
}

static void sixteen_bytes_are_enough(void **state)
{
    struct seal seal = seal_of(STR("sixteen bytes..."), STR_NONE);
    (void)state;
    seal_fini(&seal);
}

static void masks_show_no_middle(void **state)
{
    char out[SECRET_MASK_MAX];
    (void)state;
    assert_true(str_eq(secret_mask(STR("sk-abcdefgh1234"), out), STR("sk-a...1234")));
    assert_true(str_eq(secret_mask(STR("123456789"), out), STR("1234...6789")));
    assert_true(str_eq(secret_mask(STR("12345678"), out), STR("****")));
    assert_true(str_eq(secret_mask(STR_NONE, out), STR("****")));
}

/* RFC 4231. */
static void digests_are_hmac(void **state)
{
    struct seal seal = {0};
    uint8_t digest[KEY_DIGEST_SIZE], expected[KEY_DIGEST_SIZE];
    (void)state;
    /* Case 1: the key is 20 bytes of 0x0b, which HMAC fills up with zeros as our longer one has them. */
    memset(seal.digest_key, 0x0b, 20);
    key_digest(&seal, STR("Hi There"), digest);
    assert_true(parse_key("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", expected));
    assert_memory_equal(digest, expected, sizeof(digest));
    /* Case 2: "Jefe". */
    memset(seal.digest_key, 0, sizeof(seal.digest_key));
    memcpy(seal.digest_key, "Jefe", 4);
    key_digest(&seal, STR("what do ya want for nothing?"), digest);
    assert_true(parse_key("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected));
    assert_memory_equal(digest, expected, sizeof(digest));
}

static void client_keys_are_random_words(void **state)
{
    char a[CLIENT_KEY_SIZE + 1], b[CLIENT_KEY_SIZE + 1];
    (void)state;
    client_key_make(a);
    client_key_make(b);
    assert_int_equal(strlen(a), CLIENT_KEY_SIZE);
    assert_int_equal(strncmp(a, "fl-", 3), 0);
    assert_int_equal(strspn(a + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_string_not_equal(a, b);
}

static int finish(void **state)
{
    buf_free(&opened);
    return folder_remove(state);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, finish)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_sealed_opens_again),
        IN_FOLDER(a_row_of_mindbalancer_opens),
        IN_FOLDER(the_same_text_is_never_sealed_the_same),
        IN_FOLDER(a_changed_byte_is_found),
        IN_FOLDER(nonsense_is_refused),
        IN_FOLDER(an_old_key_still_opens),
        IN_FOLDER(without_a_passphrase_there_is_a_key_file),
        IN_FOLDER(a_key_that_a_crash_left_half_made_is_made_anew),
        IN_FOLDER(what_is_no_good_key_is_refused),
        IN_FOLDER(sixteen_bytes_are_enough),
        cmocka_unit_test(masks_show_no_middle),
        cmocka_unit_test(digests_are_hmac),
        cmocka_unit_test(client_keys_are_random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
