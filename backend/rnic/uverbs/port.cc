// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/port.h"

#include <infiniband/verbs.h>
#include <vrdma_commands.h>

#include <system_error>

#include "rnic/uverbs/verbs/ucontext.h"
#include "rnic/uverbs/verbs/xrcd.h"
#include "state/device.pb.h"

namespace vrdma::uverbs {

UverbsPort::UverbsPort(std::shared_ptr<RnicState> rnic, const std::string& guest,
                       rnic::EventSink& sink, Queries& queries)
    : queries_(queries),
      events_(sink),
      state_(std::move(rnic), guest, sink),
      count_(state_.rnic->live.ports),
      sink_(state_.rnic->sinks, sink) {
    if (state_.rnic->open_rdma_cm == nullptr) {
        return;
    }
    if (state_.rnic->transport == Transport::kRoce) {
        ucma_ = std::make_unique<UcmaPort>(
            UcmaPort::Place{guest, *state_.addresses, state_.qps, state_.rnic->standstill, sink},
            state_.rnic->cm_writer == nullptr ? state_.rnic->open_rdma_cm
                                              : state_.rnic->cm_writer->opener(),
            state_.logger);
        return;
    }
    auto file = state_.rnic->open_rdma_cm();
    if (!file) {
        throw std::system_error(to_int(file.error()), std::generic_category(),
                                "the kernel's connection manager, /dev/infiniband/rdma_cm");
    }
    iw_cm_ =
        std::make_unique<IwCmPort>(guest, *state_.addresses, sink, std::move(*file), state_.logger);
}

UverbsPort::~UverbsPort() {
    if (state_.addresses != nullptr && state_.rnic->standstill.lasts()) {
        state_.addresses->let_go();
    }
}

Result<void> UverbsPort::add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type,
                                 uint16_t vlan) {
    if (state_.addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    if (state_.rnic->transport == Transport::kIwarp) {
        if (type != VRDMA_GID_TYPE_IWARP) {
            return fail(EOPNOTSUPP);
        }
        // An iWARP address is judged as one of RoCE v2: both are IP addresses.
        type = VRDMA_GID_TYPE_ROCE_V2;
    }
    auto added = state_.addresses->add_gid(index, gid, type, vlan);
    host_changed();
    return added;
}

Result<void> UverbsPort::del_gid(uint32_t index) {
    if (state_.addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    auto gone = state_.addresses->del_gid(index);
    host_changed();
    return gone;
}

rnic::PortAttributes UverbsPort::query_port() {
    rnic::PortAttributes attributes = queries_.query_port();
    if (state_.rnic->ib_tables != nullptr) {
        attributes.pkey_tbl_len = state_.rnic->ib_tables->pkeys(state_.guest);
    }
    return attributes;
}

Result<rnic::Gid> UverbsPort::query_gid(uint32_t index) {
    const IbTables* tables = state_.rnic->ib_tables.get();
    return tables == nullptr ? fail(EOPNOTSUPP) : tables->gid(index);
}

Result<uint16_t> UverbsPort::query_pkey(uint32_t index) {
    const IbTables* tables = state_.rnic->ib_tables.get();
    return tables == nullptr ? fail(EOPNOTSUPP) : tables->pkey(state_.guest, index);
}

// Listeners are where the guest's addresses are, and these are where the host's are.
void UverbsPort::host_changed() {
    if (ucma_ != nullptr) {
        ucma_->follow_addresses();
    }
    if (iw_cm_ != nullptr) {
        iw_cm_->follow_addresses();
    }
}

Result<std::unique_ptr<rnic::UcmaFile>> UverbsPort::open_ucma_file(const rnic::UcmaFileInit& init) {
    if (ucma_ == nullptr) {
        return fail(EOPNOTSUPP);
    }
    if (state_.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return ucma_->open(init);
}

Result<std::unique_ptr<rnic::UcmaFile>> UverbsPort::restore_ucma_file(
    const rnic::UcmaFileInit& init, const state::UcmaFile& saved, state::ReceivedFiles& files) {
    if (ucma_ == nullptr || !saved.has_uverbs()) {
        return fail(EINVAL);
    }
    return ucma_->restore(init, saved.uverbs(), files);
}

Result<std::unique_ptr<rnic::Context>> UverbsPort::alloc_context(rnic::Udata& udata) {
    if (state_.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return UverbsContext::create(state_, udata);
}

Result<std::unique_ptr<rnic::XrcDomain>> UverbsPort::alloc_xrcd() {
    if (state_.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return Xrcd::create(state_);
}

Result<std::unique_ptr<rnic::XrcDomain>> UverbsPort::restore_xrcd(const state::Xrcd& saved,
                                                                  state::ReceivedFiles& files) {
    return Xrcd::restore(state_, saved, files);
}

Result<void> UverbsPort::save(state::Port& port, state::FilesToSend&) const {
    if (iw_cm_ != nullptr) {
        return fail(EOPNOTSUPP);
    }
    port.mutable_uverbs()->set_state(queries_.query_port().state);
    if (ucma_ != nullptr) {
        port.mutable_uverbs()->set_next_ucma_key(ucma_->next_key());
    }
    if (state_.addresses != nullptr) {
        state_.addresses->save(port);
        port.mutable_uverbs()->set_announced(state_.addresses->is_announced());
    }
    return {};
}

Result<void> UverbsPort::restore(const state::Port& saved, state::ReceivedFiles&) {
    if (!saved.has_uverbs() || iw_cm_ != nullptr) {
        return fail(EINVAL);
    }
    if (state_.addresses != nullptr) {
        if (auto restored = state_.addresses->restore(saved); !restored) {
            return restored;
        }
        // The netdev has the address, which from here on is this daemon's to take away.
        if (saved.uverbs().announced()) {
            state_.addresses->be_reachable();
        }
    }
    if (ucma_ != nullptr) {
        ucma_->go_on_with_keys(saved.uverbs().next_ucma_key());
    }
    // The change was reported to the predecessor after the guest's events had been saved.
    if (const uint32_t now = queries_.query_port().state; now != saved.uverbs().state()) {
        events_.async_event(now == IBV_PORT_ACTIVE ? rnic::AsyncEventType::kPortActive
                                                   : rnic::AsyncEventType::kPortError,
                            rnic::kGuestPort);
    }
    host_changed();
    return {};
}

Result<std::unique_ptr<rnic::Context>> UverbsPort::restore_context(const state::Context& saved,
                                                                   state::ReceivedFiles& files) {
    if (state_.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return UverbsContext::restore(state_, saved, files);
}

void UverbsPort::set_budgets(const rnic::PortBudgets& budgets) {
    state_.budgets = budgets;
    if (ucma_ != nullptr) {
        ucma_->set_budgets(budgets);
    }
    if (iw_cm_ != nullptr) {
        iw_cm_->set_budgets(budgets);
    }
}

void UverbsPort::set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
    if (!state_.rnic->vendor.needs_system_calls()) {
        return;  // the guest's bits and notifications mean nothing, and do not wake the worker
    }
    state_.area = area;
    state_.worker.set_doorbells(area, notify_fd);
}

}  // namespace vrdma::uverbs
