#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes the pages that are generated from the source's tables; with --check it fails when one is not current.
set -euo pipefail
cd "$(dirname "$0")/.."

# page, and the manual that it is
pages=(
    "docs/configuration.md configuration"
    "docs/sql-reference.md sql"
)
status=0
for entry in "${pages[@]}"; do
    read -r page manual <<<"$entry"
    if [ "${1:-}" != --check ]; then
        bin/fairlead docs "$manual" >"$page"
    elif ! bin/fairlead docs "$manual" | diff -u "$page" -; then
        echo "$page is not current: run make docs" >&2
        status=1
    fi
done
exit $status
