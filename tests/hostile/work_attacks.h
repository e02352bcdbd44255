// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "hostile/knowledge.h"

namespace vrdma::hostile {

// Work requests in the send queues that the guest has.
class WorkAttacks {
  public:
    explicit WorkAttacks(Knowledge& known)
        : known_(known), verbs_(known.verbs), choices_(known.choices) {}

    void post_work();

  private:
    Knowledge& known_;
    GuestVerbs& verbs_;
    Choices& choices_;
};

}  // namespace vrdma::hostile
