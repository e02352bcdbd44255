// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/port.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <infiniband/verbs.h>

#include <algorithm>
#include <array>

#include "rnic/attributes_state.h"
#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/ucontext.h"

namespace vrdma::embedded {
namespace {

// Values that libibverbs has no names for; the names behind them are the kernel's.
constexpr uint32_t kPortCmSupported = 1 << 16;  // IB_PORT_CM_SUP, as rxe
constexpr uint8_t kWidth4x = 2;                 // IB_WIDTH_4X
constexpr uint16_t kSpeedEdr = 32;              // IB_SPEED_EDR
constexpr uint16_t kMaxVlan = 4094;             // IEEE 802.1Q, 9.6
constexpr uint8_t kPhysLinkUp = 5;              // IB_PORT_PHYS_STATE_LINK_UP

// "10.0.0.1", or the eight groups of an IPv6 address. <arpa/inet.h> and the kernel's header of rxe
// cannot be included together.
std::string to_text(const rnic::Gid& gid) {
    static constexpr std::array<uint8_t, 12> kIpv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(kIpv4.begin(), kIpv4.end(), gid.begin())) {
        return fmt::format("{}", fmt::join(gid.begin() + kIpv4.size(), gid.end(), "."));
    }
    std::array<unsigned, 8> groups{};
    for (size_t i = 0; i < gid.size(); ++i) {
        groups[i / 2] = groups[i / 2] << 8 | gid[i];
    }
    return fmt::format("{:x}", fmt::join(groups, ":"));
}

template <typename Object>
void save_numbers(const SlotTable<Object>& table, state::EmbeddedNumbers& saved) {
    const std::vector<uint8_t> variants = table.variants();
    saved.set_variants({variants.begin(), variants.end()});
    for (const uint32_t number : table.free_numbers()) {
        saved.add_free(number);
    }
}

// `most` objects are there at a time. False for numbers that no such table gives out.
template <typename Object>
bool restore_numbers(const state::EmbeddedNumbers& saved, uint64_t most, SlotTable<Object>& table) {
    // A table grows to twice its size when all numbers are in use, and to 16 at first.
    constexpr uint64_t kFirstSize = 16;
    if (saved.variants().size() > 2 * (most + kFirstSize)) {
        return false;
    }
    const std::vector<uint8_t> variants(saved.variants().begin(), saved.variants().end());
    const std::vector<uint32_t> free(saved.free().begin(), saved.free().end());
    return table.restore(variants, free);
}

}  // namespace

EmbeddedPort::EmbeddedPort(const std::shared_ptr<RnicState>& rnic, const std::string& guest,
                           rnic::EventSink& sink)
    : EmbeddedPort(rnic, guest, sink, Gate::Pause(rnic->engine.gate())) {}

EmbeddedPort::EmbeddedPort(std::shared_ptr<RnicState> rnic, const std::string& guest,
                           rnic::EventSink& sink, const Gate::Pause&)
    : rnic_(std::move(rnic)),
      guest_(guest),
      address_log_(rnic_->logger),
      worker_(rnic_->engine.least_busy_worker()),
      context_(guest_, rnic_->guests.network_of(guest_), sink, worker_.calls()),
      quota_(rnic_->usage, rnic_->limits),
      gate_(rnic_->engine.gate(), rnic_->engine.clock(), rnic_->pause_shares, guest_),
      services_{gate_, quota_, context_, worker_, rnic_->engine.fabric()},
      count_(rnic_->usage.ports) {
    worker_.add(context_);
    gate_.charge(std::chrono::nanoseconds::zero());
    rnic_->logger->debug("embedded RNIC: port for {}", guest_);
}

// A guest that resets its device for ever waits here: the ports that it opens are charged as well.
EmbeddedPort::~EmbeddedPort() {
    const GuestGate::Pause pause(gate_);
    for (uint32_t index = 0; index < kGidTableLength; ++index) {
        clear_gid(index);
    }
    worker_.remove(context_);
    rnic_->logger->debug("embedded RNIC: port for {} is gone", guest_);
}

rnic::PortAttributes EmbeddedPort::query_port() {
    rnic::PortAttributes port;
    port.state = IBV_PORT_ACTIVE;
    port.max_mtu = kMtu4096;
    port.active_mtu = kMtu4096;
    port.gid_tbl_len = kGidTableLength;
    port.port_cap_flags = kPortCmSupported;
    port.max_msg_sz = kMaxMessage;
    port.pkey_tbl_len = 1;
    port.active_width = kWidth4x;
    port.active_speed = kSpeedEdr;  // 100 Gbit/s: a memory copy has no line rate
    port.phys_state = kPhysLinkUp;
    return port;
}

Result<rnic::Counters> EmbeddedPort::query_counters() {
    // Without a Pause, which would stop the traffic of all guests. Only this guest's verbs change
    // the list of its queue pairs, and no verb runs beside another one.
    rnic::Counters counters = context_.past_traffic();
    for (const QpContext* qp : context_.qps()) {
        if (qp != nullptr) {
            qp->add_to(counters);
        }
    }
    for (size_t n = 0; n < counters.size(); ++n) {
        counters[n] += context_.errors().at(n);
    }
    return counters;
}

// Called in a Pause.
void EmbeddedPort::clear_gid(uint32_t index) {
    if (context_.has_gid(index)) {
        services_.fabric.remove_gid(context_.gid(index), context_.segment(index), context_);
        context_.clear_gid(index);
    }
}

Result<void> EmbeddedPort::add_gid(uint32_t index, const rnic::Gid& gid, uint32_t, uint16_t vlan) {
    return claim_gid(index, gid, vlan, std::nullopt);
}

// `claim` is the number of the claim if it was made in another process.
Result<void> EmbeddedPort::claim_gid(uint32_t index, const rnic::Gid& gid, uint16_t vlan,
                                     std::optional<uint64_t> claim) {
    if (index >= kGidTableLength || gid == rnic::Gid{} ||
        (vlan > kMaxVlan && vlan != rnic::kNoVlan)) {
        return fail(EINVAL);
    }
    const rnic::GuestAdmission rules = rnic_->guests.admission_of(guest_);
    if (rules.allows && !rules.allows(gid)) {
        address_log_.warn(
            Errno{EACCES},
            "{}: the address {} is not among the 'gids' of its [[vm]]; the guest cannot use it",
            guest_, to_text(gid));
        return fail(EACCES);
    }
    std::string owner;
    {
        const GuestGate::Pause pause(services_.gate);
        // The new GID is claimed before the old one goes, so that a GID that replaces itself keeps
        // its place.
        const Segment segment{context_.network(), vlan};
        Fabric& fabric = services_.fabric;
        owner = (claim ? fabric.restore_gid(gid, segment, context_, *claim)
                       : fabric.add_gid(gid, segment, context_))
                    .guest();
        clear_gid(index);
        context_.set_gid(index, gid, vlan);
    }
    if (owner != guest_) {
        // This is no error: the guest's kernel would never try again, not even when the owner lets
        // go.
        address_log_.warn(
            "{}: the address {} belongs to the guest '{}'; this guest cannot use it as long as "
            "that one has it. Bind each machine to its addresses by 'gids'",
            guest_, to_text(gid), owner);
    }
    return {};
}

Result<void> EmbeddedPort::del_gid(uint32_t index) {
    if (index >= kGidTableLength) {
        return fail(EINVAL);
    }
    const GuestGate::Pause pause(services_.gate);
    clear_gid(index);
    return {};
}

Result<std::unique_ptr<rnic::Context>> EmbeddedPort::alloc_context(rnic::Udata&) {
    return EmbeddedContext::create(services_);
}

Result<void> EmbeddedPort::save(state::Port& port, state::FilesToSend&) const {
    state::EmbeddedPort& saved = *port.mutable_embedded();
    for (uint32_t index = 0; index < kGidTableLength; ++index) {
        if (!context_.has_gid(index)) {
            continue;
        }
        state::Gid& gid = *port.add_gids();
        gid.set_index(index);
        gid.set_gid(rnic::save_gid(context_.gid(index)));
        gid.set_vlan(context_.vlan(index));
        saved.add_claims(
            services_.fabric.claim_of(context_.gid(index), context_.segment(index), context_));
    }
    for (size_t counter = 0; counter < VRDMA_COUNTER_COUNT; ++counter) {
        saved.add_errors(context_.errors().at(counter));
        saved.add_past_traffic(context_.past_traffic().at(counter));
    }
    save_numbers(context_.keys().regions().numbers(), *saved.mutable_regions());
    save_numbers(context_.keys().windows().numbers(), *saved.mutable_windows());
    save_numbers(context_.address_handles().numbers(), *saved.mutable_address_handles());
    saved.set_qp_variant(services_.fabric.qps().highest_variant());
    // What the worker has taken of the guest's doorbells, and not looked at, rings again.
    context_.work()->give_back_doorbells();
    return {};
}

Result<void> EmbeddedPort::restore(const state::Port& port, state::ReceivedFiles&) {
    const state::EmbeddedPort& saved = port.embedded();
    if (!port.has_embedded() || saved.errors_size() > VRDMA_COUNTER_COUNT ||
        saved.past_traffic_size() > VRDMA_COUNTER_COUNT) {
        return fail(EINVAL);
    }
    {
        const GuestGate::Pause pause(gate_);
        const EmbeddedLimits& limits = rnic_->limits;
        if (!restore_numbers(saved.regions(), limits.max_mr, context_.keys().regions().numbers()) ||
            !restore_numbers(saved.windows(), limits.max_mw, context_.keys().windows().numbers()) ||
            !restore_numbers(saved.address_handles(), limits.max_ah,
                             context_.address_handles().numbers())) {
            return fail(EINVAL);
        }
        services_.fabric.qps().begin_after(saved.qp_variant());
    }
    for (int counter = 0; counter < saved.errors_size(); ++counter) {
        context_.errors().add(static_cast<size_t>(counter), saved.errors(counter));
    }
    for (int counter = 0; counter < saved.past_traffic_size(); ++counter) {
        context_.past_traffic().at(static_cast<size_t>(counter)) += saved.past_traffic(counter);
    }
    return restore_gids(port);
}

Result<void> EmbeddedPort::restore_gids(const state::Port& port) {
    constexpr uint64_t kLastClaim = uint64_t{1} << 62;
    const auto& claims = port.embedded().claims();
    if (port.gids_size() != claims.size()) {
        return fail(EINVAL);
    }
    for (int n = 0; n < port.gids_size(); ++n) {
        const state::Gid& saved = port.gids(n);
        const auto gid = rnic::restore_gid(saved.gid());
        if (!gid || saved.vlan() > rnic::kNoVlan || claims.at(n) == 0 ||
            claims.at(n) > kLastClaim || context_.has_gid(saved.index())) {
            return fail(EINVAL);
        }
        auto claimed =
            claim_gid(saved.index(), *gid, static_cast<uint16_t>(saved.vlan()), claims.at(n));
        if (!claimed) {
            return claimed;
        }
    }
    return {};
}

Result<std::unique_ptr<rnic::Context>> EmbeddedPort::restore_context(const state::Context& saved,
                                                                     state::ReceivedFiles& files) {
    return EmbeddedContext::restore(services_, saved, files);
}

void EmbeddedPort::set_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    KeySpace& keys = context_.keys();
    KeySpace::MemoryChange change = keys.prepare(std::move(memory));
    for (bool done = false; !done;) {
        const GuestGate::Pause pause(services_.gate);
        done = keys.apply(change);
    }
}

void EmbeddedPort::set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
    const GuestGate::Pause pause(services_.gate);
    worker_.watch(context_, area, notify_fd);
}

Result<void> EmbeddedPort::set_traffic_limits(const rnic::TrafficLimits& limits) {
    if (!rnic::is_valid(limits)) {
        return fail(EINVAL);
    }
    // The operator's, not the guest's.
    const Gate::Pause pause(rnic_->engine.gate());
    worker_.limit(context_, limits);
    return {};
}

void EmbeddedPort::set_budgets(const rnic::PortBudgets& budgets) {
    quota_.set_budgets(budgets);
    const Gate::Pause pause(rnic_->engine.gate());
    context_.work()->count_waits(budgets.traffic);
}

}  // namespace vrdma::embedded
