// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Access to the bit fields of mlx5_ifc.h, which comes with the kernel's headers.  A structure there
// has one byte for each bit of what the adapter reads.
#ifndef VRDMA_CONNECTX_IFC_H
#define VRDMA_CONNECTX_IFC_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
#ifndef BIT
#define BIT(n) (1UL << (n))
#endif
#ifndef BIT_ULL
#define BIT_ULL(n) (1ULL << (n))
#endif
#include "mlx5_ifc.h"

// Offset and length of a field in bits, its place and a structure's size in bytes.
#define IFC_OFF(type, field) offsetof(struct mlx5_ifc_##type##_bits, field)
#define IFC_LEN(type, field) sizeof(((struct mlx5_ifc_##type##_bits*)0)->field)
#define IFC_AT(type, p, field) ((uint8_t*)(p) + IFC_OFF(type, field) / 8)
#define IFC_BYTES(type) (sizeof(struct mlx5_ifc_##type##_bits) / 8)

#define IFC_GET(type, p, field) ifc_get(p, IFC_OFF(type, field), IFC_LEN(type, field))
#define IFC_SET(type, p, field, value) ifc_set(p, IFC_OFF(type, field), IFC_LEN(type, field), value)

// The number in `length` bits, the most significant first.
static inline uint64_t ifc_get(const void* p, size_t offset, size_t length) {
    const uint8_t* bytes = p;
    uint64_t value = 0;

    for (size_t i = offset; i < offset + length; i++) {
        value = value << 1 | (bytes[i / 8] >> (7 - i % 8) & 1);
    }
    return value;
}

static inline void ifc_set(void* p, size_t offset, size_t length, uint64_t value) {
    uint8_t* bytes = p;

    for (size_t i = offset + length; i-- > offset; value >>= 1) {
        const uint8_t bit = 1 << (7 - i % 8);

        bytes[i / 8] = value & 1 ? bytes[i / 8] | bit : bytes[i / 8] & ~bit;
    }
}

#endif
