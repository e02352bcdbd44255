// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "unit/uverbs/fakes/fake_iw_cm.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/fakes/fake_command.h"

namespace vrdma::uverbs {
class FakeIwCm::File final : public RdmaCmFile {
  public:
    explicit File(FakeIwCm& cm) : cm_(cm) {}
    Result<void> execute(std::span<const std::byte> command) override {
        return cm_.execute(command);
    }
    int fd() const override { return cm_.readable_.get(); }

  private:
    FakeIwCm& cm_;
};

FakeIwCm::FakeIwCm() : readable_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

std::unique_ptr<RdmaCmFile> FakeIwCm::file() {
    return std::make_unique<File>(*this);
}

size_t FakeIwCm::count(uint32_t command) const {
    const std::lock_guard lock(mutex_);
    const auto found = executed_.find(command);
    return found == executed_.end() ? 0 : found->second.size();
}

bool FakeIwCm::wait_for(uint32_t command, size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return executed_[command].size() >= count; });
}

size_t FakeIwCm::live_ids() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
}

uint64_t FakeIwCm::uid_of(uint32_t id) const {
    const std::lock_guard lock(mutex_);
    return ids_.at(id);
}

void FakeIwCm::refuse(uint32_t command, int error) {
    const std::lock_guard lock(mutex_);
    refusals_[command] = error;
}

void FakeIwCm::push(uint32_t event, uint64_t uid, uint32_t id, int status,
                    const std::vector<uint8_t>& data) {
    rdma_ucm_event_resp response{};
    response.uid = uid;
    response.id = id;
    response.event = event;
    response.status = static_cast<uint32_t>(status);
    response.param.conn.responder_resources = 3;
    response.param.conn.initiator_depth = 4;
    response.param.conn.private_data_len = static_cast<uint8_t>(data.size());
    std::ranges::copy(data, response.param.conn.private_data);
    events_.push_back(response);
    ::eventfd_write(readable_.get(), 1);
}

void FakeIwCm::report(uint32_t event, uint32_t id, int status, std::vector<uint8_t> data) {
    const std::lock_guard lock(mutex_);
    push(event, ids_.at(id), id, status, data);
}

uint32_t FakeIwCm::request(uint32_t listener, std::vector<uint8_t> data) {
    const std::lock_guard lock(mutex_);
    const uint32_t id = next_id_++;
    ids_[id] = 0;
    push(kConnectRequestEvent, ids_.at(listener), id, 0, data);
    return id;
}

Result<void> FakeIwCm::execute(std::span<const std::byte> bytes) {
    const auto header = as<rdma_ucm_cmd_hdr>(bytes);
    const auto request = bytes.subspan(sizeof(header));
    if (header.in != request.size()) {
        return fail(EINVAL);
    }
    int error = 0;
    {
        const std::lock_guard lock(mutex_);
        if (header.cmd != RDMA_USER_CM_CMD_GET_EVENT) {
            executed_[header.cmd].emplace_back(request.begin(), request.end());
        }
        if (const auto refusal = refusals_.extract(header.cmd)) {
            error = refusal.mapped();
        } else {
            error = handle(header.cmd, request);
        }
        changed_.notify_all();
    }
    if (error == 0 && header.cmd == RDMA_USER_CM_CMD_CONNECT && during_connect) {
        error = during_connect();
    }
    if (error != 0) {
        return fail(error);
    }
    return {};
}

int FakeIwCm::handle(uint32_t command, std::span<const std::byte> bytes) {
    switch (command) {
        case RDMA_USER_CM_CMD_CREATE_ID: {
            const auto request = as<rdma_ucm_create_id>(bytes);
            const uint32_t id = next_id_++;
            ids_[id] = request.uid;
            answer(request.response, rdma_ucm_create_id_resp{.id = id});
            return request.uid != 0 && request.ps == RDMA_PS_TCP ? 0 : EINVAL;
        }
        case RDMA_USER_CM_CMD_DESTROY_ID: {
            const auto request = as<rdma_ucm_destroy_id>(bytes);
            std::erase_if(events_, [&](const auto& event) { return event.id == request.id; });
            answer(request.response, rdma_ucm_destroy_id_resp{});
            return ids_.erase(request.id) == 1 ? 0 : ENOENT;
        }
        case RDMA_USER_CM_CMD_RESOLVE_ADDR: {
            const uint32_t id = as<rdma_ucm_resolve_addr>(bytes).id;
            push(kAddressResolvedEvent, ids_.at(id), id, 0, {});
            return 0;
        }
        case RDMA_USER_CM_CMD_RESOLVE_ROUTE: {
            const uint32_t id = as<rdma_ucm_resolve_route>(bytes).id;
            push(kRouteResolvedEvent, ids_.at(id), id, 0, {});
            return 0;
        }
        case RDMA_USER_CM_CMD_ACCEPT: {
            const auto request = as<rdma_ucm_accept>(bytes);
            ids_.at(request.id) = request.uid;
            return 0;
        }
        case RDMA_USER_CM_CMD_QUERY: {
            rdma_ucm_query_addr_resp response{};
            // 10.9.0.7:4711
            sockaddr_in peer{};
            peer.sin_family = AF_INET;
            peer.sin_port = htons(4711);
            peer.sin_addr.s_addr = htonl(0x0a090007);
            std::memcpy(&response.dst_addr, &peer, sizeof(peer));
            std::memcpy(&response.src_addr, &peer, sizeof(peer));
            answer(as<rdma_ucm_query>(bytes).response, response);
            return 0;
        }
        case RDMA_USER_CM_CMD_GET_EVENT: {
            if (events_.empty()) {
                eventfd_t ignored;
                ::eventfd_read(readable_.get(), &ignored);
                return EAGAIN;
            }
            answer(as<rdma_ucm_get_event>(bytes).response, events_.front());
            events_.pop_front();
            return 0;
        }
        default:
            return 0;
    }
}

}  // namespace vrdma::uverbs
