#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing for: build | test | bench. Says what it installs; silent and quick when nothing is missing.
set -euo pipefail

packages_build="gcc g++ meson ninja-build pkg-config libuv1-dev libsimdjson-dev libssl-dev libyaml-dev
    libpcre2-dev libxxhash-dev libsqlite3-dev libargon2-dev libcrypt-dev libedit-dev libmariadb-dev python3"
packages_test="$packages_build libcmocka-dev clang libclang-rt-14-dev clang-tidy clang-format python3-venv nodejs
    npm openssl curl mariadb-client golang-go prometheus sqlite3"
packages_bench="$packages_build nginx-light haproxy"

case "${1:-build}" in
build) wanted=$packages_build ;;
test) wanted=$packages_test ;;
bench) wanted=$packages_bench ;;
*)
    echo "usage: scripts/deps.sh build|test|bench" >&2
    exit 2
    ;;
esac

# A program that came another way than by its package (a newer node, say) is as good.
has() {
    case "$1" in
    nodejs) command -v node >/dev/null ;;
    npm | meson | curl | openssl | gcc | g++ | python3 | haproxy | clang | clang-tidy | clang-format | sqlite3)
        command -v "$1" >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    nginx-light) command -v nginx >/dev/null ;;
    golang-go) command -v go >/dev/null ;;
    prometheus) command -v promtool >/dev/null ;;
    mariadb-client) command -v mariadb >/dev/null ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed' ;;
    esac
}

missing=()
for package in $wanted; do
    has "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "Please install: ${missing[*]} (this script knows Debian and Ubuntu only)" >&2
    exit 1
fi
echo "Installing: ${missing[*]}"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
# Only tests and benchmarks start these; the distribution's services stay off.
for service in nginx haproxy prometheus prometheus-node-exporter; do
    case " ${missing[*]} " in
    *" $service"*) command -v systemctl >/dev/null && $sudo systemctl disable --now "$service" >/dev/null 2>&1 || true ;;
    esac
done
