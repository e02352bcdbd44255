// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/cm_writer/cm_writer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "forked_process.h"
#include "rnic/uverbs/cm_writer/writer_loop.h"
#include "rnic/uverbs/cm_writer/written_file.h"
#include "socket_files.h"

namespace vrdma::uverbs {
namespace {

using Ends = std::pair<FileDescriptor, FileDescriptor>;

Result<Ends> make_pair_of_sockets() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
        return fail(errno);
    }
    return Ends{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

[[noreturn]] void write_commands(const FileDescriptor& control, const CmWriter::Options& options) {
    try {
        begin_forked_process(control.get(), "vrdma-cm-writer");
        options.confine();
        WriterLoop(control.get(), options.open).run();
    } catch (const std::exception&) {
        ::_exit(EXIT_FAILURE);
    }
    ::_exit(EXIT_SUCCESS);
}

}  // namespace

CmWriter::CmWriter(const Options& options) {
    auto ends = make_pair_of_sockets();
    if (!ends) {
        throw std::system_error(to_int(ends.error()), std::generic_category(), "socketpair");
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (pid == 0) {
        ends->first.reset();
        write_commands(ends->second, options);
    }
    control_ = std::move(ends->first);
}

Result<FileDescriptor> CmWriter::channel() const {
    auto ends = make_pair_of_sockets();
    if (!ends) {
        return fail(ends.error());
    }
    const std::array theirs{ends->second.get()};
    return send_with_files(control_.get(), std::as_bytes(std::span("", 1)), theirs).map([&] {
        return std::move(ends->first);
    });
}

OpenRdmaCm CmWriter::opener() const {
    return [this,
            channel = std::make_shared<FileDescriptor>()]() -> Result<std::unique_ptr<RdmaCmFile>> {
        if (!*channel) {
            auto made = this->channel();
            if (!made) {
                return fail(made.error());
            }
            *channel = std::move(*made);
        }
        return WrittenFile::open(*channel);
    };
}

}  // namespace vrdma::uverbs
