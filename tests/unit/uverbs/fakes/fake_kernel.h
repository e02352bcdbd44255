// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's side of uverbs files, for tests.  It checks and answers commands as uverbs_main.c
// and uverbs_cmd.c of Linux 6.1 do (sizes, response addresses, handles of one file, objects in
// use), with a driver that does nothing but remember.
#pragma once

#include <rdma/ib_user_verbs.h>
#include <sys/types.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "file_descriptor.h"
#include "rnic/uverbs/kernel/uverbs.h"

namespace vrdma::uverbs {

enum class Kind { kPd, kXrcd, kMr, kMw, kCq, kSrq, kQp, kAh };

// A command as the kernel got it.
struct KernelCommand {
    std::vector<std::byte> request;  // the core's structure
    std::vector<std::byte> udata_in;
    size_t udata_out = 0;  // room for the driver's answer

    template <typename T>
    T as() const {
        T value{};
        std::memcpy(&value, request.data(), std::min(sizeof(T), request.size()));
        return value;
    }
};

class FakeOpenFile;  // what the descriptors of one uverbs file share

class FakeKernel {
  public:
    // The number of the extended form of a command.
    static constexpr uint32_t extended(uint32_t command) {
        return command | IB_USER_VERBS_CMD_FLAG_EXTENDED;
    }

    FakeKernel();
    std::unique_ptr<UverbsDevice> device();

    // How often a command was executed, and how it was last, whether it succeeded or not.
    size_t count(uint32_t command) const;
    KernelCommand last(uint32_t command) const;

    size_t open_files() const;
    size_t live(Kind kind) const;

    // The next such command fails.
    void refuse(uint32_t command, int error);
    void refuse_open(int error);
    // The next context gets an event file that nobody can wait for.
    void break_event_file();
    // The driver answers this command with these bytes, as far as there is room.
    void answer(uint32_t command, std::vector<std::byte> udata_out);

    // CQs and queue pairs are named by the handles that their makers gave.  complete() returns
    // false when the CQ is not armed for the completion, or not there.
    bool complete(uint64_t cq_user_handle, bool solicited = false);
    bool is_armed(uint64_t cq_user_handle) const;
    // Reports an event to every context that is open.  Events that the socket has no room for are
    // lost.
    void report(uint32_t event_type, uint64_t element);

    size_t rings(uint64_t qp_user_handle) const;
    // Blocks until as many POST_SEND have been executed in all.
    bool wait_for_rings(size_t rings);
    // Called while POST_SEND is under way.
    std::function<void()> during_post_send;
    // How many domains of XRC there are: contexts share one by an inode.
    size_t xrc_domains() const;
    // How often the answer to a destruction was EBUSY.
    size_t busy_destructions() const;

    // The bytes that the memory of the last REG_MR held at that time.
    std::vector<std::byte> pinned() const;

    // The descriptor of every uverbs file; none that this process has, unless a test says so.
    int file_fd = 4711;
    // Files have descriptors of their own, by which another RNIC can adopt them.
    bool files_travel = false;

    // Commands that the driver has no function for.
    std::set<uint32_t> driver_lacks;

    // The driver's attributes.
    ib_uverbs_query_device_resp device_attributes{};
    ib_uverbs_query_port_resp port_attributes{};
    bool complete_when_armed = true;  // false: a driver that is armed through mapped memory

  private:
    friend class FakeOpenFile;
    friend class FakeUverbsFile;
    friend class FakeUverbsDevice;

    using Group = std::pair<std::array<uint8_t, 16>, uint16_t>;  // GID and LID

    struct Object {
        Kind kind;
        uint64_t user_handle = 0;
        std::vector<uint32_t> uses;  // handles of what it refers to
        uint32_t users = 0;          // objects that refer to it
        uint32_t locks = 0;          // commands that use it now
        ino_t channel = 0;           // CQ
        std::optional<bool> armed;   // CQ: for solicited completions only?
        std::set<Group> groups;      // QP
        ib_uverbs_modify_qp modified{};
        size_t rings = 0;
        uint64_t inode = 0;  // of a domain of XRC
    };
    struct Context {
        FileDescriptor async_events;               // the kernel's end
        std::map<ino_t, FileDescriptor> channels;  // by the inode of the user's end
        std::map<uint32_t, Object> objects;
    };
    struct Bundle;

    Result<void> execute(std::unique_ptr<Context>& context, std::span<const std::byte> command);
    Result<void> handle(std::unique_ptr<Context>& context, uint32_t command, Bundle& bundle,
                        std::unique_lock<std::mutex>& lock);
    Result<void> get_context(std::unique_ptr<Context>& context, Bundle& bundle);
    Result<void> create(Context& context, uint32_t command, Bundle& bundle);
    Result<void> modify_or_query(Context& context, uint32_t command, Bundle& bundle);
    Result<void> reregister(Context& context, Bundle& bundle);
    Result<void> attach_or_detach(Context& context, uint32_t command,
                                  const ib_uverbs_attach_mcast& request);
    Result<void> use(Context& context, uint32_t command, Bundle& bundle,
                     std::unique_lock<std::mutex>& lock);
    Result<void> destroy(Context& context, Kind kind, uint32_t handle);
    Result<uint32_t> add(Context& context, Object object);
    Object* find(Context& context, Kind kind, uint32_t handle);
    const Object* find_user(Kind kind, uint64_t user_handle) const;

    mutable std::mutex mutex_;  // guards the members that follow
    std::condition_variable rung_;
    std::set<Context*> contexts_;
    std::map<ino_t, std::weak_ptr<FakeOpenFile>> travelling_;
    std::map<uint32_t, std::vector<KernelCommand>> executed_;
    std::map<uint32_t, int> refusals_;
    std::map<uint32_t, std::vector<std::byte>> answers_;
    std::vector<std::byte> pinned_;
    int refuse_open_ = 0;
    bool break_event_file_ = false;
    size_t open_files_ = 0;
    size_t rings_ = 0;
    size_t busy_destructions_ = 0;
    uint32_t next_handle_ = 100;
};

}  // namespace vrdma::uverbs
