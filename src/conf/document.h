/* SPDX-License-Identifier: Apache-2.0 */
/* The manual of fairlead.yaml, written from the tables that read it, so it cannot say anything else than they
 * do. */
#pragma once

#include "base/buf.h"

/* The whole of docs/configuration.md, in Markdown. The same bytes in every run. */
void document_configuration(struct buf *out);
