#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# A fleet to try: three simulated Ollama servers with different models and load times (and a real language model beside
# them, if `make real-model` has built one), a routerd in front, a few real requests. Ends in `routerctl top` on a
# terminal and in `routerctl status` on a pipe, and stops everything that it started. Uses only free ports of the loopback.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

bold="" dim="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
fail() { echo "demo: $*" >&2; exit 1; }

step "Building"
scripts/install-packages.sh demo
build=(swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked)
for product in routerd routerctl simulated-endpoint; do
  # Linkers warn about the standard library's own symbols; what matters is whether it builds.
  "${build[@]}" --product "$product" 2>&1 | grep -E 'error:|Build of product' || fail "$product does not build"
done
bin="$("${build[@]}" --show-bin-path)"

folder="$(mktemp -d /tmp/routerd-demo.XXXXXX)"
pids=()
stop() {
  trap - EXIT INT TERM HUP
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a program in the background, and waits until its log holds a line; prints what that line matched.
start() {
  local name="$1" pattern="$2"
  shift 2
  "$@" >"$folder/$name.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 600); do
    if grep -oE -m1 "$pattern" "$folder/$name.log" >"$folder/$name.found"; then return 0; fi
    kill -0 "${pids[-1]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$folder/$name.log" >&2
  fail "$name did not start"
}

simulate() {
  local name="$1"
  shift
  start "$name" 'http://[0-9.:]+' "$bin/simulated-endpoint" --port 0 "$@"
  echo "  $name  $(cat "$folder/$name.found")  $*"
}

step "Three simulated Ollama servers"
simulate small --models llama3.2:3b,qwen2.5:7b --loaded llama3.2:3b --load-time 1s --token-time 25ms --tokens 20
simulate big --models llama3.2:3b,qwen2.5:7b,gpt-oss:120b --load-time 3s --token-time 15ms --tokens 20
simulate old --models qwen2.5:7b,mistral:7b --loaded qwen2.5:7b --load-time 2s --token-time 60ms --tokens 20 --version 0.9.6

cat >"$folder/config.yaml" <<YAML
listen: 127.0.0.1:0
db_path: ""
control_socket: $folder/control.sock
poll_interval: 1s
endpoints:
  - {url: "$(cat "$folder/small.found")", name: small, max_concurrent_connections: 2}
  - {url: "$(cat "$folder/big.found")", name: big, max_concurrent_connections: 4, weight: 2}
  - {url: "$(cat "$folder/old.found")", name: old, max_concurrent_connections: 1}
model_aliases:
  default: llama3.2:3b
YAML

model=""
if model="$(scripts/real-model.sh --path 2>/dev/null)"; then
  step "A real language model beside them: llama-server with SmolLM2-135M"
  # llama-server takes no port 0 for an answer; a port that was free a moment ago will do.
  port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo 18642)"
  start llama 'listening on http' \
    "$model/llama-server" --host 127.0.0.1 --port "$port" --model "$model/model.gguf" --alias smollm2 --threads 1 --ctx-size 2048 --parallel 2
  printf 'llama_server_endpoints:\n  - {url: "http://127.0.0.1:%s/v1", name: real}\n' "$port" >>"$folder/config.yaml"
  echo "  real  http://127.0.0.1:$port"
else
  model=""
  echo "  (no real model: \`make real-model\` builds one, once, and the demo then has it)"
fi

step "routerd in front of them"
show "routerd --config config.yaml"
"$bin/routerd" --config "$folder/config.yaml" --check
start routerd 'address=[0-9.:]+' "$bin/routerd" --config "$folder/config.yaml"
url="http://$(sed 's/address=//' "$folder/routerd.found")"
control=("$bin/routerctl" --socket "$folder/control.sock")
for _ in $(seq 200); do
  if curl -sf "$url/health" >/dev/null; then break; fi
  sleep 0.05
done
echo "  $url"

# The text of a streamed answer, as it comes.
text() { sed -un 's/.*"content":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | while IFS= read -r word; do printf '%b' "$word"; done; echo; }

step "All models of the fleet, as one list"
show "curl $url/api/tags"
curl -sf "$url/api/tags" | grep -o '"name":"[^"]*"' | sed 's/"name":/  /'

step "A chat, streamed: llama3.2 is in memory on 'small' and starts at once"
show "curl -N $url/api/chat -d '{\"model\": \"llama3.2:3b\", ...}'"
curl -sfN "$url/api/chat" -d '{"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hello"}]}' | text

step "The OpenAI way, streamed: gpt-oss:120b is only on 'big', which loads it first"
show "curl -N $url/v1/chat/completions -d '{\"model\": \"gpt-oss:120b\", \"stream\": true, ...}'"
curl -sfN "$url/v1/chat/completions" -d '{"model": "gpt-oss:120b", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}' | text

if [ -n "$model" ]; then
  step "The real model answers, through the same address"
  show "curl -N $url/v1/chat/completions -d '{\"model\": \"smollm2\", \"stream\": true, ...}'"
  curl -sfN "$url/v1/chat/completions" \
    -d '{"model": "smollm2", "stream": true, "max_tokens": 40, "messages": [{"role": "user", "content": "In one sentence, what is the capital of France?"}]}' | text
fi

step "Five at once for qwen2.5 (one slot on 'old', where it is in memory): the others spill or wait"
asks=()
for _ in 1 2 3 4 5; do
  curl -sf "$url/api/generate" -d '{"model": "qwen2.5:7b", "prompt": "Hello"}' >/dev/null &
  asks+=($!)
done
sleep 0.5
show "routerctl requests"
"${control[@]}" requests
for pid in "${asks[@]}"; do wait "$pid" || fail "a request of the five failed"; done

step "A request for what nobody has"
show "curl $url/api/chat -d '{\"model\": \"nonsense\"}'"
curl -s "$url/api/chat" -d '{"model": "nonsense"}'
echo

if [ -t 1 ] && [ -t 0 ]; then
  step "The console, with some traffic: q leaves"
  (
    models=(llama3.2:3b qwen2.5:7b gpt-oss:120b mistral:7b default)
    while sleep "0.$((RANDOM % 9 + 1))"; do
      curl -s "$url/api/chat" -d "{\"model\": \"${models[RANDOM % 5]}\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}" >/dev/null &
    done
  ) &
  pids+=($!)
  sleep 1
  "${control[@]}" top
else
  step "routerctl status"
  "${control[@]}" status
fi
step "Stopping everything"
