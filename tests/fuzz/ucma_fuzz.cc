// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands of the connection manager's interface from a hostile guest, with events and requests
// in between.  The kernel's side is a fake that throws when it is asked for an object that a kernel
// does not have.  All addresses that reach it must be of the underlay.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "rnic/uverbs/ucma/ucma_port.h"
#include "support/captured_log.h"
#include "support/recording_sink.h"
#include "unit/uverbs/fakes/fake_cm_events.h"
#include "unit/uverbs/fakes/fake_ucma.h"

namespace {

using namespace vrdma;
using namespace vrdma::uverbs;

void require(bool holds) {
    if (!holds) std::abort();
}

constexpr uint32_t kEvents = 20;  // more than there are of them
constexpr size_t kFiles = 2;

class Input {
  public:
    Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    std::span<const std::byte> bytes(size_t count) {
        count = std::min(count, left_);
        const auto taken = std::as_bytes(std::span(data_, count));
        data_ += count;
        left_ -= count;
        return taken;
    }

  private:
    const uint8_t* data_;
    size_t left_;
};

class Machine {
  public:
    Machine() {
        for (size_t i = 0; i < kFiles; ++i) {
            reopen(i);
        }
        require(addresses_.add_gid(0, gid("10.77.0.1"), 2).has_value());
        require(addresses_.add_gid(1, gid("10.9.0.11"), 2).has_value());
        qps_.insert(17, rnic::QpType::kRc);
    }

    void step(Input& input) {
        const uint8_t what = input.byte();
        const size_t file = input.byte() % kFiles;
        if (what == 0xff) {
            reopen(file);
        } else if (what >= 0xf0) {
            happen(input);
        } else {
            const uint8_t other = input.byte() % (kFiles + 1);
            const auto in = input.bytes(size_t{2} * input.byte());
            std::vector<std::byte> out(size_t{2} * input.byte());
            const auto done = files_[file]->execute(
                what % 0x20, in, out, other == kFiles ? nullptr : files_[other].get());
            require(!done || done->written <= out.size());
        }
        check();
    }

    void end() {
        for (auto& file : files_) {
            file.reset();
        }
        require(cm_.ids().empty());
    }

  private:
    static rnic::Gid gid(const char* text) { return *parse_gid(text); }

    static std::shared_ptr<OverlayMap> map() {
        AddressRules rules;
        rules.peers.push_back({"", *parse_gid_prefix("10.9.0.0/24"), {}});
        HostGids gids({{1, gid("10.9.0.1"), "lo"}, {2, gid("10.9.0.11"), "lo"}});
        return std::make_shared<OverlayMap>(
            rules, std::make_shared<HostGidTable>("rxe0", 1, [gids] { return gids; }));
    }

    void reopen(size_t file) {
        files_[file] =
            port_.open({.handle = static_cast<uint32_t>(file), .ibdev_index = 1, .node_guid = 1})
                .value();
    }

    // Reports an event or a request of one of the kernel's ids.
    void happen(Input& input) {
        if (cm_.ids().empty()) return;
        auto entry = cm_.ids().begin();
        std::advance(entry, input.byte() % cm_.ids().size());
        const uint32_t event = input.byte() % kEvents;
        const auto& [id, what] = *entry;
        if (what.listens) {
            auto peer = gid("10.9.0.5");
            peer[13] = input.byte();  // another network, mostly
            cm_.request(what.source.ip, what.source.port, peer);
        } else if (what.uid != 0 &&
                   event != kConnectRequestEvent) {  // a request has an id of its own
            cm_.report(event, id);
        }
    }

    // The kernel has addresses of the underlay only.
    void check() const {
        const GidPrefix underlay = *parse_gid_prefix("10.9.0.0/24");
        for (const auto& [id, what] : cm_.ids()) {
            require(!what.bound || what.source.ip == gid("10.9.0.1") ||
                    what.source.ip == gid("10.9.0.11"));
            require(what.destination.port == 0 || what.uid == 0 || is_zero(what.destination.ip) ||
                    underlay.contains(what.destination.ip) || is_multicast(what.destination.ip));
        }
    }

    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    test::RecordingSink sink_;
    FakeUcma cm_;
    GuestAddresses addresses_{"guest", map(), logger_};
    GuestQps qps_;
    Standstill standstill_;
    UcmaPort port_{UcmaPort::Place{"guest", addresses_, qps_, standstill_, sink_},
                   [this] { return cm_.open(); }, logger_};
    std::array<std::unique_ptr<rnic::UcmaFile>, kFiles> files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    Machine machine;
    while (!input.empty()) {
        machine.step(input);
    }
    machine.end();
    return 0;
}
