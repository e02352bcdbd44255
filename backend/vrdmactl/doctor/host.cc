// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/doctor/host.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>

#include "file_descriptor.h"

namespace vrdma::doctor {

std::optional<std::string> Host::read(const std::string& absolute) const {
    std::error_code ignored;
    std::ifstream stream(path(absolute));
    if (!stream || std::filesystem::is_directory(path(absolute), ignored)) {
        return std::nullopt;
    }
    return std::string{std::istreambuf_iterator<char>(stream), {}};
}

std::optional<uint64_t> Host::number(const std::string& absolute) const {
    const auto text = read(absolute);
    uint64_t value = 0;
    if (!text ||
        std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::string> Host::read_of_daemon(const std::string& name) const {
    return daemon ? read("/proc/" + std::to_string(daemon->pid) + "/" + name) : std::nullopt;
}

std::vector<std::filesystem::path> Host::list(const std::string& absolute) const {
    std::vector<std::filesystem::path> paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path(absolute), error)) {
        paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
}

uint64_t Host::sum_of_limits(const std::string& key) const {
    uint64_t sum = 0;
    if (!daemon) {
        return sum;
    }
    for (const auto& guest : daemon->stats.at("guests")) {
        const auto limit = guest.at("limits").at(key).at("limit").get<uint64_t>();
        sum = limit > std::numeric_limits<uint64_t>::max() - sum
                  ? std::numeric_limits<uint64_t>::max()
                  : sum + limit;
    }
    return sum;
}

std::string Host::ask_qemu_version(const std::filesystem::path& program) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
        return "";
    }
    const FileDescriptor ours(fds[0]);
    FileDescriptor theirs(fds[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    std::string name = program.string();
    std::string option = "--version";
    char* const arguments[] = {name.data(), option.data(), nullptr};
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, name.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    theirs.reset();
    if (failed != 0) {
        return "";
    }
    std::string said;
    char part[512];
    for (ssize_t got; (got = ::read(ours.get(), part, sizeof(part))) > 0;) {
        said.append(part, static_cast<size_t>(got));
    }
    ::waitpid(pid, nullptr, 0);
    std::smatch match;
    return std::regex_search(said, match, std::regex(R"(version (\d+\.\d+\.\d+))")) ? match[1].str()
                                                                                    : "";
}

}  // namespace vrdma::doctor
