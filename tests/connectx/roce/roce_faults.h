/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * Faults of a network, for tests: frames are lost, doubled, held back behind later ones, or come
 * with a wrong bit.  The same seed and the same frames give the same faults.
 */
#ifndef ROCE_FAULTS_H
#define ROCE_FAULTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RoceFaults RoceFaults;

/* How many of 10000 frames; each kind is drawn for itself. */
typedef struct RoceFaultRates {
    unsigned lost, doubled, reordered, corrupted;
} RoceFaultRates;

typedef void RoceDeliver(void* opaque, const uint8_t* frame, size_t size);

RoceFaults* roce_faults_new(uint64_t seed, const RoceFaultRates* rates, RoceDeliver* deliver,
                            void* opaque);
void roce_faults_free(RoceFaults* faults);

/* Passes a frame on, or not. */
void roce_faults_pass(RoceFaults* faults, const uint8_t* frame, size_t size);

/* Passes on what is held back: nothing else comes. */
void roce_faults_flush(RoceFaults* faults);

#ifdef __cplusplus
}
#endif

#endif
