// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Measures the latency of messages that a device sends to itself: one process, one thread,
// two connected queue pairs.  With one thread there is nobody to take turns with, so that
// the same figure can be taken on a machine with one processor, and in a guest.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loopback.h"
#include "samples.h"
#include "tool.h"

enum { kMaxItems = 32 };

static const char* const kOperationNames[kOperations] = {"write", "write-imm", "send", "read",
                                                         "fetch-add"};
static const char* const kWaitingNames[kWaitings] = {"yield", "poll", "event"};
static const char* const kTransportNames[] = {"rc", "uc", "ud"};
static const enum ibv_qp_type kTransports[] = {IBV_QPT_RC, IBV_QPT_UC, IBV_QPT_UD};

struct Options {
    struct DeviceChoice device;
    unsigned transport;
    enum Operation operations[kMaxItems];
    unsigned operation_count;
    size_t sizes[kMaxItems];
    unsigned size_count;
    uint64_t iterations;
    uint64_t warm_up;
    struct LoopbackOptions loopback;
    bool steps;
    bool json;
};

static void usage(void) {
    puts(
        "usage: rdma_latency [OPTIONS]\n"
        "\n"
        "Sends messages from one queue pair of an RDMA device to another one of it, one at a\n"
        "time, checks the data, and prints how long each took, from before it was posted\n"
        "until its completions were taken: the sender's, and the receiver's of those\n"
        "operations that have one.\n"
        "\n"
        "  --device NAME       the RDMA device (the first one)\n"
        "  --port N            its port (1)\n"
        "  --gid-index N       its GID (an IPv4 address of RoCE v2 if there is one)\n"
        "  --transport T       rc, uc or ud (rc)\n"
        "  --operations LIST   of write, write-imm, send, read, fetch-add (write,send);\n"
        "                      uc has write-imm and send, ud has send\n"
        "  --sizes LIST        bytes of a message, with K, M or G (2,4K); those of\n"
        "                      fetch-add are always 8\n"
        "  --iterations N      messages measured of each (1000)\n"
        "  --warm-up N         messages before that (100)\n"
        "  --wait W            yield: poll, and let others run after each vain poll;\n"
        "                      poll: poll without a break; event: sleep until a\n"
        "                      completion event (yield)\n"
        "  --inline N          send messages of up to N bytes inline (0)\n"
        "  --steps             before and after each measurement say 'ready' and 'measured'\n"
        "                      on standard error, and wait for SIGUSR1\n"
        "  --json              a JSON array instead of a table\n"
        "  --help              this text\n"
        "\n"
        "The status is 1 if something failed or data were wrong, 2 for a mistake in the\n"
        "options.");
}

static void take_operation(const char* option, const char* item, void* to) {
    struct Options* options = to;
    if (options->operation_count == kMaxItems) refuse("%s: too many", option);
    options->operations[options->operation_count++] =
        (enum Operation)parse_name(option, item, kOperationNames, kOperations);
}

static void take_size(const char* option, const char* item, void* to) {
    struct Options* options = to;
    if (options->size_count == kMaxItems) refuse("%s: too many", option);
    const size_t bytes = parse_bytes(option, item);
    // A port's largest message (IBTA 9.4.1).
    if (bytes > UINT32_C(1) << 31) refuse("%s: a message has at most 2G bytes", option);
    options->sizes[options->size_count++] = bytes;
}

static void take_option(struct Options* options, int option, const char* value) {
    switch (option) {
        case 'd':
            options->device.name = value;
            break;
        case 'p':
            options->device.port = (uint8_t)parse_number("--port", value, 1, 255);
            break;
        case 'g':
            options->device.gid_index = (int)parse_number("--gid-index", value, 0, 255);
            break;
        case 't':
            options->transport = parse_name("--transport", value, kTransportNames, 3);
            break;
        case 'o':
            options->operation_count = 0;
            parse_list("--operations", value, take_operation, options);
            break;
        case 's':
            options->size_count = 0;
            parse_list("--sizes", value, take_size, options);
            break;
        case 'n':
            options->iterations = parse_number("--iterations", value, 1, 100000000);
            break;
        case 'u':
            options->warm_up = parse_number("--warm-up", value, 0, 100000000);
            break;
        case 'w':
            options->loopback.waiting =
                (enum Waiting)parse_name("--wait", value, kWaitingNames, kWaitings);
            break;
        case 'i':
            options->loopback.inline_max = (uint32_t)parse_number("--inline", value, 0, 65536);
            break;
        case 'S':
            options->steps = true;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            usage();
            exit(0);
        default:
            refuse_as_said();
    }
}

static size_t bytes_of(enum Operation operation, size_t bytes) {
    return operation == kFetchAdd ? sizeof(uint64_t) : bytes;
}

static void check_options(struct Options* options) {
    if (options->operation_count == 0) {
        options->operations[options->operation_count++] = kWrite;
        options->operations[options->operation_count++] = kSend;
    }
    if (options->size_count == 0) {
        options->sizes[options->size_count++] = 2;
        options->sizes[options->size_count++] = 4096;
    }
    options->loopback.transport = kTransports[options->transport];
    for (unsigned i = 0; i < options->operation_count; ++i) {
        if (!has_operation(options->loopback.transport, options->operations[i])) {
            refuse("--transport %s has no --operations %s", kTransportNames[options->transport],
                   kOperationNames[options->operations[i]]);
        }
        for (unsigned k = 0; k < options->size_count; ++k) {
            const size_t bytes = bytes_of(options->operations[i], options->sizes[k]);
            if (bytes > options->loopback.bytes) options->loopback.bytes = bytes;
        }
    }
}

static struct Options parse_options(int argc, char** argv) {
    static const struct option kLong[] = {
        {"device", required_argument, NULL, 'd'},
        {"port", required_argument, NULL, 'p'},
        {"gid-index", required_argument, NULL, 'g'},
        {"transport", required_argument, NULL, 't'},
        {"operations", required_argument, NULL, 'o'},
        {"sizes", required_argument, NULL, 's'},
        {"iterations", required_argument, NULL, 'n'},
        {"warm-up", required_argument, NULL, 'u'},
        {"wait", required_argument, NULL, 'w'},
        {"inline", required_argument, NULL, 'i'},
        {"steps", no_argument, NULL, 'S'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct Options options = {
        .device = {.port = 1, .gid_index = kAnyGid},
        .iterations = 1000,
        .warm_up = 100,
    };
    int option;
    while ((option = getopt_long(argc, argv, "", kLong, NULL)) != -1) {
        take_option(&options, option, optarg);
    }
    if (optind < argc) refuse("there is no argument '%s'", argv[optind]);
    check_options(&options);
    return options;
}

static void measure(struct Loopback* loopback, const struct Options* options,
                    enum Operation operation, size_t bytes, uint64_t* round,
                    struct Report* report) {
    struct Samples samples = make_samples(options->iterations);
    for (uint64_t i = 0; i < options->warm_up; ++i) {
        time_message(loopback, operation, bytes, (*round)++);
    }
    if (options->steps) step("ready");
    for (uint64_t i = 0; i < options->iterations; ++i) {
        add_sample(&samples, time_message(loopback, operation, bytes, (*round)++));
    }
    if (options->steps) step("measured");
    char name[64];
    snprintf(name, sizeof name, "%s_%s", kTransportNames[options->transport],
             kOperationNames[operation]);
    report_samples(report, name, bytes, &samples);
    free_samples(&samples);
}

int main(int argc, char** argv) {
    const struct Options options = parse_options(argc, argv);
    if (options.steps) prepare_steps();
    struct RdmaDevice device = open_device(&options.device);
    if (options.loopback.transport == IBV_QPT_UD && options.loopback.bytes > mtu_bytes(&device)) {
        refuse("a datagram of this port has at most %u bytes", mtu_bytes(&device));
    }
    struct Loopback loopback = make_loopback(&device, &options.loopback);
    struct Report report = {.json = options.json};
    uint64_t round = 0;
    begin_report(&report);
    for (unsigned i = 0; i < options.operation_count; ++i) {
        const enum Operation operation = options.operations[i];
        // An atomic operation has one size, so it is measured once.
        const unsigned count = operation == kFetchAdd ? 1 : options.size_count;
        for (unsigned k = 0; k < count; ++k) {
            measure(&loopback, &options, operation, bytes_of(operation, options.sizes[k]), &round,
                    &report);
        }
    }
    end_report(&report);
    free_loopback(&loopback);
    close_device(&device);
    return 0;
}
