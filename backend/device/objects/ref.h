// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <utility>

namespace vrdma::device {

// The number of references to the object that has this as its member `users`.  Only Ref changes
// it.
class RefCount {
  public:
    bool in_use() const { return count_ != 0; }

  private:
    template <typename Object>
    friend class Ref;

    uint32_t count_ = 0;
};

// A reference from one of a guest's objects to another one, on which it depends.  The
// reference is counted as long as it lives. An object in use cannot be destroyed by the guest
// (EBUSY). The object outlives its references.
template <typename Object>
class Ref {
  public:
    Ref() = default;  // refers to nothing
    explicit Ref(Object& object) : object_(&object) { ++object_->users.count_; }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref&& other) noexcept {
        Ref moved(std::move(other));
        std::swap(object_, moved.object_);
        return *this;
    }
    Ref(const Ref&) = delete;
    Ref& operator=(const Ref&) = delete;
    ~Ref() {
        if (object_ != nullptr) {
            --object_->users.count_;
        }
    }

    // What is referred to, or null.
    const Object* get() const { return object_; }

  private:
    Object* object_ = nullptr;
};

// A reference to an object that there may be; to nothing for null.
template <typename Object>
Ref<Object> ref_or_none(Object* object) {
    return object == nullptr ? Ref<Object>() : Ref(*object);
}

}  // namespace vrdma::device
