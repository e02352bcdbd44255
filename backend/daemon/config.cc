// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/config.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "daemon/logging/log_levels.h"
#include "rnic/uverbs/addressing/ib_tables.h"

namespace vrdma::daemon {
namespace {

// "FILE:LINE:COLUMN: ", or nothing for a document that is no file.
std::string place_of(const std::string& file, const toml::source_region& where) {
    return file.empty() ? ""
                        : fmt::format("{}:{}:{}: ", file, where.begin.line, where.begin.column);
}

[[noreturn]] void reject(const std::string& file, const toml::source_region& where,
                         const std::string& message) {
    throw ConfigError(place_of(file, where) + message);
}

// The keys of one table, each with the function that reads its value.
using Reader = std::function<void(const std::string& key, const toml::node& value)>;
using Schema = std::map<std::string, Reader, std::less<>>;

class Parser {
  public:
    explicit Parser(std::string file) : file_(std::move(file)) {}

    void read_table(const toml::table& table, const std::string& name, const Schema& schema) const {
        for (const auto& [key, value] : table) {
            const auto known = schema.find(key.str());
            if (known == schema.end()) {
                std::string keys;
                for (const auto& entry : schema) {
                    keys += (keys.empty() ? "" : ", ") + entry.first;
                }
                reject(file_, key.source(),
                       fmt::format("unknown key '{}' in {}; it knows {}", key.str(), name, keys));
            }
            known->second(std::string(key.str()), value);
        }
    }

    Reader text(std::string& target) const {
        return [this, &target](const std::string& key, const toml::node& value) {
            const auto* string = value.as_string();
            if (string == nullptr) {
                reject(file_, value.source(), fmt::format("'{}' must be a string", key));
            }
            target = string->get();
        };
    }

    Reader path(std::filesystem::path& target) const {
        return [this, &target](const std::string& key, const toml::node& value) {
            std::string string;
            text(string)(key, value);
            target = string;
        };
    }

    Reader path(std::optional<std::filesystem::path>& target) const {
        return [this, &target](const std::string& key, const toml::node& value) {
            path(target.emplace())(key, value);
        };
    }

    Reader yes_or_no(bool& target) const {
        return [this, &target](const std::string& key, const toml::node& value) {
            const auto* boolean = value.as_boolean();
            if (boolean == nullptr) {
                reject(file_, value.source(), fmt::format("'{}' must be true or false", key));
            }
            target = boolean->get();
        };
    }

    template <typename Integer>
    Reader number(Integer& target, uint64_t minimum, uint64_t maximum) const {
        return [this, &target, minimum, maximum](const std::string& key, const toml::node& value) {
            const auto* integer = value.as_integer();
            if (integer == nullptr || integer->get() < 0 ||
                static_cast<uint64_t>(integer->get()) < minimum ||
                static_cast<uint64_t>(integer->get()) > maximum) {
                reject(file_, value.source(),
                       fmt::format("'{}' must be an integer from {} to {}", key, minimum, maximum));
            }
            target = static_cast<Integer>(integer->get());
        };
    }

    template <typename Integer>
    Reader number(std::optional<Integer>& target, uint64_t minimum, uint64_t maximum) const {
        return [this, &target, minimum, maximum](const std::string& key, const toml::node& value) {
            Integer integer{};
            number(integer, minimum, maximum)(key, value);
            target = integer;
        };
    }

    // Reads a string and makes a value of it with `parse`; `what` says how the string must look.
    template <typename Parse, typename Target>
    Reader parsed(Target& target, Parse parse, std::string what) const {
        return [this, &target, parse, what = std::move(what)](const std::string& key,
                                                              const toml::node& value) {
            std::string string;
            text(string)(key, value);
            const auto result = parse(string);
            if (!result) {
                reject(file_, value.source(), fmt::format("'{}' is no {}", string, what));
            }
            target = *result;
        };
    }

    // Reads an array of strings, as parsed() reads one.
    template <typename Parse, typename Value>
    Reader parsed_list(std::vector<Value>& target, Parse parse, const std::string& what) const {
        return [this, &target, parse, what](const std::string& key, const toml::node& value) {
            const auto* array = value.as_array();
            if (array == nullptr || array->empty()) {
                reject(file_, value.source(),
                       fmt::format("'{}' must be an array of strings, not empty", key));
            }
            for (const auto& element : *array) {
                Value one{};
                parsed(one, parse, what)(key, element);
                target.push_back(one);
            }
        };
    }

    Reader table(std::function<void(const toml::table&)> read) const {
        return [this, read = std::move(read)](const std::string& key, const toml::node& value) {
            const auto* table = value.as_table();
            if (table == nullptr) {
                reject(file_, value.source(), fmt::format("'{}' must be a table, [{}]", key, key));
            }
            read(*table);
        };
    }

    Reader tables(std::function<void(const toml::table&)> read) const {
        return [this, read = std::move(read)](const std::string& key, const toml::node& value) {
            const auto* array = value.as_array();
            if (array == nullptr || !array->is_array_of_tables()) {
                reject(file_, value.source(),
                       fmt::format("'{}' must be an array of tables, [[{}]]", key, key));
            }
            for (const auto& element : *array) {
                read(*element.as_table());
            }
        };
    }

    const std::string& file() const { return file_; }

  private:
    std::string file_;
};

constexpr const char* kFileSystemSyntax =
    "type of a file system; write it as /proc/filesystems has it, ext4 for example";

// Takes any name without a space: the kernel module of the file system may not be loaded yet.
std::optional<std::string> parse_file_system(std::string_view text) {
    if (text.empty() || text.find_first_of(" \t\n") != std::string_view::npos) {
        return std::nullopt;
    }
    return std::string(text);
}

constexpr const char* kMacSyntax = "MAC address; write it as 52:54:00:12:34:56";
constexpr const char* kAddressSyntax = "IP address; write it as 10.9.0.2 or fd00::2";
constexpr const char* kPrefixSyntax =
    "IP address or prefix; write it as 10.77.0.3, 10.77.0.0/24 or fd00::/64, with zeros behind "
    "the prefix";

constexpr const char* kAnnounceSyntax =
    "prefix of 64 bits; write it as fe80::/64 or fd00::/64, or say off";

// Parses "fd00::/64", or "off" for no prefix.
std::optional<std::optional<uverbs::GidPrefix>> parse_announce(std::string_view text) {
    constexpr uint8_t kInterfaceBits = 64;  // RFC 4291, 2.5.1
    if (text == "off") {
        return std::optional<uverbs::GidPrefix>();
    }
    const auto prefix = uverbs::parse_gid_prefix(text);
    if (!prefix || prefix->length != kInterfaceBits || uverbs::is_multicast(prefix->gid)) {
        return std::nullopt;
    }
    return prefix;
}

constexpr const char* kPartitionKeySyntax =
    "partition key; write it as 0x8001, and not 0x0000 or 0x8000";

// Keys whose lower 15 bits are zero are invalid (IBTA 1.4, 10.9.1.1).
std::optional<uint16_t> parse_partition_key(std::string_view text) {
    constexpr uint16_t kBase = 0x7fff;
    const auto key = uverbs::parse_pkey(text);
    return key && (*key & kBase) != 0 ? key : std::nullopt;
}

// Parses six pairs of hexadecimal digits with colons between them.
std::optional<rnic::MacAddress> parse_mac(std::string_view text) {
    rnic::MacAddress mac{};
    if (text.size() != mac.size() * 3 - 1) {
        return std::nullopt;
    }
    for (size_t i = 0; i < mac.size(); ++i) {
        const char* pair = text.data() + i * 3;
        const auto [end, error] = std::from_chars(pair, pair + 2, mac[i], 16);
        if (error != std::errc() || end != pair + 2 || (i + 1 < mac.size() && *end != ':')) {
            return std::nullopt;
        }
    }
    return mac;
}

void read_limits(const Parser& parser, const toml::table& table, device::Limits& limits) {
    Schema schema;
    for (const device::LimitKey& row : device::kLimitKeys) {
        const Reader limit = parser.number(limits.*row.limit, row.min_limit, row.max_limit);
        schema.emplace(row.key, limit);
        if (row.old_key == nullptr) {
            continue;
        }
        schema.emplace(row.old_key, limit);
        if (table.contains(row.key) && table.contains(row.old_key)) {
            reject(parser.file(), table.at(row.old_key).source(),
                   fmt::format("'{}' is the old name of '{}', which is given as well; remove '{}'",
                               row.old_key, row.key, row.old_key));
        }
    }
    parser.read_table(table, "limits", schema);
}

VmConfig read_vm(const Parser& parser, const toml::table& table, const device::Limits& defaults,
                 size_t index) {
    VmConfig vm;
    vm.where = place_of(parser.file(), table.source());
    vm.name = fmt::format("vm{}", index);
    vm.limits = defaults;
    parser.read_table(table, "[[vm]]",
                      {
                          {"name", parser.text(vm.name)},
                          {"socket", parser.path(vm.socket)},
                          {"socket_user", parser.text(vm.socket_user)},
                          {"socket_group", parser.text(vm.socket_group)},
                          {"mac", parser.parsed(vm.mac, parse_mac, kMacSyntax)},
                          {"network", parser.text(vm.addresses.network)},
                          {"gids", parser.parsed_list(vm.addresses.gids, uverbs::parse_gid_prefix,
                                                      kPrefixSyntax)},
                          {"pkeys", parser.parsed_list(vm.addresses.pkeys, parse_partition_key,
                                                       kPartitionKeySyntax)},
                          {"limits", parser.table([&](const toml::table& limits) {
                               read_limits(parser, limits, vm.limits);
                           })},
                      });
    if (vm.socket.empty()) {
        reject(parser.file(), table.source(),
               fmt::format("[[vm]] '{}' has no 'socket', the path that QEMU connects to", vm.name));
    }
    return vm;
}

uverbs::Peer read_peer(const Parser& parser, const toml::table& table,
                       const std::optional<uverbs::GidPrefix>& announce) {
    uverbs::Peer peer;
    rnic::MacAddress mac{};
    parser.read_table(table, "[[peer]]",
                      {
                          {"network", parser.text(peer.network)},
                          {"gid", parser.parsed(peer.gid, uverbs::parse_gid_prefix, kPrefixSyntax)},
                          {"via", parser.parsed(peer.via, uverbs::parse_gid, kAddressSyntax)},
                          {"mac", parser.parsed(mac, parse_mac, kMacSyntax)},
                      });
    if (!table.contains("gid")) {
        reject(parser.file(), table.source(),
               "[[peer]] has no 'gid', the address by which guests name the peer");
    }
    if (table.contains("mac")) {
        if (peer.via || !announce) {
            reject(parser.file(), table.at("mac").source(),
                   peer.via ? "[[peer]] has 'via' and 'mac', of which one says where the peer is"
                            : "'mac' in [[peer]] stands for an announced address, and 'announce' "
                              "in [rnic] is off; say 'via'");
        }
        peer.via = uverbs::eui64_gid(*announce, mac);
    }
    if (peer.via && (uverbs::is_zero(*peer.via) || uverbs::is_multicast(*peer.via))) {
        reject(parser.file(), table.source(),
               fmt::format("'via' is {}, which no RNIC can have", uverbs::to_string(*peer.via)));
    }
    return peer;
}

void check_peers(const std::vector<uverbs::Peer>& peers) {
    std::set<std::pair<std::string, uverbs::GidPrefix>> seen;
    for (const auto& peer : peers) {
        if (!seen.insert({peer.network, peer.gid}).second) {
            throw ConfigError(fmt::format(
                "two [[peer]] entries have the gid {}{}", uverbs::to_string(peer.gid),
                peer.network.empty() ? "" : fmt::format(" in the network '{}'", peer.network)));
        }
    }
}

toml::table parse_toml(std::string_view document, const std::string& name) {
    try {
        return toml::parse(document, name);
    } catch (const toml::parse_error& error) {
        reject(name, error.source(), std::string(error.description()));
    }
}

void check_socket_path(const std::filesystem::path& path) {
    if (path.string().size() >= sizeof(sockaddr_un{}.sun_path)) {
        throw ConfigError(
            fmt::format("the socket path {} is longer than the {} bytes that a "
                        "Unix socket's may have",
                        path.string(), sizeof(sockaddr_un{}.sun_path) - 1));
    }
}

}  // namespace

Config parse_config(std::string_view document, const std::string& name) {
    const toml::table root = parse_toml(document, name);
    Config config;
    const Parser parser(name);
    std::vector<const toml::table*> vms;
    std::vector<const toml::table*> peers;
    parser.read_table(
        root, "the file",
        {
            {"daemon", parser.table([&](const toml::table& table) {
                 parser.read_table(
                     table, "[daemon]",
                     {{"log_level", parser.text(config.log_level)},
                      {"socket_mode", parser.number(config.socket_mode, 0, 0777)},
                      {"socket_user", parser.text(config.socket_user)},
                      {"socket_group", parser.text(config.socket_group)},
                      {"status_socket", parser.path(config.status_socket)},
                      {"control_socket", parser.path(config.control_socket)},
                      {"control_group", parser.text(config.control_group)},
                      {"control_admin_group", parser.text(config.control_admin_group)},
                      {"seccomp", parser.parsed(config.seccomp, parse_seccomp_mode,
                                                "mode; there are on, log, off")}});
             })},
            {"rnic", parser.table([&](const toml::table& table) {
                 parser.read_table(
                     table, "[rnic]",
                     {{"name", parser.text(config.rnic)},
                      {"port", parser.number(config.port, 1, 255)},
                      {"gid_index", parser.number(config.gid_index, 0, 255)},
                      {"accept_obstacle", parser.text(config.accept_obstacle)},
                      {"hand_over", parser.yes_or_no(config.hand_over)},
                      {"announce", parser.parsed(config.announce, parse_announce, kAnnounceSyntax)},
                      {"threads", parser.number(config.threads, 1, 256)},
                      {"spin_us", parser.number(config.spin_us, 0, 1000000)}});
             })},
            {"memory", parser.table([&](const toml::table& table) {
                 parser.read_table(
                     table, "[memory]",
                     {{"file_systems", parser.parsed_list(config.memory.file_systems,
                                                          parse_file_system, kFileSystemSyntax)},
                      {"unsealed_memfds", parser.yes_or_no(config.memory.unsealed_memfds)}});
             })},
            {"limits", parser.table([&](const toml::table& table) {
                 read_limits(parser, table, config.limits);
             })},
            {"peer", parser.tables([&](const toml::table& table) { peers.push_back(&table); })},
            {"vm", parser.tables([&](const toml::table& table) { vms.push_back(&table); })},
        });
    for (const auto* peer : peers) {
        config.peers.push_back(read_peer(parser, *peer, config.announce));
    }
    for (const auto* vm : vms) {
        config.vms.push_back(read_vm(parser, *vm, config.limits, config.vms.size()));
    }
    return config;
}

Config read_config(const std::filesystem::path& file) {
    const auto reject_file = [&](int error) {
        throw ConfigError(fmt::format("{}: cannot read the configuration: {}", file.string(),
                                      std::strerror(error)));
    };
    std::error_code ignored;  // a file that cannot be looked at cannot be opened either
    if (std::filesystem::is_directory(file, ignored)) {
        reject_file(EISDIR);
    }
    std::ifstream stream(file);
    if (!stream) {
        reject_file(errno);
    }
    const std::string document{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad()) {
        reject_file(EIO);
    }
    return parse_config(document, file.string());
}

VmConfig parse_vm(std::string_view document, const device::Limits& limits) {
    const std::string no_file;
    return read_vm(Parser(no_file), parse_toml(document, no_file), limits, 0);
}

VmConfig parse_vm_option(const std::string& option, const device::Limits& limits) {
    VmConfig vm;
    vm.limits = limits;
    std::istringstream stream(option);
    std::string part;
    while (std::getline(stream, part, ',')) {
        const auto equals = part.find('=');
        const std::string key = part.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : part.substr(equals + 1);
        if (key == "name") {
            vm.name = value;
        } else if (key == "socket") {
            vm.socket = value;
        } else if (key == "socket_user") {
            vm.socket_user = value;
        } else if (key == "socket_group") {
            vm.socket_group = value;
        } else if (key == "mac") {
            const auto mac = parse_mac(value);
            if (!mac) {
                throw ConfigError(fmt::format("--vm {}: '{}' is no {}", option, value, kMacSyntax));
            }
            vm.mac = *mac;
        } else if (key == "network") {
            vm.addresses.network = value;
        } else {
            throw ConfigError(
                fmt::format("--vm {}: unknown key '{}'; it knows socket, socket_user, "
                            "socket_group, name, mac, network",
                            option, key));
        }
    }
    if (vm.socket.empty()) {
        throw ConfigError(
            fmt::format("--vm {}: no socket=PATH, the path that QEMU connects to", option));
    }
    if (vm.name.empty()) {
        vm.name = vm.socket.stem().string();
    }
    return vm;
}

void check_config(const Config& config, Reloadable reloadable) {
    if (config.vms.empty() && reloadable == Reloadable::kNo &&
        config.control_socket.value_or("").empty()) {
        throw ConfigError(
            "no virtual machine is configured, and none can come later: give --vm socket=PATH, or "
            "--config FILE, or --control-socket PATH for 'vrdmactl add'");
    }
    if (!parse_log_level(config.log_level)) {
        throw ConfigError(
            fmt::format("unknown log level '{}'; there are trace, debug, info, "
                        "warning, error, critical, off",
                        config.log_level));
    }
    std::set<std::string> names;
    std::set<std::filesystem::path> sockets;
    for (const auto& vm : config.vms) {
        if (vm.name.empty()) {
            throw ConfigError(fmt::format("{}the virtual machine with socket {} has an empty name",
                                          vm.where, vm.socket.string()));
        }
        if (!names.insert(vm.name).second) {
            throw ConfigError(
                fmt::format("{}two virtual machines are named '{}'", vm.where, vm.name));
        }
        if (!sockets.insert(vm.socket.lexically_normal()).second) {
            throw ConfigError(fmt::format("{}two virtual machines have the socket {}", vm.where,
                                          vm.socket.string()));
        }
        check_socket_path(vm.socket);
    }
    check_peers(config.peers);
    const std::filesystem::path control = config.control_socket.value_or("");
    for (const auto& [what, path] :
         {std::pair("status", config.status_socket), std::pair("control", control)}) {
        check_socket_path(path);
        if (sockets.contains(path.lexically_normal())) {
            throw ConfigError(fmt::format("the {} socket {} is a virtual machine's as well", what,
                                          path.string()));
        }
    }
    if (!control.empty() && control.lexically_normal() == config.status_socket.lexically_normal()) {
        throw ConfigError(
            fmt::format("the control socket {} is the status socket as well", control.string()));
    }
}

}  // namespace vrdma::daemon
