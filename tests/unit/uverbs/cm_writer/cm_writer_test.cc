// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The process that writes to files of the connection manager's.
#include "rnic/uverbs/cm_writer/cm_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rdma/rdma_user_cm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "rnic/uverbs/cm_writer/message.h"
#include "rnic/uverbs/cm_writer/written_file.h"
#include "socket_files.h"
#include "state/files.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {
namespace {

// A file whose kernel answers QUERY_ROUTE with the writer's process, and takes the first byte of an
// option for an errno.  The file is a pipe, readable for as long as it is open.
class AnsweringFile final : public RdmaCmFile {
  public:
    AnsweringFile() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        readable_ = FileDescriptor(ends[0]);
        writable_ = FileDescriptor(ends[1]);
    }

    Result<void> execute(std::span<const std::byte> command) override {
        rdma_ucm_cmd_hdr header;
        std::memcpy(&header, command.data(), sizeof(header));
        const auto request = command.subspan(sizeof(header));
        if (header.cmd == RDMA_USER_CM_CMD_SET_OPTION) {
            rdma_ucm_set_option option;
            std::memcpy(&option, request.data(), sizeof(option));
            const int error = *reinterpret_cast<const uint8_t*>(option.optval);
            return error == 0 ? Result<void>() : fail(error);
        }
        if (header.cmd == RDMA_USER_CM_CMD_QUERY_ROUTE) {
            rdma_ucm_query query;
            std::memcpy(&query, request.data(), sizeof(query));
            rdma_ucm_query_route_resp answer{};
            answer.ibdev_index = static_cast<uint32_t>(::getpid());
            std::memcpy(reinterpret_cast<void*>(query.response), &answer, sizeof(answer));
        }
        return {};
    }
    int fd() const override { return readable_.get(); }

  private:
    FileDescriptor readable_;
    FileDescriptor writable_;
};

Result<std::unique_ptr<RdmaCmFile>> open_answering() {
    return std::make_unique<AnsweringFile>();
}

Result<uint32_t> writer_of(RdmaCmFile& file) {
    return ask<rdma_ucm_query_route_resp>(file, RDMA_USER_CM_CMD_QUERY_ROUTE, rdma_ucm_query{})
        .map([](const auto& answer) { return answer.ibdev_index; });
}

Result<void> set_option(RdmaCmFile& file, uint8_t value) {
    rdma_ucm_set_option request{};
    request.optval = reinterpret_cast<uintptr_t>(&value);
    request.optlen = sizeof(value);
    return execute(file, RDMA_USER_CM_CMD_SET_OPTION, request);
}

// Whether nobody has the other end of the file's pipe, which the writer closes with the file.
bool is_closed(int fd) {
    pollfd file{.fd = fd, .events = 0, .revents = 0};
    return ::poll(&file, 1, 10'000) == 1 && (file.revents & POLLHUP) != 0;
}

std::unique_ptr<RdmaCmFile> another(const RdmaCmFile& file) {
    state::UverbsUcmaFile saved;
    state::FilesToSend files;
    EXPECT_TRUE(file.save(saved, files));
    std::vector<FileDescriptor> copies;
    for (const int fd : files.all()) {
        copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    state::ReceivedFiles received(std::move(copies));
    return WrittenFile::restore(saved, received).value();
}

class CmWriterTest : public testing::Test {
  protected:
    std::unique_ptr<CmWriter> writer =
        std::make_unique<CmWriter>(CmWriter::Options{.open = open_answering});
    OpenRdmaCm open = writer->opener();
};

TEST_F(CmWriterTest, ItsProcessExecutesTheCommands) {
    auto file = open().value();
    const uint32_t process = writer_of(*file).value();
    EXPECT_NE(process, static_cast<uint32_t>(::getpid()));
    EXPECT_EQ(writer_of(*open().value()).value(), process);
}

TEST_F(CmWriterTest, ErrorsAreTheKernels) {
    auto file = open().value();
    EXPECT_TRUE(set_option(*file, 0));
    EXPECT_EQ(set_option(*file, EADDRINUSE).error(), Errno{EADDRINUSE});
    EXPECT_TRUE(set_option(*file, 0));
}

TEST_F(CmWriterTest, AFileWorksInAnotherProcessWithoutTheDaemonThatOpenedIt) {
    auto file = open().value();
    const uint32_t process = writer_of(*file).value();
    auto successors = another(*file);
    file->leave_open();
    file.reset();
    open = nullptr;
    writer.reset();
    EXPECT_EQ(writer_of(*successors).value(), process);
}

TEST_F(CmWriterTest, AFileIsClosedWithItsObject) {
    auto file = open().value();
    const FileDescriptor pipe(::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0));
    file.reset();
    EXPECT_TRUE(is_closed(pipe.get()));
}

TEST_F(CmWriterTest, FilesAreClosedWhenTheirDaemonIsGone) {
    auto file = open().value();
    const FileDescriptor pipe(::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0));
    file->leave_open();
    file.reset();
    open = nullptr;  // the last end of the channel, as at the end of a process
    EXPECT_TRUE(is_closed(pipe.get()));
}

TEST_F(CmWriterTest, WithoutItsProcessCommandsFail) {
    auto file = open().value();
    const auto process = static_cast<pid_t>(writer_of(*file).value());
    ::kill(process, SIGKILL);
    ASSERT_EQ(::waitpid(process, nullptr, 0), process);
    EXPECT_EQ(writer_of(*file).error(), Errno{EIO});
    EXPECT_EQ(open().error(), Errno{EIO});
}

TEST_F(CmWriterTest, ACommandWhoseAnswerIsUnknownIsNotWritten) {
    auto file = open().value();
    EXPECT_EQ(execute(*file, RDMA_USER_CM_CMD_BIND_IP, rdma_ucm_bind_ip{}, 8).error(),
              Errno{EOPNOTSUPP});
}

// As a daemon of another version may ask.
TEST_F(CmWriterTest, RequestsThatItDoesNotUnderstandAreAnswered) {
    const FileDescriptor channel = writer->channel().value();
    const auto answer = [&](const auto& request) {
        WriterReply reply;
        EXPECT_TRUE(send_with_files(channel.get(), std::as_bytes(std::span(&request, 1)), {}));
        EXPECT_EQ(::recv(channel.get(), &reply, sizeof(reply), 0),
                  static_cast<ssize_t>(sizeof(reply)));
        return reply.error;
    };
    EXPECT_EQ(answer(std::byte{}), EINVAL);
    EXPECT_EQ(answer(WriterRequest{.kind = static_cast<WriterRequestKind>(99)}), EOPNOTSUPP);
    EXPECT_EQ(answer(WriterRequest{.kind = WriterRequestKind::kWrite, .file = 7}), EBADF);
    auto file = WrittenFile::open(channel).value();
    WriterRequest write{.kind = WriterRequestKind::kWrite, .file = 1};
    write.command = 1;
    EXPECT_EQ(answer(write), EINVAL);  // no byte comes with it
    write.command = 0;
    write.response = 8;
    EXPECT_EQ(answer(write), EINVAL);  // the address has no place
    write.response = UINT32_MAX;
    EXPECT_EQ(answer(write), EINVAL);
    EXPECT_TRUE(writer_of(*file));
}

}  // namespace
}  // namespace vrdma::uverbs
