// SPDX-License-Identifier: Apache-2.0
// What the measuring programs share as programs: how they refuse and fail, and how they
// read their arguments.
#ifndef VRDMA_BENCH_TOOL_H
#define VRDMA_BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is wrong with the arguments; ends the program with status 2.
__attribute__((format(printf, 1, 2), noreturn)) void refuse(const char* format, ...);

// After getopt() has said what is wrong; ends the program with status 2.
__attribute__((noreturn)) void refuse_as_said(void);

// What went wrong; ends the program with status 1.
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char* format, ...);

// The same, and what errno says about it.
__attribute__((format(printf, 1, 2), noreturn)) void fail_errno(const char* format, ...);

// A number of an option, from `least` to `most`.
uint64_t parse_number(const char* option, const char* text, uint64_t least, uint64_t most);

// A number of bytes, from 1 to 1 TiB, with an optional K, M or G for powers of 1024.
size_t parse_bytes(const char* option, const char* text);

// The index of `text` among `names`; an unknown one is refused with those that there are.
unsigned parse_name(const char* option, const char* text, const char* const* names, unsigned count);

// Calls `take` for each item of a list separated by commas.
void parse_list(const char* option, const char* text,
                void (*take)(const char* option, const char* item, void* to), void* to);

// A clock that only goes forward.
uint64_t now_ns(void);

// Marks for a program that observes this one: says `mark` on standard error and waits for
// SIGUSR1.  prepare_steps() must have been called before, so that no signal is lost.
void prepare_steps(void);
void step(const char* mark);

#endif
