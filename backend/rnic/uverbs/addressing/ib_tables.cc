// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/ib_tables.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "rnic/uverbs/addressing/gid.h"
#include "rnic/uverbs/kernel/sysfs.h"

namespace vrdma::uverbs {
namespace {

// An entry of the port's P_Key table; no value beyond the end of the table.
std::optional<uint16_t> read_pkey(const std::filesystem::path& port, uint32_t index) {
    return parse_pkey(first_line(port / "pkeys" / std::to_string(index)));
}

}  // namespace

std::optional<uint16_t> parse_pkey(std::string_view text) {
    constexpr std::string_view kHexadecimal = "0x";
    if (!text.starts_with(kHexadecimal)) {
        return std::nullopt;
    }
    text.remove_prefix(kHexadecimal.size());
    uint16_t key = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key, 16);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(key)
                                                                    : std::nullopt;
}

IbTables::IbTables(std::filesystem::path port, uint8_t host_port, const AddressRules& rules)
    : port_(std::move(port)), host_port_(host_port) {
    for (const auto& [guest, what] : rules.guests) {
        admit(guest, admission_of(what));
    }
}

void IbTables::admit(const std::string& guest, const rnic::GuestAdmission& admission) {
    const std::lock_guard lock(mutex_);
    keys_[guest] = admission.pkeys;
}

void IbTables::dismiss(const std::string& guest) {
    const std::lock_guard lock(mutex_);
    keys_.erase(guest);
}

// Empty for a guest that has the key at the host's index 0 alone.
std::vector<uint16_t> IbTables::keys_of(const std::string& guest) const {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(guest);
    return found == keys_.end() ? std::vector<uint16_t>() : found->second;
}

Result<rnic::Gid> IbTables::gid(uint32_t index) const {
    const auto gid = parse_gid(first_line(port_ / "gids" / std::to_string(index)));
    return gid ? Result<rnic::Gid>(*gid) : fail(EINVAL);
}

uint16_t IbTables::pkeys(const std::string& guest) const {
    return static_cast<uint16_t>(std::max(keys_of(guest).size(), size_t{1}));
}

Result<uint16_t> IbTables::pkey(const std::string& guest, uint32_t index) const {
    if (index >= pkeys(guest)) {
        return fail(EINVAL);
    }
    const auto keys = keys_of(guest);
    if (keys.empty()) {
        return read_pkey(port_, 0).value_or(0);
    }
    return host_pkey_index(guest, static_cast<uint16_t>(index)) ? keys[index] : uint16_t{0};
}

Result<uint16_t> IbTables::host_pkey_index(const std::string& guest, uint16_t index) const {
    if (index >= pkeys(guest)) {
        return fail(EINVAL);
    }
    const auto keys = keys_of(guest);
    if (keys.empty()) {
        return index;
    }
    for (uint32_t host = 0; host <= UINT16_MAX; ++host) {
        const auto key = read_pkey(port_, host);
        if (!key) {
            break;
        }
        if (*key == keys[index]) {
            return static_cast<uint16_t>(host);
        }
    }
    return fail(EINVAL);
}

rnic::AhAttributes IbTables::host_path(const rnic::AhAttributes& guest) const {
    rnic::AhAttributes host = guest;
    host.port = host_port_;
    host.dmac = {};
    return host;
}

}  // namespace vrdma::uverbs
