// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// The fake endpoint: one thread, epoll, one heap of due tokens. Every token carries the time at which it was sent.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 1 << 20 };

enum dialect { GENERATE, CHAT, SSE };

struct connection {
    int fd;
    char *in; // bytes of a request that is not complete yet
    size_t length, capacity;
    bool streaming;
    enum dialect dialect;
    long tokens_left;
    int64_t interval, due;
    int heap_index; // -1: no token due
    char *unsent;   // what the socket did not take; tokens wait until it is gone
    size_t unsent_length;
};

static int poller;
static long default_tokens;
static int64_t default_interval;
static const char *date = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"; // empty with --bare
static uint64_t random_state = 0x9E3779B97F4A7C15;

// The heap of streams, the next due first.
static struct connection **heap;
static int heap_count, heap_capacity;

static void heap_put(int i, struct connection *c) {
    heap[i] = c;
    c->heap_index = i;
}

static void heap_up(int i) {
    struct connection *c = heap[i];
    while (i > 0 && heap[(i - 1) / 2]->due > c->due) {
        heap_put(i, heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(i, c);
}

static void heap_down(int i) {
    struct connection *c = heap[i];
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= c->due) break;
        heap_put(i, heap[child]);
        i = child;
    }
    heap_put(i, c);
}

static void heap_add(struct connection *c) {
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 1024;
        heap = realloc(heap, (size_t)heap_capacity * sizeof *heap);
        if (!heap) die("out of memory");
    }
    heap[heap_count] = c;
    heap_up(heap_count++);
}

static void heap_remove(struct connection *c) {
    int i = c->heap_index;
    if (i < 0) return;
    c->heap_index = -1;
    struct connection *last = heap[--heap_count];
    if (last == c) return;
    heap_put(i, last);
    heap_down(i);
    heap_up(last->heap_index);
}

static void drop(struct connection *c) {
    heap_remove(c);
    close(c->fd);
    free(c->in);
    free(c->unsent);
    free(c);
}

/// Sends, keeps what the socket does not take. False: the connection is gone (and still to be dropped).
static bool send_bytes(struct connection *c, const char *bytes, size_t count) {
    if (c->unsent_length == 0) {
        ssize_t sent = send(c->fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent > 0) bytes += sent, count -= (size_t)sent;
    }
    if (count == 0) return true;
    c->unsent = realloc(c->unsent, c->unsent_length + count);
    if (!c->unsent) die("out of memory");
    memcpy(c->unsent + c->unsent_length, bytes, count);
    c->unsent_length += count;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    return true;
}

static bool send_unsent(struct connection *c) {
    ssize_t sent = send(c->fd, c->unsent, c->unsent_length, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    c->unsent_length -= (size_t)sent;
    memmove(c->unsent, c->unsent + sent, c->unsent_length);
    if (c->unsent_length == 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    }
    return true;
}

/// One token as a chunk, the last one with what ends the stream. Returns the length.
static size_t write_token(struct connection *c, char *out, size_t capacity) {
    static const char *const bodies[][2] = {
        [GENERATE] = {"{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"response\":\" tok\","
                      "\"stamp\":%lld,\"done\":false}\n",
                      "{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"response\":\"\","
                      "\"stamp\":%lld,\"done\":true,\"done_reason\":\"stop\",\"total_duration\":1000000,\"prompt_eval_count\":12,"
                      "\"eval_count\":64,\"eval_duration\":900000}\n"},
        [CHAT] = {"{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"message\":{\"role\":"
                  "\"assistant\",\"content\":\" tok\"},\"stamp\":%lld,\"done\":false}\n",
                  "{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"message\":{\"role\":"
                  "\"assistant\",\"content\":\"\"},\"stamp\":%lld,\"done\":true,\"done_reason\":\"stop\",\"total_duration\":1000000,"
                  "\"prompt_eval_count\":12,\"eval_count\":64,\"eval_duration\":900000}\n"},
        [SSE] = {"data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"bench:latest\",\"stamp\":%lld,"
                 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tok\"}}]}\n\n",
                 "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"bench:latest\",\"stamp\":%lld,"
                 "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
    };
    char body[512];
    bool last = c->tokens_left == 1;
    int length = snprintf(body, sizeof body, bodies[c->dialect][last], (long long)now_ns());
    return (size_t)snprintf(out, capacity, "%x\r\n%.*s\r\n%s", length, length, body, last ? "0\r\n\r\n" : "");
}

static bool send_token(struct connection *c) {
    char out[640];
    size_t length = write_token(c, out, sizeof out);
    if (--c->tokens_left == 0) c->streaming = false;
    return send_bytes(c, out, length);
}

static bool start_stream(struct connection *c, enum dialect dialect, long tokens, int64_t interval) {
    char out[1024];
    c->streaming = true;
    c->dialect = dialect;
    c->tokens_left = tokens > 0 ? tokens : 1;
    c->interval = interval;
    int head = snprintf(out, sizeof out,
                        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n",
                        dialect == SSE ? "text/event-stream" : "application/x-ndjson", date);
    size_t length = (size_t)head + write_token(c, out + head, sizeof out - (size_t)head);
    if (--c->tokens_left == 0) c->streaming = false;
    if (!send_bytes(c, out, length)) return false;
    if (c->streaming) {
        // The second token at a random phase: streams of real endpoints do not tick together.
        random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
        c->due = now_ns() + 1 + (interval > 0 ? (int64_t)(random_state % (uint64_t)interval) : 0);
        heap_add(c);
    }
    return true;
}

static bool answer(struct connection *c, const char *type, const char *body) {
    char out[1536];
    int length =
        snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n%s", type, date, strlen(body), body);
    return send_bytes(c, out, (size_t)length);
}

static long number_after(const char *body, const char *key, long fallback) {
    const char *at = strstr(body, key);
    return at ? strtol(at + strlen(key), NULL, 10) : fallback;
}

static bool starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/// Answers one complete request; `body` ends with a zero byte.
static bool serve(struct connection *c, const char *line, const char *body) {
    static const char json[] = "application/json; charset=utf-8";
    static const char model[] =
        "{\"models\":[{\"name\":\"bench:latest\",\"model\":\"bench:latest\",\"modified_at\":\"2026-01-01T00:00:00Z\",\"size\":1000000,"
        "\"digest\":\"3f8eb4da87fa7a3c9da615036b0dc418d31fef2a30b115ff33562588b32c691d\",\"details\":{\"parent_model\":\"\","
        "\"format\":\"gguf\",\"family\":\"llama\",\"families\":[\"llama\"],\"parameter_size\":\"1B\",\"quantization_level\":\"Q4_0\"}"
        "%s}]}";
    static const char unary[] =
        "{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"response\":\"The quick brown fox jumps over "
        "the lazy dog, and the lazy dog does not mind it at all, because it is asleep.\",\"message\":{\"role\":\"assistant\",\"content\":"
        "\"Yes.\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":12,"
        "\"prompt_eval_duration\":1000,\"eval_count\":64,\"eval_duration\":900000}";
    // As Ollama's own: of whole answers a proxy reads every member.
    static const char chat[] =
        "{\"model\":\"bench:latest\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\",\"message\":{\"role\":\"assistant\",\"content\":"
        "\"The quick brown fox jumps over the lazy dog, and it does not mind.\"},\"done_reason\":\"stop\",\"done\":true,"
        "\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":12,\"prompt_eval_duration\":1000,\"eval_count\":64,"
        "\"eval_duration\":900000}";
    static const char completion[] =
        "{\"id\":\"c-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"bench:latest\",\"choices\":[{\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy dog, and the lazy dog does not mind it at all, because "
        "it is asleep and dreams of mice.\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":64,\"total_tokens\":76}}";
    char text[1024];
    if (starts(line, "POST /api/generate ") || starts(line, "POST /api/chat ") || starts(line, "POST /v1/chat/completions ")) {
        enum dialect dialect = line[6] == 'v' ? SSE : line[10] == 'g' ? GENERATE : CHAT;
        bool stream = dialect == SSE ? strstr(body, "\"stream\":true") != NULL : strstr(body, "\"stream\":false") == NULL;
        if (!stream) return answer(c, json, dialect == SSE ? completion : dialect == CHAT ? chat : unary);
        long interval = number_after(body, "\"interval_us\":", (long)(default_interval / 1000));
        return start_stream(c, dialect, number_after(body, "\"num_predict\":", number_after(body, "\"max_tokens\":", default_tokens)), interval * 1000);
    }
    if (starts(line, "GET /api/version ")) return answer(c, json, "{\"version\":\"0.12.0\"}");
    if (starts(line, "GET /api/tags ") || starts(line, "GET /api/ps ")) {
        bool loaded = line[9] == 'p';
        snprintf(text, sizeof text, model,
                 loaded ? ",\"expires_at\":\"2099-01-01T00:00:00Z\",\"size_vram\":1000000,\"context_length\":4096" : "");
        return answer(c, json, text);
    }
    if (starts(line, "GET /v1/models "))
        return answer(c, json, "{\"object\":\"list\",\"data\":[{\"id\":\"bench:latest\",\"object\":\"model\",\"created\":1}]}");
    if (starts(line, "GET / ") || starts(line, "HEAD / ")) return answer(c, "text/plain", "");
    static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n404 page not found";
    return send_bytes(c, missing, sizeof missing - 1);
}

/// Where a chunked body that begins at `at` ends, NULL: it is not complete yet. With `body` it is decoded to there as well, which
/// may be the same place.
static char *end_of_chunks(char *at, char *end, char *body) {
    for (;;) {
        char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line) return NULL;
        size_t size = strtoul(at, NULL, 16);
        if (size > REQUEST_LIMIT || (size_t)(end - line) < size + 4) return NULL;
        at = line + 2 + size + 2;
        if (body) {
            memmove(body, line + 2, size);
            body += size;
            if (size == 0) *body = 0;
        }
        if (size == 0) return at;
    }
}

/// Answers every complete request in the buffer. False: drop the connection.
static bool take_requests(struct connection *c) {
    while (c->length > 0 && !c->streaming) {
        c->in[c->length] = 0;
        char *end = memmem(c->in, c->length, "\r\n\r\n", 4);
        if (!end) return c->length < REQUEST_LIMIT;
        char *body = end + 4, *rest;
        *end = 0;
        char *counted = strcasestr(c->in, "\r\nContent-Length:");
        bool chunked = !counted && strcasestr(c->in, "\r\nTransfer-Encoding:");
        size_t size = counted ? strtoul(counted + 17, NULL, 10) : 0;
        *end = '\r';
        if (size > REQUEST_LIMIT) return false;
        if (chunked) {
            rest = end_of_chunks(body, c->in + c->length, NULL);
            if (!rest) return c->length < REQUEST_LIMIT;
            end_of_chunks(body, c->in + c->length, body);
        } else {
            rest = body + size;
            if (rest > c->in + c->length) return true;
        }
        char saved = *rest;
        if (!chunked) *rest = 0;
        bool open = serve(c, c->in, body);
        if (!chunked) *rest = saved;
        if (!open) return false;
        c->length -= (size_t)(rest - c->in);
        memmove(c->in, rest, c->length);
    }
    return true;
}

static bool receive(struct connection *c) {
    if (c->capacity - c->length < 4096) {
        c->capacity = c->capacity ? c->capacity * 2 : 8192;
        c->in = realloc(c->in, c->capacity);
        if (!c->in) die("out of memory");
    }
    ssize_t got = recv(c->fd, c->in + c->length, c->capacity - c->length - 1, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    if (got > 0) c->length += (size_t)got;
    return c->length <= 2 * REQUEST_LIMIT && take_requests(c);
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) die("out of memory");
        c->fd = fd;
        c->heap_index = -1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void send_due_tokens(void) {
    int64_t now = now_ns();
    while (heap_count > 0 && heap[0]->due <= now) {
        struct connection *c = heap[0];
        // A stream whose reader is slow skips a turn, so that a token's stamp is the time at which it could go out.
        bool open = c->unsent_length > 0 || send_token(c);
        if (open && c->streaming) {
            c->due = c->due + c->interval > now ? c->due + c->interval : now + 1;
            heap_down(0);
            continue;
        }
        if (!open) {
            drop(c);
            continue;
        }
        heap_remove(c);
        if (!take_requests(c)) drop(c);
    }
}

int run_upstream(int argc, char **argv) {
    int listener = listen_on((int)option_number(argc, argv, "--port", 11434));
    if (option_flag(argc, argv, "--bare")) date = "";
    default_tokens = (long)option_number(argc, argv, "--tokens", 64);
    default_interval = (int64_t)(option_number(argc, argv, "--interval-us", 10000) * 1000);
    int64_t end = now_ns() + (int64_t)(option_number(argc, argv, "--max-seconds", 3600) * NS_PER_SEC);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    int64_t armed = 0;
    while (now_ns() < end) {
        int64_t due = heap_count > 0 ? heap[0]->due : 0;
        if (due != armed) {
            struct itimerspec at = {.it_value = {due / NS_PER_SEC, due % NS_PER_SEC}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
            armed = due;
        }
        struct epoll_event events[256];
        int count = epoll_wait(poller, events, 256, 1000);
        for (int i = 0; i < count; i++) {
            void *source = events[i].data.ptr;
            if (source == &timer) {
                uint64_t expirations;
                if (read(timer, &expirations, sizeof expirations) > 0) armed = 0;
            } else if (source == &listener) {
                accept_all(listener);
            } else {
                struct connection *c = source;
                bool open = !(events[i].events & EPOLLOUT) || c->unsent_length == 0 || send_unsent(c);
                if (open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) open = receive(c);
                if (!open) drop(c);
            }
        }
        send_due_tokens();
    }
    return 0;
}
