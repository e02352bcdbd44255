// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "connection.h"
#include "memory/guest_access.h"
#include "neighbours.h"

namespace vrdma::embedded::bench {
namespace {

constexpr uint8_t kAddress = 66;  // of the neighbour; its peer has the next one

template <typename Value>
void must(const Result<Value>& result) {
    if (!result) {
        throw std::runtime_error("an attack cannot be set up");
    }
}

void set_word(__le64& word, uint64_t value) {
    memory::store(&word, value, std::memory_order_relaxed);
}

std::vector<test::ClientQp> make_queue_pairs(unsigned count, test::Guest& guest, test::ClientCq& cq,
                                             const test::QpOptions& options) {
    std::vector<test::ClientQp> qps;
    for (unsigned i = 0; i < count; ++i) {
        qps.push_back(guest.make_qp(cq, cq, options));
    }
    return qps;
}

// A guest that has no queue pair and says that all of them have rung.
class DoorbellWords final : public Attack {
  public:
    explicit DoorbellWords(EmbeddedRnic& rnic) : guest_(rnic, "mallory", kAddress) {}

    void renew() override {
        renew(guest_.area->qp);
        renew(guest_.area->cq);
    }

  private:
    static void renew(vrdma_doorbell_bitmap& bitmap) {
        for (__le64& word : bitmap.summary) {
            set_word(word, ~uint64_t{0});
        }
        set_word(bitmap.root, ~uint64_t{0});
    }

    test::Guest guest_;
};

// Many queue pairs that may not send ring.
class IdleQueuePairs final : public Attack {
  public:
    static constexpr unsigned kQueuePairs = 8000;

    explicit IdleQueuePairs(EmbeddedRnic& rnic)
        : guest_(rnic, "mallory", kAddress),
          cq_(guest_.make_cq(63)),
          qps_(make_queue_pairs(kQueuePairs, guest_, cq_, {.send_wr = 1, .recv_wr = 1, .sge = 1})) {
    }

    void renew() override {
        if (memory::load(&guest_.area->qp.root, std::memory_order_relaxed) == 0) {
            for (const auto& qp : qps_) {
                qp.ring_doorbell();
            }
        }
    }

  private:
    test::Guest guest_;
    test::ClientCq cq_;
    std::vector<test::ClientQp> qps_;
};

// A pair of guests, of which the first keeps queue pairs busy with long writes.
template <unsigned queue_pairs>
class LongWrites final : public Attack {
  public:
    static constexpr uint32_t kBytes = 256 * 1024;

    explicit LongWrites(EmbeddedRnic& rnic)
        : a_(rnic, "mallory", kAddress, kBytes), b_(rnic, "oscar", kAddress + 1, kBytes) {
        for (unsigned i = 0; i < queue_pairs; ++i) {
            const test::QpOptions options{.send_wr = 15, .recv_wr = 1};
            from_.push_back(a_.guest.make_qp(a_.send_cq, a_.recv_cq, options));
            to_.push_back(b_.guest.make_qp(b_.send_cq, b_.recv_cq, options));
            test::connect(from_.back(), to_.back());
        }
    }

    void renew() override {
        const test::SendWr wr{.opcode = WrOpcode::kRdmaWrite,
                              .flags = 0,
                              .remote_address = b_.mr.iova,
                              .rkey = b_.mr.rkey(),
                              .sges = {a_.mr.sge(0, kBytes)}};
        for (auto& qp : from_) {
            bool more = false;
            while (qp.enqueue_send(wr)) {
                more = true;
            }
            if (more) {
                qp.ring_doorbell();
            }
        }
    }

  private:
    End a_;
    End b_;
    std::vector<test::ClientQp> from_;
    std::vector<test::ClientQp> to_;
};

// One queue pair sends to a group that has as many members as a guest may attach.
class MulticastStorm final : public Attack {
  public:
    explicit MulticastStorm(EmbeddedRnic& rnic)
        : a_(rnic, "mallory", kAddress, kPortMtu + kGrhSize),
          sender_(a_.guest.make_qp(a_.send_cq, a_.recv_cq, options())),
          ah_(a_.guest.make_ah(kGroup)) {
        test::connect(sender_, {}, 0);
        for (unsigned i = 0; i < kMaxGroupMembers; ++i) {
            members_.push_back(a_.guest.make_qp(a_.send_cq, a_.recv_cq, options()));
            test::connect(members_.back(), {}, 0);
            must(members_.back().object->attach_mcast(kGroup, 0));
        }
    }

    void renew() override {
        const test::SendWr wr{.opcode = WrOpcode::kSend,
                              .flags = 0,
                              .remote_qpn = kMulticastQpNumber,
                              .remote_qkey = test::ConnectOptions{}.qkey,
                              .ah_number = ah_.number,
                              .sges = {a_.mr.sge(0, kPortMtu)}};
        bool more = false;
        while (sender_.enqueue_send(wr)) {
            more = true;
        }
        if (more) {
            sender_.ring_doorbell();
        }
        const std::array receive{a_.mr.sge(0, kPortMtu + kGrhSize)};
        for (auto& member : members_) {
            while (member.post_recv(0, receive)) {
            }
        }
        while (a_.recv_cq.poll()) {
        }
    }

  private:
    static constexpr rnic::Gid kGroup{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static test::QpOptions options() {
        return {.type = QpType::kUd, .send_wr = 15, .recv_wr = 15, .sge = 1};
    }

    End a_;
    test::ClientQp sender_;
    std::vector<test::ClientQp> members_;
    test::ClientAh ah_;
};

// Queue pairs in the error state have both queues flushed again and again.
class FlushStorm final : public Attack {
  public:
    static constexpr unsigned kQueuePairs = 64;

    explicit FlushStorm(EmbeddedRnic& rnic)
        : guest_(rnic, "mallory", kAddress),
          cq_(guest_.make_cq(65535)),
          qps_(make_queue_pairs(kQueuePairs, guest_, cq_,
                                {.send_wr = 255, .recv_wr = 255, .sge = 1})) {
        rnic::QpAttributes error;
        error.qp_state = static_cast<uint8_t>(QpState::kError);
        for (auto& qp : qps_) {
            must(qp.modify(kAttrState, error));
        }
    }

    void renew() override {
        while (cq_.poll()) {
        }
        for (auto& qp : qps_) {
            while (qp.enqueue_send({})) {
            }
            while (qp.post_recv(0, {})) {
            }
            qp.ring_doorbell();
        }
    }

  private:
    test::Guest guest_;
    test::ClientCq cq_;
    std::vector<test::ClientQp> qps_;
};

// Queue pairs that have no peer fail with their first request.
class FailingQueuePairs final : public Attack {
  public:
    static constexpr unsigned kQueuePairs = 64;

    explicit FailingQueuePairs(EmbeddedRnic& rnic)
        : guest_(rnic, "mallory", kAddress),
          cq_(guest_.make_cq(65535)),
          qps_(make_queue_pairs(kQueuePairs, guest_, cq_, {.type = QpType::kUd, .send_wr = 255})) {
        for (auto& qp : qps_) {
            test::connect(qp, {}, 0);
        }
    }

    void renew() override {
        while (cq_.poll()) {
        }
        for (auto& qp : qps_) {
            if (qp.state() == QpState::kSendQueueError && qp.send_ring.empty()) {
                rnic::QpAttributes again;
                again.qp_state = static_cast<uint8_t>(QpState::kReadyToSend);
                must(qp.modify(kAttrState, again));
            }
            // An address handle that there is not.
            while (qp.enqueue_send({.ah_number = 1000})) {
            }
            qp.ring_doorbell();
        }
    }

  private:
    test::Guest guest_;
    test::ClientCq cq_;
    std::vector<test::ClientQp> qps_;
};

// A guest resizes a CQ for ever, in which as many completions wait as may be moved.
class CqResizes final : public Attack {
  public:
    explicit CqResizes(EmbeddedRnic& rnic)
        : guest_(rnic, "mallory", kAddress), cq_(guest_.make_cq(200'000)) {
        // guest-controlled: the RNIC believes that so many wait, since the guest says so.
        memory::store(&cq_.ring.header()->consumer_index, cq_.ring.mask() + 1 - 131'000,
                      std::memory_order_release);
    }

    void renew() override {
        std::array<std::byte, sizeof(mminfo)> answer;
        rnic::Udata udata{.in = {}, .out = answer};
        uint32_t cqe = 200'000;
        must(cq_.object->resize(cqe, udata));
    }

  private:
    test::Guest guest_;
    test::ClientCq cq_;
};

// A guest registers a region of many pieces anew for ever.
class Reregistrations final : public Attack {
  public:
    static constexpr size_t kPieces = 100'000;

    explicit Reregistrations(EmbeddedRnic& rnic)
        : guest_(rnic, "mallory", kAddress),
          ram_(kPieces * 2),
          mr_(guest_.reg_mr(ram_.bytes().first(kPieces), kAccessLocalWrite)) {
        for (size_t i = 0; i < kPieces; ++i) {
            pieces_.push_back({{ram_.bytes().data() + 2 * i, 1}, nullptr});
        }
    }

    void renew() override {
        rnic::MrAttributes attributes;
        attributes.iova = {test::Guest::kIova};
        attributes.length = kPieces;
        attributes.pieces = pieces_;
        rnic::Udata udata;
        must(mr_.object->reregister({.translation = true}, nullptr, std::move(attributes), udata));
    }

  private:
    test::Guest guest_;
    GuestRam ram_;
    test::ClientMr mr_;
    std::vector<memory::PinnedRange> pieces_;
};

// A guest has the workers park as often as it can, by one verb of each kind that does.
class Parking final : public Attack {
  public:
    explicit Parking(EmbeddedRnic& rnic, const std::string& name = "mallory",
                     uint8_t address = kAddress)
        : a_(rnic, name, address, kPortMtu), other_(a_.guest.make_cq(15)) {}

    void renew() override {
        // What is made is destroyed at once.
        switch (next_++ % 8) {
            case 0:
                a_.guest.make_ah(kGroup);
                break;
            case 1:
                a_.guest.reg_mr(a_.ram.bytes(), kAccessLocalWrite);
                break;
            case 2: {
                rnic::Udata none;
                must(a_.guest.context->alloc_mw(a_.guest.pd(), 2, none));
                break;
            }
            case 3:
                use_queue_pair();
                break;
            case 4:
                must(a_.guest.port->add_gid(1, kOwn, 0));
                must(a_.guest.port->del_gid(1));
                break;
            case 5:
                a_.guest.port->set_memory(nullptr);
                break;
            case 6:
                a_.guest.port->set_doorbells(a_.guest.area.get(), -1);
                break;
            default:
                must(a_.qp.object->query());
                break;
        }
    }

  private:
    static constexpr rnic::Gid kGroup{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    static constexpr rnic::Gid kOwn{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

    void use_queue_pair() {
        test::ClientCq cq = a_.guest.make_cq(1);
        test::ClientQp qp =
            a_.guest.make_qp(cq, other_, {.type = QpType::kUd, .send_wr = 1, .recv_wr = 1});
        test::connect(qp, {}, 0);
        must(qp.object->attach_mcast(kGroup, 0));
        must(qp.object->detach_mcast(kGroup, 0));
    }

    End a_;
    unsigned next_ = 0;
    test::ClientCq other_;
};

// Many guests do so at the same time, each on a thread of its own.
class ManyParking final : public Attack {
  public:
    static constexpr unsigned kGuests = 12;

    explicit ManyParking(EmbeddedRnic& rnic) {
        for (unsigned i = 0; i < kGuests; ++i) {
            guests_.push_back(std::make_unique<Parking>(rnic, "mallory" + std::to_string(i),
                                                        static_cast<uint8_t>(kAddress + i)));
        }
        for (const auto& guest : guests_) {
            threads_.emplace_back([this, attack = guest.get()] {
                while (!stop_.load(std::memory_order_relaxed)) {
                    attack->renew();
                }
            });
        }
    }
    ~ManyParking() override {
        stop_.store(true, std::memory_order_relaxed);
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    void renew() override { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  private:
    std::vector<std::unique_ptr<Parking>> guests_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

template <typename Kind>
std::unique_ptr<Attack> make(EmbeddedRnic& rnic) {
    return std::make_unique<Kind>(rnic);
}

constexpr std::array kKinds{
    AttackKind{"16 queue pairs writing 256 KiB", Figures::kShare, make<LongWrites<16>>},
    AttackKind{"512 queue pairs writing 256 KiB", Figures::kShare, make<LongWrites<512>>},
    AttackKind{"multicast to 56 queue pairs", Figures::kShare, make<MulticastStorm>},
    AttackKind{"all doorbell words, no object", Figures::kWorker, make<DoorbellWords>},
    AttackKind{"8,000 queue pairs in RESET ring", Figures::kWorker, make<IdleQueuePairs>},
    AttackKind{"64 queue pairs flush", Figures::kWorker, make<FlushStorm>},
    AttackKind{"64 queue pairs fail", Figures::kWorker, make<FailingQueuePairs>},
    AttackKind{"a verb that parks for each message", Figures::kWorker, make<Parking>},
    AttackKind{"all verbs that park", Figures::kPauses, make<Parking>},
    AttackKind{"the same by 12 guests at once", Figures::kPauses, make<ManyParking>},
    AttackKind{"RESIZE_CQ of 131,000 completions", Figures::kPauses, make<CqResizes>},
    AttackKind{"REREG_MR of 100,000 pieces", Figures::kPauses, make<Reregistrations>},
};

}  // namespace

std::span<const AttackKind> attack_kinds() {
    return kKinds;
}

}  // namespace vrdma::embedded::bench
