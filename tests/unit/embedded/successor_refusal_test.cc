// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A state that no RNIC can have written is refused, and harms its own guest only.
#include <functional>
#include <random>

#include "machine.h"
#include "support/changed_message.h"

namespace vrdma::embedded::test {
namespace {

using Change = std::function<void(state::Session&)>;

// Alice has one object of each kind, and a message in progress.
class SuccessorRefusal : public HandOver {
  protected:
    SuccessorRefusal() : a(alice.add_qp()), b(bob.add_qp({}, &bob.add_srq())) {
        ClientQp& datagrams = alice.add_qp({.type = QpType::kUd});
        to_init(datagrams);
        to_rtr(datagrams, {}, 0);
        to_rts(datagrams);
        EXPECT_TRUE(datagrams.object->attach_mcast({0xff}, 0));
        alice.add_srq();
        alice.add_ah(bob.guest.gid());
        alice.add_dma_mr();
        uint64_t description = 0;
        alice.add_fast_mr(4, description);
        connect(a, b);
        SendWr bind{.wr_id = 5, .opcode = WrOpcode::kBindWindow};
        const uint32_t window = alice.add_mw(2).rkey();
        bind.remote_address = alice.mr().iova;
        bind.rkey = window + 1;
        bind.bind = {.length = 4096, .lkey = alice.mr().lkey(), .window = window, .access = 0};
        a.post_send(bind);
        settle();
        EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
        a.post_send(write_wr(0, 0, 512 * 1024));
        for (int n = 0; n < 8; ++n) {
            EXPECT_TRUE(rnic->poll_once());
        }
        pause = rnic->pause();
    }

    // What becomes of Alice's state, changed so, in a successor. Nothing is left of it.
    Errno outcome(const Change& change) {
        Arrived arrived = alice.save_copy();
        change(arrived.session);
        auto successor = make_rnic();
        {
            // The pause ends before the objects go, which is so when all of a port fails.
            auto successors_pause = successor->pause();
            auto estate = alice.restore(*successor, std::move(arrived));
            EXPECT_TRUE(estate || successor->counters() == EmbeddedCounters{});
            successors_pause.reset();
            if (!estate) {
                return estate.error();
            }
            for (unsigned n = 0; n < 500 && successor->poll_once(); ++n) {
            }
        }
        EXPECT_EQ(successor->counters(), EmbeddedCounters{});
        return Errno{0};
    }
    int error(const Change& change) { return to_int(outcome(change)); }

    ClientQp& a;
    ClientQp& b;
    std::unique_ptr<rnic::Rnic::Pause> pause;
};

state::EmbeddedRing& send_ring(state::Session& session) {
    return *session.mutable_qps(0)->mutable_embedded()->mutable_send()->mutable_ring();
}
state::EmbeddedRing& cq_ring(state::Session& session) {
    return *session.mutable_cqs(0)->mutable_embedded()->mutable_ring();
}
state::EmbeddedMr& mr(state::Session& session) {
    return *session.mutable_mrs(0)->mutable_embedded();
}
state::EmbeddedMr& fast_mr(state::Session& session) {
    return *session.mutable_mrs(2)->mutable_embedded();
}
state::EmbeddedMw& mw(state::Session& session) {
    return *session.mutable_mws(0)->mutable_embedded();
}

TEST_F(SuccessorRefusal, AStateAsItWasWrittenIsTaken) {
    EXPECT_EQ(error([](auto&) {}), 0);
}

TEST_F(SuccessorRefusal, RingsLieInTheirFile) {
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_offset(uint64_t{1} << 40); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_offset(~uint64_t{4095}); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_offset(send_ring(s).offset() + 64); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { cq_ring(s).set_offset(cq_ring(s).offset() + (1 << 20)); }),
              EINVAL);
}

TEST_F(SuccessorRefusal, RingsDoNotOverlap) {
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_offset(cq_ring(s).offset()); }), EEXIST);
    EXPECT_EQ(error([](auto& s) {
                  auto& second = *s.mutable_cqs(1)->mutable_embedded()->mutable_ring();
                  second.set_offset(cq_ring(s).offset() + 4096);
              }),
              EEXIST);
}

TEST_F(SuccessorRefusal, RingsHaveTheGeometryOfTheirKind) {
    for (const uint32_t mask : {0u, 5u, 0x7fffffffu, 0xffffffffu, 64u}) {
        EXPECT_EQ(error([mask](auto& s) { cq_ring(s).set_mask(mask); }), EINVAL) << mask;
        EXPECT_EQ(error([mask](auto& s) { send_ring(s).set_mask(mask); }), EINVAL) << mask;
    }
    for (const uint32_t size : {0u, 32u, 65u, 128u, 0x80000000u}) {
        EXPECT_EQ(error([size](auto& s) { cq_ring(s).set_element_size(size); }), EINVAL) << size;
    }
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_element_size(256); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { send_ring(s).set_index(send_ring(s).mask() + 1); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { cq_ring(s).set_index(64); }), EINVAL);
}

TEST_F(SuccessorRefusal, ElementsHaveRoomForWhatARequestMayHave) {
    const auto cap = [](state::Session& s) {
        return s.mutable_qps(0)->mutable_attributes()->mutable_cap();
    };
    EXPECT_EQ(error([&](auto& s) { cap(s)->set_max_send_sge(32); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { cap(s)->set_max_send_sge(33); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { cap(s)->set_max_inline_data(800); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { cap(s)->set_max_inline_data(~0u); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { cap(s)->set_max_recv_sge(32); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_srqs(0)->set_max_sge(32); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_srqs(0)->set_max_wr(7); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_srqs(0)->set_srq_limit(16); }), EINVAL);
}

TEST_F(SuccessorRefusal, TheFileIsThereAndAsLongAsSaid) {
    const auto context = [](state::Session& s) {
        return s.mutable_contexts(0)->mutable_embedded();
    };
    EXPECT_EQ(error([&](auto& s) { context(s)->set_rings_file(0); }), EBADF);
    EXPECT_EQ(error([&](auto& s) { context(s)->set_rings_file(2); }), EBADF);
    EXPECT_EQ(error([&](auto& s) { context(s)->set_rings_size(4096); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { context(s)->set_rings_size(~uint64_t{4095}); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_contexts(0)->clear_embedded(); }), EINVAL);
}

TEST_F(SuccessorRefusal, KeysAreOnesThatTheTableGaveOut) {
    EXPECT_EQ(error([](auto& s) { mr(s).set_first_key(mr(s).first_key() + 1); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mr(s).set_first_key(0); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mr(s).set_first_key(9 << 8); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mr(s).set_first_key(~0u); }), EINVAL);
    EXPECT_EQ(error([](auto& s) {
                  s.mutable_mrs(1)->mutable_embedded()->set_first_key(mr(s).first_key());
              }),
              EEXIST);
    EXPECT_EQ(error([](auto& s) { fast_mr(s).set_key(mr(s).first_key()); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { *s.add_ahs() = s.ahs(0); }), EEXIST);
    EXPECT_EQ(error([](auto& s) { s.mutable_ahs(0)->mutable_embedded()->set_number(0); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_ahs(0)->mutable_embedded()->set_number(9); }), EINVAL);
}

TEST_F(SuccessorRefusal, TablesOfNumbersAreWhole) {
    const auto regions = [](state::Session& s) {
        return s.mutable_port()->mutable_embedded()->mutable_regions();
    };
    EXPECT_EQ(error([&](auto& s) { regions(s)->add_free(regions(s)->free(0)); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { regions(s)->add_free(1 << 20); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { regions(s)->add_free(0); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { regions(s)->clear_variants(); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { regions(s)->mutable_variants()->resize(1 << 24); }), EINVAL);
    // A key that is free as well as a region's.
    EXPECT_EQ(error([&](auto& s) { regions(s)->add_free(mr(s).first_key() >> 8); }), EINVAL);
}

TEST_F(SuccessorRefusal, RegionsHaveMemoryOfTheGuest) {
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->mutable_runs(0)->set_address(0); }), EFAULT);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->mutable_runs(0)->set_address(~0ull); }),
              EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->mutable_runs(0)->set_length(4096); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->mutable_runs()->RemoveLast(); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->set_length(~0ull); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->set_iova(~0ull); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(0)->set_access(1 << 30); }), EOPNOTSUPP);
    EXPECT_EQ(error([](auto& s) { s.mutable_mrs(2)->mutable_runs(0)->set_length(8); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { fast_mr(s).set_max_pages(~0u); }), EINVAL);
    EXPECT_EQ(error([](auto& s) {
                  fast_mr(s).set_valid(true);
                  fast_mr(s).set_length(4096);
              }),
              EINVAL);
    EXPECT_EQ(error([](auto& s) {
                  fast_mr(s).set_valid(true);
                  fast_mr(s).set_length(4096);
                  auto& run = *fast_mr(s).add_runs();
                  run.set_address(Machine::kRamStart + Machine::kRamSize - 8);
                  run.set_length(4096);
              }),
              EFAULT);
}

TEST_F(SuccessorRefusal, WindowsAreBoundToWhatThereIs) {
    EXPECT_EQ(error([](auto& s) { mw(s).set_region_key(0); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_region_key(s.mrs(1).embedded().first_key()); }),
              EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_owner_handle(12345); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_address(0); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_length(~0ull); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_key(mw(s).key() ^ 0x100); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { mw(s).set_first_key(1); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_mws(0)->set_type(3); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { *s.add_mws() = s.mws(0); }), EEXIST);
}

TEST_F(SuccessorRefusal, QueuePairsAreOnesThatThereCanBe) {
    const auto qp = [](state::Session& s) { return s.mutable_qps(0); };
    EXPECT_EQ(error([&](auto& s) { qp(s)->set_handle(1 << 20); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { qp(s)->set_handle(s.qps(1).handle()); }), EEXIST);
    EXPECT_EQ(error([&](auto& s) { qp(s)->set_qp_type(0x102); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { qp(s)->mutable_embedded()->set_number(0); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { qp(s)->mutable_embedded()->set_number(~0u); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) {
                  qp(s)->mutable_embedded()->set_number(s.qps(1).embedded().number());
              }),
              EEXIST);
    EXPECT_EQ(error([&](auto& s) { qp(s)->mutable_attributes()->set_qp_state(7); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { qp(s)->mutable_attributes()->set_timeout(256); }), EINVAL);
    EXPECT_EQ(
        error([&](auto& s) { qp(s)->mutable_attributes()->mutable_path()->set_dgid("short"); }),
        EINVAL);
    EXPECT_EQ(error([&](auto& s) {
                  for (int n = 0; n < 33; ++n) {
                      qp(s)->mutable_embedded()->mutable_receive()->mutable_open()->add_list();
                  }
              }),
              EINVAL);
    EXPECT_EQ(error([&](auto& s) {
                  for (int n = 0; n < 32; ++n) {
                      qp(s)->mutable_embedded()->mutable_requested()->add_messages(1);
                  }
              }),
              EINVAL);
    EXPECT_EQ(error([&](auto& s) { s.mutable_cqs(1)->set_handle(s.cqs(0).handle()); }), EEXIST);
    EXPECT_EQ(error([&](auto& s) { s.mutable_cqs(1)->set_handle(~0u); }), EINVAL);
}

TEST_F(SuccessorRefusal, GroupsAndAddressesAreWhole) {
    const auto datagrams = [](state::Session& s) { return s.mutable_qps(1); };
    EXPECT_EQ(error([&](auto& s) { datagrams(s)->set_groups(0, "x"); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { datagrams(s)->mutable_embedded()->clear_members(); }), EINVAL);
    EXPECT_EQ(error([&](auto& s) { datagrams(s)->mutable_embedded()->set_members(0, ~0ull); }),
              EINVAL);
    EXPECT_EQ(error([&](auto& s) {
                  datagrams(s)->add_groups(datagrams(s)->groups(0));
                  datagrams(s)->mutable_embedded()->add_members(9);
              }),
              EEXIST);
    EXPECT_EQ(error([](auto& s) { s.mutable_port()->mutable_gids(0)->set_index(256); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_port()->mutable_gids(0)->set_gid(""); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_port()->mutable_gids(0)->set_vlan(0x1ffff); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { s.mutable_port()->mutable_embedded()->clear_claims(); }), EINVAL);
    EXPECT_EQ(error([](auto& s) { *s.mutable_port()->add_gids() = s.port().gids(0); }), EINVAL);
}

// A message of which more is done than there is fails, and nothing else happens.
TEST_F(SuccessorRefusal, MoreThanTheWholeMessageIsNotDone) {
    Arrived arrived = alice.save_copy();
    arrived.session.mutable_qps(0)->mutable_embedded()->mutable_send()->set_done(1 << 30);
    auto successor = make_rnic();
    auto successors_pause = successor->pause();
    auto estate = alice.restore(*successor, std::move(arrived));
    ASSERT_TRUE(estate);
    successors_pause.reset();
    while (successor->poll_once()) {
    }
    EXPECT_EQ(estate->qps[0]->query().value().qp_state, static_cast<uint8_t>(QpState::kError));
}

TEST_F(SuccessorRefusal, AStateChangedAtRandomIsRefusedOrHarmsNobodyElse) {
    std::minstd_rand random(1);
    unsigned refused = 0;
    constexpr unsigned kStates = 300;
    for (unsigned n = 0; n < kStates; ++n) {
        refused += error([&random](auto& session) {
                       for (unsigned changes = 1 + random() % 3; changes != 0; --changes) {
                           vrdma::test::change_some(session, random);
                       }
                   }) != 0
                       ? 1
                       : 0;
    }
    EXPECT_GT(refused, kStates / 4);
    EXPECT_LT(refused, kStates);
}

// Bob goes on, although Alice's state is refused.
TEST_F(SuccessorRefusal, OtherGuestsAreRestored) {
    Arrived hers = alice.save_copy();
    hers.session.mutable_mws(0)->set_type(3);
    Arrived his = bob.save();
    auto successor = make_rnic();
    auto successors_pause = successor->pause();
    auto refused = alice.restore(*successor, std::move(hers));
    ASSERT_FALSE(refused);
    auto estate = bob.restore(*successor, std::move(his));
    ASSERT_TRUE(estate);
    successors_pause.reset();
    while (successor->poll_once()) {
    }
    EXPECT_EQ(estate->qps[0]->query().value().qp_state,
              static_cast<uint8_t>(QpState::kReadyToSend));
    EXPECT_EQ(estate->qps[0]->qp_num(), b.number());
}

}  // namespace
}  // namespace vrdma::embedded::test
