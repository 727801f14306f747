// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors
//
// The kernels, written once with the compiler's vector types and compiled for each kind of processor by the files that include this.
// Whoever includes it defines NAME(x), UNPACK8(pointer), DOT_I8(left, right, width), and UNPACKS_FIRST as 1 where halves are better made
// wide once for all rows than in the midst of the products.
#include "include/kernels.h"
#include <math.h>
#include <string.h>

typedef float v8 __attribute__((vector_size(32)));
typedef float v8u __attribute__((vector_size(32), aligned(4)));
typedef int32_t i8 __attribute__((vector_size(32)));

static inline v8 NAME(load)(const float *p) { return *(const v8u *)p; }
static inline void NAME(store)(float *p, v8 v) { *(v8u *)p = v; }
static inline v8 NAME(all)(float x) { return (v8){x, x, x, x, x, x, x, x}; }
static inline float NAME(sum)(v8 v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

// Where the mask's bits are set the first, else the second.
static inline v8 NAME(select)(i8 mask, v8 yes, v8 no) { return (v8)((mask & (i8)yes) | (~mask & (i8)no)); }

static void NAME(unpack)(const uint16_t *from, float *to, long count) {
    long i = 0;
    for (; i + 8 <= count; i += 8) NAME(store)(to + i, UNPACK8(from + i));
    if (i < count) {
        uint16_t rest[8] = {0};
        memcpy(rest, from + i, (size_t)(count - i) * sizeof *rest);
        v8 wide = UNPACK8(rest);
        for (int j = 0; i < count; i++, j++) to[i] = wide[j];
    }
}

// MARK: Products

#if UNPACKS_FIRST
typedef float NAME(weight);
#define WIDE(p) NAME(load)(p)
#else
typedef uint16_t NAME(weight);
#define WIDE(p) UNPACK8(p)
#endif

// ROWS rows of x times one panel: 2 * ROWS sums stay in registers. ROWS is a constant for each of the six copies.
#define ROWS_TIMES_PANEL(ROWS)                                                                                                          \
    static void NAME(rows##ROWS)(const float *x, int k, const NAME(weight) *panel, v8 low, v8 high, float *y, int n) {                            \
        v8 sums[ROWS][2];                                                                                                               \
        for (int r = 0; r < ROWS; r++) sums[r][0] = low, sums[r][1] = high;                                                             \
        for (int i = 0; i < k; i++) {                                                                                                   \
            /* The next panel comes while this one is worked on: what bounds short texts is memory. */                                     \
            __builtin_prefetch(panel + (long)(i + k) * KERNELS_PANEL);                                                                  \
            v8 left = WIDE(panel + (long)i * KERNELS_PANEL), right = WIDE(panel + (long)i * KERNELS_PANEL + 8);                         \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < ROWS; r++) {                                                         \
                v8 factor = NAME(all)(x[(long)r * k + i]);                                                                              \
                sums[r][0] += factor * left;                                                                                            \
                sums[r][1] += factor * right;                                                                                           \
            }                                                                                                                           \
        }                                                                                                                               \
        for (int r = 0; r < ROWS; r++) {                                                                                                \
            NAME(store)(y + (long)r * n, sums[r][0]);                                                                                   \
            NAME(store)(y + (long)r * n + 8, sums[r][1]);                                                                               \
        }                                                                                                                               \
    }
ROWS_TIMES_PANEL(1)
ROWS_TIMES_PANEL(2)
ROWS_TIMES_PANEL(3)
ROWS_TIMES_PANEL(4)
ROWS_TIMES_PANEL(5)
ROWS_TIMES_PANEL(6)

static void NAME(linear)(const float *x, int m, int k, const uint16_t *packed, const float *bias, int n, float *y, float *scratch) {
    for (int column = 0; column < n; column += KERNELS_PANEL) {
#if UNPACKS_FIRST
        NAME(unpack)(packed + (long)column * k, scratch, (long)k * KERNELS_PANEL);
        const NAME(weight) *panel = scratch;
#else
        const NAME(weight) *panel = packed + (long)column * k;
        (void)scratch;
#endif
        v8 low = NAME(load)(bias + column), high = NAME(load)(bias + column + 8);
        int row = 0;
        // Rows are spread evenly: 16 are 6, 5 and 5 rather than 6, 6 and 4.
        for (int blocks = (m + 5) / 6; blocks > 0; blocks--) {
            int rows = (m - row + blocks - 1) / blocks;
            const float *from = x + (long)row * k;
            float *to = y + (long)row * n + column;
            switch (rows) {
            case 1: NAME(rows1)(from, k, panel, low, high, to, n); break;
            case 2: NAME(rows2)(from, k, panel, low, high, to, n); break;
            case 3: NAME(rows3)(from, k, panel, low, high, to, n); break;
            case 4: NAME(rows4)(from, k, panel, low, high, to, n); break;
            case 5: NAME(rows5)(from, k, panel, low, high, to, n); break;
            default: NAME(rows6)(from, k, panel, low, high, to, n); break;
            }
            row += rows;
        }
    }
}

// MARK: Functions

// e^x to about 2e-7: x is split at powers of two, the rest is a polynomial (Taylor's, on half a power to either side).
static inline v8 NAME(exp)(v8 x) {
    x = NAME(select)((i8)(x < -87.0f), NAME(all)(-87.0f), x);
    x = NAME(select)((i8)(x > 88.0f), NAME(all)(88.0f), x);
    v8 scaled = x * 1.44269504f;
    v8 shifted = scaled + 12582912.0f;
    v8 whole = shifted - 12582912.0f;
    v8 rest = x - whole * 0.693145752f - whole * 1.42860677e-6f;
    v8 p = NAME(all)(1.0f / 5040);
    p = p * rest + 1.0f / 720;
    p = p * rest + 1.0f / 120;
    p = p * rest + 1.0f / 24;
    p = p * rest + 1.0f / 6;
    p = p * rest + 0.5f;
    p = p * rest + 1.0f;
    p = p * rest + 1.0f;
    i8 power = (__builtin_convertvector(whole, i8) + 127) << 23;
    v8 two;
    memcpy(&two, &power, sizeof two);
    return p * two;
}

// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: an error below 1.5e-7.
static inline v8 NAME(erf)(v8 x) {
    v8 size = NAME(select)((i8)(x < 0.0f), -x, x);
    v8 t = 1.0f / (1.0f + 0.3275911f * size);
    v8 p = NAME(all)(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    v8 y = 1.0f - p * t * NAME(exp)(-size * size);
    return NAME(select)((i8)(x < 0.0f), -y, y);
}

static void NAME(gelu)(float *x, long count) {
    for (long i = 0; i + 8 <= count; i += 8) {
        v8 v = NAME(load)(x + i);
        NAME(store)(x + i, 0.5f * v * (1.0f + NAME(erf)(v * 0.70710678f)));
    }
}

static void NAME(layer_norm)(
    float *x, const float *residual, int rows, int width, const float *gamma, const float *beta, float epsilon) {
    for (int r = 0; r < rows; r++, x += width) {
        v8 total = NAME(all)(0);
        for (int i = 0; i < width; i += 8) {
            v8 v = NAME(load)(x + i);
            if (residual) v += NAME(load)(residual + (long)r * width + i);
            NAME(store)(x + i, v);
            total += v;
        }
        float mean = NAME(sum)(total) / (float)width;
        v8 squares = NAME(all)(0);
        for (int i = 0; i < width; i += 8) {
            v8 v = NAME(load)(x + i) - mean;
            squares += v * v;
        }
        float scale = 1.0f / sqrtf(NAME(sum)(squares) / (float)width + epsilon);
        for (int i = 0; i < width; i += 8) {
            NAME(store)(x + i, (NAME(load)(x + i) - mean) * scale * NAME(load)(gamma + i) + NAME(load)(beta + i));
        }
    }
}

// Products of two and two, so that the sums do not wait for each other. `width` is a multiple of 32.
static inline float NAME(dot)(const float *left, const float *right, int width) {
    v8 even = NAME(all)(0), odd = NAME(all)(0);
    for (int i = 0; i < width; i += 32) {
        even += NAME(load)(left + i) * NAME(load)(right + i);
        odd += NAME(load)(left + i + 8) * NAME(load)(right + i + 8);
        even += NAME(load)(left + i + 16) * NAME(load)(right + i + 16);
        odd += NAME(load)(left + i + 24) * NAME(load)(right + i + 24);
    }
    return NAME(sum)(even + odd);
}

static void NAME(attention)(const float *qkv, int tokens, int heads, int head_width, float *out, float *scratch) {
    int width = heads * head_width;
    float factor = 1.0f / sqrtf((float)head_width);
    float *weights = scratch;
    for (int head = 0; head < heads; head++) {
        const float *queries = qkv + (long)head * head_width;
        const float *keys = queries + width, *values = keys + width;
        for (int t = 0; t < tokens; t++) {
            const float *query = queries + (long)t * 3 * width;
            float largest = -INFINITY;
            for (int s = 0; s < tokens; s++) {
                const float *key = keys + (long)s * 3 * width;
                weights[s] = NAME(dot)(query, key, head_width) * factor;
                if (weights[s] > largest) largest = weights[s];
            }
            float total = 0;
            for (int s = 0; s < tokens; s += 8) {
                v8 v;
                int count = tokens - s < 8 ? tokens - s : 8;
                if (count == 8) {
                    v = NAME(exp)(NAME(load)(weights + s) - largest);
                    NAME(store)(weights + s, v);
                    total += NAME(sum)(v);
                } else {
                    v = NAME(all)(-87.0f);
                    for (int j = 0; j < count; j++) v[j] = weights[s + j] - largest;
                    v = NAME(exp)(v);
                    for (int j = 0; j < count; j++) weights[s + j] = v[j], total += v[j];
                }
            }
            float *result = out + (long)t * width + (long)head * head_width;
            // Four sums at a time: each value is read once.
            for (int i = 0; i < head_width; i += 32) {
                v8 sums[4] = {NAME(all)(0), NAME(all)(0), NAME(all)(0), NAME(all)(0)};
                const float *value = values + i;
                for (int s = 0; s < tokens; s++, value += 3 * width) {
                    v8 weight = NAME(all)(weights[s]);
                    _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) sums[j] += weight * NAME(load)(value + 8 * j);
                }
                for (int j = 0; j < 4; j++) NAME(store)(result + i + 8 * j, sums[j] / total);
            }
        }
    }
}

// MARK: Nearest

static void NAME(scan_i8)(const int8_t *vectors, long count, int width, const int8_t *query, int32_t *scores) {
    for (long i = 0; i < count; i++) scores[i] = DOT_I8(vectors + i * width, query, width);
}

static int32_t NAME(dot_i16)(const int16_t *left, const int16_t *right, int width) {
    // Sums of any part are within the product of the lengths, which an int32 holds.
    int32_t total = 0;
    for (int i = 0; i < width; i++) total += (int32_t)left[i] * (int32_t)right[i];
    return total;
}

static const Kernels NAME(table) = {
    NAME_TEXT, NAME(linear), NAME(gelu), NAME(layer_norm), NAME(attention), NAME(unpack), NAME(scan_i8), NAME(dot_i16),
};
