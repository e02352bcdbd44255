// SPDX-License-Identifier: Apache-2.0
#include "vhost/server/message_handlers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "vhost/protocol/memory_table.h"
#include "vhost/server/connection.h"

namespace vrdma::vhost {
namespace {

constexpr uint64_t kTransportFeatures = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_RING_F_INDIRECT_DESC) |
                                        bit(VIRTIO_RING_F_EVENT_IDX) | bit(VIRTIO_F_RING_PACKED) |
                                        bit(kFeatureProtocolFeatures);

constexpr uint64_t kProtocolFeatures =
    bit(ProtocolFeature::kMq) | bit(ProtocolFeature::kReplyAck) |
    bit(ProtocolFeature::kBackendReq) | bit(ProtocolFeature::kBackendSendFd) |
    bit(ProtocolFeature::kConfig) | bit(ProtocolFeature::kConfigureMemSlots) |
    bit(ProtocolFeature::kResetDevice);

Outcome done() {
    return std::vector<std::byte>();
}

template <typename T>
Outcome answer(const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    return std::vector<std::byte>(bytes, bytes + sizeof(T));
}

tl::unexpected<Refusal> refuse(std::string what) {
    return tl::unexpected(Refusal{std::move(what), Refusal::Answer::kFailure});
}

tl::unexpected<Refusal> malformed(std::string what) {
    return tl::unexpected(Refusal{std::move(what), Refusal::Answer::kClose});
}

Outcome from(const Result<void>& result) {
    if (!result) {
        return refuse(to_string(result.error()));
    }
    return done();
}

// The VMM's eventfds are waited on and written to by threads that must not block.
Result<void> make_eventfd_usable(const FileDescriptor& fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        return fail(errno);
    }
    // An anonymous inode has no type.  Anything else, such as a pipe whose other end is
    // closed, may be readable for ever and keep the thread that waits for it.
    if ((status.st_mode & S_IFMT) != 0) {
        return fail(EBADF);
    }
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
        return fail(errno);
    }
    // Of those that have one only an eventfd takes eight bytes; zero leaves it as it is.
    constexpr uint64_t kNothing = 0;
    if (::write(fd.get(), &kNothing, sizeof(kNothing)) != sizeof(kNothing) && errno != EAGAIN) {
        return fail(EBADF);
    }
    return {};
}

}  // namespace

struct MessageHandlers {
    static QueueState* queue(Connection& connection, uint64_t index) {
        return index < connection.queues_.size() ? connection.queues_[index].get() : nullptr;
    }

    static tl::unexpected<Refusal> no_queue(uint64_t index) {
        return refuse(fmt::format("there is no queue {}", index));
    }

    static Outcome get_features(Connection& connection, Message&) {
        return answer(kTransportFeatures | connection.device_.features());
    }

    static Outcome set_features(Connection& connection, Message& message) {
        const auto features = message.as<uint64_t>();
        if (features & ~(kTransportFeatures | connection.device_.features())) {
            return refuse(fmt::format("features {:#x} were not offered", features));
        }
        if (features == connection.features_) {
            return done();
        }
        if (std::any_of(connection.queues_.begin(), connection.queues_.end(),
                        [](const auto& queue) { return queue->started(); })) {
            return refuse("features cannot change while queues run");
        }
        connection.features_ = features;
        connection.device_.features_negotiated(features);
        return done();
    }

    // "Can be used on the back-end as a session start flag": a VMM whose device was
    // unplugged starts anew on the same connection, without taking anything back.
    static Outcome set_owner(Connection& connection, Message& message) {
        if (connection.owned_) {
            reset_device(connection, message);
            connection.set_memory(memory::GuestMemory());
        }
        connection.owned_ = true;
        return done();
    }

    // "This is no longer used": at most to be understood as disabling all rings.
    static Outcome reset_owner(Connection& connection, Message&) {
        for (auto& queue : connection.queues_) {
            queue->enable(false);
        }
        return done();
    }

    static Outcome reset_device(Connection& connection, Message&) {
        for (auto& queue : connection.queues_) {
            queue->stop();
            queue->enable(false);
        }
        connection.device_.reset();
        return done();
    }

    static Outcome get_protocol_features(Connection&, Message&) {
        return answer(kProtocolFeatures);
    }

    static Outcome set_protocol_features(Connection& connection, Message& message) {
        const auto features = message.as<uint64_t>();
        if (features & ~kProtocolFeatures) {
            return refuse(fmt::format("protocol features {:#x} were not offered", features));
        }
        connection.protocol_features_ = features;
        return done();
    }

    static Outcome get_queue_num(Connection& connection, Message&) {
        return answer(uint64_t{connection.queues_.size()});
    }

    static Outcome set_mem_table(Connection& connection, Message& message) {
        VuMemoryTable table{};
        std::memcpy(&table, message.payload.data(), message.header.size);
        const size_t count = table.region_count;
        if (count > kMaxTableRegions || message.fds.size() != count ||
            message.header.size < offsetof(VuMemoryTable, regions[0]) + count * 32) {
            return malformed(fmt::format("a table of {} regions has {} bytes and {} descriptors",
                                         count, message.header.size, message.fds.size()));
        }
        memory::GuestMemory memory;
        for (size_t i = 0; i < count; ++i) {
            auto added = with_region(memory, table.regions[i], message.fds[i]);
            if (!added) {
                return refuse(added.error());
            }
            memory = std::move(*added);
        }
        connection.set_memory(std::move(memory));
        return done();
    }

    static tl::expected<memory::GuestMemory, std::string> with_region(
        const memory::GuestMemory& memory, const VuMemoryRegion& region,
        const FileDescriptor& file) {
        auto mapped = map_region(region, file);
        if (!mapped) {
            return tl::unexpected(mapped.error());
        }
        auto added = memory.with(std::move(*mapped));
        if (!added) {
            return tl::unexpected(fmt::format("memory region {:#x}+{:#x} overlaps another one",
                                              region.guest_address, region.size));
        }
        return std::move(*added);
    }

    static Outcome get_max_mem_slots(Connection&, Message&) { return answer(kMaxMemorySlots); }

    static Outcome add_mem_reg(Connection& connection, Message& message) {
        if (connection.memory_->regions().size() >= kMaxMemorySlots) {
            return refuse(fmt::format("there are {} memory regions already", kMaxMemorySlots));
        }
        auto added =
            with_region(*connection.memory_, message.as<VuSingleRegion>().region, message.fds[0]);
        if (!added) {
            return refuse(added.error());
        }
        connection.set_memory(std::move(*added));
        return done();
    }

    // Older front-ends send a descriptor, which is of no use.
    static Outcome rem_mem_reg(Connection& connection, Message& message) {
        const VuMemoryRegion region = message.as<VuSingleRegion>().region;
        const auto& regions = connection.memory_->regions();
        const bool known = std::any_of(regions.begin(), regions.end(), [&](const auto& other) {
            return other->start().value == region.guest_address && other->size() == region.size &&
                   other->vmm_start() == region.user_address;
        });
        if (!known) {
            return refuse(fmt::format("there is no memory region {:#x}+{:#x}", region.guest_address,
                                      region.size));
        }
        auto left = connection.memory_->without(memory::GuestPhysicalAddress{region.guest_address},
                                                region.size);
        connection.set_memory(std::move(*left));
        return done();
    }

    static Outcome set_vring_num(Connection& connection, Message& message) {
        const auto state = message.as<vhost_vring_state>();
        QueueState* target = queue(connection, state.index);
        return target != nullptr ? from(target->set_size(state.num)) : no_queue(state.index);
    }

    static Outcome set_vring_addr(Connection& connection, Message& message) {
        const auto address = message.as<vhost_vring_addr>();
        QueueState* target = queue(connection, address.index);
        if (target == nullptr) {
            return no_queue(address.index);
        }
        if (address.flags != 0) {
            return refuse("logging was not negotiated");
        }
        return from(target->set_addresses(address.desc_user_addr, address.avail_user_addr,
                                          address.used_user_addr));
    }

    static Outcome set_vring_base(Connection& connection, Message& message) {
        const auto state = message.as<vhost_vring_state>();
        QueueState* target = queue(connection, state.index);
        return target != nullptr ? from(target->set_base(state.num)) : no_queue(state.index);
    }

    static Outcome get_vring_base(Connection& connection, Message& message) {
        auto state = message.as<vhost_vring_state>();
        QueueState* target = queue(connection, state.index);
        if (target == nullptr) {
            return malformed(fmt::format("there is no queue {}", state.index));
        }
        state.num = target->stop();
        return answer(state);
    }

    // The queue and the descriptor of KICK, CALL and ERR; an invalid one for none.
    struct VringFd {
        uint64_t index;
        QueueState* queue;
        FileDescriptor fd;
    };

    static tl::expected<VringFd, Refusal> vring_fd(Connection& connection, Message& message) {
        const auto value = message.as<uint64_t>();
        const bool without = (value & kVringNoFd) != 0;
        if (message.fds.size() != (without ? 0 : 1)) {
            return malformed(fmt::format("{} descriptors where {} was announced",
                                         message.fds.size(), without ? "none" : "one"));
        }
        VringFd result{value & kVringIndexMask, queue(connection, value & kVringIndexMask), {}};
        if (result.queue == nullptr) {
            return no_queue(result.index);
        }
        if (!without) {
            if (auto usable = make_eventfd_usable(message.fds[0]); !usable) {
                return refuse("not an eventfd: " + to_string(usable.error()));
            }
            result.fd = std::move(message.fds[0]);
        }
        return result;
    }

    static Outcome set_vring_kick(Connection& connection, Message& message) {
        auto target = vring_fd(connection, message);
        if (!target) {
            return tl::unexpected(target.error());
        }
        if (!target->fd.valid()) {
            return refuse("queues without a kick descriptor would have to be polled");
        }
        auto started =
            target->queue->start(std::move(target->fd), connection.features_, connection.memory_);
        if (!started) {
            return refuse(fmt::format("queue {} cannot start: {}", target->index,
                                      to_string(started.error())));
        }
        return done();
    }

    static Outcome set_vring_call(Connection& connection, Message& message) {
        auto target = vring_fd(connection, message);
        if (!target) {
            return tl::unexpected(target.error());
        }
        target->queue->set_call(std::move(target->fd));
        return done();
    }

    static Outcome set_vring_err(Connection& connection, Message& message) {
        auto target = vring_fd(connection, message);
        if (!target) {
            return tl::unexpected(target.error());
        }
        target->queue->set_error(std::move(target->fd));
        return done();
    }

    static Outcome set_vring_enable(Connection& connection, Message& message) {
        const auto state = message.as<vhost_vring_state>();
        QueueState* target = queue(connection, state.index);
        if (target == nullptr) {
            return no_queue(state.index);
        }
        if (state.num > 1) {
            return refuse(fmt::format("{} is neither enabled nor disabled", state.num));
        }
        target->enable(state.num == 1);
        return done();
    }

    static Outcome set_backend_req_fd(Connection& connection, Message& message) {
        return from(connection.set_backend_requests(std::move(message.fds[0])));
    }

    // The header of GET_CONFIG or SET_CONFIG, whose size has to be that of the message.
    static std::optional<VuConfigHeader> config_header(const Message& message) {
        const auto header = message.as<VuConfigHeader>();
        if (header.size > kMaxConfigSize || message.header.size != sizeof(header) + header.size) {
            return std::nullopt;
        }
        return header;
    }

    static Outcome get_config(Connection& connection, Message& message) {
        const auto header = config_header(message);
        if (!header) {
            return malformed("its size is not that of the configuration in it");
        }
        std::vector<std::byte> payload(sizeof(*header) + header->size);
        std::memcpy(payload.data(), &*header, sizeof(*header));
        const auto space = std::span(payload).subspan(sizeof(*header));
        if (auto read = connection.device_.read_config(header->offset, space); !read) {
            return tl::unexpected(Refusal{to_string(read.error()), Refusal::Answer::kEmpty});
        }
        return payload;
    }

    static Outcome set_config(Connection& connection, Message& message) {
        const auto header = config_header(message);
        if (!header) {
            return malformed("its size is not that of the configuration in it");
        }
        return from(connection.device_.write_config(header->offset,
                                                    message.bytes().subspan(sizeof(*header))));
    }
};

namespace {

using H = MessageHandlers;
using enum Request;

constexpr size_t kU64 = sizeof(uint64_t);
constexpr size_t kState = sizeof(vhost_vring_state);
constexpr size_t kRegion = sizeof(VuSingleRegion);
constexpr size_t kConfigMin = sizeof(VuConfigHeader);
constexpr size_t kConfigMax = sizeof(VuConfigHeader) + kMaxConfigSize;

// request, name, payload bytes (least, most), descriptors (least, most), handler
constexpr std::array kMessageTypes = {
    MessageType{kGetFeatures, "GET_FEATURES", 0, 0, 0, 0, H::get_features},
    MessageType{kSetFeatures, "SET_FEATURES", kU64, kU64, 0, 0, H::set_features},
    MessageType{kSetOwner, "SET_OWNER", 0, 0, 0, 0, H::set_owner},
    MessageType{kResetOwner, "RESET_OWNER", 0, 0, 0, 0, H::reset_owner},
    MessageType{kSetMemTable, "SET_MEM_TABLE", kU64, sizeof(VuMemoryTable), 0, kMaxTableRegions,
                H::set_mem_table},
    MessageType{kSetVringNum, "SET_VRING_NUM", kState, kState, 0, 0, H::set_vring_num},
    MessageType{kSetVringAddr, "SET_VRING_ADDR", sizeof(vhost_vring_addr), sizeof(vhost_vring_addr),
                0, 0, H::set_vring_addr},
    MessageType{kSetVringBase, "SET_VRING_BASE", kState, kState, 0, 0, H::set_vring_base},
    MessageType{kGetVringBase, "GET_VRING_BASE", kState, kState, 0, 0, H::get_vring_base},
    MessageType{kSetVringKick, "SET_VRING_KICK", kU64, kU64, 0, 1, H::set_vring_kick},
    MessageType{kSetVringCall, "SET_VRING_CALL", kU64, kU64, 0, 1, H::set_vring_call},
    MessageType{kSetVringErr, "SET_VRING_ERR", kU64, kU64, 0, 1, H::set_vring_err},
    MessageType{kGetProtocolFeatures, "GET_PROTOCOL_FEATURES", 0, 0, 0, 0,
                H::get_protocol_features},
    MessageType{kSetProtocolFeatures, "SET_PROTOCOL_FEATURES", kU64, kU64, 0, 0,
                H::set_protocol_features},
    MessageType{kGetQueueNum, "GET_QUEUE_NUM", 0, 0, 0, 0, H::get_queue_num},
    MessageType{kSetVringEnable, "SET_VRING_ENABLE", kState, kState, 0, 0, H::set_vring_enable},
    MessageType{kSetBackendReqFd, "SET_BACKEND_REQ_FD", 0, 0, 1, 1, H::set_backend_req_fd},
    MessageType{kGetConfig, "GET_CONFIG", kConfigMin, kConfigMax, 0, 0, H::get_config},
    MessageType{kSetConfig, "SET_CONFIG", kConfigMin, kConfigMax, 0, 0, H::set_config},
    MessageType{kResetDevice, "RESET_DEVICE", 0, 0, 0, 0, H::reset_device},
    MessageType{kGetMaxMemSlots, "GET_MAX_MEM_SLOTS", 0, 0, 0, 0, H::get_max_mem_slots},
    MessageType{kAddMemReg, "ADD_MEM_REG", kRegion, kRegion, 1, 1, H::add_mem_reg},
    MessageType{kRemMemReg, "REM_MEM_REG", kRegion, kRegion, 0, 1, H::rem_mem_reg},
};

}  // namespace

const MessageType* find_message_type(uint32_t request) {
    const auto* found = std::find_if(
        kMessageTypes.begin(), kMessageTypes.end(),
        [&](const auto& type) { return static_cast<uint32_t>(type.request) == request; });
    return found != kMessageTypes.end() ? found : nullptr;
}

}  // namespace vrdma::vhost
