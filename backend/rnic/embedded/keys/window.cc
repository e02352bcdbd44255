// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/keys/window.h"

#include <mutex>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

constexpr uint8_t kType1 = 1;  // enum ib_mw_type
constexpr uint8_t kType2 = 2;
constexpr uint32_t kVariant = 0xff;

}  // namespace

Result<std::unique_ptr<Mw>> Mw::create(Engine& engine, PortState& port, const Pd& pd,
                                       uint8_t type) {
    if (type != kType1 && type != kType2) return fail(EINVAL);
    auto count =
        LiveCount::take(engine.live.memory_windows, port.live.memory_windows, engine.limits.max_mw);
    if (!count) return fail(ENOMEM);
    std::unique_ptr<Mw> mw(new Mw(engine, port, pd, type == kType2, std::move(*count)));
    Gate::Pause pause(engine.gate);
    port.mws.insert(*mw);
    return mw;
}

Mw::Mw(Engine& engine, PortState& port, const Pd& pd, bool type2, LiveCount count)
    : pd_(&pd), type2_(type2), engine_(engine), port_(port), count_(std::move(count)) {}

Mw::~Mw() {
    if (first_key_ == 0) return;
    Gate::Pause pause(engine_.gate);
    release();
    port_.mws.erase(*this);
}

// Nobody finds the binding any more.
void Mw::release() {
    if (mr_ != nullptr) mr_->count_window(-1);
    if (qp_ != nullptr) qp_->windows.fetch_sub(1, std::memory_order_relaxed);
    mr_ = nullptr;
    qp_ = nullptr;
}

void Mw::begin_invalidation(const Worker& self) {
    state_ = State::kInvalidating;
    // Whoever got the region before this lock was taken may still be copying.
    grace_.begin(engine_, self);
}

bool Mw::is_free() {
    if (state_ == State::kInvalidating && grace_.over(engine_)) {
        state_ = State::kFree;
        release();
    }
    return state_ == State::kFree;
}

// IBTA 1.4, 10.6.7.2 and C10-72 to C10-75.
bool Mw::may_bind(const Qp& qp, const Binding& wanted) const {
    if (pd_ != &qp.pd || wanted.current_key != key_) return false;
    const bool zero_based = (wanted.access & kAccessZeroBased) != 0;
    // o10-36.2.2: windows of type 1 are not zero-based; o10-37.2.40: type 2 is not unbound so.
    if (type2_ ? wanted.length == 0 : zero_based) return false;
    if (wanted.length == 0) return true;
    const Mr* mr = wanted.mr;
    if (mr == nullptr || mr->pd() != &qp.pd || !mr->allows(kAccessMwBind) || !mr->is_lasting()) {
        return false;
    }
    if ((wanted.access & (kAccessRemoteWrite | kAccessRemoteAtomic)) != 0 &&
        !mr->allows(kAccessLocalWrite)) {
        return false;
    }
    return mr->covers(wanted.address, wanted.length);
}

Invalidation Mw::bind(Qp& qp, const Binding& wanted) {
    std::lock_guard lock(lock_);
    if (!may_bind(qp, wanted)) return Invalidation::kRefused;
    // A window of type 1 that is bound loses that binding; one of type 2 must be free.
    if (state_ == State::kBound) {
        if (type2_) return Invalidation::kRefused;
        begin_invalidation(qp.port.worker);
    }
    if (!is_free()) return Invalidation::kPending;
    key_ = (key_ & ~kVariant) | (wanted.key & kVariant);
    if (wanted.length == 0) return Invalidation::kDone;
    access_ = wanted.access;
    address_ = wanted.address;
    length_ = wanted.length;
    mr_ = wanted.mr;
    mr_->count_window(1);
    if (type2_) {
        qp_ = &qp;
        qp_->windows.fetch_add(1, std::memory_order_relaxed);
    }
    state_ = State::kBound;
    return Invalidation::kDone;
}

Invalidation Mw::invalidate(uint32_t key, const Qp& qp, const Worker& self) {
    std::lock_guard lock(lock_);
    // o10-37.2.26: windows of type 1 are not invalidated by work requests.
    if (!type2_ || key != key_ || pd_ != &qp.pd) return Invalidation::kRefused;
    if (state_ == State::kBound) {
        if (qp_ != &qp) return Invalidation::kRefused;
        begin_invalidation(self);
    }
    return is_free() ? Invalidation::kDone : Invalidation::kPending;
}

const Mr* Mw::resolve(uint32_t key, const Qp& qp, uint64_t& address, uint64_t size,
                      uint32_t access) {
    std::lock_guard lock(lock_);
    if (state_ != State::kBound || key != key_ || pd_ != &qp.pd || (type2_ && qp_ != &qp) ||
        (access_ & access) != access) {
        return nullptr;
    }
    const uint64_t start = (access_ & kAccessZeroBased) != 0 ? 0 : address_;
    const uint64_t offset = address - start;
    if (offset > length_ || size > length_ - offset) return nullptr;
    address = address_ + offset;
    return mr_;
}

void Mw::forget(const Mr& mr) {
    if (mr_ != &mr) return;
    release();
    state_ = State::kFree;
}

void Mw::forget(const Qp& qp) {
    if (qp_ != &qp) return;
    release();
    state_ = State::kFree;
}

void MwTable::insert(Mw& mw) {
    uint32_t index;
    if (free_.empty()) {
        index = static_cast<uint32_t>(windows_.size());
        windows_.push_back(nullptr);
        variants_.push_back(0);
    } else {
        index = free_.front();
        free_.pop_front();
    }
    windows_[index] = &mw;
    mw.first_key_ = kWindowBit | index << 8 | variants_[index];
    mw.key_ = mw.first_key_;
}

void MwTable::erase(Mw& mw) {
    const uint32_t index = (mw.first_key_ & ~kWindowBit) >> 8;
    windows_[index] = nullptr;
    variants_[index] = static_cast<uint8_t>((mw.key_ & kVariant) + 1);
    free_.push_back(index);
}

}  // namespace vrdma::embedded
