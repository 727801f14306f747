// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("bench-load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

const char *option(int argc, char **argv, const char *name, const char *fallback) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], name) != 0) continue;
        if (i + 1 == argc) die("%s needs a value", name);
        return argv[i + 1];
    }
    return fallback;
}

double option_number(int argc, char **argv, const char *name, double fallback) {
    const char *text = option(argc, argv, name, NULL);
    if (!text) return fallback;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0)) die("%s: \"%s\" is not a number from 0 up", name, text);
    return value;
}

bool option_flag(int argc, char **argv, const char *name) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return false;
}

static struct sockaddr_in address(const char *host, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) die("\"%s\" is not an IPv4 address", host);
    return a;
}

int listen_on(int port) {
    struct sockaddr_in a = address("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) die("port %d: %s", port, strerror(errno));
    return fd;
}

int print_free_ports(int count) {
    // All stay bound until the last is found, so that they differ.
    for (int i = 0; i < count; i++) {
        struct sockaddr_in a;
        socklen_t size = sizeof a;
        if (getsockname(listen_on(0), (struct sockaddr *)&a, &size)) die("ports: %s", strerror(errno));
        printf("%d\n", ntohs(a.sin_port));
    }
    return 0;
}

int connect_to(const char *host, int port) {
    struct sockaddr_in a = address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    // Blocking on purpose: on loopback it returns at once, and the caller opens connections one by one.
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int parse_pids(const char *list, int *pids) {
    int count = 0;
    while (list && *list) {
        char *end;
        long pid = strtol(list, &end, 10);
        if (end == list || pid <= 0 || count == MAX_PIDS) die("bad list of process ids near \"%s\"", list);
        pids[count++] = (int)pid;
        list = *end ? end + 1 : end;
    }
    return count;
}

int64_t cpu_ns(const int *pids, int count) {
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        // The process-wide clock counts in nanoseconds what the scheduler charged to all threads, and keeps what threads
        // that have ended used; /proc/PID/stat counts in ticks of 10 ms, and task/*/schedstat forgets ended threads.
        clockid_t clock;
        struct timespec t;
        int error = clock_getcpuclockid(pids[i], &clock);
        if (error || clock_gettime(clock, &t)) die("CPU time of process %d: %s", pids[i], strerror(error ? error : errno));
        sum += t.tv_sec * NS_PER_SEC + t.tv_nsec;
    }
    return sum;
}
