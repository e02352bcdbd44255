// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// A command of the host's driver, and how its handlers answer.
#ifndef VRDMA_CONNECTX_COMMAND_H
#define VRDMA_CONNECTX_COMMAND_H

#include "connectx/connectx.h"
#include "connectx/ifc.h"

// Statuses of a command, as the driver knows them (MLX5_CMD_STAT_* of <linux/mlx5/device.h>).
typedef enum {
    kOk = 0x00,
    kBadOperation = 0x02,
    kBadParameter = 0x03,
    kBadResource = 0x05,
    kResourceBusy = 0x06,
    kNoResources = 0x0f,
    kBadQpState = 0x10,
    kBadInputLength = 0x50,
    kBadOutputLength = 0x51,
} Status;

enum {
    kHeader = 16,   // bytes before what most answers have
    kObjectId = 8,  // where commands and answers have the number of an object
    kNumberMask = 0xffffff,
};

typedef struct {
    unsigned operation, modifier;
    // Both are longer than the lengths below, by kSlack bytes of zeros.
    uint8_t *in, *out;
    size_t in_length, out_length;
} Command;

enum { kSlack = 8192 };

typedef Status Handler(Connectx* nic, Command* command);

// The number of the object that a command is about.
static inline uint32_t command_object(const Command* command) {
    return ldl_be_p(command->in + kObjectId) & kNumberMask;
}

static inline void command_answer_object(Command* command, uint32_t number) {
    stl_be_p(command->out + kObjectId, number);
}

// Bytes of a command from an offset to its end.
static inline size_t command_rest(const Command* command, size_t offset) {
    return command->in_length > offset ? command->in_length - offset : 0;
}

#endif
