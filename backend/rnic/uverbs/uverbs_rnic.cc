// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/uverbs_rnic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <infiniband/verbs.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <mutex>
#include <vector>

#include "rnic/uverbs/addressing/netdev_addresses.h"
#include "rnic/uverbs/kernel/bond.h"
#include "rnic/uverbs/kernel/device_attributes.h"
#include "rnic/uverbs/kernel/rdma_netlink.h"
#include "rnic/uverbs/kernel/removal_watch.h"
#include "rnic/uverbs/kernel/sysfs.h"
#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/port.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

class KernelRemoval final : public RemovalSource {
  public:
    explicit KernelRemoval(const std::string& uverbs_name) : watch_(uverbs_name) {}
    int fd() const override { return watch_.fd(); }
    bool removed() override { return watch_.removed(); }

  private:
    RemovalWatch watch_;
};

const VendorEntry& vendor_of(const HostRnic& host, const UverbsConfig& config) {
    const VendorEntry* vendor = find_vendor(host.driver_id);
    if (vendor == nullptr) {
        std::vector<std::string_view> known;
        for (const VendorEntry* entry : vendor_table()) {
            if (entry->obstacle.empty()) {
                known.push_back(entry->name);
            }
        }
        throw HostRnicError(fmt::format(
            "{}: vrdma has no entry for this RNIC's driver (RDMA driver id {}), only for {}; "
            "docs/adding-an-rnic.md says what an entry needs",
            host.name, host.driver_id, fmt::join(known, ", ")));
    }
    if (std::ranges::find(vendor->abi_versions, host.uverbs_abi_version) ==
        vendor->abi_versions.end()) {
        throw HostRnicError(fmt::format(
            "{}: this kernel's {} has version {} of its user interface, vrdma knows {}; "
            "docs/adding-an-rnic.md says what to look at",
            host.name, vendor->name, host.uverbs_abi_version,
            fmt::join(vendor->abi_versions, ", ")));
    }
    if (!vendor->obstacle.empty() && config.accepted_obstacle != vendor->name) {
        throw HostRnicError(
            fmt::format("{0}: guests are not given RNICs of the driver {1}: {2}; "
                        "docs/adding-an-rnic.md says more, and accept_obstacle = \"{1}\" in [rnic] "
                        "gives them to guests that you trust all the same",
                        host.name, vendor->name, vendor->obstacle));
    }
    return *vendor;
}

// The transport of an RNIC whose ports are on Ethernet.
Transport transport_of(const HostRnic& host, const VendorEntry& vendor) {
    if (vendor.transport != Transport::kByNodeType) {
        return vendor.transport;
    }
    return host.iwarp ? Transport::kIwarp : Transport::kRoce;
}

Transport transport_of(const HostRnic& host, const VendorEntry& vendor,
                       const ib_uverbs_query_port_resp& port) {
    return port.link_layer == IBV_LINK_LAYER_INFINIBAND ? Transport::kInfiniBand
                                                        : transport_of(host, vendor);
}

// The daemon's own context, for events and queries of the RNIC as a whole.
struct OwnContext {
    std::unique_ptr<UverbsFile> file;
    FileDescriptor async_events;
    std::vector<vrdma_udata_pointer> pointers;  // the entry's, on this device
};

OwnContext open_own_context(const HostRnic& host, UverbsDevice& device, const VendorEntry& vendor) {
    auto file = device.open();
    if (!file) {
        throw HostRnicError(fmt::format("{}: {} cannot be opened: {}", host.name,
                                        host.uverbs_path.string(), to_string(file.error())));
    }
    ib_uverbs_get_context_resp context{};
    std::vector<std::byte> answer(vendor.own_context_answer);
    auto got = execute(**file, {IB_USER_VERBS_CMD_GET_CONTEXT, ib_uverbs_get_context{}, context},
                       {.in = vendor.own_context, .out = answer});
    if (!got) {
        throw HostRnicError(fmt::format("{}: the driver {} gives no user context: {}", host.name,
                                        vendor.name, to_string(got.error())));
    }
    FileDescriptor async_events(static_cast<int>(context.async_fd));
    if (!describes_device(vendor, answer)) {
        throw HostRnicError(
            fmt::format("{}: this is a device of {} that vrdma has no entry for, only for {}; "
                        "docs/adding-an-rnic.md says what is different",
                        host.name, vendor.name, vendor.models.names));
    }
    auto pointers = pointers_on_device(vendor, answer);
    if (!pointers) {
        throw HostRnicError(fmt::format("{}: the driver {} does not tell the sizes of its queues",
                                        host.name, vendor.name));
    }
    return {std::move(*file), std::move(async_events), std::move(*pointers)};
}

// Nothing is read or written there: the mapping has no rights, and is gone at once.
void check_foreign_offset(const HostRnic& host, const UverbsFile& file, const VendorEntry& vendor) {
    if (vendor.foreign_offset == 0) {
        return;
    }
    void* mapped = ::mmap(nullptr, VRDMA_SHM_PAGE_SIZE, PROT_NONE, MAP_SHARED, file.fd(),
                          static_cast<off_t>(vendor.foreign_offset));
    if (mapped != MAP_FAILED) {
        ::munmap(mapped, VRDMA_SHM_PAGE_SIZE);
    } else if (errno != EAGAIN) {  // what bnxt_re answers when it has tried
        return;
    }
    throw HostRnicError(fmt::format(
        "{}: this kernel's {} maps every page of the host's memory for whoever has a user context, "
        "so guests are not given the RNIC; Linux 6.12 does not",
        host.name, vendor.name));
}

SupportedVerbs verbs_of(UverbsFile& file, const VendorEntry& vendor) {
    SupportedVerbs verbs = find_supported_verbs(file);
    verbs.resize_cq = verbs.resize_cq && vendor.resizes_cqs;
    verbs.xrc = !vendor.target_qp.empty();
    return verbs;
}

rnic::DeviceAttributes query_attributes(const HostRnic& host, UverbsFile& file,
                                        const VendorEntry& vendor, Transport transport) {
    const auto queried = query_device(file, verbs_of(file, vendor));
    if (!queried) {
        throw HostRnicError(fmt::format("{}: the driver {} does not tell its attributes: {}",
                                        host.name, vendor.name, to_string(queried.error())));
    }
    rnic::DeviceAttributes attributes = *queried;
    attributes.driver_id = host.driver_id;
    attributes.uverbs_abi_version = host.uverbs_abi_version;
    attributes.iwarp = transport == Transport::kIwarp;
    attributes.infiniband = transport == Transport::kInfiniBand;
    attributes.cq_doorbell = vendor.cq_arming == Signal::kSystemCall;
    // The kernel pins what this process has mapped, and maps files on hugetlbfs by whole huge
    // pages only (docs/operations.md, "Guest RAM on huge pages").
    attributes.huge_page_limit =
        vendor.regions_by_start
            ? "no memory can be registered"
            : "memory of scattered small pages cannot be registered (contiguous memory can, and "
              "huge pages in the guest)";
    return attributes;
}

void check_port(const HostRnic& host, uint32_t port) {
    if (port == 0 || port > host.ports) {
        throw HostRnicError(
            fmt::format("{}: there is no port {}, the RNIC has {}", host.name, port, host.ports));
    }
}

ib_uverbs_query_port_resp query_own_port(const HostRnic& host, uint32_t port, UverbsFile& file) {
    check_port(host, port);
    const auto kernel = query_port(file, port);
    if (!kernel) {
        throw HostRnicError(fmt::format("{}: port {} cannot be queried: {}", host.name, port,
                                        to_string(kernel.error())));
    }
    return *kernel;
}

class WorkersPause final : public rnic::Rnic::Pause {
  public:
    explicit WorkersPause(std::shared_ptr<RnicState> state) : state_(std::move(state)) {
        state_->standstill.begin();
    }
    ~WorkersPause() override { state_->standstill.end(); }
    WorkersPause(const WorkersPause&) = delete;
    WorkersPause& operator=(const WorkersPause&) = delete;

  private:
    const std::shared_ptr<RnicState> state_;
};

class UverbsRnic final : public rnic::Rnic, public UverbsPort::Queries {
  public:
    UverbsRnic(std::string name, std::shared_ptr<RnicState> state,
               std::shared_ptr<HostGidTable> gids, rnic::DeviceAttributes attributes,
               OwnContext own, std::unique_ptr<RemovalSource> removal)
        : name_(std::move(name)),
          state_(std::move(state)),
          gids_(std::move(gids)),
          attributes_(attributes),
          pointers_(std::move(own.pointers)),
          file_(std::move(own.file)),
          monitor_(std::move(own.async_events), std::move(removal), state_->host_port,
                   {
                       .port_event =
                           [this](rnic::AsyncEventType type) {
                               state_->sinks.report(type, rnic::kGuestPort);
                           },
                       .gid_change =
                           [this] {
                               gids_->refresh();
                               state_->sinks.host_changed();
                               if (attributes_.infiniband) {
                                   state_->sinks.report(rnic::AsyncEventType::kGidChange,
                                                        rnic::kGuestPort);
                               }
                           },
                       .removed = [this] { removed(); },
                   }) {}

    std::string name() const override { return name_; }
    rnic::DeviceAttributes attributes() const override { return attributes_; }
    std::span<const vrdma_udata_pointer> udata_pointers() const override { return pointers_; }
    std::vector<rnic::LiveObjectCount> live_objects() const override;
    void admit(const std::string& guest, const rnic::GuestAdmission& admission) override;
    void dismiss(const std::string& guest) override;
    Result<std::unique_ptr<rnic::Port>> open_port(const std::string& guest,
                                                  rnic::EventSink& sink) override;
    std::unique_ptr<rnic::Rnic::Pause> pause() override {
        return std::make_unique<WorkersPause>(state_);
    }

  private:
    rnic::PortAttributes query_port() override;
    Result<void> query_device(rnic::Udata& udata) override;
    void removed();

    const std::string name_;
    const std::shared_ptr<RnicState> state_;
    const std::shared_ptr<HostGidTable> gids_;
    const rnic::DeviceAttributes attributes_;
    const std::vector<vrdma_udata_pointer> pointers_;
    std::mutex file_mutex_;             // guards file_
    std::unique_ptr<UverbsFile> file_;  // null once the RNIC is being removed
    RnicMonitor monitor_;               // last: it uses all of the above
};

std::vector<rnic::LiveObjectCount> UverbsRnic::live_objects() const {
    return rnic::list_of(state_->live);
}

void UverbsRnic::admit(const std::string& guest, const rnic::GuestAdmission& admission) {
    if (state_->addresses != nullptr) {
        state_->addresses->admit(guest, admission);
    }
    if (state_->ib_tables != nullptr) {
        state_->ib_tables->admit(guest, admission);
    }
}

void UverbsRnic::dismiss(const std::string& guest) {
    if (state_->addresses != nullptr) {
        state_->addresses->dismiss(guest);
    }
    if (state_->ib_tables != nullptr) {
        state_->ib_tables->dismiss(guest);
    }
}

Result<std::unique_ptr<rnic::Port>> UverbsRnic::open_port(const std::string& guest,
                                                          rnic::EventSink& sink) {
    if (state_->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return std::make_unique<UverbsPort>(state_, guest, sink, *this);
}

rnic::PortAttributes UverbsRnic::query_port() {
    const std::lock_guard lock(file_mutex_);
    rnic::PortAttributes attributes;
    if (file_ != nullptr) {
        if (auto kernel = uverbs::query_port(*file_, state_->host_port)) {
            attributes = port_attributes(*kernel);
        }
    }
    if (attributes.state == 0) {
        // The RNIC is gone or going: the port is down, with the least values that there can be.
        attributes.state = IBV_PORT_DOWN;
        attributes.max_mtu = rnic::kMtu256;
        attributes.active_mtu = rnic::kMtu256;
        attributes.gid_tbl_len = 1;
        attributes.pkey_tbl_len = 1;
    }
    if (!attributes_.infiniband) {
        attributes.gid_tbl_len = attributes_.iwarp ? 1 : GuestAddresses::kTableLength;
    }
    return attributes;
}

// The driver fills as much as there is room for, and says so in the answer.  So it is asked each
// time, with the guest's room.
Result<void> UverbsRnic::query_device(rnic::Udata& udata) {
    constexpr size_t kWord = 8;  // bytes, of an extended command
    const std::span<const std::byte> known = state_->vendor.query_device_answer;
    const size_t room = std::min(udata.out.size(), known.size()) / kWord * kWord;
    if (room == 0) {
        return {};
    }
    const std::span<std::byte> answer = udata.out.first(room);
    {
        const std::lock_guard lock(file_mutex_);
        if (file_ == nullptr) {
            return fail(ENODEV);
        }
        if (auto queried = query_device_udata(*file_, answer); !queried) {
            return queried;
        }
    }
    std::ranges::transform(answer, known.first(room), answer.begin(), std::bit_and<>());
    udata.out_written = room;
    return {};
}

void UverbsRnic::removed() {
    state_->removed.store(true, std::memory_order_relaxed);
    state_->logger->error(
        "{}: the kernel is removing the RNIC; every guest on it gets a fatal device event and "
        "loses what it has there; restart vrdmad when the RNIC is back",
        name_);
    {
        // The kernel waits until all files of the device are closed.
        const std::lock_guard lock(file_mutex_);
        file_.reset();
    }
    state_->sinks.report(rnic::AsyncEventType::kDeviceFatal, 0);
}

// The netdev that has the addresses of the RNIC's port.  Empty when the port has no netdev.
std::string netdev_with_addresses(const UverbsConfig& config, const HostRnic& host,
                                  spdlog::logger& logger) {
    std::string netdev = query_netdev(host.name, config.port);
    std::string bond = bond_of(netdev);
    if (bond.empty()) {
        return netdev;
    }
    logger.info(
        "{}: its netdev {} is a slave of {}, whose addresses it has: where each slave has an RNIC "
        "of its own, guests reach others only while {} is the active one",
        host.name, netdev, bond, netdev);
    return bond;
}

// Looks for the kernel's connection manager.  Without it, applications can connect the queue pairs
// of a RoCE RNIC by themselves.  An iWARP RNIC is of little use then, but its queues and regions
// work.
void find_connections(const UverbsConfig& config, const HostRnic& host, HostAccess& access,
                      spdlog::logger& logger) {
    if (const auto file = open_kernel_rdma_cm(); !file) {
        logger.warn(
            "{}: guests cannot make connections with librdmacm: /dev/infiniband/rdma_cm cannot be "
            "opened: {}; load the module rdma_ucm, and give vrdmad access",
            host.name, to_string(file.error()));
        return;
    }
    if (transport_of(host, vendor_of(host, config)) == Transport::kRoce) {
        access.open_rdma_cm = open_kernel_rdma_cm;
        access.cm_writer = config.cm_writer;
        return;
    }
    const std::string netdev = netdev_with_addresses(config, host, logger);
    if (netdev.empty()) {
        logger.warn("{}: guests cannot make connections: the RNIC's port {} has no netdev",
                    host.name, config.port);
    } else {
        access.open_rdma_cm = open_kernel_rdma_cm;
        access.addresses = [netdev] { return addresses_of_netdev(netdev); };
    }
}

// The connection manager of a port on InfiniBand knows IP addresses of IPoIB, which only the host
// has.  A path between them is asked of the subnet's administrator, who answers hosts.
void leave_out_connections(const HostRnic& host, HostAccess& access, spdlog::logger& logger) {
    access.open_rdma_cm = nullptr;
    logger.info(
        "{}: its port is on InfiniBand: guests cannot make connections with librdmacm, which needs "
        "IPoIB and the subnet administrator; programs that exchange LIDs themselves work",
        host.name);
}

// Finds the netdev on which machines' own addresses are announced, if there are any.
void find_netdev(const UverbsConfig& config, const HostRnic& host, HostAccess& access,
                 spdlog::logger& logger) {
    const bool wanted = std::ranges::any_of(config.addresses.guests, [](const auto& guest) {
        return guest.second.announced.has_value();
    });
    if (!wanted && !config.announces) {
        return;
    }
    if (!may_add_addresses()) {
        if (wanted) {
            logger.warn(
                "{}: machines get no addresses of their own on the RNIC's netdev, and share its "
                "ports: give vrdmad CAP_NET_ADMIN, or say announce = \"off\" in [rnic]",
                host.name);
        }
        return;
    }
    const std::string netdev = netdev_with_addresses(config, host, logger);
    if (!netdev.empty()) {
        access.netdev = make_netdev_ipv6(netdev);
    }
}

void tell_tested(const HostRnic& host, const VendorEntry& vendor, spdlog::logger& logger) {
    if (!vendor.obstacle.empty()) {
        logger.warn(
            "{}: accept_obstacle gives guests this RNIC, although of {} it is known: {}. Whoever "
            "is root in a guest may use that against other guests and the host "
            "(docs/adding-an-rnic.md)",
            host.name, vendor.name, vendor.obstacle);
    }
    const auto level =
        vendor.tested == Tested::kOnDevice ? spdlog::level::info : spdlog::level::warn;
    logger.log(
        level,
        "{}: vrdma's entry for {} is in the state '{}' (docs/adding-an-rnic.md says what that "
        "means)",
        host.name, vendor.name, to_string(vendor.tested));
}

}  // namespace

std::unique_ptr<rnic::Rnic> make_uverbs_rnic(const UverbsConfig& config, const HostRnic& host,
                                             HostAccess access,
                                             std::shared_ptr<spdlog::logger> logger) {
    const VendorEntry& vendor = vendor_of(host, config);
    OwnContext own = open_own_context(host, *access.device, vendor);
    check_foreign_offset(host, *own.file, vendor);
    const auto port = query_own_port(host, config.port, *own.file);
    const Transport transport = transport_of(host, vendor, port);
    if (transport == Transport::kInfiniBand) {
        leave_out_connections(host, access, *logger);
    }
    rnic::DeviceAttributes attributes = query_attributes(host, *own.file, vendor, transport);
    attributes.iw_cm = attributes.iwarp && access.open_rdma_cm != nullptr;
    attributes.ucma = !attributes.iwarp && access.open_rdma_cm != nullptr;
    auto gids = attributes.iw_cm
                    ? std::make_shared<HostGidTable>(host.name, config.port, access.addresses)
                    : std::make_shared<HostGidTable>(host.name, config.port, access.sysfs);
    auto addresses = attributes.infiniband || (attributes.iwarp && !attributes.iw_cm)
                         ? nullptr
                         : std::make_shared<OverlayMap>(config.addresses, gids,
                                                        std::move(access.netdev), logger);
    tell_tested(host, vendor, *logger);
    std::shared_ptr<RnicState> state(new RnicState{
        .vendor = vendor,
        .transport = transport,
        .host_port = static_cast<uint8_t>(config.port),
        .spin = config.spin,
        .device = std::move(access.device),
        .addresses = std::move(addresses),
        .ib_tables =
            attributes.infiniband
                ? std::make_unique<IbTables>(port_folder(access.sysfs, host.name, config.port),
                                             static_cast<uint8_t>(config.port), config.addresses)
                : nullptr,
        .open_rdma_cm = std::move(access.open_rdma_cm),
        .cm_writer = std::move(access.cm_writer),
        .logger = std::move(logger),
        .files_travel = config.files_travel,
    });
    return std::make_unique<UverbsRnic>(host.name, std::move(state), std::move(gids), attributes,
                                        std::move(own), std::move(access.removal));
}

std::unique_ptr<rnic::Rnic> make_uverbs_rnic(const UverbsConfig& config, const HostRnic& host,
                                             std::shared_ptr<spdlog::logger> logger) {
    check_port(host, config.port);  // before anybody is asked about it
    HostAccess access{
        .device = std::make_unique<KernelUverbsDevice>(host.uverbs_path, host.driver_id),
        .removal = std::make_unique<KernelRemoval>(host.uverbs_name),
    };
    // A port on InfiniBand has neither a connection manager for guests nor a netdev, and nothing to
    // say of them.
    if (first_line(port_folder(access.sysfs, host.name, config.port) / "link_layer") !=
        "InfiniBand") {
        find_connections(config, host, access, *logger);
        find_netdev(config, host, access, *logger);
    }
    return make_uverbs_rnic(config, host, std::move(access), std::move(logger));
}

}  // namespace vrdma::uverbs
