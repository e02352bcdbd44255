// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

struct Samples make_samples(size_t capacity) {
    struct Samples samples = {.ns = calloc(capacity, sizeof(uint64_t)), .capacity = capacity};
    if (samples.ns == NULL) fail_errno("no memory for %zu times", capacity);
    return samples;
}

void free_samples(struct Samples* samples) {
    free(samples->ns);
    *samples = (struct Samples){0};
}

void add_sample(struct Samples* samples, uint64_t ns) {
    if (samples->count == samples->capacity) fail("more times than were announced");
    samples->ns[samples->count++] = ns;
}

void clear_samples(struct Samples* samples) {
    samples->count = 0;
}

static int compare(const void* left, const void* right) {
    const uint64_t a = *(const uint64_t*)left;
    const uint64_t b = *(const uint64_t*)right;
    return (a > b) - (a < b);
}

static double mean_of(const struct Samples* samples) {
    double sum = 0;
    for (size_t i = 0; i < samples->count; ++i) sum += (double)samples->ns[i];
    return sum / (double)samples->count / 1000;
}

// Returns the median of sorted times: the middle one, or the mean of the two in the middle.
static double median_of(const struct Samples* samples) {
    const size_t middle = samples->count / 2;
    if (samples->count % 2 == 1) return (double)samples->ns[middle] / 1000;
    return (double)(samples->ns[middle - 1] + samples->ns[middle]) / 2000;
}

// Returns the smallest of sorted times that at least 95 % of the times do not exceed.
static double p95_of(const struct Samples* samples) {
    const size_t rank = (samples->count * 95 + 99) / 100;
    return (double)samples->ns[rank - 1] / 1000;
}

void begin_report(struct Report* report) {
    report->printed = 0;
    if (report->json) {
        printf("[");
    } else {
        printf("%-16s %12s %10s %12s %12s %12s %12s\n", "test", "bytes", "iterations", "min us",
               "median us", "p95 us", "mean us");
    }
}

void report_samples(struct Report* report, const char* test, size_t bytes,
                    struct Samples* samples) {
    if (samples->count == 0) fail("%s measured nothing", test);
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    const char* format = report->json
                             ? "%s\n  {\"test\": \"%s\", \"bytes\": %zu, \"iterations\": %zu, "
                               "\"min_us\": %.3f, \"median_us\": %.3f, \"p95_us\": %.3f, "
                               "\"mean_us\": %.3f}"
                             : "%s%-16s %12zu %10zu %12.3f %12.3f %12.3f %12.3f\n";
    printf(format, report->json && report->printed > 0 ? "," : "", test, bytes, samples->count,
           (double)samples->ns[0] / 1000, median_of(samples), p95_of(samples), mean_of(samples));
    fflush(stdout);
    ++report->printed;
}

void end_report(struct Report* report) {
    if (report->json) printf("\n]\n");
    fflush(stdout);
}
