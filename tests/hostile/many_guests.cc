// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Many machines on one vrdmad, half of them hostile: the others' transfers complete and are right,
// and everything that the hostile ones held is free afterwards.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "daemon/equipment/broker.h"
#include "daemon/server/server.h"
#include "hostile/honest_pair.h"
#include "hostile/hostile_machine.h"
#include "rnic/embedded/embedded_rnic.h"
#include "support/captured_log.h"
#include "support/signaller.h"

namespace {

using namespace vrdma;

struct Options {
    unsigned guests = 24;
    unsigned seconds = 10;
    unsigned threads = 1;
    uint64_t seed = std::random_device()();
};

// What the daemon holds.
struct Holdings {
    embedded::EmbeddedCounters rnic;
    size_t descriptors = 0;
    size_t threads = 0;

    std::string text() const {
        std::string line;
#define VRDMA_KIND(name) line += fmt::format("{} {}, ", #name, rnic.name);
        VRDMA_RNIC_LIVE_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
        return line + fmt::format("ring bytes {}, descriptors {}, threads {}", rnic.ring_bytes,
                                  descriptors, threads);
    }
    bool operator==(const Holdings&) const = default;
};

size_t entries(const char* folder) {
    const std::filesystem::directory_iterator begin(folder);
    return static_cast<size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

Holdings holdings(const embedded::EmbeddedRnic& rnic) {
    return {rnic.counters(), entries("/proc/self/fd"), entries("/proc/self/task")};
}

std::filesystem::path make_folder() {
    char pattern[] = "/tmp/vrdma-hostile-XXXXXX";
    if (::mkdtemp(pattern) == nullptr) {
        throw std::runtime_error("no folder for the sockets");
    }
    return pattern;
}

// The machines of the status whose names begin with `prefix` and that are connected.
size_t connected(const daemon::Server& server, const std::string& prefix) {
    size_t count = 0;
    const auto status = nlohmann::json::parse(server.status());
    for (const auto& vm : status.at("vms")) {
        if (vm.at("name").get<std::string>().starts_with(prefix) &&
            vm.at("connected").get<bool>()) {
            ++count;
        }
    }
    return count;
}

// The server notices by itself that a VMM has gone.
void wait_gone(const daemon::Server& server, const std::string& prefix) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (connected(server, prefix) != 0) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error("machines that have gone stay connected: " + server.status());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

void run(const Options& options) {
    const unsigned pairs = options.guests / 4;
    const unsigned hostile = options.guests - 2 * pairs;
    const auto folder = make_folder();
    daemon::Config config;
    // The operator allows what is hardest to live with.
    config.memory.unsealed_memfds = true;
    config.seccomp = daemon::SeccompMode::kOff;  // sanitizers make system calls of their own
    const auto socket = [&](const std::string& name) {
        daemon::VmConfig vm;
        vm.name = name;
        vm.socket = folder / (name + ".sock");
        config.vms.push_back(vm);
        return vm.socket.string();
    };
    std::vector<std::string> honest_sockets;
    std::vector<std::string> hostile_sockets;
    for (unsigned i = 0; i < 2 * pairs; ++i) {
        honest_sockets.push_back(socket(fmt::format("honest{}", i)));
    }
    for (unsigned i = 0; i < hostile; ++i) {
        hostile_sockets.push_back(socket(fmt::format("hostile{}", i)));
    }
    daemon::Broker broker(config);  // before there are threads
    embedded::EmbeddedConfig embedded;
    embedded.threads = options.threads;
    auto owned = embedded::make_embedded_rnic(embedded, test::silent_logger());
    const embedded::EmbeddedRnic& rnic = *owned;
    daemon::Server server(
        config, std::move(owned), test::silent_logger(),
        [&](const daemon::Config& of, const daemon::VmConfig& vm) { return broker.equip(of, vm); });
    server.start();
    test::signaller();  // its descriptor is there from now on
    const Holdings empty = holdings(rnic);

    std::mt19937_64 seeds(options.seed);
    std::vector<std::unique_ptr<hostile::HonestPair>> honest;
    for (size_t i = 0; i < pairs; ++i) {
        honest.push_back(std::make_unique<hostile::HonestPair>(
            fmt::format("pair {}", i), honest_sockets[2 * i], honest_sockets[2 * i + 1],
            static_cast<uint8_t>(1 + 2 * i), seeds()));
        honest.back()->transfer();
    }
    std::vector<hostile::HostileMachine::Target> targets;
    for (const auto& pair : honest) {
        for (const auto* guest : {&pair->a(), &pair->b()}) {
            targets.push_back({guest->qp_number(), guest->gid()});
        }
    }
    const Holdings before = holdings(rnic);
    std::printf("before: %s\n", before.text().c_str());

    std::atomic<bool> stop = false;
    std::atomic<bool> failed = false;
    std::vector<hostile::HostileMachine> machines;
    machines.reserve(hostile_sockets.size());
    for (const auto& path : hostile_sockets) {
        machines.emplace_back(path, targets, seeds());
    }
    std::vector<std::thread> threads;
    threads.reserve(machines.size());
    for (auto& machine : machines) {
        threads.emplace_back([&] {
            while (!stop.load()) {
                machine.session(stop);
            }
        });
    }
    for (auto& pair : honest) {
        threads.emplace_back([&] {
            try {
                while (!stop.load()) {
                    pair->transfer();
                }
            } catch (const std::exception& error) {
                std::printf("FAILED: %s, after %llu transfers: %s\n", pair->name().c_str(),
                            static_cast<unsigned long long>(pair->transfers()), error.what());
                failed.store(true);
                stop.store(true);
            }
        });
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
    while (!stop.load() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    stop.store(true);
    for (auto& thread : threads) {
        thread.join();
    }
    wait_gone(server, "hostile");
    const Holdings after = holdings(rnic);
    std::printf("after:  %s\n", after.text().c_str());
    uint64_t sessions = 0;
    uint64_t attacks = 0;
    for (const auto& machine : machines) {
        sessions += machine.sessions();
        attacks += machine.attacks();
    }
    uint64_t transfers = 0;
    uint64_t bytes = 0;
    uint64_t least = UINT64_MAX;
    for (const auto& pair : honest) {
        transfers += pair->transfers();
        bytes += pair->bytes();
        least = std::min(least, pair->transfers());
    }
    std::printf("%u hostile machines: %llu connections, %llu attacks\n", hostile,
                static_cast<unsigned long long>(sessions),
                static_cast<unsigned long long>(attacks));
    std::printf("%u honest machines: %llu transfers right, %llu of the slowest pair, %llu bytes\n",
                2 * pairs, static_cast<unsigned long long>(transfers),
                static_cast<unsigned long long>(least), static_cast<unsigned long long>(bytes));
    if (failed.load()) {
        throw std::runtime_error("an honest machine suffered");
    }
    if (!(after == before)) {
        throw std::runtime_error("what the hostile machines held is not all free: " +
                                 server.status());
    }
    // The honest ones work as before, and leave as little.
    for (auto& pair : honest) {
        pair->transfer();
    }
    honest.clear();
    wait_gone(server, "honest");
    const Holdings none = holdings(rnic);
    std::printf("none:   %s\n", none.text().c_str());
    if (!(none == empty)) {
        throw std::runtime_error("what the honest machines held is not all free: " +
                                 server.status());
    }
    std::filesystem::remove_all(folder);
}

}  // namespace

int main(int count, char** arguments) try {
    Options options;
    CLI::App app("Hostile and honest machines on one vrdmad");
    app.add_option("--guests", options.guests, "machines, half of them hostile")
        ->check(CLI::Range(4, 200));
    app.add_option("--seconds", options.seconds, "how long the attack lasts");
    app.add_option("--threads", options.threads, "the RNIC's threads");
    app.add_option("--seed", options.seed, "what the attackers' choices come from");
    CLI11_PARSE(app, count, arguments);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::printf("seed %llu: %u machines, %u seconds\n",
                static_cast<unsigned long long>(options.seed), options.guests, options.seconds);
    run(options);
    std::printf("ok\n");
    return 0;
} catch (const std::exception& error) {
    std::printf("FAILED: %s\n", error.what());
    return 1;
}
