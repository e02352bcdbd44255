// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "hostile/knowledge.h"

namespace vrdma::hostile {

// Commands that are right, nearly right and garbage.
class CommandAttacks {
  public:
    explicit CommandAttacks(Knowledge& known)
        : known_(known), verbs_(known.verbs), choices_(known.choices) {}

    // One of them, of a kind by chance.
    void step();

    // The way to a queue pair, which the other attacks need.
    void make_queue_pair();

  private:
    void create_context();
    void create_pd();
    void create_cq();
    void create_srq();
    void create_qp();
    void modify_qp();
    void register_memory();
    void reregister();
    void create_window();
    void create_ah();
    void change_queue();
    void change_gid();
    void multicast();
    void destroy();
    void garbage_command();
    void raw_command();

    Knowledge& known_;
    GuestVerbs& verbs_;
    Choices& choices_;
};

}  // namespace vrdma::hostile
