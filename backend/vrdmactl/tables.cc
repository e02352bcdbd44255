// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace vrdma::vrdmactl {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

// A name may have whatever the operator wrote; a terminal obeys control characters.
std::string printable(std::string text) {
    std::ranges::replace_if(
        text, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
    return text;
}

bool is_number(const std::string& cell) {
    return cell == "-" || (!cell.empty() && std::isdigit(static_cast<unsigned char>(cell[0])) != 0);
}

std::string text_of(const json& value) {
    return printable(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string vmm_of(const json& guest) {
    const std::string vmm = guest.at("connected").get<bool>() ? "connected" : "absent";
    return guest.value("drained", false) ? vmm + ", drained" : vmm;
}

// A counter, which a guest has only with a VMM and on the embedded RNIC.
std::string counter(const json& guest, const char* name) {
    return guest.contains("counters") ? text_of(guest.at("counters").at(name)) : "-";
}

std::string counted_bytes(const json& guest, const char* name) {
    return guest.contains("counters") ? bytes(guest.at("counters").at(name).get<uint64_t>()) : "-";
}

std::string or_none(const json& object, const char* key) {
    return object.contains(key) ? text_of(object.at(key)) : "-";
}

void add_limits(std::vector<Row>& rows, const json& limits, const Row& before = {}) {
    for (const auto& [key, limit] : limits.items()) {
        Row row = before;
        row.insert(row.end(), {key, text_of(limit.at("limit")), or_none(limit, "used"),
                               or_none(limit, "reached")});
        rows.push_back(std::move(row));
    }
}

}  // namespace

std::string table(const Row& head, const std::vector<Row>& rows) {
    std::vector<size_t> widths;
    std::vector<bool> numbers;
    for (size_t column = 0; column < head.size(); ++column) {
        size_t width = head[column].size();
        bool all_numbers = !rows.empty();
        for (const Row& row : rows) {
            width = std::max(width, row[column].size());
            all_numbers = all_numbers && is_number(row[column]);
        }
        widths.push_back(width);
        numbers.push_back(all_numbers);
    }
    std::string text;
    const auto add = [&](const Row& row) {
        std::string line;
        for (size_t column = 0; column < row.size(); ++column) {
            line += numbers[column] ? fmt::format("{:>{}}", row[column], widths[column])
                                    : fmt::format("{:<{}}", row[column], widths[column]);
            line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    };
    add(head);
    std::ranges::for_each(rows, add);
    return text;
}

std::string bytes(uint64_t count) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(count);
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", count) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string list_text(const json& result) {
    std::vector<Row> rows;
    for (const json& guest : result.at("guests")) {
        rows.push_back({text_of(guest.at("name")), vmm_of(guest), text_of(guest.at("socket"))});
    }
    return table({"GUEST", "VMM", "SOCKET"}, rows);
}

std::string show_text(const json& result) {
    const json& memory = result.at("memory");
    const json& shared = result.at("shared_memory");
    std::vector<Row> facts{
        {"guest", text_of(result.at("name"))},
        {"VMM", vmm_of(result)},
        {"socket", text_of(result.at("socket"))},
        {"commands", text_of(result.at("commands"))},
        {"registered", bytes(result.at("objects").at("registered_bytes").get<uint64_t>())},
        {"shared memory", bytes(shared.at("used").get<uint64_t>()) + " of " +
                              bytes(shared.at("size").get<uint64_t>())},
    };
    if (memory.at("page_size") != 0) {
        facts.push_back({"pages of RAM", bytes(memory.at("page_size").get<uint64_t>())});
    }
    if (!memory.at("limit").is_null()) {
        facts.push_back({"RAM prevents", text_of(memory.at("limit"))});
    }
    for (const auto& [key, value] : result.at("configuration").items()) {
        if (std::string said = text_of(value); !value.empty() && !said.empty()) {
            facts.push_back({key, std::move(said)});
        }
    }
    std::string text;
    for (const Row& fact : facts) {
        text += fmt::format("{:<15}{}\n", fact[0] + ":", fact[1]);
    }
    std::vector<Row> limits;
    add_limits(limits, result.at("limits"));
    text += "\n" + table({"LIMIT", "AT MOST", "USED", "REACHED"}, limits);
    if (result.contains("counters")) {
        std::vector<Row> counters;
        for (const auto& [key, value] : result.at("counters").items()) {
            counters.push_back({key, text_of(value)});
        }
        text += "\n" + table({"COUNTER", "SINCE THE RESET"}, counters);
    }
    if (result.contains("activity")) {
        const json& activity = result.at("activity");
        std::vector<Row> rows;
        for (const char* key : {"turns", "nanoseconds", "notifications"}) {
            rows.push_back({key, text_of(activity.at(key))});
        }
        for (const auto& [status, count] : activity.at("failed_completions").items()) {
            rows.push_back({status, text_of(count)});
        }
        text += "\n" + table({"RNIC'S THREADS", "SINCE THE RESET"}, rows);
    }
    return text;
}

std::string stats_text(const json& result) {
    std::vector<Row> rows;
    for (const json& guest : result.at("guests")) {
        const json& objects = guest.at("objects");
        rows.push_back({text_of(guest.at("name")), vmm_of(guest), text_of(guest.at("commands")),
                        text_of(objects.at("queue_pairs")), text_of(objects.at("memory_regions")),
                        bytes(objects.at("registered_bytes").get<uint64_t>()),
                        counter(guest, "sent_pkts"), counter(guest, "rcvd_pkts"),
                        counted_bytes(guest, "sent_bytes"), counted_bytes(guest, "rcvd_bytes"),
                        counter(guest, "req_cqe_error")});
    }
    return table({"GUEST", "VMM", "COMMANDS", "QPS", "MRS", "REGISTERED", "MESSAGES OUT",
                  "MESSAGES IN", "SENT", "RECEIVED", "ERRORS"},
                 rows);
}

std::string limits_text(const json& result) {
    std::vector<Row> rows;
    for (const json& guest : result.at("guests")) {
        add_limits(rows, guest.at("limits"), {text_of(guest.at("name"))});
    }
    return table({"GUEST", "LIMIT", "AT MOST", "USED", "REACHED"}, rows);
}

std::string addresses_text(const json& result) {
    const auto list = [](const json& values, const char* none) {
        std::string text;
        for (const json& value : values) {
            text += (text.empty() ? "" : ",") + text_of(value);
        }
        return text.empty() ? none : text;
    };
    std::vector<Row> rows;
    for (const json& guest : result.at("guests")) {
        const std::string network = text_of(guest.at("network"));
        rows.push_back({text_of(guest.at("name")),
                        guest.at("mac").is_null() ? "-" : text_of(guest.at("mac")),
                        network.empty() ? "-" : network, list(guest.at("gids"), "any"),
                        list(guest.at("pkeys"), "the first")});
    }
    return table({"GUEST", "MAC", "NETWORK", "GIDS", "PKEYS"}, rows);
}

std::string log_level_text(const json& result) {
    std::vector<Row> rows;
    for (const auto& [subsystem, level] : result.at("subsystems").items()) {
        rows.push_back({printable(subsystem), text_of(level)});
    }
    return table({"SUBSYSTEM", "LEVEL"}, rows);
}

std::string reload_text(const json& result) {
    std::string text = text_of(result.at("message")) + "\n";
    for (const json& sentence : result.at("unchanged")) {
        text += text_of(sentence) + "\n";
    }
    return text;
}

std::string message_text(const json& result) {
    return text_of(result.at("message")) + "\n";
}

std::string objects_text(const json& guest) {
    std::string text;
    for (const auto& [kind, count] : guest.at("objects").items()) {
        if (count != 0) {
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", text_of(count), kind);
        }
    }
    return text;
}

std::string drain_text(const json& result) {
    if (!result.at("drained").get<bool>()) {
        return fmt::format("the guest '{}' is not drained\n", text_of(result.at("name")));
    }
    const std::string left = objects_text(result);
    return fmt::format("the guest '{}' gets nothing new; it has {}\n", text_of(result.at("name")),
                       left.empty() ? "nothing" : left);
}

std::string version_text(const json& result) {
    return fmt::format("vrdmactl {}\nvrdmad {}, protocol {}, access of this user: {}\n",
                       VRDMA_VERSION, text_of(result.at("version")), text_of(result.at("protocol")),
                       text_of(result.at("access")));
}

std::string upgrade_text(const json& result) {
    std::string text = fmt::format("vrdmad {} has taken the place of {}\n",
                                   text_of(result.at("to")), text_of(result.at("from")));
    if (!result.at("stood_still_ms").is_null()) {
        text += fmt::format("{} guest(s) went on, and stood still for {} ms\n",
                            result.at("guests").size(), text_of(result.at("stood_still_ms")));
    }
    return text;
}

std::string event_text(const json& event) {
    std::string text = fmt::format("{} {} {}", text_of(event.at("time")),
                                   text_of(event.at("guest")), text_of(event.at("event")));
    for (const auto& [key, value] : event.items()) {
        if (key != "time" && key != "guest" && key != "event") {
            text += fmt::format(" {}={}", printable(key), text_of(value));
        }
    }
    return text + "\n";
}

std::string rates_text(const json& before, const json& after) {
    const double seconds =
        (after.at("time_ns").get<double>() - before.at("time_ns").get<double>()) * 1e-9;
    std::vector<Row> rows;
    for (const json& guest : after.at("guests")) {
        const json& earlier = before.at("guests");
        const auto same = std::ranges::find_if(
            earlier, [&](const json& other) { return other.at("name") == guest.at("name"); });
        const auto rate = [&](const json& now, const json& then) {
            // A guest that has reset its device counts from 0.
            const auto last = now >= then ? then.get<double>() : 0;
            return (now.get<double>() - last) / seconds;
        };
        const auto counter_rate = [&](const char* name, double unit) -> std::string {
            if (same == earlier.end() || !guest.contains("counters")) {
                return "-";
            }
            const json none = 0;
            const json& then = same->contains("counters") ? same->at("counters").at(name) : none;
            return fmt::format("{:.1f}", rate(guest.at("counters").at(name), then) / unit);
        };
        const json& objects = guest.at("objects");
        rows.push_back({text_of(guest.at("name")), vmm_of(guest),
                        same == earlier.end() ? "-"
                                              : fmt::format("{:.1f}", rate(guest.at("commands"),
                                                                           same->at("commands"))),
                        counter_rate("sent_pkts", 1), counter_rate("rcvd_pkts", 1),
                        counter_rate("sent_bytes", 1e6), counter_rate("rcvd_bytes", 1e6),
                        text_of(objects.at("queue_pairs")), text_of(objects.at("memory_regions")),
                        bytes(objects.at("registered_bytes").get<uint64_t>())});
    }
    return table({"GUEST", "VMM", "COMMANDS/s", "MESSAGES OUT/s", "IN/s", "MB OUT/s", "MB IN/s",
                  "QPS", "MRS", "REGISTERED"},
                 rows);
}

}  // namespace vrdma::vrdmactl
