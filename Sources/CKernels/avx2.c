// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors
#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define NAME(x) avx2_##x
#define NAME_TEXT "avx2"
#define UNPACKS_FIRST 0
#define UNPACK8(p) ((v8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p))))
#define DOT_I8(left, right, width) dot_i8(left, right, width)

// Bytes of one sign times bytes of either: the sign goes over to the other side.
static inline int dot_i8(const signed char *left, const signed char *right, int width) {
    __m256i total = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1);
    for (int i = 0; i < width; i += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(left + i)), b = _mm256_loadu_si256((const __m256i *)(right + i));
        __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
        total = _mm256_add_epi32(total, _mm256_madd_epi16(pairs, ones));
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

#include "body.h"

#pragma clang attribute pop

const Kernels *kernels_best(void) {
    // The system must keep the wide registers too, which the compiler's check includes.
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") ? &avx2_table : kernels_portable();
}
#endif
