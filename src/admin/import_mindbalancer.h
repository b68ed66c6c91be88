/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over the database of a MindBalancer once: data_dir/mindbalancer.db becomes data_dir/fairlead.db, as long as there is
 * none. The old file is only read. Either all of it is taken over or there is no new file, so a start that fails here can
 * be repeated. At boot, before the store is opened. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/seal.h"

#define IMPORT_WHY_MAX 1024

/* Whether there is a mindbalancer.db and no fairlead.db. */
bool import_mindbalancer_is_due(struct str data_dir);

/* Servers, users, rules, hostgroups and variables. Keys are opened with `seal`, whose passphrase has to be MindBalancer's
 * (or its old one), and sealed anew. What cannot be used here is left out or changed, and `report` says so, a line each;
 * its last line counts what was taken over. ERR_INVALID: `why` (IMPORT_WHY_MAX bytes) says what has to be changed. */
MUST_USE enum err import_mindbalancer(struct str data_dir, const struct seal *seal, struct buf *report,
                                      char *why);
