// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Times of the same action, in nanoseconds, and the report of them.
#ifndef VRDMA_BENCH_SAMPLES_H
#define VRDMA_BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct Samples {
    uint64_t* ns;
    size_t count;
    size_t capacity;
};

struct Samples make_samples(size_t capacity);
void free_samples(struct Samples* samples);

// Adds a time.  The samples must have room: their capacity is that of make_samples().
void add_sample(struct Samples* samples, uint64_t ns);

// Forgets all times.
void clear_samples(struct Samples* samples);

// Prints one result for each call: a table for people, or a JSON array of objects with
// the keys test, bytes, iterations, min_us, median_us, p95_us, mean_us.
struct Report {
    bool json;
    unsigned printed;
};

void begin_report(struct Report* report);
void report_samples(struct Report* report, const char* test, size_t bytes, struct Samples* samples);
void end_report(struct Report* report);

#endif
