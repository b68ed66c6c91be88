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
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
for entry in "${pages[@]}"; do
    read -r page manual <<<"$entry"
    bin/fairlead docs "$manual" >"$fresh" # a page is only touched by a whole manual
    if [ "${1:-}" != --check ]; then
        cat "$fresh" >"$page"
    elif ! diff -u "$page" "$fresh"; then
        echo "$page is not current: run make docs" >&2
        status=1
    fi
done
exit $status
