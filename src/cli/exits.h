/* SPDX-License-Identifier: Apache-2.0 */
/* How fairsql ends. Scripts rely on these numbers (docs/fairsql.md). */
#pragma once

enum exit_status {
    EXIT_GOOD = 0,
    EXIT_STATEMENT = 1, /* a statement or command failed */
    EXIT_USAGE = 2,
    EXIT_CONNECT = 3,
};
