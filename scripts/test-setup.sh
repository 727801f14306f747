#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# A Python virtual environment with the real clients that the tests run: $ROUTERD_TEST_VENV, else .build/test-venv.
# With the right versions there it does nothing. `--path` only prints the folder.
set -euo pipefail

readonly packages=(
  ollama==0.6.3 openai==2.54.0 anthropic==2.12.0 litellm==1.106.2 langchain-ollama==1.1.0 prometheus-client==0.22.1
)
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${ROUTERD_TEST_VENV:-$root/.build/test-venv}"

if [ "${1:-}" = --path ]; then
  echo "$venv"
  exit 0
fi

say() { echo "test-setup: $*" >&2; }

is_complete() {
  [ -x "$venv/bin/python" ] && "$venv/bin/python" - "${packages[@]}" <<'PY' 2>/dev/null
import sys
from importlib.metadata import version
for wanted in sys.argv[1:]:
    name, number = wanted.split("==")
    assert version(name) == number
PY
}

if is_complete; then exit 0; fi

say "a virtual environment in $venv"
# What an interrupted run left is not worth keeping, but only ours is removed.
if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
  say "$venv is there and is no virtual environment; remove it, or name another folder in ROUTERD_TEST_VENV"
  exit 1
fi
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
if ! python3 -m venv "$venv"; then
  say "python3 cannot make a virtual environment: scripts/install-packages.sh test"
  exit 1
fi

say "installing ${packages[*]}"
log="$venv/pip.log"
if ! "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --retries 2 "${packages[@]}" >"$log" 2>&1; then
  tail -n 8 "$log" >&2
  say "pip could not install ${packages[*]}: see above. It needs a package index: the network, or PIP_INDEX_URL,"
  say "or PIP_FIND_LINKS with a folder of wheels. Then run scripts/test-setup.sh again."
  exit 1
fi
is_complete || { say "installed, but the versions are not ${packages[*]}"; exit 1; }
say "ready"
