/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "base/macros.h"

const char *err_text(enum err err)
{
    static const char *const texts[] = {
#define ERR(name, text) [name] = text,
#include "base/err.def"
#undef ERR
    };
    ASSERT(err < ERR_COUNT_);
    return texts[err];
}
