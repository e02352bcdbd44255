// SPDX-License-Identifier: Apache-2.0
// Measures what it costs to leave a virtual machine and come back, by an instruction that
// a hypervisor intercepts and answers itself: CPUID.  On a machine that is not virtual the
// figure is what the instruction itself takes.
#include <cpuid.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "samples.h"
#include "tool.h"

struct Options {
    uint64_t iterations;
    bool json;
};

static void usage(void) {
    puts(
        "usage: vm_exit [--iterations N] [--json]\n"
        "\n"
        "Prints how long CPUID takes, which leaves a virtual machine and comes back.\n"
        "\n"
        "  --iterations N      how often (10000)\n"
        "  --json              a JSON array instead of a table\n"
        "  --help              this text");
}

static struct Options parse_options(int argc, char** argv) {
    static const struct option kLong[] = {
        {"iterations", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct Options options = {.iterations = 10000};
    int option;
    while ((option = getopt_long(argc, argv, "", kLong, NULL)) != -1) {
        switch (option) {
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
    return options;
}

int main(int argc, char** argv) {
    const struct Options options = parse_options(argc, argv);
    struct Samples samples = make_samples(options.iterations);
    for (uint64_t i = 0; i < options.iterations; ++i) {
        unsigned a, b, c, d;
        const uint64_t start = now_ns();
        __cpuid(0, a, b, c, d);
        add_sample(&samples, now_ns() - start);
    }
    struct Report report = {.json = options.json};
    begin_report(&report);
    report_samples(&report, "cpuid", 0, &samples);
    end_report(&report);
    free_samples(&samples);
    return 0;
}
