#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# How many instructions in user space a request and a token cost in routerd, and in nginx beside it: counted, not timed, so that a
# busy machine does not matter. ../README.md says what is counted; thresholds.json has the bars.
# Exit status: 0 every bar is met, 1 one is missed or an answer was wrong, 2 it could not run.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: Benchmarks/Instructions/run.sh [--quick] [--profile FILE] [--record]
  --quick         one short round: does it work at all
  --profile FILE  also writes where routerd's instructions go, function by function
  --record        append the table to Benchmarks/RESULTS.md
environment: ROUTERD=/path/to/routerd instead of building it, NGINX=/path/to/nginx
TEXT
}

rounds=3 requests=2000 streams=256 profile="" record=0
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) rounds=1 requests=400 streams=64 ;;
    --profile) profile="${2:?--profile needs a file}"; shift ;;
    --record) record=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

instructions="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
here="$(dirname "$instructions")"
. "$here/common.sh"
for tool in valgrind vgdb callgrind_annotate strip; do
  command -v "$tool" >/dev/null || give_up "$tool is missing: apt-get install valgrind binutils"
done

# Bars before the run: a file that cannot be read is told at once.
bar() { # SECTION FIGURE: its number in thresholds.json, whose members stand one a line
  awk -F '[":, ]+' -v program="$1" -v figure="$2" '
    /{/ { section = $2 }
    section == program && $2 == figure { print $3; found = 1; exit }
    END { exit !found }' "$instructions/thresholds.json" || give_up "thresholds.json has no $1 $2"
}
declare -A bars
for unit in request token; do
  for name in routerd nginx; do bars[$name.$unit]="$(bar "$name" "instructions_per_$unit")"; done
  bars[tolerance.$unit]="$(bar tolerance "percent_per_$unit")"
done
# What is asked, and what the endpoint speaks. The first program's endpoint is an Ollama that lacks the newer routes, the second one's
# knows chat completions only.
pairs=("v1 /api/chat api_chat_to_chat" "v1 /v1/messages messages_to_chat" "v1 /v1/responses responses_to_chat"
  "routerd /v1/messages messages_to_ollama" "routerd /v1/responses responses_to_ollama")
for pair in "${pairs[@]}"; do
  read -r _ _ figure <<<"$pair"
  bars[$figure.token]="$(bar translated "$figure")"
done

prepare
find_routerd
# Valgrind reads a binary's debugging information whole, and that of a Swift program takes it minutes. Names of functions stay.
cp "$ROUTERD" "$work/routerd.bin"
strip -g "$work/routerd.bin"

mapfile -t ports < <("$work/bench-load" ports 4)
upstream_port="${ports[0]}"
declare -A port=([direct]="$upstream_port" [nginx]="${ports[1]}" [routerd]="${ports[2]}" [v1]="${ports[3]}") pids=() counted=() count_of=()

# Nothing is counted before the first `instrumentation on`: a start costs seconds, not minutes.
counter() { # NAME COMMAND...: starts it under valgrind; its process id goes to pids[NAME]
  local name="$1"
  shift
  (cd "$work/$name" && exec "${leash[@]}" valgrind --tool=callgrind --instr-atstart=no --fair-sched=try --vgdb-prefix="$work/vgdb" \
    --callgrind-out-file="$work/$name/callgrind" --log-file="$work/$name/valgrind.log" "$@" >"$work/$name/$name.log" 2>&1) &
  running+=($!)
  pids[$name]=$!
  wait_for "$name" 120
  tell "$name" instrumentation on
}

tell() { vgdb --vgdb-prefix="$work/vgdb" --pid="${pids[$1]}" "${@:2}" >>"$work/$1/vgdb.log" 2>&1 || give_up "valgrind does not hear \"${*:2}\""; }

count() { # ROUND NAME UNIT OPTION...: instructions between two dumps by what was served between them
  local round="$1" name="$2" unit="$3" figures served sum file to
  shift 3
  say "round $round of $rounds, $name, $unit"
  counted_run "$name" "$unit" --path /api/chat --body-bytes 460 "$@"
  echo "$((sum / served))" >>"$work/$name/$unit.counts"
  count_of[$name.$unit]="$served"
  mv "$file" "$work/$name/$unit.profile"
}

counted_run() { # NAME UNIT OPTION...: sets `sum` of instructions, what was `served`, and the `file` with both
  local name="$1" unit="$2"
  shift 2
  to="vgdb --vgdb-prefix=$work/vgdb --pid=${pids[$name]}"
  figures="$(timeout 900 "$work/bench-load" load --target "127.0.0.1:${port[$name]}" --bare "$@" \
    --at-start "$to zero >>$work/$name/vgdb.log 2>&1" --at-end "$to dump >>$work/$name/vgdb.log 2>&1")" ||
    { say "$name, $unit: wrong answers"; status=1; }
  served="$(sed -n "s/.*\"${unit}s\":\([0-9]*\).*/\1/p" <<<"$figures")"
  file="$(ls -t "$work/$name"/callgrind.* | head -1)"
  sum="$(sed -n 's/^totals: //p' "$file")"
  [ "${served:-0}" -gt 0 ] && [ "${sum:-0}" -gt 0 ] || give_up "nothing was counted: $figures"
}

count_pair() { # NAME PATH FIGURE: the same for streams that are told in another dialect
  local served sum file to figures
  say "round $round of $rounds, $3"
  counted_run "$1" token --path "$2" --translated --mode stream --connections 32 --tokens 64 --interval-us 5000 --warmup-requests 32 \
    --requests "$streams"
  echo "$((sum / served))" >>"$work/$1/$3.counts"
  count_of[$3.token]="$served"
  mv "$file" "$work/$1/$3.profile"
}

status=0
"${leash[@]}" "$work/bench-load" upstream --port "$upstream_port" --max-seconds 3600 --bare &
running+=($!)
wait_for direct 20
write_nginx_conf "$work/nginx" "${port[nginx]}" "master_process off;"
counter nginx "$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf" -e "$work/nginx/error.log"
write_routerd_config "$work/routerd" "${port[routerd]}"
counter routerd "$work/routerd.bin" --config config.yaml
write_routerd_config "$work/v1" "${port[v1]}" /v1
counter v1 "$work/routerd.bin" --config config.yaml

for ((round = 1; round <= rounds; round++)); do
  for name in nginx routerd; do
    count "$round" "$name" request --mode unary --connections 16 --warmup-requests 400 --requests "$requests"
    count "$round" "$name" token --mode stream --connections 32 --tokens 64 --interval-us 5000 --warmup-requests 32 --requests "$streams"
  done
  for pair in "${pairs[@]}"; do
    read -r name path figure <<<"$pair"
    count_pair "$name" "$path" "$figure"
  done
done
for pair in "${pairs[@]}"; do
  read -r name path figure <<<"$pair"
  counted[$figure.token]="$(sort -n "$work/$name/$figure.counts" | sed -n "$(((rounds + 1) / 2))p")"
done
for name in nginx routerd; do
  for unit in request token; do
    counted[$name.$unit]="$(sort -n "$work/$name/$unit.counts" | sed -n "$(((rounds + 1) / 2))p")"
  done
done

verdict() { # NAME UNIT
  local most=$((${bars[$1.$2]} * (100 + ${bars[tolerance.$2]}) / 100))
  if [ "${counted[$1.$2]}" -le "$most" ]; then echo met; else echo MISSED; fi
}

demangle() { swift demangle --simplified 2>/dev/null || cat; }

row() { # UNIT LABEL
  local ours="${counted[routerd.$1]}" theirs="${counted[nginx.$1]}" said
  said="$(verdict routerd "$1")"
  [ "$said" = met ] || status=1
  # Of nginx a figure beyond its own record says that the two are not counted as they were.
  [ "$(verdict nginx "$1")" = met ] || say "nginx took $theirs instructions per $1, and ${bars[nginx.$1]} when the bars were set: another version?"
  printf '| %s | %d | %d | %s | %d and %d%%: %s |\n' "$2" "$theirs" "$ours" \
    "$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')" "${bars[routerd.$1]}" "${bars[tolerance.$1]}" "$said"
}

pair_row() { # PATH FIGURE
  local said
  said="$(verdict "$2" token)"
  [ "$said" = met ] || status=1
  printf '| per token, %s, %s | | %d | | %d and %d%%: %s |\n' "$1" "${2//_/ }" "${counted[$2.token]}" "${bars[$2.token]}" \
    "${bars[tolerance.token]}" "$said"
}

# Not in a subshell: rows set the status.
{
  echo "| instructions in user space | nginx | routerd | ratio | bar |"
  echo "| --- | ---: | ---: | ---: | --- |"
  row request "per request, /api/chat, not streamed, 16 connections"
  row token "per token, 32 streams of 64 tokens 5 ms apart"
  for pair in "${pairs[@]}"; do
    read -r _ path figure <<<"$pair"
    pair_row "$path" "$figure"
  done
} >"$work/table"
cat "$work/table"

if [ -n "$profile" ]; then
  {
    for unit in request token; do
      for inclusive in no yes; do
        echo "==== routerd: instructions per $unit$([ $inclusive = yes ] && echo ", with what is called from there"): ${counted[routerd.$unit]}"
        callgrind_annotate --inclusive=$inclusive --threshold=97 --auto=no "$work/routerd/$unit.profile" | demangle |
          awk -v served="${count_of[routerd.$unit]}" '/^ *[0-9,]+ +\( *[0-9.]+%\)/ {
            sum = $1; gsub(",", "", sum); share = $0; sub(/^[^(]*\(/, "", share); sub(/\).*/, "", share)
            name = $0; sub(/^[^)]*\) +/, "", name); sub(/^\?\?\?:/, "", name); sub(/ \[[^]]*routerd\.bin\]$/, "", name)
            printf "%9.1f %7s  %s\n", sum / served, share, substr(name, 1, 220)
          }'
      done
    done
  } >"$profile"
  say "profile: $profile"
fi
if [ "$record" = 1 ]; then
  {
    echo
    echo "## $(date -u '+%Y-%m-%d %H:%M UTC'), commit $(git -C "$here" describe --always --dirty 2>/dev/null || echo unknown), \`make bench-instructions\`"
    echo
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $("$nginx" -v 2>&1 | sed 's/.*: //'), $(valgrind --version), median of $rounds rounds"
    echo
    cat "$work/table"
  } >>"$here/RESULTS.md"
fi
exit "$status"
