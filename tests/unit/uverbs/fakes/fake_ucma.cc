// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "unit/uverbs/fakes/fake_ucma.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/fakes/fake_command.h"

namespace vrdma::uverbs {
namespace {

constexpr uint8_t kHostGidIndex = 3;
constexpr uint8_t kHostPort = 1;

}  // namespace

class FakeUcma::File final : public RdmaCmFile {
  public:
    File(FakeUcma& cm, int fd) : cm_(cm), fd_(fd) {}
    ~File() override { cm_.close(fd_); }
    Result<void> execute(std::span<const std::byte> command) override {
        return cm_.execute(fd_, command);
    }
    int fd() const override { return fd_; }

  private:
    FakeUcma& cm_;
    const int fd_;
};

Result<std::unique_ptr<RdmaCmFile>> FakeUcma::open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return fail(errno);
    }
    files_[ends[0]] = {FileDescriptor(ends[0]), FileDescriptor(ends[1]), {}};
    return std::make_unique<File>(*this, ends[0]);
}

void FakeUcma::close(int file) {
    std::erase_if(ids_, [&](const auto& entry) { return entry.second.file == file; });
    files_.erase(file);
}

// Descriptors of one file may have several numbers.
bool FakeUcma::is_same(int file, int other) const {
    struct stat one {};
    struct stat two {};
    return ::fstat(file, &one) == 0 && ::fstat(other, &two) == 0 && one.st_ino == two.st_ino;
}

size_t FakeUcma::count(uint32_t command) const {
    const auto found = executed_.find(command);
    return found == executed_.end() ? 0 : found->second.size();
}

void FakeUcma::push(int file, const rdma_ucm_event_resp& event) {
    files_.at(file).events.push_back(event);
    const char byte = 0;
    if (::write(files_.at(file).ready.get(), &byte, 1) != 1) {
        std::abort();
    }
}

void FakeUcma::report(uint32_t event, uint32_t id) {
    rdma_ucm_event_resp response{};
    response.uid = ids_.at(id).uid;
    response.id = id;
    response.event = event;
    push(ids_.at(id).file, response);
}

void FakeUcma::report_datagram(uint32_t event, uint32_t id, const rnic::Gid& dgid) {
    rdma_ucm_event_resp response{};
    response.uid = ids_.at(id).uid;
    response.id = id;
    response.event = event;
    auto& attributes = response.param.ud.ah_attr;
    attributes.is_global = 1;
    attributes.port_num = kHostPort;
    attributes.grh.sgid_index = kHostGidIndex;
    std::ranges::copy(dgid, attributes.grh.dgid);
    push(ids_.at(id).file, response);
}

void FakeUcma::report_group(uint32_t event, uint32_t group, const rnic::Gid& mgid) {
    const auto& [id, uid] = groups_.at(group);
    rdma_ucm_event_resp response{};
    response.uid = uid;
    response.id = group;
    response.event = event;
    auto& attributes = response.param.ud.ah_attr;
    attributes.is_global = 1;
    attributes.grh.sgid_index = kHostGidIndex;
    std::ranges::copy(mgid, attributes.grh.dgid);
    push(ids_.at(id).file, response);
}

uint32_t FakeUcma::request(const rnic::Gid& listener, uint16_t port, const rnic::Gid& peer) {
    const auto found = std::ranges::find_if(ids_, [&](const auto& entry) {
        return entry.second.listens && entry.second.source.ip == listener &&
               entry.second.source.port == port;
    });
    const Id listening = found->second;
    const uint32_t id = next_id_++;
    ids_[id] = {.file = listening.file,
                .uid = 0,
                .port_space = listening.port_space,
                .source = listening.source,
                .destination = socket_address(peer, 4711),
                .bound = true,
                .listens = false,
                .events_reported = 0};
    rdma_ucm_event_resp response{};
    response.uid = listening.uid;
    response.id = id;
    response.event = kConnectRequestEvent;
    push(listening.file, response);
    return id;
}

Result<void> FakeUcma::execute(int file, std::span<const std::byte> bytes) {
    const auto header = as<rdma_ucm_cmd_hdr>(bytes);
    const auto request = bytes.subspan(sizeof(header));
    if (header.in != request.size()) {
        return fail(EINVAL);
    }
    executed_[header.cmd].emplace_back(request.begin(), request.end());
    if (const int error = handle(file, header.cmd, request); error != 0) {
        return fail(error);
    }
    return {};
}

int FakeUcma::bind(uint32_t id, SocketAddress source) {
    if (source.port == 0) {
        source.port = static_cast<uint16_t>(40000 + id);
    }
    if (taken_.contains({source.ip, source.port})) {
        return EADDRINUSE;
    }
    ids_.at(id).source = source;
    ids_.at(id).bound = true;
    return 0;
}

int FakeUcma::handle(int file, uint32_t command, std::span<const std::byte> bytes) {
    switch (command) {
        case RDMA_USER_CM_CMD_CREATE_ID: {
            const auto request = as<rdma_ucm_create_id>(bytes);
            const uint32_t id = next_id_++;
            ids_[id].file = file;
            ids_[id].uid = request.uid;
            ids_[id].port_space = request.ps;
            answer(request.response, rdma_ucm_create_id_resp{.id = id});
            return 0;
        }
        case RDMA_USER_CM_CMD_DESTROY_ID: {
            const auto request = as<rdma_ucm_destroy_id>(bytes);
            const auto found = ids_.find(request.id);
            if (found == ids_.end() || found->second.file != file) {
                return ENOENT;
            }
            answer(request.response,
                   rdma_ucm_destroy_id_resp{.events_reported = found->second.events_reported});
            ids_.erase(found);
            return 0;
        }
        case RDMA_USER_CM_CMD_BIND: {
            const auto request = as<rdma_ucm_bind>(bytes);
            return bind(request.id, *get(request.addr));
        }
        case RDMA_USER_CM_CMD_RESOLVE_ADDR: {
            const auto request = as<rdma_ucm_resolve_addr>(bytes);
            ids_.at(request.id).destination = *get(request.dst_addr);
            return ids_.at(request.id).bound ? 0 : bind(request.id, *get(request.src_addr));
        }
        case RDMA_USER_CM_CMD_LISTEN:
            ids_.at(as<rdma_ucm_listen>(bytes).id).listens = true;
            return 0;
        case RDMA_USER_CM_CMD_ACCEPT: {
            const auto request = as<rdma_ucm_accept>(bytes);
            ids_.at(request.id).uid = request.uid;
            return 0;
        }
        case RDMA_USER_CM_CMD_QUERY_ROUTE: {
            const auto request = as<rdma_ucm_query>(bytes);
            const Id& id = ids_.at(request.id);
            rdma_ucm_query_route_resp response{};
            if (id.bound) {
                put(id.source, response.src_addr);
                response.node_guid = 1;
                response.port_num = kHostPort;
                response.ibdev_index = 9;
            }
            if (id.destination.port != 0) {
                put(id.destination, response.dst_addr);
                response.num_paths = 1;
                std::ranges::copy(id.source.ip, response.ib_route[0].sgid);
                std::ranges::copy(id.destination.ip, response.ib_route[0].dgid);
            }
            answer(request.response, response);
            return 0;
        }
        case RDMA_USER_CM_CMD_QUERY: {
            const auto request = as<rdma_ucm_query>(bytes);
            const Id& id = ids_.at(request.id);
            if (request.option == RDMA_USER_CM_QUERY_PATH) {
                struct {
                    uint32_t num_paths = 1;
                    uint32_t reserved = 0;
                    ib_path_rec_data path{};
                } response;
                std::memset(response.path.path_rec, 0x55, sizeof(response.path.path_rec));
                answer(request.response, response);
                return 0;
            }
            rdma_ucm_query_addr_resp response{};
            response.node_guid = 1;
            response.src_size = put(id.source, response.src_addr);
            answer(request.response, response);
            return 0;
        }
        case RDMA_USER_CM_CMD_INIT_QP_ATTR: {
            const auto request = as<rdma_ucm_init_qp_attr>(bytes);
            ib_uverbs_qp_attr response{};
            response.qp_attr_mask = 1 << 7 | 1 << 5;  // IB_QP_AV, IB_QP_PORT
            response.port_num = kHostPort;
            response.ah_attr.port_num = kHostPort;
            response.ah_attr.is_global = 1;
            response.ah_attr.grh.sgid_index = kHostGidIndex;
            std::ranges::copy(ids_.at(request.id).destination.ip, response.ah_attr.grh.dgid);
            answer(request.response, response);
            return 0;
        }
        case RDMA_USER_CM_CMD_SET_OPTION: {
            const auto request = as<rdma_ucm_set_option>(bytes);
            const auto* value = reinterpret_cast<const std::byte*>(request.optval);
            option.assign(value, value + request.optlen);
            return 0;
        }
        case RDMA_USER_CM_CMD_JOIN_MCAST: {
            const auto request = as<rdma_ucm_join_mcast>(bytes);
            const uint32_t group = next_id_++;
            groups_[group] = {request.id, request.uid};
            answer(request.response, rdma_ucm_create_id_resp{.id = group});
            return 0;
        }
        case RDMA_USER_CM_CMD_LEAVE_MCAST: {
            const auto request = as<rdma_ucm_destroy_id>(bytes);
            answer(request.response, rdma_ucm_destroy_id_resp{.events_reported = 1});
            return groups_.erase(request.id) == 1 ? 0 : ENOENT;
        }
        case RDMA_USER_CM_CMD_MIGRATE_ID: {
            const auto request = as<rdma_ucm_migrate_id>(bytes);
            Id& id = ids_.at(request.id);
            if (!is_same(id.file, static_cast<int>(request.fd))) {
                return EINVAL;
            }
            id.file = file;
            answer(request.response, rdma_ucm_migrate_resp{.events_reported = id.events_reported});
            return 0;
        }
        case RDMA_USER_CM_CMD_GET_EVENT: {
            auto& events = files_.at(file).events;
            if (events.empty()) {
                return EAGAIN;
            }
            const rdma_ucm_event_resp event = events.front();
            events.pop_front();
            char byte = 0;
            if (::read(file, &byte, 1) != 1) {
                std::abort();
            }
            for (auto& [id, what] : ids_) {
                if (what.uid == event.uid && (what.listens || id == event.id)) {
                    ++what.events_reported;
                    break;
                }
            }
            answer(as<rdma_ucm_get_event>(bytes).response, event);
            return 0;
        }
        default:
            return 0;
    }
}

}  // namespace vrdma::uverbs
