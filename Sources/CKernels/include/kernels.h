// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors
//
// Arithmetic for sentence embeddings and for finding the nearest of many. Every function exists twice, for processors with AVX2,
// FMA and F16C and for all others; `kernels_best()` says which one this processor can run.
#ifndef ROUTERD_KERNELS_H
#define ROUTERD_KERNELS_H
#include <stdint.h>

/// Columns of a weight matrix that lie together.
#define KERNELS_PANEL 16

/// Matrix products, and what comes between them in a transformer's layer. All matrices are row-major.
typedef struct {
    const char *name;

    /// y[m][n] = x[m][k] * w + bias[n], where `packed` is w as `kernels_pack` made it. `scratch` holds 16 * k floats.
    void (*linear)(const float *x, int m, int k, const uint16_t *packed, const float *bias, int n, float *y, float *scratch);

    /// x = x * (1 + erf(x / sqrt(2))) / 2
    void (*gelu)(float *x, long count);

    /// x = normalise(x + residual) * gamma + beta for each row; `residual` may be null.
    void (*layer_norm)(float *x, const float *residual, int rows, int width, const float *gamma, const float *beta, float epsilon);

    /// Scaled dot-product attention of every token to every token. `qkv` has rows of query, key and value, each of heads * head_width
    /// (a multiple of 32);
    /// `scratch` holds tokens + 2 * tokens * head_width floats.
    void (*attention)(const float *qkv, int tokens, int heads, int head_width, float *out, float *scratch);

    /// Half-precision to single.
    void (*unpack)(const uint16_t *from, float *to, long count);

    /// scores[i] = query . vectors[i], for `count` vectors of `width` signed bytes (a multiple of 32), each of length at most 127.
    void (*scan_i8)(const int8_t *vectors, long count, int width, const int8_t *query, int32_t *scores);

    /// The dot product of two vectors of `width` (a multiple of 16), each of Euclidean length at most 32767.
    int32_t (*dot_i16)(const int16_t *left, const int16_t *right, int width);
} Kernels;

const Kernels *kernels_portable(void);
/// The fastest that this processor can run.
const Kernels *kernels_best(void);

/// Halves that a packed matrix of n outputs and k inputs takes.
long kernels_packed_length(int n, int k);
/// From the outputs' rows (n rows of k) to panels of half-precision columns.
void kernels_pack(const float *weights, int n, int k, uint16_t *packed);
/// Single precision to half, to the nearest.
void kernels_to_half(const float *from, uint16_t *to, long count);

#endif
