/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The first message to a backend that has connected again.  The kernel connects also to a vrdmad
 * that is stopped, so its answer is waited for in the main loop, and the handshake comes after it.
 */
#ifndef VRDMA_GREETING_H
#define VRDMA_GREETING_H

#include "qemu/osdep.h"
#include "chardev/char-fe.h"
#include "vrdma_vhost_user.h"

typedef enum {
    VRDMA_GREETING_NONE,
    VRDMA_GREETING_SENT,
    VRDMA_GREETING_ANSWERED,
} VRdmaGreetingState;

typedef struct {
    VRdmaGreetingState state;
    VRdmaVuNumber answer;
    size_t got;                 /* bytes of the answer */
} VRdmaGreeting;

/* Sends GET_FEATURES.  Returns false when the socket does not take it. */
bool vrdma_greeting_send(VRdmaGreeting *greeting, CharBackend *chardev);

/* How many bytes the chardev may read by itself: none but the answer's. */
int vrdma_greeting_room(const VRdmaGreeting *greeting);

/* Takes bytes that the chardev has read. Returns false for something else than the answer. */
bool vrdma_greeting_take(VRdmaGreeting *greeting, const uint8_t *bytes, int size);

#endif
