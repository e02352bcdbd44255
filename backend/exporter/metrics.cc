// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Names follow Prometheus' conventions: base units, and _total for what only grows.
#include "exporter/metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace vrdma::exporter {
namespace {

using nlohmann::json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kNanoseconds = 1e9;  // in a second

// What is among the objects and is none: it has a metric of its own.
constexpr const char* kRegisteredBytes = "registered_bytes";

// A metric of one value.
struct Value {
    const char* place;  // of the value, as a JSON pointer
    const char* name;
    const char* help;
    MetricType type = MetricType::Gauge;
};
// The values of each guest, in its figures.
constexpr Value kGuestValues[] = {
    {"/connected", "vrdma_guest_connected", "Whether the guest's VMM is connected."},
    {"/drained", "vrdma_guest_drained", "Whether the guest is drained."},
    {"/commands", "vrdma_guest_commands_total", "Commands of the guest that were executed.",
     MetricType::Counter},
    {"/objects/registered_bytes", "vrdma_guest_registered_bytes",
     "Memory that the guest has registered."},
    {"/shared_memory/size", "vrdma_guest_shared_memory_bytes",
     "Size of the device's shared memory region."},
    {"/shared_memory/used", "vrdma_guest_shared_memory_used_bytes",
     "What is mapped of the device's shared memory region."},
    {"/activity/turns", "vrdma_guest_worker_turns_total",
     "Turns in which a thread of the RNIC found work of the guest by looking.",
     MetricType::Counter},
    {"/activity/notifications", "vrdma_guest_notifications_total",
     "Notifications of the guest that woke a thread of the RNIC.", MetricType::Counter},
    {"/memory/page_size", "vrdma_guest_memory_page_bytes",
     "Size of the host's pages behind the guest's memory, 0 without a VMM."},
};

// The values of each limit of each guest, in the limit's figures.
constexpr Value kLimitValues[] = {
    {"/limit", "vrdma_guest_limit", "A limit of the guest; 0 of a rate is no limit."},
    {"/used", "vrdma_guest_limit_used", "How much the guest has of what is limited."},
    {"/reached", "vrdma_guest_limit_reached_total",
     "How often the guest wanted more than the limit, or had to wait for the rate.",
     MetricType::Counter},
};

MetricFamily family(std::string name, std::string help, MetricType type) {
    MetricFamily made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    return made;
}

double number(const json& value) {
    return value.is_boolean() ? static_cast<double>(value.get<bool>()) : value.get<double>();
}

void add_to(MetricFamily& to, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (to.type == MetricType::Counter) {
        metric.counter.value = value;
    } else {
        metric.gauge.value = value;
    }
    to.metric.push_back(std::move(metric));
}

std::string name_of(const json& guest) {
    return guest.at("name").get<std::string>();
}

// An object of `document`, or an empty one.
const json& object_of(const json& document, const char* key) {
    static const json kEmpty = json::object();
    const auto found = document.find(key);
    return found == document.end() ? kEmpty : *found;
}

class Metrics {
  public:
    explicit Metrics(const json& stats)
        : guests_(stats.value("guests", json::array())),
          bounds_(stats.value("bucket_bounds_ns", std::vector<double>())) {}

    void add_rnic(const json& rnic) {
        MetricFamily info = family("vrdma_rnic_info", "The RNIC of vrdmad.", MetricType::Gauge);
        const std::string name = rnic.value("name", "");
        add_to(info, {{"rnic", name}}, 1);
        MetricFamily objects = family(
            "vrdma_rnic_objects", "Objects of all guests on the RNIC, by kind.", MetricType::Gauge);
        MetricFamily registered =
            family("vrdma_rnic_registered_bytes", "Memory that all guests have registered.",
                   MetricType::Gauge);
        for (const auto& [kind, count] : object_of(rnic, "objects").items()) {
            if (kind == kRegisteredBytes) {
                add_to(registered, {{"rnic", name}}, number(count));
            } else {
                add_to(objects, {{"rnic", name}, {"kind", kind}}, number(count));
            }
        }
        take(std::move(info));
        take(std::move(objects));
        take(std::move(registered));
    }

    void add_guest_values() {
        for (const Value& value : kGuestValues) {
            MetricFamily made = family(value.name, value.help, value.type);
            const json::json_pointer place(value.place);
            for (const json& guest : guests_) {
                if (guest.contains(place)) {
                    add_to(made, {{"guest", name_of(guest)}}, number(guest.at(place)));
                }
            }
            take(std::move(made));
        }
    }

    void add_objects() {
        MetricFamily made =
            family("vrdma_guest_objects", "Objects of the guest, by kind.", MetricType::Gauge);
        for (const json& guest : guests_) {
            for (const auto& [kind, count] : object_of(guest, "objects").items()) {
                if (kind != kRegisteredBytes) {
                    add_to(made, {{"guest", name_of(guest)}, {"kind", kind}}, number(count));
                }
            }
        }
        take(std::move(made));
    }

    void add_limits() {
        for (const Value& value : kLimitValues) {
            MetricFamily made = family(value.name, value.help, value.type);
            const json::json_pointer place(value.place);
            for (const json& guest : guests_) {
                for (const auto& [limit, figures] : object_of(guest, "limits").items()) {
                    if (figures.contains(place)) {
                        add_to(made, {{"guest", name_of(guest)}, {"limit", limit}},
                               number(figures.at(place)));
                    }
                }
            }
            take(std::move(made));
        }
    }

    void add_verbs() {
        MetricFamily failures = family("vrdma_guest_verb_failures_total",
                                       "Calls of a verb that an errno ended.", MetricType::Counter);
        MetricFamily durations = family("vrdma_guest_verb_duration_seconds",
                                        "How long calls of a verb took in vrdmad, with the host's "
                                        "driver.",
                                        MetricType::Histogram);
        for (const json& guest : guests_) {
            for (const auto& [verb, figures] : object_of(guest, "verbs").items()) {
                const Labels labels{{"guest", name_of(guest)}, {"verb", verb}};
                add_to(failures, labels, number(figures.at("failures")));
                ClientMetric metric;
                metric.label = labels;
                metric.histogram = histogram(figures);
                durations.metric.push_back(std::move(metric));
            }
        }
        take(std::move(failures));
        take(std::move(durations));
    }

    void add_activity() {
        MetricFamily time = family("vrdma_guest_worker_seconds_total",
                                   "Time that the RNIC's threads worked for the guest, by an "
                                   "estimate, since its device was reset.",
                                   MetricType::Counter);
        MetricFamily failed = family("vrdma_guest_failed_completions_total",
                                     "Completions with an error, by status, since the guest's "
                                     "device was reset.",
                                     MetricType::Counter);
        for (const json& guest : guests_) {
            const json& activity = object_of(guest, "activity");
            if (activity.contains("nanoseconds")) {
                add_to(time, {{"guest", name_of(guest)}},
                       number(activity.at("nanoseconds")) / kNanoseconds);
            }
            for (const auto& [status, count] : object_of(activity, "failed_completions").items()) {
                add_to(failed, {{"guest", name_of(guest)}, {"status", status}}, number(count));
            }
        }
        take(std::move(time));
        take(std::move(failed));
    }

    // What the RNIC counts has a metric for each counter, as its unit is in its name.
    void add_counters() {
        std::vector<std::string> names;
        for (const json& guest : guests_) {
            for (const auto& [counter, value] : object_of(guest, "counters").items()) {
                if (std::ranges::find(names, counter) == names.end()) {
                    names.push_back(counter);
                }
            }
        }
        for (const std::string& counter : names) {
            MetricFamily made =
                family("vrdma_guest_" + counter + "_total",
                       "The port's counter " + counter + ", since the guest's device was reset.",
                       MetricType::Counter);
            for (const json& guest : guests_) {
                const json& counters = object_of(guest, "counters");
                if (counters.contains(counter)) {
                    add_to(made, {{"guest", name_of(guest)}}, number(counters.at(counter)));
                }
            }
            take(std::move(made));
        }
    }

    void take(MetricFamily made) {
        if (!made.metric.empty()) {
            families_.push_back(std::move(made));
        }
    }

    std::vector<MetricFamily> families() { return std::move(families_); }

  private:
    ClientMetric::Histogram histogram(const json& figures) const {
        ClientMetric::Histogram made;
        made.sample_sum = number(figures.at("nanoseconds")) / kNanoseconds;
        const auto buckets = figures.at("buckets").get<std::vector<uint64_t>>();
        for (size_t i = 0; i < buckets.size(); ++i) {
            made.sample_count += buckets[i];
            made.bucket.push_back({.cumulative_count = made.sample_count,
                                   .upper_bound = i < bounds_.size()
                                                      ? bounds_[i] / kNanoseconds
                                                      : std::numeric_limits<double>::infinity()});
        }
        return made;
    }

    const json guests_;
    const std::vector<double> bounds_;  // of the histograms' buckets, in nanoseconds
    std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> metrics_of(const json& version, const json& stats) {
    Metrics metrics(stats);
    MetricFamily build = family("vrdma_build_info", "The version of vrdmad.", MetricType::Gauge);
    add_to(build, {{"version", version.value("version", "")}}, 1);
    metrics.take(std::move(build));
    metrics.add_rnic(object_of(stats, "rnic"));
    metrics.add_guest_values();
    metrics.add_objects();
    metrics.add_limits();
    metrics.add_verbs();
    metrics.add_activity();
    metrics.add_counters();
    return metrics.families();
}

}  // namespace vrdma::exporter
