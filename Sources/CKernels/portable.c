// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors
//
// For every processor that the compiler knows; on arm64 the vector types become NEON's.
#define NAME(x) portable_##x
#define NAME_TEXT "portable"
#define UNPACKS_FIRST 1
#define UNPACK8(p) unpack8(p)
#define DOT_I8(left, right, width) dot_i8(left, right, width)

#include <stdint.h>
#include <string.h>

typedef float wide8 __attribute__((vector_size(32)));
typedef uint32_t bits8 __attribute__((vector_size(32)));

// Half to single by its bits: the exponent is moved and corrected by a multiplication, which also makes subnormal numbers right.
static inline wide8 unpack8(const uint16_t *p) {
    bits8 half, sign, rest;
    for (int i = 0; i < 8; i++) half[i] = p[i];
    sign = (half & 0x8000u) << 16;
    rest = (half & 0x7fffu) << 13;
    wide8 value;
    memcpy(&value, &rest, sizeof value);
    value *= 0x1p112f;
    bits8 bits;
    memcpy(&bits, &value, sizeof bits);
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t dot_i8(const int8_t *left, const int8_t *right, int width) {
    int32_t total = 0;
    for (int i = 0; i < width; i++) total += (int32_t)left[i] * (int32_t)right[i];
    return total;
}

#include "body.h"

const Kernels *kernels_portable(void) { return &portable_table; }

#if !defined(__x86_64__)
const Kernels *kernels_best(void) { return &portable_table; }
#endif

// MARK: Packing

static uint16_t to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = (bits >> 16) & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);
    if (bits < 0x38800000u) {
        // Subnormal: adding a number of the right size rounds for us.
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    uint32_t odd = (bits >> 13) & 1;
    return (uint16_t)(sign | ((bits - 0x38000000u + 0xfffu + odd) >> 13));
}

void kernels_to_half(const float *from, uint16_t *to, long count) {
    for (long i = 0; i < count; i++) to[i] = to_half(from[i]);
}

long kernels_packed_length(int n, int k) { return (long)n * k; }

void kernels_pack(const float *weights, int n, int k, uint16_t *packed) {
    for (int column = 0; column < n; column += KERNELS_PANEL)
        for (int i = 0; i < k; i++)
            for (int j = 0; j < KERNELS_PANEL; j++) *packed++ = to_half(weights[(long)(column + j) * k + i]);
}
