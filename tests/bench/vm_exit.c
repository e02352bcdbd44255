// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Measures what the parts of a guest's request to its host cost, without any RDMA:
// leaving the virtual machine and coming back, and waking a process and being woken.
#include <cpuid.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "samples.h"
#include "tool.h"

enum Test { kCpuid, kOut, kWake, kTests };
enum { kDiagnosticPort = 0x80 };  // which QEMU emulates and which does nothing

static const char* const kTestNames[kTests] = {"cpuid", "out", "wake"};

struct Options {
    bool tests[kTests];
    bool chosen;
    uint64_t iterations;
    bool json;
};

static void usage(void) {
    puts(
        "usage: vm_exit [--tests LIST] [--iterations N] [--json]\n"
        "\n"
        "Prints how long these take:\n"
        "\n"
        "  cpuid   the instruction CPUID, which leaves a virtual machine and which the\n"
        "          hypervisor's kernel answers; outside of one: just the instruction\n"
        "  out     a write to an I/O port that does nothing, which the virtual machine\n"
        "          monitor answers in its process (through /dev/port, for root)\n"
        "  wake    to wake a sleeping process that wakes this one, through eventfds\n"
        "\n"
        "  --tests LIST        of these (all)\n"
        "  --iterations N      of each (10000)\n"
        "  --json              a JSON array instead of a table\n"
        "  --help              this text");
}

static void take_test(const char* option, const char* item, void* to) {
    struct Options* options = to;
    options->tests[parse_name(option, item, kTestNames, kTests)] = true;
    options->chosen = true;
}

static struct Options parse_options(int argc, char** argv) {
    static const struct option kLong[] = {
        {"tests", required_argument, NULL, 't'},
        {"iterations", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct Options options = {.iterations = 10000};
    int option;
    while ((option = getopt_long(argc, argv, "", kLong, NULL)) != -1) {
        switch (option) {
            case 't':
                parse_list("--tests", optarg, take_test, &options);
                break;
            case 'n':
                options.iterations = parse_number("--iterations", optarg, 1, 100000000);
                break;
            case 'j':
                options.json = true;
                break;
            case 'h':
                usage();
                exit(0);
            default:
                refuse_as_said();
        }
    }
    if (optind < argc) refuse("there is no argument '%s'", argv[optind]);
    for (unsigned i = 0; i < kTests && !options.chosen; ++i) options.tests[i] = true;
    return options;
}

// A process that answers a signal at one eventfd with a signal at the other one.
struct Answerer {
    pid_t pid;
    int asked;
    int answered;
};

static uint64_t take(int file) {
    uint64_t count;
    if (read(file, &count, sizeof count) != sizeof count) fail_errno("cannot read an eventfd");
    return count;
}

static void give(int file) {
    const uint64_t one = 1;
    if (write(file, &one, sizeof one) != sizeof one) fail_errno("cannot write an eventfd");
}

static struct Answerer start_answerer(void) {
    struct Answerer answerer = {.asked = eventfd(0, EFD_CLOEXEC),
                                .answered = eventfd(0, EFD_CLOEXEC)};
    if (answerer.asked < 0 || answerer.answered < 0) fail_errno("cannot make an eventfd");
    answerer.pid = fork();
    if (answerer.pid < 0) fail_errno("cannot start a process");
    if (answerer.pid > 0) return answerer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        take(answerer.asked);
        give(answerer.answered);
    }
}

static void stop_answerer(const struct Answerer* answerer) {
    kill(answerer->pid, SIGKILL);
    waitpid(answerer->pid, NULL, 0);
    close(answerer->asked);
    close(answerer->answered);
}

// Resources that the tests work on.
struct Bench {
    struct Answerer answerer;
    int ports;
};

static void do_once(enum Test test, const struct Bench* bench) {
    unsigned a, b, c, d;
    const unsigned char nothing = 0;
    switch (test) {
        case kCpuid:
            __cpuid(0, a, b, c, d);
            break;
        case kOut:
            if (pwrite(bench->ports, &nothing, 1, kDiagnosticPort) != 1) {
                fail_errno("cannot write to I/O port %#x", kDiagnosticPort);
            }
            break;
        default:
            give(bench->answerer.asked);
            take(bench->answerer.answered);
    }
}

static void measure(enum Test test, uint64_t iterations, struct Report* report) {
    struct Bench bench = {.ports = -1};
    if (test == kOut) {
        bench.ports = open("/dev/port", O_RDWR | O_CLOEXEC);
        if (bench.ports < 0) fail_errno("cannot open /dev/port");
    }
    if (test == kWake) bench.answerer = start_answerer();
    struct Samples samples = make_samples(iterations);
    for (uint64_t i = 0; i < iterations; ++i) {
        const uint64_t start = now_ns();
        do_once(test, &bench);
        add_sample(&samples, now_ns() - start);
    }
    if (test == kWake) stop_answerer(&bench.answerer);
    if (test == kOut) close(bench.ports);
    report_samples(report, kTestNames[test], 0, &samples);
    free_samples(&samples);
}

int main(int argc, char** argv) {
    const struct Options options = parse_options(argc, argv);
    struct Report report = {.json = options.json};
    begin_report(&report);
    for (unsigned test = 0; test < kTests; ++test) {
        if (options.tests[test]) measure((enum Test)test, options.iterations, &report);
    }
    end_report(&report);
    return 0;
}
