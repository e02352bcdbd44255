// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the measuring programs share as programs: how they refuse and fail, and how they
// read their arguments.
#ifndef VRDMA_BENCH_TOOL_H
#define VRDMA_BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Says what is wrong with the arguments and ends the program with status 2.
__attribute__((format(printf, 1, 2), noreturn)) void refuse(const char* format, ...);

// Ends the program with status 2 after getopt() has said what is wrong with the arguments.
__attribute__((noreturn)) void refuse_as_said(void);

// Says what went wrong and ends the program with status 1.
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char* format, ...);

// Says what went wrong and what errno means, and ends the program with status 1.
__attribute__((format(printf, 1, 2), noreturn)) void fail_errno(const char* format, ...);

// Returns the number in an option's text.  A number below `least` or above `most` is refused.
uint64_t parse_number(const char* option, const char* text, uint64_t least, uint64_t most);

// Returns the number of bytes in an option's text: 1 to 1 TiB, with an optional K, M or G for
// powers of 1024.
size_t parse_bytes(const char* option, const char* text);

// Returns the index of `text` among `names`.  An unknown name is refused with the list of names.
unsigned parse_name(const char* option, const char* text, const char* const* names, unsigned count);

// Calls `take` for each item of a list separated by commas.
void parse_list(const char* option, const char* text,
                void (*take)(const char* option, const char* item, void* to), void* to);

// Returns the nanoseconds of a clock that only goes forward.
uint64_t now_ns(void);

// step() tells a program that observes this one where it is: it prints `mark` on standard error
// and waits for SIGUSR1.  prepare_steps() comes first, so that no signal is lost.
void prepare_steps(void);
void step(const char* mark);

#endif
