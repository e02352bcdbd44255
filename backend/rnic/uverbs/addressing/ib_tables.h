// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"
#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/address_rules.h"

namespace vrdma::uverbs {

// Reads a partition key as sysfs and configurations have it, "0x8001": sixteen bits, of which the
// highest one says whether its holder is a full member (IBTA 1.4, 10.9.1).
std::optional<uint16_t> parse_pkey(std::string_view text);

// The tables of a host's port on InfiniBand, as guests see them.  A guest's GID table is the
// host's, because the work requests of some libraries have the index.  A guest's P_Key table has
// the keys that the operator gives to the guest; the subnet manager may move them in the host's.
// Any thread.
class IbTables {
  public:
    // `port` is the port's folder in sysfs.
    IbTables(std::filesystem::path port, uint8_t host_port, const AddressRules& rules);

    // As Rnic's functions of these names.
    void admit(const std::string& guest, const rnic::GuestAdmission& admission);
    void dismiss(const std::string& guest);

    // EINVAL for an index beyond the table's end.
    Result<rnic::Gid> gid(uint32_t index) const;

    // The length of a guest's P_Key table.
    uint16_t pkeys(const std::string& guest) const;
    // An entry of that table; 0 while the host's port does not have the key.  EINVAL for an index
    // beyond the table's end.
    Result<uint16_t> pkey(const std::string& guest, uint32_t index) const;
    // The index that the host's port has for the guest's.  EINVAL when the guest has no such key,
    // or the port does not have it now.
    Result<uint16_t> host_pkey_index(const std::string& guest, uint16_t index) const;

    // A guest's address vector for the host's port.  LIDs and GIDs are the subnet's, and the same
    // in all guests.
    rnic::AhAttributes host_path(const rnic::AhAttributes& guest) const;

  private:
    std::vector<uint16_t> keys_of(const std::string& guest) const;

    const std::filesystem::path port_;
    const uint8_t host_port_;
    mutable std::mutex mutex_;  // guards keys_
    // By guest.  A guest without keys has the one at the host's index 0 alone.
    std::map<std::string, std::vector<uint16_t>> keys_;
};

}  // namespace vrdma::uverbs
