// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A vrdmad is taken over at each step of each verb: its control thread stands at the beginning or
// at the end of a system call when the take-over begins.  A successor is killed at each of its own
// steps; without VRDMA_LONG, which scripts/test --long sets, at some of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vrdma_check.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "guest_figures.h"
#include "hostile/guest_verbs.h"
#include "hostile/machine.h"
#include "mapped_guest.h"
#include "program_fixture.h"
#include "rnic/verbs_abi.h"
#include "stepped_thread.h"
#include "support/places.h"

namespace vrdma::daemon {
namespace {

using hostile::GuestVerbs;
using hostile::Machine;
using nlohmann::json;

constexpr uint64_t kRegionBytes = VRDMA_SHM_PAGE_SIZE;

constexpr rnic::Gid kGid{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 1, 1};

bool is_long() {
    const char* const value = std::getenv("VRDMA_LONG");
    return value != nullptr && std::string(value) == "1";
}

// A verb, between what has to be there before and what takes everything back.
struct Verb {
    const char* name;
    std::function<void()> before;
    std::function<void()> verb;
    std::function<void()> after;
};

// A guest's objects, and its verbs on them.  The verbs throw when they fail.
class Verbs {
  public:
    explicit Verbs(MappedGuest& guest)
        : guest_(guest),
          memory_(guest.machine.memory().allocate(kRegionBytes, kRegionBytes)),
          uctx_(verbs().alloc_ucontext()),
          pd_(verbs().alloc_pd(uctx_)),
          cq_(verbs().create_cq(uctx_, 63, 0).handle) {
        verbs().add_gid(0, kGid);
    }

    void release() { end(VRDMA_CMD_DEALLOC_UCONTEXT, uctx_, uctx_); }

    std::vector<Verb> all() {
        const auto nothing = [] {};
        const auto made_and_ended = [&](const char* make, const char* end,
                                        const std::function<uint32_t()>& making, uint16_t ending) {
            const auto made = [this, making] { handle_ = making(); };
            const auto ended = [this, ending] { this->end(ending, uctx_, handle_); };
            return std::vector<Verb>{{make, nothing, made, ended}, {end, made, ended, nothing}};
        };
        std::vector<Verb> all{
            {"ALLOC_UCONTEXT", nothing, [this] { handle_ = verbs().alloc_ucontext(); },
             [this] { end(VRDMA_CMD_DEALLOC_UCONTEXT, handle_, handle_); }},
            {"DEALLOC_UCONTEXT",
             [this] {
                 handle_ = verbs().alloc_ucontext();
                 verbs().create_cq(handle_, 15, 0);
             },
             [this] { end(VRDMA_CMD_DEALLOC_UCONTEXT, handle_, handle_); }, nothing},
            {"MODIFY_QP", [this] { handle_ = make_qp(); }, [this] { to_init(handle_); },
             [this] { end(VRDMA_CMD_DESTROY_QP, uctx_, handle_); }},
        };
        const auto add = [&](std::vector<Verb> more) {
            std::ranges::move(more, std::back_inserter(all));
        };
        add(made_and_ended(
            "ALLOC_PD", "DEALLOC_PD", [this] { return verbs().alloc_pd(uctx_); },
            VRDMA_CMD_DEALLOC_PD));
        add(made_and_ended(
            "REG_MR", "DEREG_MR", [this] { return make_mr(); }, VRDMA_CMD_DEREG_MR));
        // With the MMAP of its ring, of its rings.
        add(made_and_ended(
            "CREATE_CQ", "DESTROY_CQ", [this] { return verbs().create_cq(uctx_, 63, 0).handle; },
            VRDMA_CMD_DESTROY_CQ));
        add(made_and_ended(
            "CREATE_QP", "DESTROY_QP", [this] { return make_qp(); }, VRDMA_CMD_DESTROY_QP));
        add(made_and_ended(
            "CREATE_SRQ", "DESTROY_SRQ", [this] { return verbs().create_srq(uctx_, pd_, 15); },
            VRDMA_CMD_DESTROY_SRQ));
        add(made_and_ended(
            "ALLOC_MW", "DEALLOC_MW", [this] { return verbs().alloc_mw(uctx_, pd_, 1); },
            VRDMA_CMD_DEALLOC_MW));
        add(made_and_ended(
            "CREATE_AH", "DESTROY_AH", [this] { return verbs().create_ah(uctx_, pd_, kGid); },
            VRDMA_CMD_DESTROY_AH));
        return all;
    }

  private:
    GuestVerbs& verbs() { return guest_.verbs; }

    void end(uint16_t command, uint32_t uctx, uint32_t handle) {
        if (const uint32_t status = verbs().tell_handle(command, uctx, handle); status != 0) {
            throw std::runtime_error(fmt::format("command {:#x}: errno {}", command, status));
        }
    }
    uint32_t make_mr() {
        return verbs()
            .reg_mr(uctx_, pd_, memory_, kRegionBytes, memory_, rnic::kAccessLocalWrite)
            .handle;
    }
    uint32_t make_qp() {
        return verbs()
            .create_qp(uctx_, {.pd = pd_,
                               .send_cq = cq_,
                               .recv_cq = cq_,
                               .type = static_cast<uint8_t>(rnic::QpType::kRc),
                               .send_wr = 15,
                               .recv_wr = 15,
                               .sge = 2,
                               .inline_data = 0})
            .handle;
    }
    void to_init(uint32_t qp) {
        vrdma_qp_attr attributes{};
        attributes.qp_state = static_cast<uint8_t>(rnic::QpState::kInit);
        attributes.port = 1;
        verbs().modify_qp(
            uctx_, qp,
            rnic::kAttrState | rnic::kAttrPkeyIndex | rnic::kAttrPort | rnic::kAttrAccessFlags,
            attributes);
    }

    MappedGuest& guest_;
    const uint64_t memory_;
    const uint32_t uctx_;
    const uint32_t pd_;
    const uint32_t cq_;
    uint32_t handle_ = 0;  // of what a verb makes
};

// The files that a process has open.
size_t open_files(pid_t process) {
    const std::filesystem::directory_iterator files("/proc/" + std::to_string(process) + "/fd");
    return static_cast<size_t>(std::distance(begin(files), end(files)));
}

class EveryStepTest : public ProgramTest {
  protected:
    std::unique_ptr<Program> start(bool take_over = false) {
        std::vector<std::string> words{"--vm", vm("a.sock") + ",name=a", "--control-socket",
                                       path("control.sock")};
        if (take_over) {
            words.emplace_back("--take-over");
        }
        // Each other one is of another version.
        const char* const vrdmad = ++started_ % 2 == 0 ? test::kVrdmadNext : test::kVrdmad;
        return std::make_unique<Program>(std::move(words), FileDescriptor(), vrdmad);
    }

    // Whether the connection's thread waits for the control thread, or has the guest's objects
    // saved without it, and the process has ended but for the thread that is traced.
    static bool stands_still(const Program& program) {
        const pid_t connection = thread_named(program.pid(), "vrdma-vmm");
        return process_state(program.pid()) == "Z" ||
               (connection != -1 && sleeps_in(program.pid(), connection, SYS_futex));
    }

    // A verb that a thread of its own calls.
    struct Called {
        explicit Called(const std::function<void()>& verb)
            : outcome(std::async(std::launch::async, [this, &verb] {
                  thread.store(::gettid());
                  thread.notify_one();
                  verb();
              })) {
            thread.wait(0);
        }

        bool is_over() const {
            return outcome.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        }
        // Whether the guest waits for an answer; it does not any more when it has been told of one.
        bool waits() const { return sleeps_in(::getpid(), thread.load(), SYS_poll); }

        std::atomic<pid_t> thread = 0;
        std::future<void> outcome;
    };

    // The control thread's next stop in a verb, which may be more than one command.  None when the
    // verb is over.
    static std::optional<SteppedThread::Stop> next_of(SteppedThread& control,
                                                      const Called& called) {
        for (;;) {
            const auto stop = control.next();
            if (!stop || !is_idle(*stop)) {
                return stop;
            }
            while (!called.waits()) {
                if (called.is_over()) {
                    return std::nullopt;
                }
                std::this_thread::yield();
            }
        }
    }

    // Has a verb taken over at a step.  False when the verb has fewer steps.
    bool take_over_at(unsigned step, const Verb& verb) {
        SteppedThread control(thread_named(program->pid(), "vrdma-control"));
        auto stop = control.next();
        while (stop && !is_idle(*stop)) {
            stop = control.next();
        }
        Called called(verb.verb);
        while (!called.waits()) {
            std::this_thread::yield();
        }
        stop = next_of(control, called);
        for (unsigned i = 0; i < step && stop; ++i) {
            stop = next_of(control, called);
        }
        if (stop) {
            auto successor = start(true);
            while (!stands_still(*program)) {
                std::this_thread::yield();
            }
            control.let_go();
            successor->wait_printed("serves 1");
            EXPECT_EQ(program->wait(), 0) << program->printed();
            program = std::move(successor);
        } else {
            control.let_go();
        }
        called.outcome.get();  // throws what the verb has thrown
        return stop.has_value();
    }

    static bool is_idle(const SteppedThread::Stop& stop) {
        constexpr size_t kTimeout = 3;
        return stop.begins && stop.call == SYS_epoll_wait &&
               static_cast<int>(stop.arguments[kTimeout]) == -1;
    }

    // Returns how many steps there are.
    unsigned take_over_at_each_step(const std::vector<Verb>& verbs) {
        unsigned steps = 0;
        for (const Verb& verb : verbs) {
            bool taken = true;
            for (unsigned step = 0; taken; ++step) {
                verb.before();
                taken = take_over_at(step, verb);
                verb.after();
                steps += taken ? 1 : 0;
            }
        }
        return steps;
    }

    // How much of everything the guest holds.
    json held() const {
        const json figures = figures_of(path("control.sock"), "a");
        return {figures.at("objects"), figures.at("shared_memory").at("used")};
    }

    std::unique_ptr<Program> program;
    std::unique_ptr<MappedGuest> guest;
    unsigned started_ = 0;
};

class EveryStepTestOfRings : public EveryStepTest, public testing::WithParamInterface<bool> {};

TEST_P(EveryStepTestOfRings, OfAVerbIsOneAtWhichItsDaemonCanBeTakenOver) {
    if (!is_long()) {
        GTEST_SKIP() << "scripts/test --long: a race of the stepping is not mended yet";
    }
    program = start();
    program->wait_printed("serves 1");
    guest = std::make_unique<MappedGuest>(path("a.sock"), Machine::Options{.packed = GetParam()});
    const json before = held();
    Verbs verbs(*guest);
    // The files of a successor are compared with another successor's.
    const auto all = verbs.all();
    all[0].before();
    ASSERT_TRUE(take_over_at(0, all[0]));
    all[0].after();
    const size_t files = open_files(program->pid());
    const size_t children = children_of(program->pid()).size();

    const unsigned steps = take_over_at_each_step(all);
    EXPECT_GT(steps, 2 * all.size());
    std::cout << "    " << steps << " take-overs\n";
    EXPECT_EQ(open_files(program->pid()), files);
    EXPECT_EQ(children_of(program->pid()).size(), children);
    verbs.release();
    EXPECT_EQ(held(), before);
}

INSTANTIATE_TEST_SUITE_P(Rings, EveryStepTestOfRings, testing::Bool(),
                         [](const auto& ring) { return ring.param ? "Packed" : "Split"; });

// The VMM answers a request to map only when the take-over has begun, and the command that waits
// for the answer has been called off.
TEST_F(EveryStepTest, ThatTheVmmAnswersLateIsOneToo) {
    program = start();
    program->wait_printed("serves 1");
    guest = std::make_unique<MappedGuest>(path("a.sock"));
    auto& vmm = guest->machine.backend_requests();
    Verbs verbs(*guest);
    unsigned take_overs = 0;
    for (const Verb& verb : verbs.all()) {
        for (unsigned answered = 0;; ++answered) {
            verb.before();
            vmm.hold_after(answered);
            Called called(verb.verb);
            while (!vmm.holds() && !called.is_over()) {
                std::this_thread::yield();
            }
            const bool waits = vmm.holds();
            if (waits) {
                auto successor = start(true);
                const pid_t control = thread_named(program->pid(), "vrdma-control");
                // Requests to unmap are not waited for.
                while (!called.is_over() && !sleeps_in(program->pid(), control, SYS_epoll_wait)) {
                    std::this_thread::yield();
                }
                vmm.release();
                successor->wait_printed("serves 1");
                EXPECT_EQ(program->wait(), 0) << program->printed();
                program = std::move(successor);
                ++take_overs;
            }
            vmm.release();
            called.outcome.get();
            verb.after();
            if (!waits) {
                break;
            }
        }
    }
    EXPECT_GE(take_overs, 3U);
    std::cout << "    " << take_overs << " take-overs\n";
}

// The beginning of the successor's connect(2) to its predecessor.
bool connects(const SteppedThread& thread, const SteppedThread::Stop& stop) {
    return stop.begins && stop.call == SYS_connect &&
           thread.read(stop.arguments[1], stop.arguments[2]).find(".hand-over") !=
               std::string::npos;
}

// A successor that is killed before it has the guests changes nothing.  Afterwards the guests are
// lost with it, and the next vrdmad serves their VMMs anew.
TEST_F(EveryStepTest, OfASuccessorIsOneAtWhichItCanBeKilled) {
    constexpr const char* kKept = "the guests have not been handed over";
    constexpr const char* kGiven = "the successor has the guests";
    program = start();
    program->wait_printed("serves 1");
    guest = std::make_unique<MappedGuest>(path("a.sock"));
    Verbs verbs(*guest);
    const Verb round_trip = verbs.all()[0];
    unsigned kept = 0;
    // From the end of connect(2) on the predecessor says what becomes of the guests.
    for (unsigned step = 1; program->times_printed(kGiven) == 0; step += is_long() ? 1 : 7) {
        auto successor = start(true);
        {
            SteppedThread main(successor->pid());
            auto stop = main.next();
            while (stop && !connects(main, *stop)) {
                stop = main.next();
            }
            for (unsigned i = 0; i < step && stop; ++i) {
                stop = main.next();
            }
            ASSERT_TRUE(stop) << "the successor has ended: " << successor->printed();
            successor->signal(SIGKILL);
        }
        successor.reset();
        const size_t before = kept;
        while (kept == before && program->times_printed(kGiven) == 0) {
            kept = static_cast<unsigned>(program->times_printed(kKept));
            std::this_thread::yield();
        }
        if (kept != before) {
            round_trip.verb();
            round_trip.after();
        }
    }
    EXPECT_GT(kept, is_long() ? 50U : 7U);
    std::cout << "    " << kept << " successors\n";
    EXPECT_EQ(program->wait(), 0);
    guest->machine.vmm().wait_disconnected();
    program = start();
    program->wait_printed("serves 1");
    MappedGuest again(path("a.sock"));
    EXPECT_NE(again.verbs.alloc_ucontext(), VRDMA_NO_HANDLE);
}

}  // namespace
}  // namespace vrdma::daemon
