// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What the RoCE transport asks of the adapter (roce/roce_device.h says what each one does).  The
// device is a Connectx, the owner of a queue pair a Qp.
#ifndef VRDMA_CONNECTX_TRANSPORT_CALLBACKS_H
#define VRDMA_CONNECTX_TRANSPORT_CALLBACKS_H

#include "connectx/roce/roce_transport.h"
#include "connectx/transport/completion.h"

// sends.c
bool next_send(void* device, void* owner, RoceSend* send);
enum ibv_wc_status gather(void* device, void* owner, const RoceSend* send, uint32_t offset,
                          uint8_t* data, size_t size);
enum ibv_wc_status scatter_response(void* device, void* owner, const RoceSend* send,
                                    uint32_t offset, const uint8_t* data, size_t size);
enum ibv_wc_status run_local(void* device, void* owner, const RoceSend* send);
void complete_send(void* device, void* owner, const RoceSend* send, enum ibv_wc_status status,
                   uint32_t length);
void drop_send(void* device, void* owner, const RoceSend* send);

// receives.c
RoceTake take_receive(void* device, void* owner, uint32_t srq_number, RoceReceive* receive);
enum ibv_wc_status scatter_receive(void* device, void* owner, const RoceReceive* receive,
                                   uint32_t offset, const uint8_t* data, size_t size);
void complete_message(void* device, void* owner, const RoceReceive* receive,
                      const RoceReceived* received);
void drop_receive(void* device, void* owner, const RoceReceive* receive);

// remote.c
bool remote_check(void* device, void* owner, const RoceTarget* target, uint32_t length, int access);
bool remote_write(void* device, void* owner, const RoceTarget* target, const uint8_t* data,
                  size_t size);
bool remote_read(void* device, void* owner, const RoceTarget* target, uint8_t* data, size_t size);
bool remote_atomic(void* device, void* owner, const RoceTarget* target, enum ibv_wr_opcode opcode,
                   uint64_t compare_add, uint64_t swap, uint64_t* original);
bool remote_invalidate(void* device, void* owner, uint32_t rkey);

// addresses.c: a connected queue pair's path, from its context; a datagram's, from its request.
RoceAddress path_of_qp(const Connectx* nic, const Qp* qp);
RoceAddress path_of_datagram(const Connectx* nic, const uint8_t* path);
uint32_t datagram_qpn(const uint8_t* path);
uint32_t datagram_qkey(const uint8_t* path);
bool is_here(void* device, const RoceAddress* address);

// attributes.c: what the transport is told of a queue pair, from its context.
void attributes_of(const Connectx* nic, const Qp* qp, RoceQpAttributes* attributes);

// The syndrome that a completion has for a status.
Syndrome syndrome_of(enum ibv_wc_status status);

#endif
