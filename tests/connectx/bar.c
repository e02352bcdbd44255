// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/bar.h"

#include "connectx/commands/queue.h"
#include "connectx/ethernet/send_queue.h"
#include "connectx/log.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/qp.h"
#include "connectx/transport/transport.h"

// The initialization segment (struct mlx5_init_seg of <linux/mlx5/device.h>).
enum {
    kFirmware = 0x0,
    kInterface = 0x4,
    kCommandQueueHigh = 0x10,
    kCommandQueueLow = 0x14,
    kCommandDoorbell = 0x18,
    kTimerHigh = 0x1000,
    kTimerLow = 0x1004,
    kHealthCounter = 0x1010,
    kFirmwareVersion = 35 << 16 | 16,
    kInterfaceVersion = 5,
};

// A UAR page.
enum {
    kCqDoorbell = 0x20,
    kEqArm = 0x40,
    kEqUpdate = 0x48,
    kSqDoorbells = 0x800,  // and all after it
    kDoorbellStride = 0x100,
};

static uint64_t bar_read(void* opaque, hwaddr at, unsigned size) {
    Connectx* nic = opaque;
    const uint64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    switch (at) {
        case kFirmware:
            return kFirmwareVersion;
        case kInterface:
            return kInterfaceVersion << 16 | 1000;
        case kCommandQueueHigh:
            return nic->command_queue >> 32;
        case kCommandQueueLow:
            return (nic->command_queue & 0xfffff000) | kLogCommands << 4 | kLogCommandStride;
        case kTimerHigh:
            return now >> 32;
        case kTimerLow:
            return now & 0xffffffff;
        case kHealthCounter:
            // The driver looks whether it moves.
            return ++nic->health & 0xffffff;
        default:
            return 0;
    }
}

static void ring(Connectx* nic, hwaddr at, uint64_t value, const uint8_t* burst) {
    const uint32_t number = (uint32_t)value >> 8;
    const unsigned uar = at / kPageSize;
    Qp* qp = find_object(nic->objects.qps, number);

    burst ? nic->doorbells.bursts++ : nic->doorbells.doorbells++;
    if (!qp && was_given(number, nic->objects.next_qp)) {
        log_say(nic, "doorbell of QP %#x, which is gone", number);
        return;
    }
    if (!qp || qp->uar != uar) {
        log_violation(nic, "doorbell of QP %#x in UAR %u: %s", number, uar,
                      qp ? "it has another UAR" : "there is no such queue");
        return;
    }
    if (burst) {
        memcpy(qp->burst, burst, kBurst);
        qp->has_burst = true;
    }
    if (qp->frames) {
        send_queue_run(nic, qp);
    } else {
        transport_ring(nic, qp);
    }
}

static void end_burst(Connectx* nic) {
    const unsigned count = nic->doorbells.count;

    nic->doorbells.count = 0;
    if (count > 0) {
        ring(nic, nic->doorbells.at, ldq_be_p(nic->doorbells.bytes), NULL);
    }
}

void bar_burst_ends(void* opaque) {
    Connectx* nic = opaque;

    nic->busy = true;
    end_burst(nic);
    nic->busy = false;
}

// Eight bytes for a doorbell register: 64 of them in a row are a request (BlueFlame), which is in
// memory too, where it may say otherwise (the driver's test of write combining).
static void write_sq_register(Connectx* nic, hwaddr at, uint64_t value) {
    Doorbells* doorbells = &nic->doorbells;

    if (at % kDoorbellStride == 0) {
        if (!nic->blueflame) {
            ring(nic, at, value, NULL);
            return;
        }
        end_burst(nic);
        doorbells->at = at;
        doorbells->count = 0;
    } else if (doorbells->count == 0 || at != doorbells->at + (hwaddr)8 * doorbells->count) {
        return;  // the rest of a request of more than 64 bytes
    }
    stq_be_p(doorbells->bytes + (size_t)8 * doorbells->count++, value);
    if (doorbells->count == kBurst / 8) {
        doorbells->count = 0;
        ring(nic, doorbells->at, ldq_be_p(doorbells->bytes), doorbells->bytes);
    } else if (doorbells->count == 1) {
        qemu_bh_schedule(doorbells->end);
    }
}

static void write_uar(Connectx* nic, hwaddr at, uint64_t value, unsigned size) {
    const unsigned uar = at / kPageSize;
    const unsigned place = at % kPageSize;

    if (!nic->objects.uars[uar]) {
        log_violation(nic, "write to UAR %u, which is not allocated", uar);
    } else if (place >= kSqDoorbells && size == 8) {
        write_sq_register(nic, at, value);
    } else if (place == kCqDoorbell && size == 8) {
        cq_doorbell(nic, uar, value);
    } else if ((place == kEqArm || place == kEqUpdate) && size == 4) {
        eq_doorbell(nic, uar, value, place == kEqArm);
    } else {
        log_violation(nic, "write of %u bytes to %#x of UAR %u", size, place, uar);
    }
}

static void write_register(Connectx* nic, hwaddr at, uint64_t value, unsigned size) {
    if (at >= (hwaddr)kFirstUar * kPageSize) {
        write_uar(nic, at, value, size);
        return;
    }
    switch (at) {
        case kCommandQueueHigh:
            nic->command_queue = (uint32_t)nic->command_queue | value << 32;
            break;
        case kCommandQueueLow:
            nic->command_queue =
                (nic->command_queue & ~UINT64_C(0xffffffff)) | (value & 0xfffff000);
            log_say(nic, "command queue at %#" PRIx64, nic->command_queue);
            break;
        case kCommandDoorbell:
            command_queue_doorbell(nic, value);
            break;
        default:
            log_violation(nic, "write of %#" PRIx64 " to %#" PRIx64, value, (uint64_t)at);
            break;
    }
}

static void bar_write(void* opaque, hwaddr at, uint64_t value, unsigned size) {
    Connectx* nic = opaque;

    // The addresses that a driver gives may be those of this BAR.
    if (nic->busy) {
        log_violation(nic, "the adapter writes to its own register %#" PRIx64, (uint64_t)at);
        return;
    }
    nic->busy = true;
    write_register(nic, at, value, size);
    nic->busy = false;
}

const MemoryRegionOps kBarOps = {
    .read = bar_read,
    .write = bar_write,
    .endianness = DEVICE_BIG_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8},
    .impl = {.min_access_size = 1, .max_access_size = 8},
};
