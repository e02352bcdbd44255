// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/eventfd_signaller.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace vrdma::vhost {

EventfdSignaller::EventfdSignaller() : nothing_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    if (!nothing_) {
        throw std::system_error(errno, std::generic_category(), "/dev/null");
    }
    if (::syscall(SYS_io_setup, kRecords, &context_) != 0) {
        throw std::system_error(
            errno, std::generic_category(),
            errno == EAGAIN ? "io_setup, which interrupts need: raise the sysctl fs.aio-max-nr"
                            : "io_setup, which interrupts need (CONFIG_AIO in the kernel)");
    }
}

EventfdSignaller::~EventfdSignaller() {
    ::syscall(SYS_io_destroy, context_);
}

Result<void> EventfdSignaller::signal(int eventfd) {
    iocb request{};
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = static_cast<uint32_t>(nothing_.get());
    request.aio_flags = IOCB_FLAG_RESFD;
    request.aio_resfd = static_cast<uint32_t>(eventfd);
    auto submitted = submit(request);
    if (!submitted && submitted.error() == Errno{EAGAIN}) {
        take_completions();
        submitted = submit(request);
    }
    if (submitted && signals_.fetch_add(1, std::memory_order_relaxed) % kSignalsPerTake == 0) {
        take_completions();
    }
    return submitted;
}

// The kernel looks at the eventfd first (EINVAL), and then refuses to write to a file that is open
// for reading (EBADF).
bool EventfdSignaller::is_eventfd(int fd) {
    iocb request{};
    request.aio_lio_opcode = IOCB_CMD_PWRITE;
    request.aio_fildes = static_cast<uint32_t>(nothing_.get());
    request.aio_flags = IOCB_FLAG_RESFD;
    request.aio_resfd = static_cast<uint32_t>(fd);
    auto submitted = submit(request);
    if (!submitted && submitted.error() == Errno{EAGAIN}) {
        take_completions();
        submitted = submit(request);
    }
    return !submitted && submitted.error() == Errno{EBADF};
}

Result<void> EventfdSignaller::submit(iocb& request) {
    iocb* const requests[] = {&request};
    if (::syscall(SYS_io_submit, context_, 1, requests) != 1) {
        return fail(errno);
    }
    return {};
}

void EventfdSignaller::take_completions() {
    std::array<io_event, kRecords> events;
    timespec now{};
    ::syscall(SYS_io_getevents, context_, 0, events.size(), events.data(), &now);
}

}  // namespace vrdma::vhost
