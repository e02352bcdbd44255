// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Static probes of vrdmad, for tracers (docs/tracing.md).  Each is one instruction that does
// nothing, and a note in the program that says where it is; a tracer puts a breakpoint there.  None
// is where each message comes past.
#pragma once

#ifdef VRDMA_PROBES
#include <sys/sdt.h>

#define VRDMA_PROBE2(name, a, b) DTRACE_PROBE2(vrdma, name, a, b)
#define VRDMA_PROBE3(name, a, b, c) DTRACE_PROBE3(vrdma, name, a, b, c)
#define VRDMA_PROBE4(name, a, b, c, d) DTRACE_PROBE4(vrdma, name, a, b, c, d)
#define VRDMA_PROBE1(name, a) DTRACE_PROBE1(vrdma, name, a)
#else
#define VRDMA_PROBE1(name, a)
#define VRDMA_PROBE2(name, a, b)
#define VRDMA_PROBE3(name, a, b, c)
#define VRDMA_PROBE4(name, a, b, c, d)
#endif
