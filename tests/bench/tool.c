// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kMaxItem = 64 };

static void say(const char* format, va_list arguments) {
    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
}

void refuse(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    refuse_as_said();
}

void refuse_as_said(void) {
    fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
    exit(2);
}

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void fail_errno(const char* format, ...) {
    const int number = errno;
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fprintf(stderr, ": %s\n", strerror(number));
    exit(1);
}

uint64_t parse_number(const char* option, const char* text, uint64_t least, uint64_t most) {
    char* end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    // strtoull() takes a sign and leading space as well.
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < least ||
        number > most) {
        refuse("%s takes a number from %llu to %llu, not '%s'", option, (unsigned long long)least,
               (unsigned long long)most, text);
    }
    return number;
}

size_t parse_bytes(const char* option, const char* text) {
    static const char kSuffixes[] = "KMG";
    const uint64_t most = UINT64_C(1) << 40;
    char* end;
    errno = 0;
    unsigned long long bytes = strtoull(text, &end, 10);
    bool good = *text >= '0' && *text <= '9' && errno == 0 && bytes > 0 && bytes <= most;
    const char* suffix = *end == '\0' ? NULL : strchr(kSuffixes, *end);
    if (suffix != NULL && good) {
        bytes <<= 10 * (suffix - kSuffixes + 1);
        good = bytes <= most;
        ++end;
    }
    if (!good || *end != '\0') {
        refuse("%s takes a number of bytes, such as 64, 4K or 1M, not '%s'", option, text);
    }
    return bytes;
}

unsigned parse_name(const char* option, const char* text, const char* const* names,
                    unsigned count) {
    char known[512] = "";
    for (unsigned i = 0; i < count; ++i) {
        if (strcmp(text, names[i]) == 0) return i;
        if (i > 0) strncat(known, ", ", sizeof known - strlen(known) - 1);
        strncat(known, names[i], sizeof known - strlen(known) - 1);
    }
    refuse("%s does not know '%s', but: %s", option, text, known);
}

void parse_list(const char* option, const char* text,
                void (*take)(const char* option, const char* item, void* to), void* to) {
    for (;;) {
        const size_t length = strcspn(text, ",");
        char item[kMaxItem];
        if (length >= sizeof item) refuse("%s does not take '%s'", option, text);
        memcpy(item, text, length);
        item[length] = '\0';
        take(option, item, to);
        if (text[length] == '\0') return;
        text += length + 1;
    }
}

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static sigset_t step_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    return signals;
}

void prepare_steps(void) {
    const sigset_t signals = step_signals();
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) fail_errno("cannot block SIGUSR1");
}

void step(const char* mark) {
    const sigset_t signals = step_signals();
    int number;
    fprintf(stderr, "%s\n", mark);
    sigwait(&signals, &number);
}
