// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The program vrdmad as a child of a test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "support/places.h"

namespace vrdma::daemon {

// A running vrdmad; killed when it goes out of scope.
class Program {
  public:
    // `stored` is what the service manager has of an earlier process of the service; `program`
    // another vrdmad.
    explicit Program(std::vector<std::string> arguments, FileDescriptor stored = {},
                     const char* program = test::kVrdmad) {
        int fds[2];
        EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
        output_ = FileDescriptor(fds[0]);
        const FileDescriptor theirs(fds[1]);
        arguments.insert(arguments.begin(), program);
        std::vector<char*> argv;
        argv.reserve(arguments.size() + 1);
        for (std::string& argument : arguments) {
            argv.push_back(argument.data());
        }
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(theirs.get(), STDOUT_FILENO);
            ::dup2(theirs.get(), STDERR_FILENO);
            if (stored.valid()) {
                give_stored(stored.get());
            }
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
    }
    ~Program() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    // Reads until `text` was printed.  Fails the test at end of file.
    void wait_printed(const std::string& text) {
        while (printed_.find(text) == std::string::npos) {
            ASSERT_TRUE(read_some()) << "it ended without printing '" << text << "': " << printed_;
        }
    }

    // Reads what there is to read now.  How often `text` has been printed.
    size_t times_printed(const std::string& text) {
        pollfd output{.fd = output_.get(), .events = POLLIN, .revents = 0};
        while (::poll(&output, 1, 0) > 0 && read_some()) {
        }
        size_t times = 0;
        for (size_t at = 0; (at = printed_.find(text, at)) != std::string::npos; ++at) {
            ++times;
        }
        return times;
    }

    pid_t pid() const { return pid_; }

    void signal(int number) { ::kill(pid_, number); }

    // The exit status, once the program has ended.
    int wait() {
        while (read_some()) {
        }
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    const std::string& printed() const { return printed_; }

  private:
    // As sd_listen_fds_with_names(3) wants it.
    static void give_stored(int file) {
        constexpr int kFirst = 3;
        if (file == kFirst) {
            ::fcntl(file, F_SETFD, 0);
        } else {
            ::dup2(file, kFirst);
        }
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDS", "1", 1);
        ::setenv("LISTEN_FDNAMES", "vrdma-guests", 1);
    }

    bool read_some() {
        char buffer[4096];
        const ssize_t count = ::read(output_.get(), buffer, sizeof(buffer));
        if (count > 0) {
            printed_.append(buffer, static_cast<size_t>(count));
        }
        return count > 0;
    }

    pid_t pid_ = -1;
    FileDescriptor output_;
    std::string printed_;
};

// The children of a process's first thread.
inline std::vector<pid_t> children_of(pid_t process) {
    const std::string pid = std::to_string(process);
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    return {std::istream_iterator<pid_t>(children), {}};
}

// The name of a process, and its state (proc_pid_stat(5)).
inline std::pair<std::string, std::string> name_and_state(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    stat >> number >> name >> state;
    return {name, state};
}
inline std::string process_state(pid_t process) {
    return name_and_state(process).second;
}

// vrdmad's process that makes sockets and receivers; -1 if there is none.
inline pid_t broker_of(pid_t vrdmad) {
    for (const pid_t child : children_of(vrdmad)) {
        if (name_and_state(child).first == "(vrdma-broker)") {
            return child;
        }
    }
    return -1;
}

// The processes that receive from VMMs.
inline std::vector<pid_t> receivers_of(pid_t vrdmad) {
    std::vector<pid_t> receivers = children_of(broker_of(vrdmad));
    std::erase_if(receivers, [](pid_t process) {
        return name_and_state(process).first != "(vrdma-receiver)";
    });
    return receivers;
}

class ProgramTest : public testing::Test {
  protected:
    ProgramTest() {
        char pattern[] = "/tmp/vrdmad-test-XXXXXX";
        directory_ = ::mkdtemp(pattern);
    }
    ~ProgramTest() override { std::filesystem::remove_all(directory_); }

    std::string path(const std::string& name) const { return directory_ / name; }
    std::string vm(const std::string& name) const { return "socket=" + path(name); }

    std::string write_config(const std::string& text) const {
        std::ofstream(path("vrdmad.toml")) << text;
        return path("vrdmad.toml");
    }

    // Runs the program to its end; status and output.
    static std::pair<int, std::string> run(std::vector<std::string> arguments) {
        Program program(std::move(arguments));
        const int status = program.wait();
        return {status, program.printed()};
    }

    std::filesystem::path directory_;
};

}  // namespace vrdma::daemon
