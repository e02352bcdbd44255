// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A netdev whose addresses come and go as the test says.  Each address that is ready is a GID of
// the RNIC in the fake sysfs, as the RDMA core does it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "rnic/uverbs/kernel/netdev_ipv6.h"
#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {

class FakeNetdev {
  public:
    // The GIDs have the indexes from `first_index` up.
    explicit FakeNetdev(FakeSysfs& sysfs, uint32_t first_index = 8)
        : sysfs_(sysfs), next_index_(first_index) {}

    std::unique_ptr<NetdevIpv6> netdev() { return std::make_unique<Netdev>(*this); }

    // What the daemon finds for an address: other nodes of the link that have it, an error of the
    // kernel's, an operator who added the address before.
    std::set<rnic::Gid> on_link;
    std::set<rnic::Gid> operators;
    int error = 0;
    bool down = false;  // addresses stay tentative
    // What the netdev has, and how often addresses were added.
    std::map<rnic::Gid, uint32_t> indexes;
    unsigned added = 0;

    bool has(const std::string& address) const { return indexes.contains(gid(address)); }
    void lose_all() {
        while (!indexes.empty()) remove(rnic::Gid(indexes.begin()->first));
    }

  private:
    class Netdev final : public NetdevIpv6 {
      public:
        explicit Netdev(FakeNetdev& fake) : fake_(fake) {}
        Result<Added> add(const rnic::Gid& address) override { return fake_.add(address); }
        State settled(const rnic::Gid& address, std::chrono::milliseconds) override {
            if (fake_.on_link.contains(address)) return State::kDuplicate;
            return fake_.down ? State::kTentative : State::kReady;
        }
        void remove(const rnic::Gid& address) override { fake_.remove(address); }

      private:
        FakeNetdev& fake_;
    };

    Result<NetdevIpv6::Added> add(const rnic::Gid& address) {
        if (error != 0) return fail(error);
        ++added;
        if (!indexes.contains(address)) {
            sysfs_.set_gid("rxe0", next_index_, to_string(address));
            indexes[address] = next_index_++;
        }
        return NetdevIpv6::Added{.ours = !operators.contains(address)};
    }
    void remove(const rnic::Gid& address) {
        const auto entry = indexes.extract(address);
        if (entry) sysfs_.clear_gid("rxe0", entry.mapped());
    }

    FakeSysfs& sysfs_;
    uint32_t next_index_;
};

}  // namespace vrdma::uverbs
