// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/wire.h"

#include "connectx/network.h"
#include "connectx/roce/roce_faults.h"
#include "connectx/roce/roce_port.h"

enum { kHeldMilliseconds = 1 };

static void deliver(void* opaque, const uint8_t* frame, size_t size) {
    const Transport* transport = &((Connectx*)opaque)->transport;

    roce_port_receive(transport->port, transport->roce, frame, size);
}

static void transmit(void* opaque, const uint8_t* frame, size_t size) {
    network_send(opaque, frame, size);
}

// No other frame came behind which those that are held back would pass.
static void release(void* opaque) {
    Connectx* nic = opaque;

    nic->busy = true;
    roce_faults_flush(nic->wire.out);
    roce_faults_flush(nic->wire.in);
    nic->busy = false;
}

static void pass(Connectx* nic, RoceFaults* faults, const uint8_t* frame, size_t size) {
    roce_faults_pass(faults, frame, size);
    timer_mod(nic->wire.held,
              qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + kHeldMilliseconds * (int64_t)SCALE_MS);
}

void wire_init(Connectx* nic) {
    Wire* wire = &nic->wire;
    const RoceFaultRates rates = {
        .lost = wire->lost,
        .doubled = wire->doubled,
        .reordered = wire->reordered,
        .corrupted = wire->corrupted,
    };

    if (rates.lost || rates.doubled || rates.reordered || rates.corrupted) {
        wire->out = roce_faults_new(wire->seed, &rates, transmit, nic);
        wire->in = roce_faults_new(~wire->seed, &rates, deliver, nic);
        wire->held = timer_new_ns(QEMU_CLOCK_VIRTUAL, release, nic);
    }
}

void wire_free(Connectx* nic) {
    Wire* wire = &nic->wire;

    if (wire->out) {
        roce_faults_free(wire->out);
        roce_faults_free(wire->in);
        timer_free(wire->held);
    }
}

bool wire_ready(void* device) {
    return network_ready(device);
}

void wire_send(void* device, const uint8_t* frame, size_t size) {
    Connectx* nic = device;

    if (nic->wire.out) {
        pass(nic, nic->wire.out, frame, size);
    } else {
        transmit(nic, frame, size);
    }
}

bool wire_receive(Connectx* nic, const uint8_t* frame, size_t size) {
    const Transport* transport = &nic->transport;

    if (!nic->wire.in) {
        return roce_port_receive(transport->port, transport->roce, frame, size) != kRoceFrameOther;
    }
    if (roce_port_judge(transport->port, frame, size) == kRoceFrameOther) {
        return false;
    }
    pass(nic, nic->wire.in, frame, size);
    return true;
}
