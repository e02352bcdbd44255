// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Control verbs, one after the other, and how long each took.
#ifndef VRDMA_BENCH_CONTROL_VERBS_H
#define VRDMA_BENCH_CONTROL_VERBS_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>

#include "endpoint.h"
#include "pages.h"
#include "samples.h"

struct ControlOptions {
    unsigned cq_entries;
    unsigned iterations;
    unsigned warm_up;
    enum PageKind pages;  // of memory regions
    bool steps;           // marks before and after the iterations, after the warm-up
};

enum ControlTest { kPd, kCq, kQp, kConnect, kSrq, kAh, kMr, kControlTests };

extern const char* const kControlTestNames[kControlTests];

// Makes and destroys the object again and again, and reports both verbs, or all that lead
// a queue pair from RESET to RTS for kConnect.  `bytes` is the size of a memory region.
void time_control(const struct RdmaDevice* device, const struct ControlOptions* options,
                  enum ControlTest test, size_t bytes, struct Report* report);

#endif
