// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "test_server.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace vrdma::test {

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "vhost-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("no temporary folder");
    }
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

TestServer::TestServer(const vhost::SocketAccess& access)
    : listener_(std::make_unique<vhost::Listener>(
          path_, access, device_, log_.logger(),
          std::make_shared<vhost::RegionMapper>(
              vhost::MemoryRules{},
              vhost::MemoryBudgets{.region_bytes = nullptr, .memory_slots = &slots_}))),
      thread_([this] { listener_->run(); }) {}

void TestServer::stop() {
    if (listener_ != nullptr) {
        listener_->stop();
        thread_.join();
        listener_.reset();
    }
}

}  // namespace vrdma::test
