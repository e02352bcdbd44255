// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's side of /dev/infiniband/rdma_cm for a RoCE RNIC, for tests.  Ids belong to files, as
// in ucma.c of Linux 6.1, and nobody but the test is at the other end.
#pragma once

#include <rdma/rdma_user_cm.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "rnic/uverbs/addressing/socket_address.h"
#include "rnic/uverbs/kernel/rdma_cm.h"

namespace vrdma::uverbs {

class FakeUcma {
  public:
    struct Id {
        int file = -1;
        uint64_t uid = 0;
        uint16_t port_space = 0;
        SocketAddress source;
        SocketAddress destination;
        bool bound = false;
        bool listens = false;
        uint32_t events_reported = 0;
    };

    Result<std::unique_ptr<RdmaCmFile>> open();

    // The last command of this kind.
    template <typename Request>
    Request last(uint32_t command) const {
        Request request{};
        const auto& bytes = executed_.at(command).back();
        std::memcpy(&request, bytes.data(), std::min(sizeof(request), bytes.size()));
        return request;
    }
    size_t count(uint32_t command) const;
    const std::map<uint32_t, Id>& ids() const { return ids_; }
    // The value of the last SET_OPTION.
    std::vector<std::byte> option;

    // Somebody else takes this port at this address.
    void take(const rnic::Gid& ip, uint16_t port) { taken_.insert({ip, port}); }

    // Reports an event of an id.
    void report(uint32_t event, uint32_t id);
    // Reports an event of the datagram service, with the path that the kernel has.
    void report_datagram(uint32_t event, uint32_t id, const rnic::Gid& dgid);
    void report_group(uint32_t event, uint32_t group, const rnic::Gid& mgid);
    // Somebody wants to connect to the listener at this address; returns the new id.
    uint32_t request(const rnic::Gid& listener, uint16_t port, const rnic::Gid& peer);

  private:
    class File;
    // An open file: a pipe, which has an inode of its own, with a byte for each event.
    struct Files {
        FileDescriptor readable;
        FileDescriptor ready;
        std::deque<rdma_ucm_event_resp> events;
    };

    Result<void> execute(int file, std::span<const std::byte> command);
    int handle(int file, uint32_t command, std::span<const std::byte> request);
    int bind(uint32_t id, SocketAddress source);
    void push(int file, const rdma_ucm_event_resp& event);
    void close(int file);
    bool is_same(int file, int other) const;

    std::map<uint32_t, std::vector<std::vector<std::byte>>> executed_;
    std::map<int, Files> files_;  // by descriptor
    std::map<uint32_t, Id> ids_;
    std::map<uint32_t, std::pair<uint32_t, uint64_t>> groups_;  // id and uid
    std::set<std::pair<rnic::Gid, uint16_t>> taken_;
    uint32_t next_id_ = 50;
};

}  // namespace vrdma::uverbs
