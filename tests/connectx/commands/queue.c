// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/commands/queue.h"

#include "connectx/commands/table.h"
#include "connectx/dma.h"
#include "connectx/log.h"
#include "connectx/objects/eq.h"

// struct mlx5_cmd_layout of the driver.
enum {
    kEntry = 64,
    kType = 0,
    kPci = 7,  // the type of all commands
    kInLength = 4,
    kInMailboxes = 8,
    kIn = 16,
    kOut = 32,
    kOutMailboxes = 48,
    kOutLength = 56,
    kToken = 60,
    kReserved = 62,
    kOwnership = 63,
    kOfAdapter = 1,
    kInline = 16,  // bytes of request and answer in the entry
    kMostBytes = 4 * MiB,
};

// struct mlx5_cmd_prot_block of the driver.
enum {
    kMailboxData = 512,
    kMailbox = 576,
    kNext = 560,
    kNumber = 568,
    kMailboxToken = 573,
};

// How the interface itself found a command (MLX5_CMD_DELIVERY_STAT_* of the driver).
typedef enum {
    kDelivered = 0x0,
    kBadToken = 0x2,
    kBadBlockNumber = 0x3,
    kBadOutPointer = 0x4,
    kBadInPointer = 0x5,
    kInLengthError = 0x7,
    kReservedNotClear = 0x9,
    kBadDescriptor = 0x10,
} Delivery;

enum { kSyndrome = 4 };  // in the answer; the driver prints it

// Copies between `data` and a chain of mailboxes.
static Delivery copy_mailboxes(Connectx* nic, uint64_t at, uint8_t token, uint8_t* data,
                               size_t size, Direction direction) {
    const Delivery bad_pointer = direction == kReadMemory ? kBadInPointer : kBadOutPointer;

    for (uint32_t number = 0; size > 0; number++) {
        const size_t part = MIN(size, (size_t)kMailboxData);
        uint8_t box[kMailbox];

        if (at == 0 || !dma_copy(nic, at, box, sizeof(box), kReadMemory)) {
            return bad_pointer;
        }
        if ((uint32_t)ldl_be_p(box + kNumber) != number) {
            return kBadBlockNumber;
        }
        if (box[kMailboxToken] != token) {
            return kBadToken;
        }
        if (direction == kReadMemory) {
            memcpy(data, box, part);
        } else if (!dma_copy(nic, at, data, part, kWriteMemory)) {
            return bad_pointer;
        }
        at = ldq_be_p(box + kNext);
        data += part;
        size -= part;
    }
    return kDelivered;
}

static Delivery read_command(Connectx* nic, const uint8_t* entry, Command* command) {
    command->in_length = ldl_be_p(entry + kInLength);
    command->out_length = ldl_be_p(entry + kOutLength);
    if (command->in_length < (size_t)kHeader / 2 || command->in_length > kMostBytes ||
        command->out_length < kHeader / 2 || command->out_length > kMostBytes) {
        return kInLengthError;
    }
    if (entry[kType] != kPci || !(entry[kOwnership] & kOfAdapter)) {
        return kBadDescriptor;
    }
    if (entry[kType + 1] || entry[kType + 2] || entry[kType + 3] || entry[kReserved]) {
        return kReservedNotClear;
    }
    command->in = g_malloc0(command->in_length + kSlack);
    command->out = g_malloc0(command->out_length + kSlack);
    memcpy(command->in, entry + kIn, MIN(kInline, command->in_length));
    if (command->in_length <= kInline) {
        return kDelivered;
    }
    return copy_mailboxes(nic, ldq_be_p(entry + kInMailboxes), entry[kToken], command->in + kInline,
                          command->in_length - kInline, kReadMemory);
}

static Status perform(Connectx* nic, Command* command) {
    const Operation* operation;

    command->operation = lduw_be_p(command->in);
    command->modifier = lduw_be_p(command->in + 6);
    operation = find_operation(command->operation);
    log_say(nic, "command %#05x %s modifier %#x in %zu out %zu", command->operation,
            operation ? operation->name : "?", command->modifier, command->in_length,
            command->out_length);
    if (!operation) {
        log_violation(nic, "unknown operation %#x", command->operation);
        return kBadOperation;
    }
    if (command->in_length < operation->in) {
        log_violation(nic, "%s has %zu bytes, not %zu", operation->name, command->in_length,
                      operation->in);
        return kBadInputLength;
    }
    if (command->out_length < operation->out) {
        log_violation(nic, "%s has %zu bytes for the answer, not %zu", operation->name,
                      command->out_length, operation->out);
        return kBadOutputLength;
    }
    return operation->handler(nic, command);
}

// Answers the command of an entry, and says how it was delivered.
static Delivery answer(Connectx* nic, uint8_t* entry) {
    Command command = {0};
    Delivery delivery = read_command(nic, entry, &command);

    if (delivery == kDelivered) {
        const Status status = perform(nic, &command);

        command.out[0] = status;
        if (status != kOk) {
            log_say(nic, "      status %#x", status);
            stl_be_p(command.out + kSyndrome, command.operation);
        }
        memcpy(entry + kOut, command.out, kInline);
        if (command.out_length > kInline) {
            delivery =
                copy_mailboxes(nic, ldq_be_p(entry + kOutMailboxes), entry[kToken],
                               command.out + kInline, command.out_length - kInline, kWriteMemory);
        }
    }
    if (delivery != kDelivered) {
        log_violation(nic, "a command was delivered with status %#x", delivery);
    }
    g_free(command.in);
    g_free(command.out);
    return delivery;
}

static void execute(Connectx* nic, unsigned slot) {
    const uint64_t at = nic->command_queue + ((uint64_t)slot << kLogCommandStride);
    // A command that makes the queue of command events has no event itself: the driver polls.
    Eq* events = eq_of_event(nic, kEventCommand);
    uint8_t entry[kEntry];

    if (!dma_copy(nic, at, entry, sizeof(entry), kReadMemory)) {
        return;
    }
    entry[kOwnership] = answer(nic, entry) << 1;
    dma_copy(nic, at + kOut, entry + kOut, kInline, kWriteMemory);
    // The driver may read the answer when the entry is its own.
    smp_wmb();
    dma_copy(nic, at + kOwnership, entry + kOwnership, 1, kWriteMemory);
    if (events && eq_of_event(nic, kEventCommand) == events) {
        uint8_t data[sizeof(uint32_t)];

        stl_be_p(data, 1u << slot);
        eq_post(nic, events, kEventCommand, data, sizeof(data));
    }
}

void command_queue_doorbell(Connectx* nic, uint32_t bits) {
    for (unsigned slot = 0; slot < 1u << kLogCommands; slot++) {
        if (bits >> slot & 1) {
            execute(nic, slot);
        }
    }
}
