/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as mindbalancer.cnf: what is accepted is sound, what is refused says why, and a comment in front moves every
 * message down by one line and changes nothing else. No file and no variable of this machine is touched. */
#include "conf/load.h"
#include "conf/settings.h"

#include <stdlib.h>

static const char *variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "HOME") == 0 ? "/home" : NULL;
}

static enum err read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    (void)path;
    (void)out;
    abort(); /* nothing in this format names a file to be read */
}

static bool is_readable(void *context, struct str path)
{
    (void)context;
    return path.len % 3 != 0;
}

static const struct config_env env = {variable, read_file, is_readable, NULL, NULL};

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void check_listeners(const struct config *config)
{
    CHECK(config->listener_count == 3 || config->listener_count == 4);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *listener = &config->listeners[i];
        CHECK(listener->serves != 0 && listener->host.len > 0 && listener->auth == AUTH_NONE);
        CHECK((listener->tls_cert_file.len > 0) == (listener->tls_key_file.len > 0));
        for (size_t j = 0; j < i; j++) {
            const struct listener_config *other = &config->listeners[j];
            CHECK(listener->port == 0 || listener->port != other->port ||
                  !str_eq(listener->host, other->host));
        }
    }
}

/* Every setting is one that its own reader takes. */
static void check_settings(struct config *config)
{
    struct settings copy = {0};
    for (size_t i = 0; i < settings_count; i++) {
        struct buf text, message;
        buf_init(&text, 8192);
        buf_init(&message, 8192);
        setting_get(&settings_table[i], &config->settings, &text);
        CHECK(setting_set(&settings_table[i], buf_str(&text), &config->arena, &copy, &message) == ERR_OK);
        buf_free(&text);
        buf_free(&message);
    }
    size_t passphrase = config->settings.api_key_encryption_key.len;
    CHECK(passphrase == 0 || passphrase >= 16);
}

static bool load(struct str text, struct diagnostics *diagnostics)
{
    struct config *config = NULL;
    diagnostics_init(diagnostics);
    enum err err = config_load(text, STR("f.cnf"), &env, &config, diagnostics);
    CHECK(err == ERR_OK || err == ERR_INVALID);
    CHECK((err == ERR_OK) == (config != NULL));
    CHECK((err == ERR_OK) == (diagnostics_total(diagnostics) == 0));
    if (config) {
        CHECK(config->data_dir.len > 0 && config->server_count == 0);
        check_listeners(config);
        check_settings(config);
    }
    config_free(config);
    return err == ERR_OK;
}

/* True when the two say the same, the second one a line further down. "as in line 3" in a text may differ. */
static void check_shifted(const struct diagnostics *a, const struct diagnostics *b)
{
    CHECK(a->count == b->count && a->dropped == b->dropped && a->notices == b->notices);
    for (size_t i = 0; i < a->count; i++) {
        const struct diagnostic *left = &a->items[i], *right = &b->items[i];
        CHECK(left->mark.line + (left->mark.line > 0) == right->mark.line);
        CHECK(left->mark.column == right->mark.column && left->is_notice == right->is_notice);
        CHECK(str_eq(left->suggestion, right->suggestion));
        CHECK(str_find(left->message, STR("as in line")) >= 0 || str_eq(left->message, right->message));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct diagnostics first, second;
    bool is_good = load(text, &first);
    if (!str_starts(text, STR("\xef\xbb\xbf"))) { /* a byte order mark has to stay in front */
        struct buf shifted;
        buf_init(&shifted, size + 16);
        buf_add(&shifted, STR("# moved\n"));
        buf_add(&shifted, text);
        CHECK(load(buf_str(&shifted), &second) == is_good);
        check_shifted(&first, &second);
        buf_free(&shifted);
        diagnostics_fini(&second);
    }
    diagnostics_fini(&first);
    return 0;
}
