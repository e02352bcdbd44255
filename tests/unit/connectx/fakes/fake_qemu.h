// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the model of a ConnectX (tests/connectx) asks of QEMU, for programs without QEMU: memory
// that the adapter reaches, a clock, bottom halves and timers.  The headers beside this file have
// the names of QEMU's and include this one.
#ifndef VRDMA_FAKE_QEMU_H
#define VRDMA_FAKE_QEMU_H

#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ROUND_UP(n, d) (DIV_ROUND_UP(n, d) * (d))
#define SCALE_MS 1000000
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

typedef uint64_t hwaddr;

// Big-endian numbers at any alignment, of the types that QEMU's functions have.
static inline int lduw_be_p(const void* p) {
    const uint8_t* bytes = p;

    return bytes[0] << 8 | bytes[1];
}

static inline int ldl_be_p(const void* p) {
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return (int)be32toh(value);
}

static inline uint64_t ldq_be_p(const void* p) {
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return be64toh(value);
}

static inline uint64_t ldq_he_p(const void* p) {
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static inline void stw_be_p(void* p, uint16_t value) {
    value = htobe16(value);
    memcpy(p, &value, sizeof(value));
}

static inline void stl_be_p(void* p, uint32_t value) {
    value = htobe32(value);
    memcpy(p, &value, sizeof(value));
}

static inline void stq_be_p(void* p, uint64_t value) {
    value = htobe64(value);
    memcpy(p, &value, sizeof(value));
}

static inline uint32_t be32_to_cpu(uint32_t value) {
    return be32toh(value);
}

static inline uint64_t le64_to_cpu(uint64_t value) {
    return le64toh(value);
}

static inline uint64_t cpu_to_le64(uint64_t value) {
    return htole64(value);
}

static inline bool buffer_is_zero(const void* buffer, size_t size) {
    const uint8_t* bytes = buffer;

    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size == 0;
}

// The clock, which stands still but for fake_qemu_run().
typedef enum { QEMU_CLOCK_VIRTUAL } QEMUClockType;
int64_t qemu_clock_get_ns(QEMUClockType type);

typedef void QEMUBHFunc(void* opaque);
typedef void QEMUTimerCB(void* opaque);

typedef struct QEMUBH QEMUBH;
QEMUBH* qemu_bh_new(QEMUBHFunc* run, void* opaque);
void qemu_bh_schedule(QEMUBH* bh);
void qemu_bh_cancel(QEMUBH* bh);
void qemu_bh_delete(QEMUBH* bh);

typedef struct QEMUTimer QEMUTimer;
QEMUTimer* timer_new_ns(QEMUClockType type, QEMUTimerCB* run, void* opaque);
void timer_mod(QEMUTimer* timer, int64_t at);
void timer_del(QEMUTimer* timer);
void timer_free(QEMUTimer* timer);

// The bus: addresses from 0 to `size` are memory.
typedef struct PCIDevice {
    uint8_t* memory;
    size_t size;
    unsigned interrupts;  // that the adapter raised
} PCIDevice;

typedef enum { MEMTX_OK, MEMTX_DECODE_ERROR } MemTxResult;
MemTxResult pci_dma_read(PCIDevice* pci, uint64_t at, void* data, size_t size);
MemTxResult pci_dma_write(PCIDevice* pci, uint64_t at, const void* data, size_t size);
void msix_notify(PCIDevice* pci, unsigned vector);

typedef struct MemoryRegion {
    int unused;
} MemoryRegion;

enum device_endian { DEVICE_BIG_ENDIAN };

typedef struct MemoryRegionOps {
    uint64_t (*read)(void* opaque, hwaddr at, unsigned size);
    void (*write)(void* opaque, hwaddr at, uint64_t value, unsigned size);
    enum device_endian endianness;
    struct {
        unsigned min_access_size, max_access_size;
    } valid, impl;
} MemoryRegionOps;

// The network is network.h of the model, which fake_host.c has.
typedef struct NICConf {
    int unused;
} NICConf;
typedef struct NICState NICState;

#define OBJECT_DECLARE_SIMPLE_TYPE(type, macro) typedef struct type type;

// Runs bottom halves, and timers when there is nothing else, until there is neither, or `limit`
// calls were made.  The clock goes on to each timer's time.  False: there is more to do.
bool fake_qemu_run(unsigned limit);

#endif
