/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_greeting.h"

bool vrdma_greeting_send(VRdmaGreeting *greeting, CharBackend *chardev)
{
    VRdmaVuHeader message = {
        .request = VRDMA_VU_GET_FEATURES,
        .flags = VRDMA_VU_VERSION,
    };

    *greeting = (VRdmaGreeting){ .state = VRDMA_GREETING_SENT };
    return qemu_chr_fe_write_all(chardev, (uint8_t *)&message, sizeof(message)) ==
           sizeof(message);
}

int vrdma_greeting_room(const VRdmaGreeting *greeting)
{
    return greeting->state == VRDMA_GREETING_SENT ? sizeof(greeting->answer) - greeting->got : 0;
}

bool vrdma_greeting_take(VRdmaGreeting *greeting, const uint8_t *bytes, int size)
{
    VRdmaVuHeader header;

    memcpy((uint8_t *)&greeting->answer + greeting->got, bytes, size);
    greeting->got += size;
    if (greeting->got < sizeof(greeting->answer)) {
        return true;
    }
    greeting->state = VRDMA_GREETING_ANSWERED;
    header = greeting->answer.header;
    return header.request == VRDMA_VU_GET_FEATURES && (header.flags & VRDMA_VU_REPLY) &&
           header.size == sizeof(greeting->answer.value);
}
