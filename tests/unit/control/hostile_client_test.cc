// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Whatever a client sends or does not read, the others are served.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <string>
#include <vector>

#include "control_fixture.h"

namespace vrdma::daemon {
namespace {

using control::Client;
using control::ControlSocket;
using control::Dispatcher;
using nlohmann::json;

class HostileClientTest : public ControlTest {
  protected:
    HostileClientTest() { serve(); }

    // The code of the error that a line gets.
    int error_of(const std::string& line) {
        ControlClient asking = client();
        asking.send(line + "\n");
        return asking.document().at("error").at("code");
    }
    void expect_served() { EXPECT_EQ(client().result("list").at("guests").size(), 2U); }
};

std::string request(const std::string& more) {
    return R"({"jsonrpc":"2.0",)" + more + "}";
}

TEST_F(HostileClientTest, WhatIsNoRequestIsAnError) {
    EXPECT_EQ(error_of("{"), control::kParseError);
    EXPECT_EQ(error_of("nonsense"), control::kParseError);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"list","x":")") + "\xff\"}"),
              control::kParseError);
    EXPECT_EQ(error_of("\"\xc3\x28\""), control::kParseError);
    EXPECT_EQ(error_of("1e999"), control::kParseError);
    EXPECT_EQ(error_of(std::string("\0{}", 3)), control::kParseError);
    EXPECT_EQ(error_of("7"), control::kInvalidRequest);
    EXPECT_EQ(error_of("{}"), control::kInvalidRequest);
    EXPECT_EQ(error_of(R"({"id":1,"method":"list"})"), control::kInvalidRequest);
    EXPECT_EQ(error_of(R"({"jsonrpc":"1.0","id":1,"method":"list"})"), control::kInvalidRequest);
    EXPECT_EQ(error_of(request(R"("id":1,"method":7)")), control::kInvalidRequest);
    EXPECT_EQ(error_of(request(R"("id":{},"method":"list")")), control::kInvalidRequest);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"nothing")")), control::kUnknownMethod);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"list","params":[1])")),
              control::kInvalidParameters);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"list","params":{"x":1})")),
              control::kInvalidParameters);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"show")")), control::kInvalidParameters);
    EXPECT_EQ(error_of(request(R"("id":1,"method":"show","params":{"guest":1})")),
              control::kInvalidParameters);
    expect_served();
}

TEST_F(HostileClientTest, AnUnknownMethodWithALongNameIsShortInTheAnswer) {
    ControlClient asking = client();
    const json answer = asking.ask(std::string(60000, 'x'));
    EXPECT_LT(answer.dump().size(), 1000U);
}

TEST_F(HostileClientTest, NestingHasALimit) {
    const auto nested = [](size_t depth) {
        return request(R"("id":1,"method":"list","params":)" + std::string(depth - 1, '[') +
                       std::string(depth - 1, ']'));
    };
    EXPECT_EQ(error_of(nested(Dispatcher::kMaxDepth)), control::kInvalidParameters);
    EXPECT_EQ(error_of(nested(Dispatcher::kMaxDepth + 1)), control::kInvalidRequest);
    EXPECT_EQ(error_of(std::string(60000, '[')), control::kInvalidRequest);
    // What is in a string nests nothing.
    EXPECT_EQ(error_of(request(R"("id":1,"method":"[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[")")),
              control::kUnknownMethod);
    expect_served();
}

TEST_F(HostileClientTest, HalfALineWaitsForTheRest) {
    ControlClient slow = client();
    slow.send(R"({"jsonrpc":"2.0","id":1,)");
    expect_served();
    slow.send("\"method\":\"version\"}\n");
    EXPECT_TRUE(slow.document().contains("result"));
    ControlClient ending = client();
    ending.send(R"({"jsonrpc":"2.0","id":1,)");
    ending.end_sending();
    EXPECT_EQ(ending.line(), "");
}

TEST_F(HostileClientTest, ALineThatIsTooLongEndsTheConnectionAfterAnError) {
    for (const bool ends : {true, false}) {
        ControlClient asking = client();
        asking.send(request(R"("id":1,"method":"version")") + "\n");
        asking.send(std::string(Client::kMaxLine + 1, ' ') + (ends ? "\n" : ""));
        EXPECT_TRUE(asking.document().contains("result"));
        EXPECT_EQ(asking.document().at("error").at("code"), control::kInvalidRequest);
        EXPECT_EQ(asking.line(), "");
    }
    ControlClient longest = client();
    const std::string words = request(R"("id":1,"method":"version")");
    longest.send(words + std::string(Client::kMaxLine - words.size(), ' ') + "\n");
    EXPECT_TRUE(longest.document().contains("result"));
    expect_served();
}

TEST_F(HostileClientTest, ABatchIsAnsweredAsOne) {
    ControlClient asking = client();
    asking.send("[" + request(R"("id":1,"method":"version")") + "," +
                request(R"("method":"version")") + ",7," + request(R"("id":"x","method":"y")") +
                "]\n");
    const json answers = asking.document();
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_TRUE(answers[0].contains("result"));
    EXPECT_EQ(answers[1].at("error").at("code"), control::kInvalidRequest);
    EXPECT_EQ(answers[2].at("id"), "x");
    EXPECT_EQ(error_of("[]"), control::kInvalidRequest);
    std::string many = "[1";
    for (size_t i = 0; i < Dispatcher::kMaxBatch; ++i) {
        many += ",1";
    }
    EXPECT_EQ(error_of(many + "]"), control::kInvalidRequest);
    asking.send("[" + request(R"("method":"version")") + "]\n");
    EXPECT_TRUE(asking.ask("version").contains("result")) << "notifications get no answer";
}

TEST_F(HostileClientTest, ANotificationIsCarriedOutWithoutAnAnswer) {
    ControlClient asking = client();
    asking.send(
        request(R"("method":"set_limits","params":{"guest":"a","limits":{"queue_pairs":3}})") +
        "\n" + request(R"("method":"nothing")") + "\n\n \t\r\n");
    const json limits = asking.result("limits", {{"guest", "a"}}).at("guests").at(0).at("limits");
    EXPECT_EQ(limits.at("queue_pairs").at("limit"), 3);
}

TEST_F(HostileClientTest, ManyRequestsAtOnceAreAnsweredInTheirOrder) {
    ControlClient asking = client();
    std::string requests;
    constexpr int kRequests = 200;
    for (int i = 0; i < kRequests; ++i) {
        requests += request(R"("method":"version","id":)" + std::to_string(i)) + "\n";
    }
    asking.send(requests);
    asking.end_sending();
    for (int i = 0; i < kRequests; ++i) {
        ASSERT_EQ(asking.document().at("id"), i);
    }
    EXPECT_EQ(asking.line(), "");
}

TEST_F(HostileClientTest, AThousandConnectionsAreTurnedAwayAndTheSocketServesAgain) {
    {
        std::vector<ControlClient> clients;
        for (size_t i = 0; i < ControlSocket::kMaxClients; ++i) {
            clients.push_back(client());
            ASSERT_TRUE(clients.back().ask("version").contains("result")) << i;
        }
        for (int i = 0; i < 1000; ++i) {
            ControlClient one_more = client();
            ASSERT_EQ(one_more.document().at("error").at("code"), control::kTooManyClients) << i;
            ASSERT_EQ(one_more.line(), "");
        }
        EXPECT_TRUE(clients.front().ask("version").contains("result"));
    }
    // The daemon may not have seen yet that they are gone.
    for (;;) {
        ControlClient again = client();
        again.send(request(R"("id":1,"method":"version")") + "\n");
        if (again.document().contains("result")) {
            break;
        }
    }
}

TEST_F(HostileClientTest, AClientThatReadsNoAnswersHoldsNobody) {
    ControlClient greedy = client();
    ASSERT_EQ(::fcntl(greedy.fd(), F_SETFL, O_NONBLOCK), 0);
    const std::string asks = request(R"("id":1,"method":"stats")") + "\n";
    // Until neither socket nor daemon takes any more.
    pollfd writable{greedy.fd(), POLLOUT, 0};
    for (int idle = 0; idle < 2;) {
        const ssize_t sent = ::send(greedy.fd(), asks.data(), asks.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            ASSERT_EQ(errno, EAGAIN) << "it keeps its connection";
            expect_served();
            idle = ::poll(&writable, 1, 0) == 0 ? idle + 1 : 0;
        }
    }
    expect_served();
}

TEST_F(HostileClientTest, AFollowerThatNeverReadsIsCutOff) {
    ControlClient follower = client();
    ControlClient reading = client();
    follower.result("events", {{"follow", true}});
    reading.result("events", {{"follow", true}});
    // Events of many guests, as the limit of one guest's is what keeps them few otherwise.
    const json bulk{{"bulk", std::string(8192, 'x')}};
    bool cut_off = false;
    for (int i = 0; !cut_off; ++i) {
        events_.push(event_kind::kReset, "guest" + std::to_string(i), bulk);
        EXPECT_EQ(reading.document().at("method"), "event");
        cut_off = log_.count("does not read its events") == 1;
        ASSERT_LT(i, 2000);
    }
    expect_served();
}

}  // namespace
}  // namespace vrdma::daemon
