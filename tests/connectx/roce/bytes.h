/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Big-endian fields at any alignment. */
#ifndef ROCE_BYTES_H
#define ROCE_BYTES_H

#include <stdint.h>

static inline uint16_t roce_get16(const uint8_t* p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t roce_get24(const uint8_t* p) {
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t roce_get32(const uint8_t* p) {
    return (uint32_t)p[0] << 24 | roce_get24(p + 1);
}

static inline uint64_t roce_get64(const uint8_t* p) {
    return (uint64_t)roce_get32(p) << 32 | roce_get32(p + 4);
}

static inline void roce_put16(uint8_t* p, uint16_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void roce_put24(uint8_t* p, uint32_t value) {
    p[0] = (uint8_t)(value >> 16);
    roce_put16(p + 1, (uint16_t)value);
}

static inline void roce_put32(uint8_t* p, uint32_t value) {
    roce_put16(p, (uint16_t)(value >> 16));
    roce_put16(p + 2, (uint16_t)value);
}

static inline void roce_put64(uint8_t* p, uint64_t value) {
    roce_put32(p, (uint32_t)(value >> 32));
    roce_put32(p + 4, (uint32_t)value);
}

#endif
