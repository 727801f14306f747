// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// What the sub-commands share: clock, options, sockets, CPU time of a process.
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC 1000000000LL
#define MAX_PIDS 64

/// CLOCK_MONOTONIC in nanoseconds: one clock for all processes of a machine, so that a stamp can be compared elsewhere.
int64_t now_ns(void);

/// Prints a message and ends the process with status 2.
_Noreturn void die(const char *format, ...);

/// The value of `--name`, or `fallback`. Ends the process when the value is missing.
const char *option(int argc, char **argv, const char *name, const char *fallback);
/// The same for a number that must not be negative.
double option_number(int argc, char **argv, const char *name, double fallback);
/// Whether `--name`, which takes no value, is there.
bool option_flag(int argc, char **argv, const char *name);

/// A non-blocking listening socket on 127.0.0.1.
int listen_on(int port);
/// Prints `count` ports of 127.0.0.1 that nobody listens on just now. Returns the exit status.
int print_free_ports(int count);
/// A connected, non-blocking socket without Nagle's delay; -1 with errno on failure.
int connect_to(const char *host, int port);

/// Reads `a,b,c`. Returns how many process ids there were.
int parse_pids(const char *list, int *pids);
/// CPU time in nanoseconds that these processes have used: user and system, all threads, ended ones included.
int64_t cpu_ns(const int *pids, int count);

int run_upstream(int argc, char **argv);
int run_load(int argc, char **argv);

#endif
