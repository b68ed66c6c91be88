/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "fairlead: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}
