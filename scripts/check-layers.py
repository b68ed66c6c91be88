#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file includes from a folder that does not lie below its own (docs/architecture.md)."""
import pathlib
import re
import sys

# A folder may include from itself and from every layer above it in this list.
LAYERS = [
    {"base"},
    {"wire", "net"},
    {"http", "conf", "store"},
    {"llm", "route", "sched"},
    {"proxy"},
    {"admin"},
    {"web"},
    {"main", "sim", "cli"},
]
# Bytes and values in, bytes and values out: no descriptor, clock read, thread or log.
PURE = {"wire", "llm", "route", "sched"}
IMPURE = re.compile(r'"(net/|base/log\.h)|<(pthread|uv|sys/socket|threads)\.h>')
# wire may use net's place in the drawing but not its code; these are neighbours that do not know each other.
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
INCLUDE = re.compile(r'^\s*#\s*include\s+("([^"/]+)/[^"]+"|<[^>]+>)', re.M)


def faults(source: pathlib.Path):
    for path in sorted(source.rglob("*.[ch]*")):
        folder = path.relative_to(source).parts[0]
        if folder not in LEVEL:
            yield f"{path}: the folder {folder}/ is not in the drawing"
            continue
        for match in INCLUDE.finditer(path.read_text()):
            target = match.group(2)
            if target and target != folder and LEVEL.get(target, 99) >= LEVEL[folder]:
                yield f"{path}: {folder}/ may not include from {target}/"
            if folder in PURE and IMPURE.match(match.group(1)):
                yield f"{path}: {folder}/ is pure, it may not include {match.group(1)}"


def main() -> int:
    found = list(faults(pathlib.Path(sys.argv[1])))
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        return 1
    if len(sys.argv) > 2:
        pathlib.Path(sys.argv[2]).write_text("the includes keep to the layers\n")
    return 0


sys.exit(main())
