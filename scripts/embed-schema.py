#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the migrations of the store as C: embed-schema.py OUTPUT FILE.sql...

Files are NNN_name.up.sql and NNN_name.down.sql, numbered from 001 without a gap."""
import pathlib
import re
import sys

NAME = re.compile(r"(\d{3})_([a-z0-9_]+)\.(up|down)\.sql")


def literal(text: str) -> str:
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())
    return "\n".join(f'     "{line}\\n"' for line in quoted)


def steps(paths):
    found = {}
    for path in map(pathlib.Path, paths):
        match = NAME.fullmatch(path.name)
        if not match:
            sys.exit(f"{path.name}: the name has to be NNN_name.up.sql or NNN_name.down.sql")
        number, name, way = int(match[1]), match[2], match[3]
        step = found.setdefault(number, {"name": name})
        if step["name"] != name or way in step:
            sys.exit(f"{path.name}: two migrations have the number {number:03}")
        step[way] = path.read_text(encoding="utf-8")
    for number in range(1, len(found) + 1):
        if number not in found or not {"up", "down"} <= found[number].keys():
            sys.exit(f"migration {number:03} has to be there, up and down")
        yield number, found[number]


def main() -> None:
    out = ["/* Made by scripts/embed-schema.py out of src/store/schema. */", '#include "store/migrations.h"', "",
           "const struct db_migration db_migrations[] = {"]
    for number, step in steps(sys.argv[2:]):
        out += [f'    {{{number}, "{step["name"]}",', literal(step["up"]) + ",", literal(step["down"]) + "},"]
    out += ["};", "const unsigned db_migration_count = sizeof(db_migrations) / sizeof(db_migrations[0]);", ""]
    pathlib.Path(sys.argv[1]).write_text("\n".join(out), encoding="utf-8")


main()
