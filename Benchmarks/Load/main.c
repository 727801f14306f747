// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// The fake endpoint and the load generator of the benchmark in one program.
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "usage: bench-load upstream --port N [--tokens N] [--interval-us N] [--max-seconds S] [--bare]\n"
    "       bench-load load --target HOST:PORT --mode unary|stream [--connections N] [--duration S] [--warmup S]\n"
    "                  [--path P] [--body-bytes N] [--tokens N] [--interval-us N] [--pids A,B] [--drain S] [--bare]\n"
    "       bench-load load ... --requests N [--warmup-requests N] [--at-start COMMAND] [--at-end COMMAND]\n"
    "                  counts requests and not seconds; the commands run while none is out\n"
    "                  --bare: no header that could be left out\n"
    "       bench-load cpu PID...    nanoseconds of CPU time that these processes have used\n"
    "       bench-load ports N       N free ports\n";

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "upstream") == 0) return run_upstream(argc - 2, argv + 2);
    if (strcmp(command, "load") == 0) return run_load(argc - 2, argv + 2);
    if (strcmp(command, "cpu") == 0 && argc > 2) {
        int64_t sum = 0;
        for (int i = 2; i < argc; i++) {
            int pids[MAX_PIDS];
            sum += cpu_ns(pids, parse_pids(argv[i], pids));
        }
        printf("%lld\n", (long long)sum);
        return 0;
    }
    if (strcmp(command, "ports") == 0 && argc > 2) return print_free_ports(atoi(argv[2]));
    fputs(usage, stderr);
    return 2;
}
