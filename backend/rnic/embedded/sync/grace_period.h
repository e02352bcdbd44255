// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace vrdma::embedded {

class Engine;
class Worker;

// What was taken out of a table is still in use by the slices that other workers have
// begun before.  Tells when those have ended, without waiting for it.
class GracePeriod {
  public:
    // On the worker `self`, after the table has changed by a sequentially consistent store.
    void begin(const Engine& engine, const Worker& self);

    // Whether nobody uses it any more.  From any worker.
    bool over(const Engine& engine);

  private:
    std::vector<uint64_t> slices_;  // by worker; 0: that one is done
};

}  // namespace vrdma::embedded
