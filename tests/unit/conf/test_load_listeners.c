/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* links: src/base/str.c src/base/buf.c src/base/arena.c src/base/assert.c src/conf/diagnostics.c src/conf/endpoint.c src/conf/env.c src/conf/expand.c src/conf/fields.c src/conf/load.c src/conf/load_hostgroups.c src/conf/load_rules.c src/conf/load_servers.c src/conf/providers.c src/conf/sections.c src/conf/settings.c src/conf/suggest.c src/conf/yaml.c -lyaml */
/* clang-format on */
#include "../../../src/conf/load_listeners.c"
#include "load_check.h"

#define L "listeners:\n  - {name: a, address: \"127.0.0.1:1\", serves: [inference]"

static const struct load_row rows[] = {
    {L "}\n", ""},
    {"listeners:\n", "f:1:1: listeners is empty; without the key the defaults apply\n"},
    {"listeners: []\n", "f:1:1: listeners is empty; without the key the defaults apply\n"},
    {"listeners: {}\n", "f:1:12: listeners has to be a list\n"},
    {"listeners: [1]\n", "f:1:13: listeners[0] has to be a mapping (key: value)\n"},
    {"listeners: [{}]\n", "f:1:13: missing key 'name' in listeners[0]\n"
                          "f:1:13: missing key 'address' in listeners[0]\n"
                          "f:1:13: missing key 'serves' in listeners[0]\n"},
    {"listeners:\n  - {name: a b, address: \"localhost:1\", serves: sql}\n",
     "f:2:12: name in listeners[0]: 'a b' is not a name of 1 to 64 letters, digits, '.', '_', '-'\n"
     "f:2:26: address in listeners[0] is not a numeric address and a port, as 127.0.0.1:6034 or [::1]:6034\n"
     "f:2:49: serves in listeners[0] has to be a list of at least one word\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [infrence, metrics]}\n",
     "f:2:44: unknown serves 'infrence' in listeners[0]; did you mean 'inference'?\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [sql, admin]}\n",
     "f:2:43: serves in listeners[0]: sql needs a listener of its own\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [admin, inference]}\n",
     "f:2:43: serves in listeners[0]: inference needs a listener of its own\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [admin, metrics], auth: keys}\n",
     "f:2:61: auth in listeners[0] is for inference: administrators log in with admin_password\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [admin, metrics], auth: none}\n", ""},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [inference, metrics]}\n",
     "f:2:43: serves in listeners[0]: inference needs a listener of its own\n"},
    {"listeners:\n  - {name: a, address: \"[::1]:1\", serves: [sql], auth: keys}\n",
     "f:2:50: auth in listeners[0] is for inference: administrators log in with admin_password\n"},
    {L ", auth: keys}\n", ""},
    {L ", auth: optional}\n", ""},
    {L ", auth: keys, master_key: x}\n", "f:2:72: master_key in listeners[0] has no effect without auth: master\n"},
    {L ", auth: mister}\n", "f:2:66: unknown auth 'mister' in listeners[0]; did you mean 'master'?\n"},
    {L ", auth: master}\n", "f:2:5: missing key 'master_key' in listeners[0]: auth is master\n"},
    {L ", auth: master, master_key: ''}\n", "f:2:86: master_key in listeners[0] is empty\n"},
    {L ", auth: master, master_key: }\n", "f:2:74: master_key in listeners[0] has no value\n"},
    {L ", auth: master, master_key: a b}\n", "f:2:86: master_key in listeners[0] has spaces, control "
                                             "characters or bytes beyond ASCII, which no header "
                                             "can carry, or is longer than 16384 bytes\n"},
    {L ", master_key: x}\n", "f:2:60: master_key in listeners[0] has no effect without auth: master\n"},
    {L ", tls_key_file: /key}\n",
     "f:2:60: tls_key_file in listeners[0] has no effect without tls_cert_file\n"},
    {L ", tls_cert_file: /cert}\n",
     "f:2:60: tls_cert_file in listeners[0] has no effect without tls_key_file\n"},
    {L ", tls_cert_file: /x, tls_key_file: /key}\n",
     "f:2:75: tls_cert_file in listeners[0]: '/x' is no readable file\n"},
    {L ", certificate: x}\n", "f:2:60: unknown key 'certificate' in listeners[0]\n"},
    {L "}\n  - {name: a, address: \"127.0.0.1:1\", serves: [admin]}\n",
     "f:3:12: duplicate name 'a' in listeners, as in line 2\n"
     "f:3:24: listeners[1] has the address of listeners[0]\n"},
    /* any free port, twice: two ports */
    {"listeners:\n  - {name: a, address: \"127.0.0.1:0\", serves: [admin]}\n"
     "  - {name: b, address: \"127.0.0.1:0\", serves: [admin]}\n",
     ""},
};

static void test_rows(void **state)
{
    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_values(void **state)
{
    (void)state;
    struct config *config = load_good(
        "listeners:\n"
        "  - {name: a, address: \"[::1]:8443\", serves: [inference], auth: master,\n"
        "     master_key: \"${NAME}\", tls_cert_file: /cert, tls_key_file: /key}\n"
        "  - {name: b, address: \"0.0.0.0:0\", serves: [inference], auth: master, master_key: {file: /key}}\n");
    const struct listener_config *a = &config->listeners[0], *b = &config->listeners[1];
    assert_int_equal(config->listener_count, 2);
    assert_str(a->name, "a");
    assert_str(a->host, "::1");
    assert_int_equal(a->port, 8443);
    assert_int_equal(a->serves, SERVES_INFERENCE);
    assert_int_equal(a->auth, AUTH_MASTER);
    assert_str(a->master_key, "value");
    assert_str(a->tls_cert_file, "/cert");
    assert_str(a->tls_key_file, "/key");
    assert_str(b->master_key, "sk-file"); /* the line end is cut */
    assert_int_equal(b->port, 0);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
