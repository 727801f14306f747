#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# What routerd costs beside nginx: both proxy the same fake endpoint, in turns. README.md here says what is measured.
# Exit status: 0 every bar is met, 1 one is missed or an answer was wrong, 2 it could not run.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: Benchmarks/run.sh [--quick] [--rounds N] [--only PART]... [--noise] [--record]
  --quick      2 short rounds: does it work at all
  --rounds N   rounds of each part (5)
  --only PART  unary, stream32, stream1000, latency or idle; may be repeated
  --noise      a second nginx in routerd's place: how far from 1.00 a ratio is by chance
  --record     append the table to Benchmarks/RESULTS.md
environment: ROUTERD=/path/to/routerd instead of building it, NGINX=/path/to/nginx
TEXT
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
rounds=5 seconds=4 warmup=1 parts=() noise=0 record=0
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) rounds=2 seconds=1 ;;
    --rounds) rounds="${2:?--rounds needs a number}"; shift ;;
    --only) parts+=("${2:?--only needs a part}"); shift ;;
    --noise) noise=1 ;;
    --record) record=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[[ "$rounds" =~ ^[1-9][0-9]*$ ]] || { echo "bench: --rounds: \"$rounds\" is not a number from 1 up" >&2; exit 2; }
[ ${#parts[@]} -gt 0 ] || parts=(idle unary latency stream32 stream1000)
for part in "${parts[@]}"; do
  case "$part" in
    unary | stream32 | stream1000 | latency | idle) ;;
    *) echo "bench: no part \"$part\"; there are unary, stream32, stream1000, latency, idle" >&2; exit 2 ;;
  esac
done

. "$here/common.sh"
prepare

# The proxy alone on one core, the generator and the endpoint on another, so that neither takes the other's caches and turns.
pin_proxy=() pin_load=() pin_upstream=()
if command -v taskset >/dev/null && [ "$(nproc)" -ge 2 ]; then
  pin_proxy=(taskset -c 0) pin_load=(taskset -c 1) pin_upstream=(taskset -c 1)
  [ "$(nproc)" -lt 3 ] || pin_upstream=(taskset -c 2)
fi

if [ "$noise" = 0 ]; then find_routerd; fi

mapfile -t ports < <("$work/bench-load" ports 3)
upstream_port="${ports[0]}"
declare -A port=([direct]="$upstream_port" [nginx]="${ports[1]}" [routerd]="${ports[2]}") pids=([direct]="")

start_upstream() {
  "${leash[@]}" "${pin_upstream[@]}" "$work/bench-load" upstream --port "$upstream_port" --max-seconds 1800 &
  running+=($!)
}

start_nginx() { # NAME: the worker's process id goes to pids[NAME]
  local folder="$work/$1" master worker
  write_nginx_conf "$folder" "${port[$1]}"
  "${leash[@]}" "${pin_proxy[@]}" "$nginx" -p "$folder" -c "$folder/nginx.conf" -e "$folder/error.log" &
  master=$!
  running+=("$master")
  wait_for "$1" 20
  worker="$(tr -d ' ' <"/proc/$master/task/$master/children")"
  pids[$1]="$worker"
}

start_routerd() {
  local folder="$work/routerd"
  write_routerd_config "$folder" "${port[routerd]}"
  (cd "$folder" && exec "${leash[@]}" "${pin_proxy[@]}" "$ROUTERD" --config config.yaml >routerd.log 2>&1) &
  running+=($!)
  pids[routerd]=$!
  wait_for routerd 20
}

start_all() {
  start_upstream
  wait_for direct 20
  start_nginx nginx
  if [ "$noise" = 1 ]; then start_nginx routerd; else start_routerd; fi
}

results="$work/results.tsv"
: >"$results"

measure() { # PART ROUND NAME OPTION...: one run of the generator, every figure of it into the results
  local part="$1" round="$2" name="$3" line
  shift 3
  line="$("${pin_load[@]}" timeout 120 "$work/bench-load" load --target "127.0.0.1:${port[$name]}" --pids "${pids[$name]}" \
    --duration "$seconds" --warmup "$warmup" "$@")" || say "$part, round $round, $name: wrong answers"
  tr -d '{}"' <<<"$line" | tr ',' '\n' | while IFS=: read -r key value; do
    printf '%s\t%s\t%s\t%s\t%s\n' "$part" "$round" "$name" "$key" "$value"
  done >>"$results"
}

in_turns() { # ROUND: who is measured when; nginx and routerd change places from round to round
  if [ $(($1 % 2)) = 1 ]; then echo direct nginx routerd; else echo direct routerd nginx; fi
}

run_part() {
  local part="$1" round name interval tokens
  local -a with
  # Streams outlast the window, so that the cost of a token is not mixed with that of requests. 5 s beyond it are spare.
  case "$part" in
    unary) with=(--mode unary --connections 64) ;;
    latency) with=(--mode stream --connections 16 --tokens 20 --interval-us 5000) ;;
    stream32) interval=2000 with=(--mode stream --connections 32) ;;
    stream1000) interval=100000 with=(--mode stream --connections 1000) ;;
    idle) with=(--mode stream --connections 1000 --tokens 1000 --interval-us 3600000000 --drain 0) ;;
  esac
  case "$part" in
    stream*)
      tokens=$(((seconds + 2 * warmup) * 1000000 / interval))
      with+=(--tokens "$tokens" --interval-us "$interval")
      ;;
  esac
  [ "$part" = idle ] || start_all
  for ((round = 1; round <= rounds; round++)); do
    say "$part, round $round of $rounds"
    if [ "$part" = idle ]; then
      stop
      start_all # memory is that of a process that has done nothing else
      for name in nginx routerd; do
        measure idle0 "$round" "$name" --mode unary --connections 1 --duration 0.1
        measure idle "$round" "$name" "${with[@]}"
      done
    else
      for name in $(in_turns "$round"); do measure "$part" "$round" "$name" "${with[@]}"; done
    fi
  done
  stop
}

for part in "${parts[@]}"; do run_part "$part"; done

status=0
table="$(awk -v noise="$noise" -f "$here/summary.awk" "$results")" || status=1
echo "$table"
if [ "$record" = 1 ]; then
  commit="$(git -C "$here" describe --always --dirty 2>/dev/null || echo unknown)"
  {
    echo
    echo "## $(date -u '+%Y-%m-%d %H:%M UTC'), commit $commit"
    echo
    echo "$(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r), $("$nginx" -v 2>&1 | sed 's/.*: //'), $rounds rounds of $seconds s"
    echo
    echo "$table"
  } >>"$here/RESULTS.md"
fi
exit "$status"
