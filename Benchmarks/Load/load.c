// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// The load generator: a closed loop over keep-alive connections, one thread. What it reports was counted in a window that
// starts when all connections are up and ends before they are taken down.
#define _GNU_SOURCE
#include "bench.h"
#include "histogram.h"
#include "response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    bool busy;       // a request is out
    bool first_byte; // of its response is here
    int64_t sent;
    struct response response;
};

static struct {
    char host[64];
    int port, poller, connection_count;
    bool stream;
    long expected_tokens;
    char request[2048];
    size_t request_length;
    struct connection *connections;
    int64_t now, window_start, window_end;
    int in_flight;
    uint64_t requests, tokens, errors, reconnects, total;
    struct histogram latency, first_byte, token_delay;
} load;

static bool in_window(void) { return load.now >= load.window_start && load.now < load.window_end; }

static void fail(const char *what) {
    if (load.errors++ < 5) fprintf(stderr, "bench-load: %s\n", what);
}

static void on_token(void *context, int64_t sent_ns) {
    (void)context;
    if (!in_window()) return;
    load.tokens++;
    histogram_add(&load.token_delay, load.now - sent_ns);
}

static bool dial(struct connection *c) {
    c->fd = connect_to(load.host, load.port);
    if (c->fd < 0) {
        fail(strerror(errno));
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load.poller, EPOLL_CTL_ADD, c->fd, &event);
    return true;
}

static void hang_up(struct connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    if (c->busy) load.in_flight--;
    c->busy = false;
}

static void send_request(struct connection *c) {
    if (c->fd < 0 && !dial(c)) return;
    response_reset(&c->response);
    c->first_byte = false;
    c->sent = now_ns();
    // A request of this size goes into an empty socket buffer whole.
    if (send(c->fd, load.request, load.request_length, MSG_NOSIGNAL) != (ssize_t)load.request_length) {
        fail("a request could not be sent");
        hang_up(c);
        return;
    }
    c->busy = true;
    load.in_flight++;
}

static void finish(struct connection *c) {
    struct response *r = &c->response;
    load.total++;
    if (!r->finished) fail("a response without its end");
    else if (load.stream ? r->tokens != load.expected_tokens : r->body_bytes < 300) fail("a response that is cut");
    if (in_window()) {
        load.requests++;
        histogram_add(&load.latency, load.now - c->sent);
    }
    c->busy = false;
    load.in_flight--;
    if (r->closes) {
        load.reconnects++;
        hang_up(c);
    }
    if (load.now < load.window_end) send_request(c);
}

static void receive(struct connection *c) {
    char bytes[65536];
    ssize_t count = recv(c->fd, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    load.now = now_ns();
    if (count <= 0) {
        if (c->busy) fail("the connection ended inside a response");
        hang_up(c);
        if (load.now < load.window_end && load.errors < 1000) send_request(c);
        return;
    }
    if (!c->first_byte) {
        c->first_byte = true;
        if (in_window()) histogram_add(&load.first_byte, load.now - c->sent);
    }
    response_take(&c->response, bytes, (size_t)count);
    if (c->response.state == BROKEN || !c->busy) {
        fail(c->busy ? "a response with a wrong status or framing" : "bytes that nobody asked for");
        hang_up(c);
        if (load.now < load.window_end && load.errors < 1000) send_request(c);
    } else if (c->response.state == COMPLETE) {
        finish(c);
    }
}

static void prepare_request(int argc, char **argv) {
    const char *path = option(argc, argv, "--path", "/api/generate");
    bool chat = strstr(path, "chat") != NULL;
    load.expected_tokens = (long)option_number(argc, argv, "--tokens", 64);
    char body[1024];
    int length = snprintf(
        body, sizeof body, "{\"model\":\"bench:latest\",%s,\"stream\":%s,\"options\":{\"temperature\":0.7,\"num_predict\":%ld,\"interval_us\":%ld}}",
        chat ? "\"messages\":[{\"role\":\"system\",\"content\":\"You are a terse assistant.\"},"
               "{\"role\":\"user\",\"content\":\"What does the quick brown fox jump over, and does it mind?\"}]"
             : "\"prompt\":\"What does the quick brown fox jump over, and does it mind? Answer in one sentence, please.\"",
        load.stream ? "true" : "false", load.expected_tokens, (long)option_number(argc, argv, "--interval-us", 10000));
    load.request_length = (size_t)snprintf(
        load.request, sizeof load.request,
        "POST %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: bench-load\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        path, load.host, load.port, length, body);
}

/// Memory that these processes hold, in KiB.
static long resident_kib(const int *pids, int count) {
    long sum = 0;
    for (int i = 0; i < count; i++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/status", pids[i]);
        FILE *file = fopen(path, "r");
        if (!file) die("%s: %s", path, strerror(errno));
        while (fgets(line, sizeof line, file))
            if (strncmp(line, "VmRSS:", 6) == 0) sum += strtol(line + 6, NULL, 10);
        fclose(file);
    }
    return sum;
}

static void poll_once(int timeout_ms) {
    struct epoll_event events[512];
    int count = epoll_wait(load.poller, events, 512, timeout_ms);
    for (int i = 0; i < count; i++) receive(events[i].data.ptr);
    load.now = now_ns();
}

int run_load(int argc, char **argv) {
    const char *target = option(argc, argv, "--target", "127.0.0.1:11434");
    const char *mode = option(argc, argv, "--mode", "unary");
    if (sscanf(target, "%63[^:]:%d", load.host, &load.port) != 2) die("--target: \"%s\" is not HOST:PORT", target);
    load.stream = strcmp(mode, "stream") == 0;
    if (!load.stream && strcmp(mode, "unary") != 0) die("--mode: \"%s\" is neither unary nor stream", mode);
    load.connection_count = (int)option_number(argc, argv, "--connections", 1);
    int64_t duration = (int64_t)(option_number(argc, argv, "--duration", 5) * NS_PER_SEC);
    int64_t warmup = (int64_t)(option_number(argc, argv, "--warmup", 0.5) * NS_PER_SEC);
    int64_t drain = (int64_t)(option_number(argc, argv, "--drain", 10) * NS_PER_SEC);
    int pids[MAX_PIDS], pid_count = parse_pids(option(argc, argv, "--pids", ""), pids);
    prepare_request(argc, argv);
    load.poller = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc((size_t)load.connection_count, sizeof *load.connections);
    if (!load.connections) die("out of memory");

    load.now = now_ns();
    int64_t start = load.now;
    load.window_start = start + warmup;
    load.window_end = load.window_start + duration;
    // Connections come up over the first half of the warm-up, not in one burst.
    for (int i = 0; i < load.connection_count; i++) {
        struct connection *c = &load.connections[i];
        c->fd = -1;
        c->response.on_token = on_token;
        while (load.now < start + warmup / 2 * i / load.connection_count) poll_once(1);
        send_request(c);
    }
    while (load.now < load.window_start) poll_once(1);
    int64_t cpu_before = cpu_ns(pids, pid_count), from = now_ns();
    while (load.now < load.window_end) poll_once(1);
    int64_t cpu = cpu_ns(pids, pid_count) - cpu_before, to = now_ns();
    long rss = resident_kib(pids, pid_count);
    while (load.in_flight > 0 && load.now < load.window_end + drain) poll_once(10);

    printf("{\"requests\":%llu,\"tokens\":%llu,\"errors\":%llu,\"unfinished\":%d,\"reconnects\":%llu,\"seconds\":%.3f,"
           "\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f,\"first_byte_p50_us\":%.1f,\"first_byte_p99_us\":%.1f,"
           "\"token_delay_p50_us\":%.1f,\"token_delay_p99_us\":%.1f,\"cpu_us\":%.1f,\"cpu_us_per_request\":%.3f,"
           "\"cpu_us_per_token\":%.3f,\"rss_kib\":%ld}\n",
           (unsigned long long)load.requests, (unsigned long long)load.tokens, (unsigned long long)load.errors, load.in_flight,
           (unsigned long long)load.reconnects, (double)(to - from) / NS_PER_SEC, histogram_us(&load.latency, 0.5),
           histogram_us(&load.latency, 0.99), histogram_us(&load.first_byte, 0.5), histogram_us(&load.first_byte, 0.99),
           histogram_us(&load.token_delay, 0.5), histogram_us(&load.token_delay, 0.99), (double)cpu / 1000,
           load.requests ? (double)cpu / 1000 / (double)load.requests : 0,
           load.tokens ? (double)cpu / 1000 / (double)load.tokens : 0, rss);
    return load.errors > 0 ? 1 : 0;
}
