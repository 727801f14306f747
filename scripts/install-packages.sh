#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# Installs the Debian packages that are missing, and only these. With nothing missing it changes nothing and asks for
# nothing; otherwise it says what it installs, as root directly and as anybody else through sudo.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/install-packages.sh [build|demo|test|bench] [--dry-run]
  build      what a build links against (the default)
  demo       that, and what the demo runs
  test       that, and what the tests run
  bench      what a build and `make bench` need
  --dry-run  only says what is missing: exit status 0 nothing, 1 something
TEXT
}

purpose=build dry_run=0
for argument in "$@"; do
  case "$argument" in
    build | demo | test | bench) purpose="$argument" ;;
    --dry-run) dry_run=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

wanted=(libncursesw5-dev libsqlite3-dev libssl-dev)
case "$purpose" in
  demo) wanted+=(curl) ;;
  test) wanted+=(tmux redis-server netcat-openbsd curl openssl python3 python3-venv mandoc procps zsh fish) ;;
  bench) wanted+=(nginx-light gcc valgrind binutils) ;;
esac

say() { echo "packages: $*" >&2; }

if [ "$(uname -s)" != Linux ]; then
  say "not Linux: nothing to do here; wanted are the equivalents of: ${wanted[*]}"
  exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this system has no apt; install the equivalents of these yourself: ${wanted[*]}"
  exit 0
fi

# "Provides" counts as well: on newer releases libncursesw5-dev is only a name that libncurses-dev provides.
installed="$(dpkg-query --show --showformat='${db:Status-Status}\t${Package}\t${Provides}\n' |
  awk -F'\t' '$1 == "installed" { print $2; n = split($3, names, /, */); for (i = 1; i <= n; i++) { sub(/ .*/, "", names[i]); print names[i] } }')"
missing=()
for name in "${wanted[@]}"; do
  grep -qxF -- "$name" <<<"$installed" || missing+=("$name")
done

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$dry_run" = 1 ]; then
  say "missing: ${missing[*]}"
  exit 1
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "missing: ${missing[*]}"
    say "neither root nor sudo here; as root, run: apt-get install ${missing[*]}"
    exit 1
  fi
  as_root=(sudo)
fi

install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@"
}

say "installing ${missing[*]}${as_root:+ (with sudo)}"
# On a fresh machine the package lists are absent or too old; they are fetched only where it does not go without.
if ! install "${missing[@]}" >/dev/null 2>&1; then
  say "the package lists are too old: apt-get update"
  "${as_root[@]}" apt-get update --quiet
  install "${missing[@]}"
fi
say "done"
