// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The only ways to touch memory that a guest can write at the same time: whole
// copies, and single atomic accesses to naturally aligned words.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace vrdma::memory {

// Copies one T out of guest-controlled memory.  The compiler barrier makes sure
// that the copy is what gets checked and used: it is never read a second time.
template <typename T>
requires std::is_trivially_copyable_v<T> T copy_from_guest(const void* source) {
    T value;
    std::memcpy(&value, source, sizeof(T));
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return value;
}

template <typename T>
requires std::is_trivially_copyable_v<T>
void copy_to_guest(void* destination, const T& value) {
    std::memcpy(destination, &value, sizeof(T));
}

// A single access to a naturally aligned word shared with the guest.
template <typename T>
T load(const T* word, std::memory_order order) {
    return std::atomic_ref<T>(*const_cast<T*>(word)).load(order);
}

template <typename T>
void store(T* word, std::type_identity_t<T> value, std::memory_order order) {
    std::atomic_ref<T>(*word).store(value, order);
}

template <typename T>
T exchange(T* word, std::type_identity_t<T> value, std::memory_order order) {
    return std::atomic_ref<T>(*word).exchange(value, order);
}

}  // namespace vrdma::memory
