// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <string>

#include "rnic/rnic.h"
#include "rnic/uverbs/iw_cm/iw_cm_port.h"
#include "rnic/uverbs/ucma/ucma_port.h"
#include "rnic/uverbs/verbs/port_state.h"

namespace vrdma::uverbs {

// One guest's access to the RNIC's port.
class UverbsPort final : public rnic::Port {
  public:
    // What the port asks the kernel about the RNIC as a whole.  Any thread.
    class Queries {
      public:
        virtual ~Queries() = default;
        virtual rnic::PortAttributes query_port() = 0;
        virtual Result<void> query_device(rnic::Udata& udata) = 0;
    };

    // `queries` outlives the port.
    UverbsPort(std::shared_ptr<RnicState> rnic, const std::string& guest, rnic::EventSink& sink,
               Queries& queries);

    // The machine's own address stays on the RNIC's netdev while the RNIC stands still: it is
    // another process' as well.
    ~UverbsPort() override;
    UverbsPort(const UverbsPort&) = delete;
    UverbsPort& operator=(const UverbsPort&) = delete;

    rnic::PortAttributes query_port() override;
    Result<void> query_device(rnic::Udata& udata) override { return queries_.query_device(udata); }
    Result<void> add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type,
                         uint16_t vlan) override;
    Result<void> del_gid(uint32_t index) override;
    Result<rnic::Gid> query_gid(uint32_t index) override;
    Result<uint16_t> query_pkey(uint32_t index) override;
    void host_changed() override;
    Result<std::unique_ptr<rnic::Context>> alloc_context(rnic::Udata& udata) override;
    Result<std::unique_ptr<rnic::XrcDomain>> alloc_xrcd() override;
    Result<std::unique_ptr<rnic::XrcDomain>> restore_xrcd(const state::Xrcd& saved,
                                                          state::ReceivedFiles& files) override;
    rnic::IwCm* iw_cm() override { return iw_cm_.get(); }
    Result<std::unique_ptr<rnic::UcmaFile>> open_ucma_file(const rnic::UcmaFileInit& init) override;
    Result<std::unique_ptr<rnic::UcmaFile>> restore_ucma_file(const rnic::UcmaFileInit& init,
                                                              const state::UcmaFile& saved,
                                                              state::ReceivedFiles& files) override;
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd) override;
    void set_budgets(const rnic::PortBudgets& budgets) override;
    // EOPNOTSUPP for a port of iWARP with connections: the kernel takes commands for them from
    // nobody but the process that made them.
    Result<void> save(state::Port& port, state::FilesToSend& files) const override;
    Result<void> restore(const state::Port& saved, state::ReceivedFiles& files) override;
    Result<std::unique_ptr<rnic::Context>> restore_context(const state::Context& saved,
                                                           state::ReceivedFiles& files) override;

  private:
    Queries& queries_;
    rnic::EventSink& events_;
    PortState state_;
    std::unique_ptr<IwCmPort> iw_cm_;  // for iWARP with connections, else null
    std::unique_ptr<UcmaPort> ucma_;   // for RoCE with connections, else null
    const rnic::LiveCount count_;
    const SinkList::Entry sink_;
};

}  // namespace vrdma::uverbs
