/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "roce_faults.h"

#include <glib.h>
#include <stdbool.h>

enum { OF = 10000, HELD = 8 };

typedef struct Held {
    uint8_t* frame;
    size_t size;
    unsigned behind; /* frames that still pass before it */
} Held;

struct RoceFaults {
    uint64_t state;
    RoceFaultRates rates;
    RoceDeliver* deliver;
    void* opaque;
    Held held[HELD];
};

RoceFaults* roce_faults_new(uint64_t seed, const RoceFaultRates* rates, RoceDeliver* deliver,
                            void* opaque) {
    RoceFaults* faults = g_new0(RoceFaults, 1);

    faults->state = seed;
    faults->rates = *rates;
    faults->deliver = deliver;
    faults->opaque = opaque;
    return faults;
}

void roce_faults_free(RoceFaults* faults) {
    for (int i = 0; i < HELD; i++) {
        g_free(faults->held[i].frame);
    }
    g_free(faults);
}

/* SplitMix64: a number for each step, from a counter. */
static uint64_t draw(RoceFaults* faults) {
    uint64_t z = faults->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool happens(RoceFaults* faults, unsigned rate) {
    return draw(faults) % OF < rate;
}

static void release(RoceFaults* faults, Held* held) {
    uint8_t* frame = held->frame;

    held->frame = NULL;
    faults->deliver(faults->opaque, frame, held->size);
    g_free(frame);
}

static bool hold(RoceFaults* faults, const uint8_t* frame, size_t size) {
    for (int i = 0; i < HELD; i++) {
        if (!faults->held[i].frame) {
            faults->held[i].frame = g_memdup2(frame, size);
            faults->held[i].size = size;
            faults->held[i].behind = 2 + (unsigned)(draw(faults) % 4); /* this call counts */
            return true;
        }
    }
    return false;
}

static void deliver_corrupted(RoceFaults* faults, const uint8_t* frame, size_t size) {
    uint8_t* copy = g_memdup2(frame, size);
    const uint64_t bit = draw(faults) % (size * 8);

    copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    faults->deliver(faults->opaque, copy, size);
    g_free(copy);
}

void roce_faults_pass(RoceFaults* faults, const uint8_t* frame, size_t size) {
    const bool lost = happens(faults, faults->rates.lost);
    const bool doubled = happens(faults, faults->rates.doubled);
    const bool reordered = happens(faults, faults->rates.reordered);
    const bool corrupted = happens(faults, faults->rates.corrupted);

    if (size && !lost && !(reordered && hold(faults, frame, size))) {
        if (corrupted) {
            deliver_corrupted(faults, frame, size);
        } else {
            faults->deliver(faults->opaque, frame, size);
        }
        if (doubled) {
            faults->deliver(faults->opaque, frame, size);
        }
    }
    for (int i = 0; i < HELD; i++) {
        if (faults->held[i].frame && --faults->held[i].behind == 0) {
            release(faults, &faults->held[i]);
        }
    }
}

void roce_faults_flush(RoceFaults* faults) {
    for (int i = 0; i < HELD; i++) {
        if (faults->held[i].frame) {
            release(faults, &faults->held[i]);
        }
    }
}
