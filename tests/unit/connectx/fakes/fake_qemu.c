// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "fake_qemu.h"

// QEMU has one clock and one main loop, and so have its fakes.
static int64_t clock_ns = 1;
static GList *all_bhs, *all_timers;

struct QEMUBH {
    QEMUBHFunc* run;
    void* opaque;
    bool scheduled;
};

struct QEMUTimer {
    QEMUTimerCB* run;
    void* opaque;
    int64_t at;  // -1: not armed
};

int64_t qemu_clock_get_ns(QEMUClockType type) {
    (void)type;
    return clock_ns;
}

QEMUBH* qemu_bh_new(QEMUBHFunc* run, void* opaque) {
    QEMUBH* bh = g_new0(QEMUBH, 1);

    bh->run = run;
    bh->opaque = opaque;
    all_bhs = g_list_append(all_bhs, bh);
    return bh;
}

void qemu_bh_schedule(QEMUBH* bh) {
    bh->scheduled = true;
}

void qemu_bh_cancel(QEMUBH* bh) {
    bh->scheduled = false;
}

void qemu_bh_delete(QEMUBH* bh) {
    all_bhs = g_list_remove(all_bhs, bh);
    g_free(bh);
}

QEMUTimer* timer_new_ns(QEMUClockType type, QEMUTimerCB* run, void* opaque) {
    QEMUTimer* timer = g_new0(QEMUTimer, 1);

    (void)type;
    timer->run = run;
    timer->opaque = opaque;
    timer->at = -1;
    all_timers = g_list_append(all_timers, timer);
    return timer;
}

void timer_mod(QEMUTimer* timer, int64_t at) {
    timer->at = MAX(at, 0);
}

void timer_del(QEMUTimer* timer) {
    timer->at = -1;
}

void timer_free(QEMUTimer* timer) {
    all_timers = g_list_remove(all_timers, timer);
    g_free(timer);
}

static uint8_t* find(PCIDevice* pci, uint64_t at, size_t size) {
    return at <= pci->size && size <= pci->size - at ? pci->memory + at : NULL;
}

MemTxResult pci_dma_read(PCIDevice* pci, uint64_t at, void* data, size_t size) {
    const uint8_t* found = find(pci, at, size);

    if (!found) {
        return MEMTX_DECODE_ERROR;
    }
    memcpy(data, found, size);
    return MEMTX_OK;
}

MemTxResult pci_dma_write(PCIDevice* pci, uint64_t at, const void* data, size_t size) {
    uint8_t* found = find(pci, at, size);

    if (!found) {
        return MEMTX_DECODE_ERROR;
    }
    memcpy(found, data, size);
    return MEMTX_OK;
}

void msix_notify(PCIDevice* pci, unsigned vector) {
    (void)vector;
    pci->interrupts++;
}

static bool run_bh(void) {
    for (GList* link = all_bhs; link; link = link->next) {
        QEMUBH* bh = link->data;

        if (bh->scheduled) {
            bh->scheduled = false;
            bh->run(bh->opaque);
            return true;
        }
    }
    return false;
}

static bool run_timer(void) {
    QEMUTimer* first = NULL;

    for (GList* link = all_timers; link; link = link->next) {
        QEMUTimer* timer = link->data;

        if (timer->at >= 0 && (!first || timer->at < first->at)) {
            first = timer;
        }
    }
    if (!first || first->at == INT64_MAX) {
        return false;
    }
    clock_ns = MAX(clock_ns, first->at);
    first->at = -1;
    first->run(first->opaque);
    return true;
}

bool fake_qemu_run(unsigned limit) {
    for (; limit > 0; limit--) {
        if (!run_bh() && !run_timer()) {
            return true;
        }
    }
    return false;
}
