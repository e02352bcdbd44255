// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "budget.h"
#include "limit_log.h"
#include "support/captured_log.h"
#include "support/fake_vmm.h"
#include "test_device.h"
#include "vhost/server/listener.h"

namespace vrdma::test {

// A folder that is removed with its contents.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// A device, served on a socket by a thread.
class TestServer {
  public:
    explicit TestServer(const vhost::SocketAccess& access = {.mode = 0600});
    ~TestServer() { stop(); }

    void stop();
    const std::string& path() const { return path_; }
    TestDevice& device() { return device_; }
    const CapturedLog& log() const { return log_; }

  private:
    TemporaryFolder folder_;
    const std::string path_ = folder_.file("vhost.sock");
    CapturedLog log_;
    LimitLog limit_log_{"test", log_.logger()};
    Budget slots_{"memory_slots", "memory regions", vhost::kMaxMemorySlots, limit_log_};
    TestDevice device_;
    std::unique_ptr<vhost::Listener> listener_;
    std::thread thread_;
};

// Tests of a server over its socket.
class ServerTest : public testing::Test {
  protected:
    TestServer server_;
    TestDevice& device_ = server_.device();
};

}  // namespace vrdma::test
