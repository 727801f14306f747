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
    int64_t budget; // requests that may still be sent; below zero: no limit but the window's end
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
    if (load.budget == 0) return;
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
    if (load.budget > 0) load.budget--;
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

/// Lengthens the prompt's text until the body has `wanted` bytes. Returns its length.
static int pad_prompt(char *body, size_t length, size_t capacity, size_t wanted) {
    static const char filler[] = " Give a reason, and name the animals.";
    char *at = strstr(body, " and does it mind?");
    if (!at || wanted < length || wanted >= capacity) die("--body-bytes: %zu is not between %zu and %zu", wanted, length, capacity - 1);
    at += strlen(" and does it mind?");
    size_t gap = wanted - length;
    memmove(at + gap, at, length - (size_t)(at - body) + 1);
    for (size_t i = 0; i < gap; i++) at[i] = filler[i % (sizeof filler - 1)];
    return (int)wanted;
}

static void write_request(int argc, char **argv, const char *path, const char *body, int length) {
    load.request_length = (size_t)snprintf(
        load.request, sizeof load.request,
        "POST %s HTTP/1.1\r\nHost: %s:%d\r\n%sContent-Length: %d\r\n\r\n%s", path, load.host, load.port,
        option_flag(argc, argv, "--bare") ? ""
                                          : "User-Agent: bench-load\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
                                            "Content-Type: application/json\r\n",
        length, body);
}

static void prepare_request(int argc, char **argv) {
    const char *path = option(argc, argv, "--path", "/api/generate");
    bool chat = strstr(path, "chat") != NULL;
    load.expected_tokens = (long)option_number(argc, argv, "--tokens", 64);
    char body[1024];
    // Each dialect has its own words for the limit, and an interval can be said in none but Ollama's.
    if (strcmp(path, "/v1/messages") == 0 || strcmp(path, "/v1/responses") == 0) {
        bool messages = path[4] == 'm';
        int length = snprintf(
            body, sizeof body, "{\"model\":\"bench:latest\",%s,\"%s\":%ld,\"stream\":%s}",
            messages ? "\"system\":\"You are a terse assistant.\",\"messages\":[{\"role\":\"user\",\"content\":\"What does the fox jump over?\"}]"
                     : "\"instructions\":\"You are a terse assistant.\",\"input\":\"What does the fox jump over?\"",
            messages ? "max_tokens" : "max_output_tokens", load.expected_tokens, load.stream ? "true" : "false");
        write_request(argc, argv, path, body, length);
        return;
    }
    size_t wanted = (size_t)option_number(argc, argv, "--body-bytes", 0);
    int length = snprintf(
        body, sizeof body, "{\"model\":\"bench:latest\",%s,\"stream\":%s,\"options\":{\"temperature\":0.7,\"num_predict\":%ld,\"interval_us\":%ld}}",
        chat ? "\"messages\":[{\"role\":\"system\",\"content\":\"You are a terse assistant.\"},"
               "{\"role\":\"user\",\"content\":\"What does the quick brown fox jump over, and does it mind?\"}]"
             : "\"prompt\":\"What does the quick brown fox jump over, and does it mind? Answer in one sentence, please.\"",
        load.stream ? "true" : "false", load.expected_tokens, (long)option_number(argc, argv, "--interval-us", 10000));
    if (wanted > 0) length = pad_prompt(body, (size_t)length, sizeof body, wanted);
    write_request(argc, argv, path, body, length);
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

static void report(int64_t cpu, double seconds, long rss) {
    printf("{\"requests\":%llu,\"tokens\":%llu,\"errors\":%llu,\"unfinished\":%d,\"reconnects\":%llu,\"seconds\":%.3f,"
           "\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f,\"first_byte_p50_us\":%.1f,\"first_byte_p99_us\":%.1f,"
           "\"token_delay_p50_us\":%.1f,\"token_delay_p99_us\":%.1f,\"cpu_us\":%.1f,\"cpu_us_per_request\":%.3f,"
           "\"cpu_us_per_token\":%.3f,\"rss_kib\":%ld}\n",
           (unsigned long long)load.requests, (unsigned long long)load.tokens, (unsigned long long)load.errors, load.in_flight,
           (unsigned long long)load.reconnects, seconds, histogram_us(&load.latency, 0.5),
           histogram_us(&load.latency, 0.99), histogram_us(&load.first_byte, 0.5), histogram_us(&load.first_byte, 0.99),
           histogram_us(&load.token_delay, 0.5), histogram_us(&load.token_delay, 0.99), (double)cpu / 1000,
           load.requests ? (double)cpu / 1000 / (double)load.requests : 0,
           load.tokens ? (double)cpu / 1000 / (double)load.tokens : 0, rss);
}

/// All connections send until `count` requests are out, and are waited for.
static void send_counted(int64_t count) {
    load.budget = count;
    for (int i = 0; i < load.connection_count; i++) send_request(&load.connections[i]);
    while (load.in_flight > 0 && load.errors < 1000) poll_once(10);
    if (load.budget > 0) die("%lld requests were not sent", (long long)load.budget);
}

/// Runs what the caller does at the edges of what it counts.
static void at_edge(const char *command) {
    if (command && system(command) != 0) die("\"%s\" failed", command);
}

/// Counts a number of requests: what happens between the two commands is these and nothing else.
static void run_counted(int64_t warmup, int64_t count, const char *at_start, const char *at_end) {
    load.window_start = load.window_end = INT64_MAX;
    send_counted(warmup);
    at_edge(at_start);
    load.window_start = load.now = now_ns();
    send_counted(count);
    int64_t end = now_ns();
    at_edge(at_end);
    report(0, (double)(end - load.window_start) / NS_PER_SEC, 0);
}

/// Counts what happens in a window of time.
static void run_window(int64_t duration, int64_t warmup, int64_t drain, const int *pids, int pid_count) {
    load.budget = -1;
    load.now = now_ns();
    int64_t start = load.now;
    load.window_start = start + warmup;
    load.window_end = load.window_start + duration;
    // Connections come up over the first half of the warm-up, not in one burst.
    for (int i = 0; i < load.connection_count; i++) {
        struct connection *c = &load.connections[i];
        while (load.now < start + warmup / 2 * i / load.connection_count) poll_once(1);
        send_request(c);
    }
    while (load.now < load.window_start) poll_once(1);
    int64_t cpu_before = cpu_ns(pids, pid_count), from = now_ns();
    while (load.now < load.window_end) poll_once(1);
    int64_t cpu = cpu_ns(pids, pid_count) - cpu_before, to = now_ns();
    long rss = resident_kib(pids, pid_count);
    while (load.in_flight > 0 && load.now < load.window_end + drain) poll_once(10);

    report(cpu, (double)(to - from) / NS_PER_SEC, rss);
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
    // The last item of a stream has no text.
    bool translated = option_flag(argc, argv, "--translated");
    if (translated) load.expected_tokens--;
    load.poller = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc((size_t)load.connection_count, sizeof *load.connections);
    if (!load.connections) die("out of memory");

    for (int i = 0; i < load.connection_count; i++) {
        load.connections[i].fd = -1;
        load.connections[i].response.on_token = on_token;
        load.connections[i].response.translated = translated;
    }
    int64_t count = (int64_t)option_number(argc, argv, "--requests", 0);
    if (count > 0) {
        run_counted((int64_t)option_number(argc, argv, "--warmup-requests", 0), count, option(argc, argv, "--at-start", NULL),
                    option(argc, argv, "--at-end", NULL));
    } else {
        run_window(duration, warmup, drain, pids, pid_count);
    }
    return load.errors > 0 ? 1 : 0;
}
