// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Flow tables: rules by which frames that come are given to receivers.
#ifndef VRDMA_CONNECTX_ETHERNET_STEERING_H
#define VRDMA_CONNECTX_ETHERNET_STEERING_H

#include "connectx/command.h"

void flow_table_free(void* table);

// Gives a frame to those that the tables say, from the root on.
void steering_receive(Connectx* nic, const uint8_t* frame, size_t size);

Handler flow_table_create, flow_table_modify, flow_table_destroy, flow_table_set_root;
Handler flow_group_create, flow_group_destroy, flow_entry_set, flow_entry_delete;

#endif
