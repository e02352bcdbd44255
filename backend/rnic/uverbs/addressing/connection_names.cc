// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/connection_names.h"

namespace vrdma::uverbs {

ConnectionNames::Entry::~Entry() {
    const std::lock_guard lock(all_.mutex_);
    all_.names_.erase(all_.names_.find(key_));
}

std::shared_ptr<ConnectionNames::Entry> ConnectionNames::add(const Key& key, const Names& names) {
    {
        const std::lock_guard lock(mutex_);
        names_.emplace(key, names);
    }
    return std::make_shared<Entry>(*this, key, names);
}

std::optional<ConnectionNames::Names> ConnectionNames::find(const Key& key) const {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = names_.equal_range(key);
    // Two connections with one key are those of queue pairs whose kernel lets them share a port:
    // none of them can be told from the other.
    return first != last && std::next(first) == last ? std::optional(first->second) : std::nullopt;
}

}  // namespace vrdma::uverbs
