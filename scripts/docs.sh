#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes the pages that are generated from the source's tables; with --check it fails when one is not current.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/configuration.md
if [ "${1:-}" = --check ]; then
    bin/fairlead docs configuration | diff -u "$page" - || {
        echo "$page is not current: run make docs" >&2
        exit 1
    }
else
    bin/fairlead docs configuration >"$page"
fi
