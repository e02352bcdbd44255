// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/log.h"

bool log_open(Connectx* nic) {
    nic->log = nic->log_path ? fopen(nic->log_path, "w") : stderr;
    return nic->log != NULL;
}

static void write_line(Connectx* nic, const char* start, const char* format, va_list arguments) {
    fputs(start, nic->log);
    vfprintf(nic->log, format, arguments);
    fputc('\n', nic->log);
    fflush(nic->log);
}

void log_say(Connectx* nic, const char* format, ...) {
    va_list arguments;

    va_start(arguments, format);
    write_line(nic, "", format, arguments);
    va_end(arguments);
}

void log_violation(Connectx* nic, const char* format, ...) {
    va_list arguments;

    nic->violations++;
    va_start(arguments, format);
    write_line(nic, "violation: ", format, arguments);
    va_end(arguments);
}
