# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# What the side-by-side scripts share: the same generator, endpoint, nginx and routerd, and an end for all that they start.
# Sourced, with `here` being the folder of this file. The caller sets `upstream_port` and the mapping `port` of names to ports.

running=()

say() { echo "bench: $*" >&2; }
give_up() { say "$*"; exit 2; }

stop() { # ends what is running, at the latest after 5 seconds
  [ ${#running[@]} -gt 0 ] || return 0
  kill -TERM "${running[@]}" 2>/dev/null || true
  local pid
  for _ in $(seq 50); do
    for pid in "${running[@]}"; do kill -0 "$pid" 2>/dev/null && { sleep 0.1; continue 2; }; done
    break
  done
  kill -KILL "${running[@]}" 2>/dev/null || true
  wait "${running[@]}" 2>/dev/null || true
  running=()
}

prepare() { # finds nginx, compiles the generator into a folder of its own: $nginx, $work, $leash
  [ "$(uname -s)" = Linux ] || give_up "the load generator needs Linux (epoll)"
  nginx="${NGINX:-$(PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx || true)}"
  [ -x "$nginx" ] || give_up "nginx is missing: apt-get install nginx-light"
  # One file descriptor to the client and one to the endpoint for each stream.
  ulimit -n "$(ulimit -Hn)"
  work="$(mktemp -d "${TMPDIR:-/tmp}/routerd-bench.XXXXXX")"
  trap 'stop; rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # Even if the script is killed, what it started ends.
  leash=()
  if command -v setpriv >/dev/null; then leash=(setpriv --pdeathsig TERM); fi
  "${CC:-cc}" -O2 -std=gnu11 -Wall -Wextra -Werror "$here"/Load/*.c -o "$work/bench-load"
}

find_routerd() { # builds the release binary, unless $ROUTERD names one
  if [ -z "${ROUTERD:-}" ]; then
    local build=(swift build --package-path "$here/.." -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked)
    "${build[@]}" --product routerd >&2
    ROUTERD="$("${build[@]}" --show-bin-path)/routerd"
  fi
  [ -x "$ROUTERD" ] || give_up "no routerd at $ROUTERD"
}

write_nginx_conf() { # FOLDER PORT [EXTRA]: nginx in front of the fake endpoint
  mkdir -p "$1"
  cat >"$1/nginx.conf" <<CONF
worker_processes 1;
daemon off;
${3:-}
pid $1/pid;
error_log $1/error.log warn;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path $1/body;
  proxy_temp_path $1/proxy;
  fastcgi_temp_path $1/fastcgi;
  uwsgi_temp_path $1/uwsgi;
  scgi_temp_path $1/scgi;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream endpoint {
    server 127.0.0.1:$upstream_port;
    keepalive 64;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:$2 backlog=4096;
    location / {
      proxy_pass http://endpoint;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering on;
      proxy_read_timeout 3600s;
      proxy_send_timeout 3600s;
    }
  }
}
CONF
}

write_routerd_config() { # FOLDER PORT [PATH]: routerd in front of the fake endpoint, or of one path of it
  mkdir -p "$1"
  cat >"$1/config.yaml" <<CONF
listen: 127.0.0.1:$2
threads: 1
endpoints: [{url: "http://127.0.0.1:$upstream_port${3:-}", name: bench, max_concurrent_connections: 100000}]
control_socket: $1/c.sock
log_level: warning
CONF
}

wait_for() { # NAME SECONDS: until it answers a request
  local end=$((SECONDS + $2))
  until "$work/bench-load" load --target "127.0.0.1:${port[$1]}" --duration 0.05 --warmup 0 >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { cat "$work/$1"/*.log >&2 || true; give_up "$1 does not answer"; }
    sleep 0.1
  done
}
