// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/cm_writer/written_file.h"

#include <fcntl.h>
#include <rdma/rdma_user_cm.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "socket_files.h"

namespace vrdma::uverbs {
namespace {

// A command that tells the kernel the address of its response, in its structure.
struct Responding {
    uint32_t command;
    size_t response_at;
};

constexpr std::array kResponding{
    Responding{RDMA_USER_CM_CMD_CREATE_ID, offsetof(rdma_ucm_create_id, response)},
    Responding{RDMA_USER_CM_CMD_DESTROY_ID, offsetof(rdma_ucm_destroy_id, response)},
    Responding{RDMA_USER_CM_CMD_QUERY_ROUTE, offsetof(rdma_ucm_query, response)},
    Responding{RDMA_USER_CM_CMD_QUERY, offsetof(rdma_ucm_query, response)},
    Responding{RDMA_USER_CM_CMD_INIT_QP_ATTR, offsetof(rdma_ucm_init_qp_attr, response)},
    Responding{RDMA_USER_CM_CMD_GET_EVENT, offsetof(rdma_ucm_get_event, response)},
    Responding{RDMA_USER_CM_CMD_JOIN_MCAST, offsetof(rdma_ucm_join_mcast, response)},
    Responding{RDMA_USER_CM_CMD_LEAVE_MCAST, offsetof(rdma_ucm_destroy_id, response)},
    Responding{RDMA_USER_CM_CMD_MIGRATE_ID, offsetof(rdma_ucm_migrate_id, response)},
};

constexpr auto kHeader = static_cast<uint32_t>(sizeof(rdma_ucm_cmd_hdr));

// Reads the structure of a command, whose size the caller has checked.
template <typename Request>
Request structure_of(std::span<const std::byte> command) {
    Request request{};
    std::memcpy(&request, command.data() + kHeader,
                std::min(sizeof(request), command.size() - kHeader));
    return request;
}

template <typename Value>
void append(std::vector<std::byte>& message, const Value& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    message.insert(message.end(), bytes.begin(), bytes.end());
}

// Sends a request, and waits for the reply.  EIO when the writer has ended.
Result<BytesWithFiles> ask_writer(const FileDescriptor& channel, std::span<const std::byte> request,
                                  std::span<const int> files, std::span<std::byte> reply) {
    if (!send_with_files(channel.get(), request, files)) {
        return fail(EIO);
    }
    auto received = receive_with_files(channel.get(), reply);
    if (!received) {
        return received;
    }
    WriterReply head;
    if (received->size < sizeof(head)) {
        return fail(EIO);
    }
    std::memcpy(&head, reply.data(), sizeof(head));
    return head.error == 0 ? std::move(received) : fail(head.error);
}

}  // namespace

Result<std::unique_ptr<RdmaCmFile>> WrittenFile::open(const FileDescriptor& channel) {
    const WriterRequest request{.kind = WriterRequestKind::kOpen};
    WriterReply reply;
    auto received = ask_writer(channel, std::as_bytes(std::span(&request, 1)), {},
                               std::as_writable_bytes(std::span(&reply, 1)));
    if (!received) {
        return fail(received.error());
    }
    FileDescriptor own(::fcntl(channel.get(), F_DUPFD_CLOEXEC, 0));
    if (!own || received->files.empty()) {
        return fail(own ? EIO : errno);
    }
    return std::make_unique<WrittenFile>(std::move(own), std::move(received->files.front()),
                                         reply.file);
}

Result<std::unique_ptr<RdmaCmFile>> WrittenFile::restore(const state::UverbsUcmaFile& saved,
                                                         state::ReceivedFiles& files) {
    auto channel = files.take_needed(saved.writer_file());
    if (!channel) {
        return fail(channel.error());
    }
    auto file = files.take_needed(saved.rdma_cm_file());
    if (!file) {
        return fail(file.error());
    }
    return std::make_unique<WrittenFile>(std::move(*channel), std::move(*file), saved.number());
}

WrittenFile::~WrittenFile() {
    if (!left_open_) {
        const WriterRequest request{.kind = WriterRequestKind::kClose, .file = number_};
        (void)send_with_files(channel_.get(), std::as_bytes(std::span(&request, 1)), {});
    }
}

Result<void> WrittenFile::save(state::UverbsUcmaFile& saved, state::FilesToSend& files) const {
    saved.set_writer_file(files.add(channel_.get()));
    saved.set_rdma_cm_file(files.add(file_.get()));
    saved.set_number(number_);
    return {};
}

Result<void> WrittenFile::execute(std::span<const std::byte> command) {
    rdma_ucm_cmd_hdr header;
    if (command.size() < sizeof(header)) {
        return fail(EINVAL);
    }
    std::memcpy(&header, command.data(), sizeof(header));
    WriterRequest request{.kind = WriterRequestKind::kWrite,
                          .file = number_,
                          .command = static_cast<uint32_t>(command.size()),
                          .response = header.out};
    std::byte* response = nullptr;
    if (header.out != 0) {
        const auto* known = std::ranges::find(kResponding, header.cmd, &Responding::command);
        if (known == kResponding.end() ||
            command.size() < kHeader + known->response_at + sizeof(uint64_t)) {
            return fail(EOPNOTSUPP);
        }
        request.response_at = kHeader + static_cast<uint32_t>(known->response_at);
        uint64_t address = 0;
        std::memcpy(&address, command.data() + request.response_at, sizeof(address));
        response = reinterpret_cast<std::byte*>(address);
    }
    std::span<const std::byte> value;
    if (header.cmd == RDMA_USER_CM_CMD_SET_OPTION) {
        const auto option = structure_of<rdma_ucm_set_option>(command);
        value = {reinterpret_cast<const std::byte*>(option.optval), option.optlen};
        request.value = option.optlen;
        request.value_at = kHeader + offsetof(rdma_ucm_set_option, optval);
    }
    std::vector<int> other;
    if (header.cmd == RDMA_USER_CM_CMD_MIGRATE_ID) {
        other.push_back(static_cast<int>(structure_of<rdma_ucm_migrate_id>(command).fd));
        request.other_at = kHeader + offsetof(rdma_ucm_migrate_id, fd);
    }
    if (sizeof(request) + command.size() + value.size() > kMostWriterBytes) {
        return fail(E2BIG);
    }
    std::vector<std::byte> message;
    append(message, request);
    message.insert(message.end(), command.begin(), command.end());
    message.insert(message.end(), value.begin(), value.end());
    std::vector<std::byte> reply(sizeof(WriterReply) + header.out);
    const auto received = ask_writer(channel_, message, other, reply);
    if (!received) {
        return fail(received.error());
    }
    const auto answer = std::span(reply).first(received->size).subspan(sizeof(WriterReply));
    std::ranges::copy(answer, response);
    return {};
}

}  // namespace vrdma::uverbs
