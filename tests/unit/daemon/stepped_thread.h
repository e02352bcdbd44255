// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace vrdma::daemon {

// A thread of another process that goes from one system call to the next.  The tracer is the thread
// that makes the object, and calls its functions (ptrace(2)).
class SteppedThread {
  public:
    // Where the thread stands: at the beginning of a system call, or at its end.
    struct Stop {
        bool begins = false;
        uint64_t call = 0;  // SYS_*, while it begins
        uint64_t arguments[6]{};
    };

    // Stops the thread where it is.  Throws std::system_error.
    explicit SteppedThread(pid_t thread) : thread_(thread) {
        must(::ptrace(PTRACE_SEIZE, thread_, nullptr, PTRACE_O_TRACESYSGOOD) == 0, "PTRACE_SEIZE");
        must(::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0, "PTRACE_INTERRUPT");
        must(wait_stopped(), "the thread's end");
    }
    ~SteppedThread() { let_go(); }
    SteppedThread(const SteppedThread&) = delete;
    SteppedThread& operator=(const SteppedThread&) = delete;

    // Has the thread go on to its next stop.  None when it has ended.
    std::optional<Stop> next() {
        for (int signal = 0;;) {
            if (::ptrace(PTRACE_SYSCALL, thread_, nullptr, signal) != 0 || !wait_stopped()) {
                thread_ = -1;
                return std::nullopt;
            }
            signal = WSTOPSIG(status_);
            if (signal == (SIGTRAP | kSystemCall)) {
                return where();
            }
            if (status_ >> 16 == PTRACE_EVENT_STOP) {
                signal = 0;
            }
        }
    }

    // What the thread's process has at this address; fewer bytes where its memory ends.
    std::string read(uint64_t address, size_t size) const {
        std::string bytes(size, '\0');
        const iovec here{bytes.data(), bytes.size()};
        const iovec there{reinterpret_cast<void*>(address), bytes.size()};
        const ssize_t count = ::process_vm_readv(thread_, &here, 1, &there, 1, 0);
        bytes.resize(count < 0 ? 0 : static_cast<size_t>(count));
        return bytes;
    }

    // The thread goes on by itself.  One that has been killed meanwhile is there until its tracer
    // has seen it.
    void let_go() {
        if (thread_ != -1 && ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr) != 0) {
            ::waitpid(thread_, &status_, __WALL);
        }
        thread_ = -1;
    }

  private:
    static constexpr int kSystemCall = 0x80;  // PTRACE_O_TRACESYSGOOD

    static void must(bool done, const char* what) {
        if (!done) {
            throw std::system_error(errno, std::generic_category(), what);
        }
    }

    bool wait_stopped() {
        return ::waitpid(thread_, &status_, __WALL) == thread_ && WIFSTOPPED(status_);
    }

    Stop where() const {
        __ptrace_syscall_info info{};
        must(::ptrace(PTRACE_GET_SYSCALL_INFO, thread_, sizeof(info), &info) > 0,
             "PTRACE_GET_SYSCALL_INFO");
        Stop stop;
        stop.begins = info.op == PTRACE_SYSCALL_INFO_ENTRY;
        if (stop.begins) {
            stop.call = info.entry.nr;
            std::copy(std::begin(info.entry.args), std::end(info.entry.args), stop.arguments);
        }
        return stop;
    }

    pid_t thread_;
    int status_ = 0;
};

// The thread of a process that has this name; -1 when there is none.
inline pid_t thread_named(pid_t process, const std::string& name) {
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::ifstream comm(task.path() / "comm");
        std::string text;
        if (std::getline(comm, text) && text == name) {
            return std::stoi(task.path().filename());
        }
    }
    return -1;
}

// Whether a thread sleeps in this system call.
inline bool sleeps_in(pid_t process, pid_t thread, long call) {
    std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) +
                       "/syscall");
    std::string number;
    return file >> number && number == std::to_string(call);
}

}  // namespace vrdma::daemon
