#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# The coding agents that the tests run, each in a virtual environment of its own, because their dependencies exclude each other:
#   where:  $ROUTERD_AGENTS_CACHE, else $XDG_CACHE_HOME/routerd-agents, else ~/.cache/routerd-agents
#   takes:  about 3 minutes and 2 GB, once
# What is there in the right version is left alone. What cannot be installed is told, with the reason in NAME/reason, and its tests are
# skipped: this never fails for it. `--path` only prints the folder.
set -euo pipefail

# Name, oldest Python, what pip is told.
readonly agents=(
  "claude 3.10 --no-deps claude-agent-sdk==0.2.189"
  "codex 3.8 --no-deps openai-codex-cli-bin==0.163.0"
  "openai-agents 3.10 openai-agents==0.24.0"
  "pydantic-ai 3.10 pydantic-ai-slim[openai]==2.66.0"
  "smolagents 3.10 smolagents[openai]==1.26.0"
  "aider 3.10 aider-chat==0.86.2"
  "mistral-vibe 3.12 mistral-vibe==3.0.2"
)
cache="${ROUTERD_AGENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/routerd-agents}"
# Seconds for one agent and for all: an index that hangs must not hold up all tests.
readonly patience=300 all_patience=900

if [ "${1:-}" = --path ]; then
  echo "$cache"
  exit 0
fi

say() { echo "agents-setup: $*" >&2; }

# A Python that is new enough: the usual one, else one that stands beside it.
find_python() {
  local least="$1" python
  for python in python3 python3.1{4,3,2} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
    if "$python" -c 'import sys, venv; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' "$least" 2>/dev/null; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

# Tells why, here and to the tests.
give_up() {
  mkdir -p "$cache/$1"
  rm -f "$cache/$1/installed"
  echo "$2" >"$cache/$1/reason"
  say "SKIPPED: $1 cannot be installed, and its tests are skipped: $2"
}

install() {
  local name="$1" least="$2" python reason folder="$cache/$1"
  shift 2
  [ "$(cat "$folder/installed" 2>/dev/null)" = "$*" ] && "$folder/bin/python" -c '' 2>/dev/null && return 0
  if ! python="$(find_python "$least")"; then
    give_up "$name" "it needs Python $least or newer, and there is none"
    return 0
  fi
  if [ "$SECONDS" -ge "$all_patience" ]; then
    give_up "$name" "the others took too long"
    return 0
  fi
  # Only what this script has made is removed.
  if [ -e "$folder" ] && [ ! -f "$folder/pyvenv.cfg" ] && [ ! -f "$folder/reason" ]; then
    say "$folder is there and is not ours; remove it, or name another cache in ROUTERD_AGENTS_CACHE"
    exit 1
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  say "installing $name: $*"
  if ! "$python" -m venv "$folder" >"$cache/$name.log" 2>&1; then
    give_up "$name" "$python cannot make a virtual environment"
  elif ! timeout "$patience" "$folder/bin/python" -m pip --disable-pip-version-check install --quiet --no-compile --retries 2 "$@" \
    >"$cache/$name.log" 2>&1; then
    reason="$(grep -a ERROR "$cache/$name.log" | tail -n 1 | cut -c1-200)" || true
    give_up "$name" "pip: ${reason:-it did not end in $patience seconds}"
  else
    echo "$*" >"$folder/installed"
  fi
}

mkdir -p "$cache"
for agent in "${agents[@]}"; do
  # Words of our own, without blanks in them.
  # shellcheck disable=SC2086
  install $agent
done
