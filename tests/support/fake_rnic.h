// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An RNIC that does nothing but keep count, for tests of what stands in front of one.
#pragma once

#include <vrdma_udata.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "rnic/rnic.h"
#include "rnic/ucma.h"

namespace vrdma::device {

// The objects that live in the RNIC now, and how its verbs were called last.
struct FakeRnicState {
    std::mutex mutex;  // for tests that look while the device's threads run
    int ports = 0;
    std::map<std::string, std::string> admitted;  // the guests' networks
    std::optional<int> ports_at_dismissal;        // of the last guest that was dismissed
    int contexts = 0;
    int pds = 0;
    int mrs = 0;
    int mws = 0;
    int cqs = 0;
    int srqs = 0;
    int qps = 0;
    int ahs = 0;
    int ucma_files = 0;
    int xrcds = 0;
    int targets = 0;                     // of XRC
    rnic::Context::XrcSrqInit xrc_srq;   // of the last create_xrc_srq()
    std::vector<std::string> destroyed;  // in order
    rnic::MrAttributes mr;
    rnic::DmaMrAttributes dma_mr;
    rnic::FastMrAttributes fast_mr;
    std::shared_ptr<const memory::GuestMemory> memory;
    rnic::MrChanges mr_changes;
    std::set<rnic::Gid> groups;  // that some queue pair is attached to
    uint8_t mw_type = 0;
    std::optional<int> refuse_dereg;  // errno of MemoryRegion::deregister()
    rnic::QpAttributes qp_attributes;
    uint32_t qp_attr_mask = 0;
    std::map<uint32_t, rnic::Gid> gids;
    std::vector<std::byte> udata_in;         // of the last verb that has udata
    std::vector<rnic::UdataRegion> regions;  // of the last verb that has udata
    int verbs_with_udata = 0;
    std::optional<int> refuse;  // errno of the next create verb
    rnic::Counters counters{};
    rnic::TrafficLimits traffic;  // of the port
    rnic::PortBudgets budgets;    // of the port that was opened last
    rnic::MmapSource mmap_source{.fd = 7, .offset = 0x2000, .caching = 0};
    uint64_t mmap_offset = 0x5000;  // the one that mmap() knows
    vrdma_doorbell_area* doorbells = nullptr;
    FileDescriptor notify;  // a duplicate
    // A test tells what the verb does while the guest's thread lives.
    void in_query_port(std::function<void()> act) {
        const std::lock_guard lock(mutex);
        query_port_act = std::move(act);
    }
    std::function<void()> what_query_port_does() {
        const std::lock_guard lock(mutex);
        return query_port_act;
    }
    std::function<void()> query_port_act;  // or none
};

inline void note_udata(FakeRnicState& state, const rnic::Udata& udata) {
    const std::lock_guard lock(state.mutex);
    state.udata_in.assign(udata.in.begin(), udata.in.end());
    state.regions.assign(udata.regions.begin(), udata.regions.end());
    ++state.verbs_with_udata;
}

template <typename Base>
class Counted : public Base {
  public:
    Counted(FakeRnicState& state, int FakeRnicState::*count, const char* name)
        : state_(state), count_(count), name_(name) {
        const std::lock_guard lock(state_.mutex);
        ++(state_.*count_);
    }
    ~Counted() override {
        const std::lock_guard lock(state_.mutex);
        --(state_.*count_);
        state_.destroyed.emplace_back(name_);
    }

  protected:
    FakeRnicState& state_;

  private:
    int FakeRnicState::*count_;
    const char* name_;
};

class FakeMr : public Counted<rnic::MemoryRegion> {
  public:
    using Counted::Counted;
    uint32_t lkey() const override { return lkey_; }
    uint32_t rkey() const override { return 0x2200; }
    Result<void> reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain*,
                            rnic::MrAttributes attributes, rnic::Udata& udata) override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        note_udata(state_, udata);
        state_.mr_changes = changes;
        state_.mr = std::move(attributes);
        lkey_ = 0x1101;
        return {};
    }
    Result<void> deregister() override {
        if (state_.refuse_dereg) {
            return fail(*state_.refuse_dereg);
        }
        return {};
    }

  private:
    uint32_t lkey_ = 0x1100;
};

class FakeMw : public Counted<rnic::MemoryWindow> {
  public:
    using Counted::Counted;
    uint32_t rkey() const override { return 0x3300; }
};

class FakeCq : public Counted<rnic::CompletionQueue> {
  public:
    using Counted::Counted;
    Result<void> resize(uint32_t& cqe, rnic::Udata& udata) override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        note_udata(state_, udata);
        cqe += 1;
        return {};
    }
};

class FakeSrq : public Counted<rnic::SharedReceiveQueue> {
  public:
    using Counted::Counted;
    Result<void> modify(uint32_t, const rnic::SrqAttributes& attributes,
                        rnic::Udata& udata) override {
        note_udata(state_, udata);
        attributes_.srq_limit = attributes.srq_limit;
        return {};
    }
    Result<rnic::SrqAttributes> query() override { return attributes_; }

  private:
    rnic::SrqAttributes attributes_{.max_wr = 10, .max_sge = 2, .srq_limit = 0};
};

class FakeQp : public Counted<rnic::QueuePair> {
  public:
    using Counted::Counted;
    uint32_t qp_num() const override { return 0x77; }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) override {
        note_udata(state_, udata);
        state_.qp_attr_mask = attr_mask;
        state_.qp_attributes = attributes;
        return {};
    }
    Result<rnic::QpAttributes> query() override { return state_.qp_attributes; }
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t) override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        state_.groups.insert(gid);
        return {};
    }
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t) override {
        state_.groups.erase(gid);
        return {};
    }
};

class FakeContext : public Counted<rnic::Context> {
  public:
    using Counted::Counted;

    Result<rnic::MmapSource> mmap(uint64_t offset, uint64_t) override {
        if (offset != state_.mmap_offset) {
            return fail(EINVAL);
        }
        return state_.mmap_source;
    }
    Result<std::unique_ptr<rnic::ProtectionDomain>> alloc_pd(rnic::Udata& udata) override {
        note_udata(state_, udata);
        return make<Counted<rnic::ProtectionDomain>, rnic::ProtectionDomain>(&FakeRnicState::pds,
                                                                             "pd");
    }
    Result<std::unique_ptr<rnic::MemoryRegion>> reg_mr(rnic::ProtectionDomain&,
                                                       rnic::MrAttributes attributes,
                                                       rnic::Udata& udata) override {
        note_udata(state_, udata);
        state_.mr = std::move(attributes);
        return make<FakeMr, rnic::MemoryRegion>(&FakeRnicState::mrs, "mr");
    }
    Result<std::unique_ptr<rnic::MemoryRegion>> get_dma_mr(
        rnic::ProtectionDomain&, const rnic::DmaMrAttributes& attributes) override {
        state_.dma_mr = attributes;
        return make<FakeMr, rnic::MemoryRegion>(&FakeRnicState::mrs, "mr");
    }
    Result<std::unique_ptr<rnic::MemoryRegion>> alloc_mr(
        rnic::ProtectionDomain&, rnic::FastMrAttributes attributes) override {
        state_.fast_mr = std::move(attributes);
        return make<FakeMr, rnic::MemoryRegion>(&FakeRnicState::mrs, "mr");
    }
    Result<std::unique_ptr<rnic::MemoryWindow>> alloc_mw(rnic::ProtectionDomain&, uint8_t type,
                                                         rnic::Udata& udata) override {
        note_udata(state_, udata);
        state_.mw_type = type;
        return make<FakeMw, rnic::MemoryWindow>(&FakeRnicState::mws, "mw");
    }
    Result<std::unique_ptr<rnic::CompletionQueue>> create_cq(uint32_t,
                                                             rnic::CqAttributes& attributes,
                                                             rnic::Udata& udata) override {
        note_udata(state_, udata);
        attributes.cqe += 1;
        for (size_t i = 0; i < udata.out.size(); ++i) {
            udata.out[i] = std::byte(i);
        }
        udata.out_written = udata.out.size();
        return make<FakeCq, rnic::CompletionQueue>(&FakeRnicState::cqs, "cq");
    }
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_srq(uint32_t, rnic::ProtectionDomain&,
                                                                 rnic::SrqAttributes&,
                                                                 rnic::Udata& udata) override {
        note_udata(state_, udata);
        return make<FakeSrq, rnic::SharedReceiveQueue>(&FakeRnicState::srqs, "srq");
    }
    Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_xrc_srq(uint32_t, XrcSrqInit& init,
                                                                     rnic::Udata& udata) override {
        note_udata(state_, udata);
        init.srq_num = 0x99;
        state_.xrc_srq = init;
        return make<FakeSrq, rnic::SharedReceiveQueue>(&FakeRnicState::srqs, "srq");
    }
    Result<std::unique_ptr<rnic::QueuePair>> create_qp(uint32_t, QpInit&,
                                                       rnic::Udata& udata) override {
        note_udata(state_, udata);
        return make<FakeQp, rnic::QueuePair>(&FakeRnicState::qps, "qp");
    }
    Result<std::unique_ptr<rnic::AddressHandle>> create_ah(rnic::ProtectionDomain&,
                                                           const rnic::AhAttributes&,
                                                           rnic::Udata& udata) override {
        note_udata(state_, udata);
        return make<Counted<rnic::AddressHandle>, rnic::AddressHandle>(&FakeRnicState::ahs, "ah");
    }

  private:
    template <typename Object, typename Interface>
    Result<std::unique_ptr<Interface>> make(int FakeRnicState::*count, const char* name) {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        return std::make_unique<Object>(state_, count, name);
    }
};

class FakeUcmaFile : public Counted<rnic::UcmaFile> {
  public:
    using Counted::Counted;
    Result<rnic::UcmaAnswer> execute(uint32_t, std::span<const std::byte>, std::span<std::byte>,
                                     rnic::UcmaFile*) override {
        return rnic::UcmaAnswer{};
    }
};

class FakeXrcd : public Counted<rnic::XrcDomain> {
  public:
    using Counted::Counted;
    Result<std::unique_ptr<rnic::QueuePair>> create_target_qp(uint32_t,
                                                              rnic::Context::QpInit&) override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        return std::make_unique<FakeQp>(state_, &FakeRnicState::targets, "target");
    }
};

class FakePort : public Counted<rnic::Port> {
  public:
    using Counted::Counted;

    rnic::PortAttributes query_port() override {
        if (const auto act = state_.what_query_port_does()) {
            act();
        }
        return {.state = 4,
                .max_mtu = 5,
                .active_mtu = 5,
                .gid_tbl_len = 16,
                .lid = 0x1234,
                .sm_lid = 0x0102,
                .lmc = 3,
                .max_vl_num = 4};
    }
    Result<rnic::Gid> query_gid(uint32_t index) override {
        return index < 16 ? Result<rnic::Gid>(state_.gids[index]) : fail(EINVAL);
    }
    Result<uint16_t> query_pkey(uint32_t index) override {
        return index < 2 ? Result<uint16_t>(uint16_t{0x8000} + index) : fail(EINVAL);
    }
    Result<rnic::Counters> query_counters() override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        return state_.counters;
    }
    Result<void> add_gid(uint32_t index, const rnic::Gid& gid, uint32_t, uint16_t) override {
        if (index >= 16) {
            return fail(EINVAL);
        }
        state_.gids[index] = gid;
        return {};
    }
    Result<void> del_gid(uint32_t index) override {
        state_.gids.erase(index);
        return {};
    }
    Result<std::unique_ptr<rnic::Context>> alloc_context(rnic::Udata&) override {
        return std::make_unique<FakeContext>(state_, &FakeRnicState::contexts, "context");
    }
    Result<std::unique_ptr<rnic::UcmaFile>> open_ucma_file(const rnic::UcmaFileInit&) override {
        return std::make_unique<FakeUcmaFile>(state_, &FakeRnicState::ucma_files, "ucma_file");
    }
    Result<std::unique_ptr<rnic::XrcDomain>> alloc_xrcd() override {
        if (const auto refuse = std::exchange(state_.refuse, std::nullopt)) {
            return fail(*refuse);
        }
        return std::make_unique<FakeXrcd>(state_, &FakeRnicState::xrcds, "xrcd");
    }
    void set_memory(std::shared_ptr<const memory::GuestMemory> memory) override {
        const std::lock_guard lock(state_.mutex);
        state_.memory = std::move(memory);
    }
    void set_budgets(const rnic::PortBudgets& budgets) override {
        const std::lock_guard lock(state_.mutex);
        state_.budgets = budgets;
    }
    Result<void> set_traffic_limits(const rnic::TrafficLimits& limits) override {
        const std::lock_guard lock(state_.mutex);
        state_.traffic = limits;
        return {};
    }
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd) override {
        const std::lock_guard lock(state_.mutex);
        state_.doorbells = area;
        state_.notify = FileDescriptor(notify_fd < 0 ? -1 : ::dup(notify_fd));
    }
};

class FakeRnic : public rnic::Rnic {
  public:
    std::string name() const override { return "fake0"; }
    rnic::DeviceAttributes attributes() const override {
        rnic::DeviceAttributes attributes;
        attributes.max_mr_size = uint64_t{1} << 40;
        attributes.max_qp = attributes.max_cq = attributes.max_mr = attributes.max_pd = 1000;
        attributes.max_srq = attributes.max_ah = attributes.max_mw = 1000;
        attributes.kernel_verbs = attributes.has_counters = true;
        attributes.max_fast_reg_pages = 16;
        attributes.has_srq = attributes.has_mw = attributes.has_xrc = true;
        attributes.has_rereg_mr = attributes.has_resize_cq = attributes.has_mcast = true;
        attributes.driver_id = 14;
        attributes.huge_page_limit = "nothing that is blue works";
        return attributes;
    }
    std::span<const vrdma_udata_pointer> udata_pointers() const override { return pointers; }
    std::vector<rnic::LiveObjectCount> live_objects() const override { return {}; }
    void admit(const std::string& guest, const rnic::GuestAdmission& admission) override {
        const std::lock_guard lock(state.mutex);
        state.admitted[guest] = admission.network;
    }
    void dismiss(const std::string& guest) override {
        const std::lock_guard lock(state.mutex);
        state.admitted.erase(guest);
        state.ports_at_dismissal = state.ports;
    }
    Result<std::unique_ptr<rnic::Port>> open_port(const std::string&,
                                                  rnic::EventSink& event_sink) override {
        if (refuse_ports != 0) {
            return fail(refuse_ports);
        }
        if (in_open_port) {
            in_open_port();
        }
        sink = &event_sink;
        return std::make_unique<FakePort>(state, &FakeRnicState::ports, "port");
    }

    FakeRnicState state;
    std::vector<vrdma_udata_pointer> pointers;
    rnic::EventSink* sink = nullptr;  // of the port that was opened last
    std::atomic<int> refuse_ports = 0;
    std::function<void()> in_open_port;
};

}  // namespace vrdma::device
