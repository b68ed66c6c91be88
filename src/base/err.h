/* SPDX-License-Identifier: Apache-2.0 */
/* The one error form: fallible functions return enum err and give results through ret_ parameters,
 * which stay untouched on failure. */
#pragma once

enum err {
#define ERR(name, text) name,
#include "base/err.def"
#undef ERR
    ERR_COUNT_
};

/* Lower-case phrase for logs and error bodies; never NULL. */
const char *err_text(enum err err);
