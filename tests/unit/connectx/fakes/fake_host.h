// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A host around the model of a ConnectX: its memory, and a driver that makes objects with the
// model's commands.  The rings are the tests' own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FakeHost FakeHost;

enum {
    kFakePage = 4096,
    kFakeMemory = 64 * kFakePage,  // bus addresses from 0
    kFakeKeyAccess = 0xf,          // the rights below
    kFakeLocalWrite = 1,
    kFakeRemoteRead = 2,
    kFakeRemoteWrite = 4,
    kFakeAtomic = 8,
};

// A host whose adapter has an InfiniBand port with a LID.  Hosts are joined: each gets the frames
// that the others send.
FakeHost* fake_host_new(uint16_t lid);
void fake_host_free(FakeHost* host);

uint8_t* fake_host_memory(FakeHost* host);

// The bus address of pages that nothing has used, all zeros.  Memory that is used up ends the
// program.
uint64_t fake_host_pages(FakeHost* host, unsigned count);

// The port's GID.
void fake_host_gid(const FakeHost* host, uint8_t gid[16]);

// What the adapter has found so far that a correct driver or library never does, and what its log
// says.
unsigned fake_host_violations(const FakeHost* host);
const char* fake_host_log(FakeHost* host);
unsigned fake_host_interrupts(const FakeHost* host);

// Objects, by their numbers.  A command that the adapter refuses ends the program, unless the
// function says that it returns the status.
uint32_t fake_host_uar(FakeHost* host);
uint32_t fake_host_pd(FakeHost* host);
// An event queue of 64 entries for all events, which is armed.  `ring` becomes its address.
uint32_t fake_host_eq(FakeHost* host, uint32_t uar, uint64_t* ring);

typedef struct FakeCq {
    uint32_t number;
    unsigned log_size;
    uint64_t ring, record;
} FakeCq;

// Entries of 64 bytes; `may_overrun` as the context's `oi`.
FakeCq fake_host_cq(FakeHost* host, uint32_t uar, uint32_t eq, unsigned log_size, bool may_overrun);

// A key for `pages` pages from a bus address on, which it has as its own addresses.
uint32_t fake_host_key(FakeHost* host, uint32_t pd, uint64_t at, unsigned pages, unsigned access);

typedef struct FakeQp {
    uint32_t number, uar;
    unsigned sq_log, rq_log;  // blocks and entries of 64 bytes
    uint64_t rq, sq, record;
} FakeQp;

// `type` is the context's: 0 RC, 1 UC, 2 UD.
FakeQp fake_host_qp(FakeHost* host, unsigned type, uint32_t uar, uint32_t pd, uint32_t cq,
                    unsigned sq_log, unsigned rq_log);

// Where a connected queue pair's packets go.
typedef struct FakePath {
    uint16_t lid;
    bool global;
    uint8_t gid[16];
    uint32_t qpn;
} FakePath;

// Moves a queue pair to RTS.
void fake_host_connect(FakeHost* host, const FakeQp* qp, const FakePath* path);

// The context's state: 3 is RTS, 4 SQE, 6 ERR.
unsigned fake_host_qp_state(FakeHost* host, const FakeQp* qp);

void fake_host_destroy_qp(FakeHost* host, const FakeQp* qp);

// Attaches a queue pair to a group.
void fake_host_join(FakeHost* host, const FakeQp* qp, const uint8_t gid[16]);

// Any command; returns its status.  `in` and `out` have room for what the operation has.
unsigned fake_host_command(FakeHost* host, uint8_t* in, size_t in_size, uint8_t* out,
                           size_t out_size);

// A write of the host's to the BAR.
void fake_host_write(FakeHost* host, uint64_t at, uint64_t value, unsigned size);

// Until nothing is left to do.  False: it goes on for longer than anything should.
bool fake_host_run(void);

#ifdef __cplusplus
}
#endif
