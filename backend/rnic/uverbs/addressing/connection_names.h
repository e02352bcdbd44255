// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "rnic/attributes.h"

namespace vrdma::uverbs {

// The names of connections that this daemon's guests ask for.  A request comes to its listener with
// names of the underlay only, of which several addresses of one guest can have the same: the asking
// guest's daemon knows better.  Any thread.
class ConnectionNames {
  public:
    // The asking end as the listening end's kernel sees it.
    struct Key {
        rnic::Gid underlay{};
        uint16_t port = 0;
        uint16_t port_space = 0;  // enum rdma_ucm_port_space

        auto operator<=>(const Key&) const = default;
    };
    // Both ends as the asking guest names them.
    struct Names {
        rnic::Gid source{};
        rnic::Gid destination{};
    };

    // The names are known for as long as the entry lives.
    class Entry {
      public:
        Entry(ConnectionNames& all, const Key& key, const Names& names)
            : all_(all), key_(key), names_(names) {}
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        const Key& key() const { return key_; }
        const Names& names() const { return names_; }

      private:
        ConnectionNames& all_;  // outlives the entry
        const Key key_;
        const Names names_;
    };
    std::shared_ptr<Entry> add(const Key& key, const Names& names);

    std::optional<Names> find(const Key& key) const;

  private:
    mutable std::mutex mutex_;  // guards names_
    std::multimap<Key, Names> names_;
};

}  // namespace vrdma::uverbs
