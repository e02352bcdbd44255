// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "rnic/embedded/live_count.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

struct PortState;
class Engine;
class Pd;

class Ah final : public rnic::AddressHandle {
  public:
    Ah(Engine& engine, PortState& port, const Pd& pd, const rnic::AhAttributes& attributes,
       LiveCount count);
    ~Ah() override;

    uint32_t number() const { return number_; }
    const Pd* pd() const { return pd_; }
    const rnic::AhAttributes& attributes() const { return attributes_; }

  private:
    friend class AhTable;
    const Pd* pd_;
    rnic::AhAttributes attributes_;
    uint32_t number_ = 0;
    Engine& engine_;
    PortState& port_;
    LiveCount count_;
};

// The address handles of one port by number, as work requests name them; never 0,
// which tells librxe that there is no such table.  Changed in a Pause only.
class AhTable {
  public:
    void insert(Ah& ah);
    void erase(Ah& ah);

    const Ah* find(uint32_t number) const {
        return number < entries_.size() ? entries_[number] : nullptr;
    }

  private:
    std::vector<Ah*> entries_{1};
    std::deque<uint32_t> free_;
};

}  // namespace vrdma::embedded
