// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "rnic/embedded/datapath/port_context.h"
#include "rnic/embedded/engine.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class EmbeddedPort final : public rnic::Port {
  public:
    EmbeddedPort(std::shared_ptr<Engine> engine, const std::string& guest, rnic::EventSink& sink);
    ~EmbeddedPort() override;

    rnic::PortAttributes query_port() override;
    Result<void> add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type) override;
    Result<void> del_gid(uint32_t index) override;
    Result<std::unique_ptr<rnic::Context>> alloc_context(rnic::Udata& udata) override;
    void set_memory(std::shared_ptr<const memory::GuestMemory> memory) override;
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd) override;

  private:
    void clear_gid(uint32_t index);

    std::shared_ptr<Engine> engine_;
    std::unique_ptr<PortState> state_;
};

}  // namespace vrdma::embedded
