// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// Durations in logarithmic buckets: 64 to each power of two, so a percentile is right to 1.6 %.
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { SUB_BUCKETS = 64, OCTAVES = 48 };

struct histogram {
    uint64_t count;
    uint64_t buckets[SUB_BUCKETS * OCTAVES];
};

static inline void histogram_add(struct histogram *h, int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    unsigned index = (unsigned)value;
    if (value >= SUB_BUCKETS) {
        unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 6;
        index = (shift + 1) * SUB_BUCKETS + (unsigned)(value >> shift) - SUB_BUCKETS;
    }
    if (index >= SUB_BUCKETS * OCTAVES) index = SUB_BUCKETS * OCTAVES - 1;
    h->buckets[index]++;
    h->count++;
}

/// The value in microseconds that a share `part` of all values does not exceed; 0 when there are none.
static inline double histogram_us(const struct histogram *h, double part) {
    uint64_t rank = (uint64_t)(part * (double)h->count), seen = 0;
    for (unsigned i = 0; i < SUB_BUCKETS * OCTAVES; i++) {
        seen += h->buckets[i];
        if (seen <= rank || h->buckets[i] == 0) continue;
        if (i < SUB_BUCKETS) return i / 1000.0;
        unsigned shift = i / SUB_BUCKETS - 1;
        return (double)((uint64_t)(i % SUB_BUCKETS + SUB_BUCKETS) << shift) / 1000.0;
    }
    return 0;
}

#endif
