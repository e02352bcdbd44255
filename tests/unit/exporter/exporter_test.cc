// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The metrics that Prometheus gets of a daemon, in its text format.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/text_serializer.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../control/control_fixture.h"
#include "exporter/collector.h"
#include "exporter/metrics.h"
#include "support/places.h"

namespace vrdma::exporter {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string text_of(const std::vector<prometheus::MetricFamily>& families) {
    return prometheus::TextSerializer().Serialize(families);
}

TEST(MetricsTest, AVerbIsAHistogramWhoseBucketsHaveTheOnesBefore) {
    const json stats{{"bucket_bounds_ns", {1000, 3000}},
                     {"guests",
                      {{{"name", "web1"},
                        {"verbs",
                         {{"reg_mr",
                           {{"calls", 6},
                            {"failures", 2},
                            {"nanoseconds", 2'500'000'000},
                            {"buckets", {1, 2, 3}}}}}}}}}};
    const std::string text = text_of(metrics_of(json::object(), stats));
    const std::string labels = R"({guest="web1",verb="reg_mr")";
    for (const char* line : {R"(,le="1e-06"} 1)", R"(,le="3e-06"} 3)", R"(,le="+Inf"} 6)"}) {
        EXPECT_THAT(text, HasSubstr("vrdma_guest_verb_duration_seconds_bucket" + labels + line));
    }
    EXPECT_THAT(text, AllOf(HasSubstr("duration_seconds_count" + labels + "} 6"),
                            HasSubstr("duration_seconds_sum" + labels + "} 2.5"),
                            HasSubstr("verb_failures_total" + labels + "} 2")));
}

TEST(MetricsTest, WhatTheRnicCountsHasAMetricForEachCounter) {
    const json stats{{"guests",
                      {{{"name", "a"}, {"counters", {{"sent_bytes", 4096}, {"rdma_reads", 7}}}},
                       {{"name", "b"}}}}};
    const std::string text = text_of(metrics_of(json::object(), stats));
    EXPECT_THAT(text, AllOf(HasSubstr("# TYPE vrdma_guest_sent_bytes_total counter"),
                            HasSubstr(R"(vrdma_guest_sent_bytes_total{guest="a"} 4096)"),
                            HasSubstr(R"(vrdma_guest_rdma_reads_total{guest="a"} 7)")));
    EXPECT_THAT(text, Not(HasSubstr(R"(guest="b")"))) << "whose RNIC does not count";
}

TEST(MetricsTest, WhatTheRnicsThreadsDoHasMetricsWhereTheyAreTheDaemons) {
    const json stats{{"guests",
                      {{{"name", "a"},
                        {"activity",
                         {{"turns", 7},
                          {"nanoseconds", 1'500'000'000},
                          {"notifications", 3},
                          {"failed_completions", {{"wr_flush_err", 2}}}}}},
                       {{"name", "b"}}}}};
    const std::string text = text_of(metrics_of(json::object(), stats));
    EXPECT_THAT(
        text,
        AllOf(HasSubstr(R"(vrdma_guest_worker_seconds_total{guest="a"} 1.5)"),
              HasSubstr(R"(vrdma_guest_worker_turns_total{guest="a"} 7)"),
              HasSubstr(R"(vrdma_guest_notifications_total{guest="a"} 3)"),
              HasSubstr(
                  R"(vrdma_guest_failed_completions_total{guest="a",status="wr_flush_err"} 2)")));
    EXPECT_THAT(text, Not(HasSubstr(R"(guest="b")"))) << "an RNIC of the host";
}

TEST(MetricsTest, RegisteredBytesAreNoObjects) {
    const json objects{{"queue_pairs", 3}, {"registered_bytes", 4096}};
    const json stats{{"rnic", {{"name", "rxe0"}, {"objects", objects}}},
                     {"guests", {{{"name", "a"}, {"objects", objects}}}}};
    const std::string text = text_of(metrics_of(json::object(), stats));
    EXPECT_THAT(text, AllOf(HasSubstr(R"(vrdma_rnic_objects{rnic="rxe0",kind="queue_pairs"} 3)"),
                            HasSubstr(R"(vrdma_rnic_registered_bytes{rnic="rxe0"} 4096)"),
                            HasSubstr(R"(vrdma_guest_registered_bytes{guest="a"} 4096)")));
    EXPECT_THAT(text, Not(HasSubstr(R"(kind="registered_bytes")")));
}

TEST(MetricsTest, AGuestsNameCannotMakeOtherMetrics) {
    const json stats{{"guests", {{{"name", "a\"}\nvrdma_up 1"}, {"connected", true}}}}};
    EXPECT_THAT(text_of(metrics_of(json::object(), stats)), Not(HasSubstr("\nvrdma_up 1")));
}

using CollectorTest = daemon::ControlTest;

TEST_F(CollectorTest, ARunningDaemonIsUpAndHasItsGuestsLimitsAndObjects) {
    serve();
    std::vector<std::string> said;
    const Collector collector(path(), [&](const std::string& text) { said.push_back(text); });
    const std::string text = text_of(collector.Collect());
    EXPECT_THAT(text, AllOf(HasSubstr("vrdma_up 1"),
                            HasSubstr(R"(vrdma_build_info{version=")" VRDMA_VERSION),
                            HasSubstr(R"(vrdma_rnic_info{rnic="fake0"} 1)"),
                            HasSubstr(R"(vrdma_guest_connected{guest="a"} 0)")));
    const json guest = client().result("show", {{"guest", "b"}});
    for (const auto& [limit, figures] : guest.at("limits").items()) {
        EXPECT_THAT(text, HasSubstr(R"(vrdma_guest_limit{guest="b",limit=")" + limit + "\"}"));
    }
    for (const auto& [kind, count] : guest.at("objects").items()) {
        if (kind != "registered_bytes") {
            EXPECT_THAT(text, HasSubstr(R"(vrdma_guest_objects{guest="b",kind=")" + kind + "\"}"));
        }
    }
    EXPECT_THAT(text, HasSubstr(R"(vrdma_guest_registered_bytes{guest="b"} 0)"));
    EXPECT_TRUE(said.empty()) << "nothing is wrong";
}

TEST_F(CollectorTest, TheDocumentHasEachMetricWithItsTypeAndLabels) {
    serve();
    std::ifstream file(test::in_source("docs/metrics.md"));
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    auto families = Collector(path(), [](const std::string&) {}).Collect();
    const json verbs{{"reg_mr", {{"failures", 0}, {"nanoseconds", 1}, {"buckets", {1}}}}};
    const json activity{{"turns", 1},
                        {"nanoseconds", 1},
                        {"notifications", 1},
                        {"failed_completions", {{"wr_flush_err", 1}}}};
    for (auto& family :
         metrics_of(json::object(),
                    {{"guests", {{{"name", "a"}, {"verbs", verbs}, {"activity", activity}}}}})) {
        families.push_back(std::move(family));
    }
    const std::map<prometheus::MetricType, std::string> types{
        {prometheus::MetricType::Gauge, "gauge"},
        {prometheus::MetricType::Counter, "counter"},
        {prometheus::MetricType::Histogram, "histogram"}};
    for (const auto& family : families) {
        std::string labels;
        for (const auto& label : family.metric.at(0).label) {
            labels += (labels.empty() ? "`" : ", `") + label.name + "`";
        }
        EXPECT_THAT(page, HasSubstr("\n| `" + family.name + "` | " + types.at(family.type) + " | " +
                                    labels + (labels.empty() ? "| " : " | ")));
    }
}

TEST_F(CollectorTest, ADaemonThatIsAwayIsSaidOnceAndIsNotUp) {
    std::vector<std::string> said;
    const Collector collector(path(), [&](const std::string& text) { said.push_back(text); });
    EXPECT_EQ(text_of(collector.Collect()),
              "# HELP vrdma_up Whether vrdmad answers on its control socket.\n"
              "# TYPE vrdma_up gauge\n"
              "vrdma_up 0\n");
    collector.Collect();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_THAT(said[0], HasSubstr("start vrdmad"));
    serve();
    collector.Collect();
    ASSERT_EQ(said.size(), 2U);
    EXPECT_THAT(said[1], HasSubstr("answers"));
}

// The program, whose standard error is read.
class Exporter {
  public:
    explicit Exporter(const std::string& arguments) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe(ends.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], STDERR_FILENO);
            const std::string command = std::string("exec ") + test::kExporter + " " + arguments;
            ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        errors_ = ::fdopen(ends[0], "r");
    }
    ~Exporter() { std::fclose(errors_); }
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;

    std::string line() {
        std::array<char, 1024> text{};
        return std::fgets(text.data(), text.size(), errors_) == nullptr ? "" : text.data();
    }
    void terminate() const { ::kill(pid_, SIGTERM); }
    int status() const {
        int status = -1;
        ::waitpid(pid_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    pid_t pid_ = -1;
    FILE* errors_ = nullptr;
};

std::string get(uint16_t port, const std::string& place) {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    const std::string request =
        "GET " + place + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    std::array<char, 4096> part{};
    for (ssize_t got; (got = ::recv(socket.get(), part.data(), part.size(), 0)) > 0;) {
        answer.append(part.data(), static_cast<size_t>(got));
    }
    return answer;
}

TEST_F(CollectorTest, TheProgramServesTheMetricsUntilItIsTerminated) {
    serve();
    Exporter exporter("--socket " + path() + " --listen 127.0.0.1:0");
    const std::string said = exporter.line();
    const size_t port = said.find("127.0.0.1:");
    ASSERT_NE(port, std::string::npos) << said;
    const std::string answer =
        get(static_cast<uint16_t>(std::stoi(said.substr(port + 10))), "/metrics");
    EXPECT_THAT(answer, AllOf(HasSubstr("200 OK"), HasSubstr("vrdma_up 1"),
                              HasSubstr(R"(vrdma_guest_connected{guest="b"} 0)")));
    exporter.terminate();
    EXPECT_EQ(exporter.status(), 0);
}

TEST(ExporterTest, AnAddressThatItCannotHaveIsSaidWithWhatToDo) {
    Exporter exporter("--listen 192.0.2.1:9");
    EXPECT_THAT(exporter.line(), HasSubstr("cannot listen at 192.0.2.1:9"));
    EXPECT_EQ(exporter.status(), 1);
}

TEST(ExporterTest, AMistakeInTheOptionsHasAStatusOfItsOwn) {
    EXPECT_EQ(Exporter("--port 1").status(), 2);
}

}  // namespace
}  // namespace vrdma::exporter
