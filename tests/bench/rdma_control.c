// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Measures how long control verbs take, and tries large memory regions over pages of a
// chosen kind.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_verbs.h"
#include "tool.h"

enum { kMaxItems = 32 };

static const char* const kPageNames[] = {"small", "scattered", "huge", "hugetlb"};

struct Options {
    struct DeviceChoice device;
    struct ControlOptions control;
    enum ControlTest tests[kMaxItems];
    unsigned test_count;
    size_t sizes[kMaxItems];
    unsigned size_count;
    size_t region;  // bytes of one region to try, instead of the tests
    bool json;
};

static void usage(void) {
    puts(
        "usage: rdma_control [OPTIONS]\n"
        "       rdma_control --region SIZE [--pages KIND] [--steps] [--json]\n"
        "\n"
        "The first form does control verbs again and again, one after the other, and prints\n"
        "how long each took.  The second registers one memory region, prints in how many\n"
        "physically contiguous runs it lies (0: unknown, for want of privilege), how long\n"
        "the registration took, and the error if there was one.\n"
        "\n"
        "  --device NAME       the RDMA device (the first one)\n"
        "  --port N            its port (1)\n"
        "  --gid-index N       its GID (an IPv4 address of RoCE v2 if there is one)\n"
        "  --tests LIST        of pd, cq, qp, connect (a queue pair from RESET to RTS),\n"
        "                      srq, ah, mr (all)\n"
        "  --sizes LIST        bytes of memory regions, with K, M or G (4K,1M,64M)\n"
        "  --pages KIND        what memory regions consist of: small pages; scattered,\n"
        "                      small pages whose neighbours are far away; huge,\n"
        "                      transparent huge pages; hugetlb, of the huge page pool\n"
        "                      (small)\n"
        "  --cq-entries N      of completion queues (256)\n"
        "  --iterations N      measured of each (100)\n"
        "  --warm-up N         before that (10)\n"
        "  --region SIZE       try one region of this size\n"
        "  --steps             before and after the iterations of one test say 'ready' and\n"
        "                      'measured' on standard error, and wait for SIGUSR1; with\n"
        "                      --region: 'ready' and 'tried', around the registration\n"
        "  --json              JSON instead of text\n"
        "  --help              this text\n"
        "\n"
        "The status is 1 if something failed, 2 for a mistake in the options.");
}

static void take_test(const char* option, const char* item, void* to) {
    struct Options* options = to;
    if (options->test_count == kMaxItems) refuse("%s: too many", option);
    options->tests[options->test_count++] =
        (enum ControlTest)parse_name(option, item, kControlTestNames, kControlTests);
}

static void take_size(const char* option, const char* item, void* to) {
    struct Options* options = to;
    if (options->size_count == kMaxItems) refuse("%s: too many", option);
    options->sizes[options->size_count++] = parse_bytes(option, item);
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
            options->test_count = 0;
            parse_list("--tests", value, take_test, options);
            break;
        case 's':
            options->size_count = 0;
            parse_list("--sizes", value, take_size, options);
            break;
        case 'P':
            options->control.pages = (enum PageKind)parse_name("--pages", value, kPageNames, 4);
            break;
        case 'c':
            options->control.cq_entries = (unsigned)parse_number("--cq-entries", value, 1, 1 << 22);
            break;
        case 'n':
            options->control.iterations =
                (unsigned)parse_number("--iterations", value, 1, 10000000);
            break;
        case 'u':
            options->control.warm_up = (unsigned)parse_number("--warm-up", value, 0, 10000000);
            break;
        case 'r':
            options->region = parse_bytes("--region", value);
            break;
        case 'S':
            options->control.steps = true;
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

static void check_options(struct Options* options) {
    if (options->control.steps && options->region == 0 &&
        (options->test_count != 1 || options->size_count > 1)) {
        refuse("--steps is for one test of one size, or for --region");
    }
    if (options->region != 0 && (options->test_count != 0 || options->size_count != 0)) {
        refuse("--region tries one region; --tests and --sizes belong to the other form");
    }
    if (options->test_count == 0) {
        while (options->test_count < kControlTests) {
            options->tests[options->test_count] = (enum ControlTest)options->test_count;
            ++options->test_count;
        }
    }
    if (options->size_count == 0) {
        options->sizes[options->size_count++] = 4 << 10;
        if (options->control.steps) return;  // for which there is one size
        options->sizes[options->size_count++] = 1 << 20;
        options->sizes[options->size_count++] = 64 << 20;
    }
}

static struct Options parse_options(int argc, char** argv) {
    static const struct option kLong[] = {
        {"device", required_argument, NULL, 'd'},
        {"port", required_argument, NULL, 'p'},
        {"gid-index", required_argument, NULL, 'g'},
        {"tests", required_argument, NULL, 't'},
        {"sizes", required_argument, NULL, 's'},
        {"pages", required_argument, NULL, 'P'},
        {"cq-entries", required_argument, NULL, 'c'},
        {"iterations", required_argument, NULL, 'n'},
        {"warm-up", required_argument, NULL, 'u'},
        {"region", required_argument, NULL, 'r'},
        {"steps", no_argument, NULL, 'S'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct Options options = {
        .device = {.port = 1, .gid_index = kAnyGid},
        .control = {.cq_entries = 256, .iterations = 100, .warm_up = 10, .pages = kSmallPages},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", kLong, NULL)) != -1) {
        take_option(&options, option, optarg);
    }
    if (optind < argc) refuse("there is no argument '%s'", argv[optind]);
    check_options(&options);
    return options;
}

static void time_verbs(const struct RdmaDevice* device, const struct Options* options) {
    struct Report report = {.json = options->json};
    begin_report(&report);
    for (unsigned i = 0; i < options->test_count; ++i) {
        const unsigned count = options->tests[i] == kMr ? options->size_count : 1;
        for (unsigned k = 0; k < count; ++k) {
            time_control(device, &options->control, options->tests[i], options->sizes[k], &report);
        }
    }
    end_report(&report);
}

static int try_region(const struct RdmaDevice* device, const struct Options* options) {
    struct Pages pages = make_pages(options->control.pages, options->region);
    const size_t runs = count_runs(&pages);
    struct ibv_pd* pd = ibv_alloc_pd(device->context);
    if (pd == NULL) fail_errno("cannot allocate a protection domain");
    if (options->control.steps) step("ready");
    const uint64_t start = now_ns();
    struct ibv_mr* mr = ibv_reg_mr(pd, pages.address, pages.bytes,
                                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
    const int error = mr == NULL ? errno : 0;
    const double us = (double)(now_ns() - start) / 1000;
    if (options->control.steps) step("tried");
    const char* format =
        options->json
            ? "{\"test\": \"reg_mr\", \"bytes\": %zu, \"pages\": \"%s\", \"runs\": %zu, \"us\": "
              "%.3f, \"errno\": %d, \"error\": \"%s\"}\n"
            : "reg_mr of %zu bytes, %s pages in %zu runs: %.3f us, errno %d (%s)\n";
    printf(format, pages.bytes, kPageNames[options->control.pages], runs, us, error,
           error == 0 ? "" : strerror(error));
    if (mr != NULL) {
        errno = ibv_dereg_mr(mr);
        if (errno != 0) fail_errno("cannot deregister the region");
    }
    errno = ibv_dealloc_pd(pd);
    if (errno != 0) fail_errno("cannot deallocate a protection domain");
    free_pages(&pages);
    return error == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
    const struct Options options = parse_options(argc, argv);
    if (options.control.steps) prepare_steps();
    struct RdmaDevice device = open_device(&options.device);
    int status = 0;
    if (options.region != 0) {
        status = try_region(&device, &options);
    } else {
        time_verbs(&device, &options);
    }
    close_device(&device);
    return status;
}
