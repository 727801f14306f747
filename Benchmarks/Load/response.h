// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// Reads one HTTP/1.1 response piece by piece and checks it: status, framing, every line of the body.
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum response_state { READING_HEAD, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, COUNTED_DATA, COMPLETE, BROKEN };

struct response {
    enum response_state state;
    bool closes;       // the server closes the connection after it
    bool finished;     // `"done":true` or `data: [DONE]` was there
    size_t left;       // bytes of the counted body or of the chunk to come
    long tokens;       // lines that carry a stamp, or a token's text
    bool translated;   // no stamp comes through: tokens are known by their text
    size_t body_bytes;
    char line[4096];   // of the head or of the body, which may go over a chunk's end
    size_t line_length;
    void (*on_token)(void *context, int64_t sent_ns);
    void *context;
};

/// Makes `r` ready for the next response; keeps `on_token` and `context`.
void response_reset(struct response *r);
/// Takes bytes. The state says whether the response is COMPLETE or BROKEN; bytes after its end break it.
void response_take(struct response *r, const char *bytes, size_t count);

#endif
