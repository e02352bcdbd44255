// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Connections of an iWARP RNIC as commands.
#include <optional>

#include "command_fixture.h"
#include "rnic/iw_cm.h"

namespace vrdma::device {
namespace {

class FakeConnections final : public rnic::IwCm {
  public:
    struct Asked {
        uint32_t id = 0;
        uint32_t request = 0;
        uint32_t qp_num = 0;
        rnic::Endpoint local{};
        rnic::Endpoint remote{};
        rnic::IwCmParameters parameters{};
        bool ipv6_only = false;
    };

    Result<void> connect(uint32_t id, const rnic::QueuePair& qp, const rnic::Endpoint& local,
                         const rnic::Endpoint& remote, rnic::IwCmParameters parameters) override {
        asked = Asked{.id = id,
                      .qp_num = qp.qp_num(),
                      .local = local,
                      .remote = remote,
                      .parameters = std::move(parameters)};
        return {};
    }
    Result<void> listen(uint32_t id, const rnic::Endpoint& local, uint32_t,
                        bool ipv6_only) override {
        asked = Asked{.id = id, .local = local, .ipv6_only = ipv6_only};
        return {};
    }
    Result<void> accept(uint32_t request, uint32_t id, const rnic::QueuePair& qp,
                        const rnic::IwCmParameters& parameters) override {
        asked =
            Asked{.id = id, .request = request, .qp_num = qp.qp_num(), .parameters = parameters};
        return {};
    }
    Result<void> reject(uint32_t request, const std::vector<std::byte>&) override {
        rejected.push_back(request);
        return {};
    }
    void close(uint32_t id) override { closed.push_back(id); }
    std::optional<rnic::IwCmEvent> next_event() override {
        return std::exchange(event, std::nullopt);
    }

    std::optional<Asked> asked;
    std::vector<uint32_t> rejected;
    std::vector<uint32_t> closed;
    std::optional<rnic::IwCmEvent> event;
};

class PortWithConnections final : public FakePort {
  public:
    PortWithConnections(FakeRnicState& state, rnic::IwCm& connections)
        : FakePort(state, &FakeRnicState::ports, "port"), connections_(connections) {}
    rnic::IwCm* iw_cm() override { return &connections_; }

  private:
    rnic::IwCm& connections_;
};

class ConnectionCommandsTest : public CommandTest {
  protected:
    ConnectionCommandsTest() {
        attributes_.iw_cm = true;
        make_verbs(iwarp_, {}, {});
        context_ = uctx();
        auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, context_);
        request.pd = htole32(pd(context_));
        request.send_cq = request.recv_cq = htole32(cq(context_));
        request.srq = htole32(VRDMA_NO_HANDLE);
        request.qp_type = 2;  // IB_QPT_RC
        qp_ = ask(request).second;
    }
    ~ConnectionCommandsTest() override { verbs_.reset(); }

    vrdma_cmd_iw_connect connect(uint32_t uctx, uint16_t private_data_len = 2) {
        auto request = make<vrdma_cmd_iw_connect>(VRDMA_CMD_IW_CONNECT, uctx);
        request.id = htole32(5);
        request.qp = htole32(qp_);
        request.remote.ip[15] = 1;
        request.remote.port = htobe16(80);
        request.param.private_data_len = htole16(private_data_len);
        request.param.private_data[1] = 0xab;
        return request;
    }
    vrdma_cmd_iw_accept accept(uint32_t uctx) {
        auto request = make<vrdma_cmd_iw_accept>(VRDMA_CMD_IW_ACCEPT, uctx);
        request.request = htole32(9);
        request.id = htole32(5);
        request.qp = htole32(qp_);
        return request;
    }

    FakeConnections connections_;
    PortWithConnections iwarp_{state_, connections_};
    uint32_t context_ = 0;
    uint32_t qp_ = 0;
};

TEST_F(CommandTest, ConnectionsAreNotThereWithoutAManager) {
    EXPECT_EQ(ask(make<vrdma_cmd_iw_connect>(VRDMA_CMD_IW_CONNECT)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_iw_listen>(VRDMA_CMD_IW_LISTEN)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_iw_accept>(VRDMA_CMD_IW_ACCEPT)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_iw_reject>(VRDMA_CMD_IW_REJECT)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_handle>(VRDMA_CMD_IW_CLOSE)).first, EOPNOTSUPP);
}

TEST_F(ConnectionCommandsTest, ConnectingNamesTheRnicsQueuePair) {
    ASSERT_EQ(ask(connect(context_)).first, 0);
    ASSERT_TRUE(connections_.asked);
    EXPECT_EQ(connections_.asked->id, 5u);
    EXPECT_EQ(connections_.asked->qp_num, 0x77u);
    EXPECT_EQ(connections_.asked->remote.port, 80);
    EXPECT_EQ(connections_.asked->remote.ip[15], 1);
    EXPECT_EQ(connections_.asked->parameters.private_data,
              (std::vector{std::byte{0}, std::byte{0xab}}));
}

TEST_F(ConnectionCommandsTest, AnotherContextsQueuePairIsRefused) {
    EXPECT_EQ(ask(connect(uctx())).first, EINVAL);
    EXPECT_FALSE(connections_.asked);
}

TEST_F(ConnectionCommandsTest, ARequestIsRejectedWhenTheQueuePairIsNot) {
    EXPECT_EQ(ask(accept(uctx())).first, EINVAL);
    EXPECT_FALSE(connections_.asked);
    EXPECT_EQ(connections_.rejected, std::vector{9u});
}

TEST_F(ConnectionCommandsTest, AcceptingNamesRequestAndConnection) {
    ASSERT_EQ(ask(accept(context_)).first, 0);
    ASSERT_TRUE(connections_.asked);
    EXPECT_EQ(connections_.asked->request, 9u);
    EXPECT_EQ(connections_.asked->id, 5u);
    EXPECT_EQ(connections_.asked->qp_num, 0x77u);
}

TEST_F(ConnectionCommandsTest, PrivateDataLongerThanItsArrayAreRefused) {
    EXPECT_EQ(ask(connect(context_, VRDMA_IW_MAX_PRIVATE_DATA)).first, 0);
    EXPECT_EQ(ask(connect(context_, VRDMA_IW_MAX_PRIVATE_DATA + 1)).first, EINVAL);
    EXPECT_EQ(ask(connect(context_, UINT16_MAX)).first, EINVAL);
}

TEST_F(ConnectionCommandsTest, UnknownFlagsOfAListenerAreRefused) {
    auto request = make<vrdma_cmd_iw_listen>(VRDMA_CMD_IW_LISTEN);
    request.flags = htole32(2);
    EXPECT_EQ(ask(request).first, EINVAL);
    request.flags = htole32(VRDMA_IW_LISTEN_IPV6_ONLY);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_TRUE(connections_.asked->ipv6_only);
}

TEST_F(ConnectionCommandsTest, ClosingNamesTheConnection) {
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_IW_CLOSE);
    request.handle = htole32(5);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(connections_.closed, std::vector{5u});
}

TEST_F(ConnectionCommandsTest, WhatHappensIsFetchedOnce) {
    connections_.event = rnic::IwCmEvent{.type = rnic::IwCmEvent::Type::kReply,
                                         .id = 5,
                                         .request = 0,
                                         .status = Errno{ECONNREFUSED},
                                         .local = {},
                                         .remote = {},
                                         .parameters = {}};
    Call call;
    vrdma_rsp_iw_event response{};
    ASSERT_TRUE(verb::iw_get_event(*verbs_, call, {}, response));
    EXPECT_EQ(le32toh(response.type), uint32_t{VRDMA_IW_EVENT_CONNECT_REPLY});
    EXPECT_EQ(le32toh(response.id), 5u);
    EXPECT_EQ(le32toh(response.status), uint32_t{ECONNREFUSED});
    response = {};
    ASSERT_TRUE(verb::iw_get_event(*verbs_, call, {}, response));
    EXPECT_EQ(le32toh(response.type), uint32_t{VRDMA_IW_EVENT_NONE});
}

}  // namespace
}  // namespace vrdma::device
