// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <vector>

#include "hostile/choices.h"
#include "hostile/guest_verbs.h"

namespace vrdma::hostile {

// Where the attacks register memory, as a rule, and aim.
inline constexpr uint64_t kIova = 0x7f0000000000;

// The objects that an attacking guest has made: handles, keys and numbers, some of them stale.
struct MadeObjects {
    struct Ring {
        uint32_t uctx;
        MappedRing at;
        uint32_t qp;  // the handle, or VRDMA_NO_HANDLE
    };

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

// What all attacks on one device draw from.
class Knowledge : public MadeObjects {
  public:
    Knowledge(GuestDevice& device, Choices& by) : verbs(device), choices(by) {}

    // Forgets all objects, as after a reset of the device.
    void forget() { static_cast<MadeObjects&>(*this) = {}; }

    // Adds a queue pair of another guest, to aim at.
    void aim_at(uint32_t qp_number, const rnic::Gid& gid);

    // A handle that is right, of another object, or none at all.
    uint32_t some(const std::vector<uint32_t>& handles);
    uint64_t some_address();
    rnic::Gid some_gid();
    // Pieces of the guest's memory, as a rule, and the sum of their lengths.
    std::vector<vrdma_run> some_runs(uint64_t& length);
    void remember(std::vector<uint32_t>& list, uint32_t value);

    // Maps a ring, and remembers it.
    void map(uint32_t uctx, const mminfo& info, uint32_t qp);

    GuestVerbs verbs;
    Choices& choices;
    std::vector<uint32_t> foreign_qps;
    std::vector<rnic::Gid> gids;
};

}  // namespace vrdma::hostile
