// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <vector>

#include "hostile/choices.h"
#include "hostile/guest_verbs.h"

namespace vrdma::hostile {

// A guest that does to its device, step by step, what no driver does: commands that are right,
// nearly right and garbage; rings and doorbells that are overwritten while the RNIC reads them.
// It only writes to memory that is its own, and needs nothing to succeed.
class Attacker {
  public:
    Attacker(GuestDevice& device, Choices& choices) : verbs_(device), choices_(choices) {}

    void step();

    // Forgets all objects, as after a reset of the device.
    void forget() { known_ = {}; }

    // Queue pairs of other guests, to aim at.
    void aim_at(uint32_t qp_number, const rnic::Gid& gid);

  private:
    struct Ring {
        uint32_t uctx;
        MappedRing at;
        uint32_t qp;  // the handle, or VRDMA_NO_HANDLE
    };
    struct Known {
        bool doorbells = false;
        std::vector<uint32_t> uctxs;
        std::vector<uint32_t> pds;
        std::vector<uint32_t> cqs;
        std::vector<uint32_t> srqs;
        std::vector<uint32_t> qps;
        std::vector<uint32_t> qp_numbers;
        std::vector<uint32_t> mrs;
        std::vector<uint32_t> mws;
        std::vector<uint32_t> ahs;
        std::vector<uint32_t> keys;
        std::vector<Ring> rings;
    };

    // A handle that is right, of another object, or none at all.
    uint32_t some(const std::vector<uint32_t>& handles);
    uint64_t some_address();
    rnic::Gid some_gid();
    std::vector<vrdma_run> some_runs(uint64_t& length);
    void remember(std::vector<uint32_t>& list, uint32_t value);
    void map(uint32_t uctx, const mminfo& info, uint32_t qp);

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
    void spoil_ring();
    void post_work();
    void storm_doorbells();

    GuestVerbs verbs_;
    Choices& choices_;
    Known known_;
    std::vector<uint32_t> foreign_qps_;
    std::vector<rnic::Gid> gids_;
};

}  // namespace vrdma::hostile
