// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#define _GNU_SOURCE
#include "bench.h"
#include "response.h"

#include <stdlib.h>
#include <string.h>

void response_reset(struct response *r) {
    r->state = READING_HEAD;
    r->closes = r->finished = false;
    r->left = r->body_bytes = r->line_length = 0;
    r->tokens = 0;
}

/// Collects bytes up to a line feed; true when the line is whole (then it ends with a zero byte in place of the line feed).
static bool take_line(struct response *r, const char **at, const char *end) {
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    size_t count = (size_t)((feed ? feed : end) - *at);
    if (r->line_length + count >= sizeof r->line) {
        r->state = BROKEN;
        return false;
    }
    memcpy(r->line + r->line_length, *at, count);
    r->line_length += count;
    r->line[r->line_length] = 0;
    *at = feed ? feed + 1 : end;
    return feed != NULL;
}

static void body_line(struct response *r) {
    char *stamp = r->translated ? NULL : memmem(r->line, r->line_length, "\"stamp\":", 8);
    if (r->translated && memmem(r->line, r->line_length, "\" tok\"", 6)) {
        r->tokens++;
        if (r->on_token) r->on_token(r->context, now_ns());
    }
    if (stamp) {
        r->tokens++;
        if (r->on_token) r->on_token(r->context, strtoll(stamp + 8, NULL, 10));
    }
    if (memmem(r->line, r->line_length, "\"done\":true", 11) || strcmp(r->line, "data: [DONE]") == 0 ||
        strcmp(r->line, "event: message_stop") == 0 || strcmp(r->line, "event: response.completed") == 0)
        r->finished = true;
    r->line_length = 0;
}

static void take_body(struct response *r, const char *at, const char *end) {
    r->body_bytes += (size_t)(end - at);
    while (at < end && r->state != BROKEN)
        if (take_line(r, &at, end)) body_line(r);
}

static void complete(struct response *r) {
    if (r->line_length > 0) body_line(r); // a body without a line feed at its end
    r->state = COMPLETE;
}

/// One line of the head; the state after the last one depends on the framing.
static void head_line(struct response *r, bool first) {
    char *line = r->line;
    if (r->line_length > 0 && line[r->line_length - 1] == '\r') line[--r->line_length] = 0;
    if (first) {
        if (strncmp(line, "HTTP/1.1 200", 12) != 0) r->state = BROKEN;
    } else if (strncasecmp(line, "Content-Length:", 15) == 0) {
        r->left = strtoul(line + 15, NULL, 10) + 1; // one more than it says: 0 means that there was none
    } else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0) {
        r->left = SIZE_MAX;
    } else if (strncasecmp(line, "Connection:", 11) == 0 && strcasestr(line, "close")) {
        r->closes = true;
    } else if (r->line_length == 0) {
        if (r->left == 0) r->state = BROKEN;
        else if (r->left == SIZE_MAX) r->state = CHUNK_SIZE;
        else if (--r->left == 0) r->state = COMPLETE;
        else r->state = COUNTED_DATA;
    }
    r->line_length = 0;
}

void response_take(struct response *r, const char *at, size_t count) {
    const char *end = at + count;
    while (at < end && r->state != BROKEN) {
        switch (r->state) {
        case READING_HEAD: {
            bool first = r->body_bytes == 0;
            if (take_line(r, &at, end)) {
                r->body_bytes = 1; // marks that the status line is read; the count starts with the body
                head_line(r, first);
                if (r->state != READING_HEAD) {
                    r->body_bytes = 0;
                    if (r->state == CHUNK_SIZE) r->left = 0;
                }
            }
            break;
        }
        case CHUNK_SIZE: {
            char c = *at++;
            if (c >= '0' && c <= '9') r->left = r->left << 4 | (size_t)(c - '0');
            else if ((c | 32) >= 'a' && (c | 32) <= 'f') r->left = r->left << 4 | (size_t)((c | 32) - 'a' + 10);
            else if (c == '\n') r->state = r->left > 0 ? CHUNK_DATA : TRAILER;
            else if (c != '\r') r->state = BROKEN;
            break;
        }
        case CHUNK_DATA:
        case COUNTED_DATA: {
            size_t part = (size_t)(end - at) < r->left ? (size_t)(end - at) : r->left;
            take_body(r, at, at + part);
            at += part;
            r->left -= part;
            if (r->left == 0 && r->state == CHUNK_DATA) r->state = CHUNK_END;
            else if (r->left == 0 && r->state == COUNTED_DATA) complete(r);
            break;
        }
        case CHUNK_END:
            if (*at++ == '\n') r->state = CHUNK_SIZE;
            break;
        case TRAILER: // the fake endpoint sends no trailers
            if (*at++ == '\n') complete(r);
            break;
        case COMPLETE: r->state = BROKEN; break;
        case BROKEN: break;
        }
    }
}
