// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An opened RDMA device, and queue pairs of it that are connected within the device.
#ifndef VRDMA_BENCH_ENDPOINT_H
#define VRDMA_BENCH_ENDPOINT_H

#include <infiniband/verbs.h>
#include <stdint.h>

enum { kAnyGid = -1, kUdQkey = 0x11111111 };

struct DeviceChoice {
    const char* name;  // NULL: the first there is
    uint8_t port;
    int gid_index;  // kAnyGid: an IPv4 address of RoCE v2 if there is one
};

struct RdmaDevice {
    struct ibv_context* context;
    uint8_t port;
    struct ibv_port_attr attributes;
    int gid_index;
    union ibv_gid gid;
};

// Opens the device and looks its port and GID up; the program fails if they are unusable.
struct RdmaDevice open_device(const struct DeviceChoice* choice);
void close_device(struct RdmaDevice* device);

// Returns the largest message in bytes that one datagram carries: the port's active MTU.
uint32_t mtu_bytes(const struct RdmaDevice* device);

// Returns the attributes of an address handle that leads back to the device itself.
struct ibv_ah_attr loopback_ah(const struct RdmaDevice* device);

// Takes a queue pair from RESET to RTS, connected to `peer_number` of the same device.
// Returns 0 or an errno.
int connect_queue_pair(const struct RdmaDevice* device, struct ibv_qp* qp, uint32_t peer_number);

#endif
