// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/uverbs.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace vrdma::uverbs {
namespace {

// Keeps the bytes of a command, and answers with bytes that count up.
class RecordingFile final : public UverbsFile {
  public:
    Result<void> execute(std::span<const std::byte> command) override {
        bytes.assign(command.begin(), command.end());
        std::byte* to = reinterpret_cast<std::byte*>(at<uint64_t>(response_offset));
        for (size_t i = 0; i < response_size; ++i) {
            to[i] = static_cast<std::byte>(i + 1);
        }
        return error == 0 ? Result<void>() : fail(error);
    }
    int fd() const override { return -1; }

    template <typename T>
    T at(size_t offset) const {
        T value;
        std::memcpy(&value, bytes.data() + offset, sizeof(value));
        return value;
    }

    std::vector<std::byte> bytes;
    size_t response_offset = 8;
    size_t response_size = 0;
    int error = 0;
};

TEST(Command, HasItsSizesInWordsOfFourBytes) {
    RecordingFile file;
    file.response_size = 12;
    ib_uverbs_alloc_pd_resp response{};
    const std::array<std::byte, 12> in{};
    std::array<std::byte, 8> out{};
    ASSERT_TRUE(execute(file, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, response},
                        {.in = in, .out = out}));
    EXPECT_EQ(file.bytes.size(), 8u + 8 + 12);
    const auto header = file.at<ib_uverbs_cmd_hdr>(0);
    EXPECT_EQ(header.command, uint32_t{IB_USER_VERBS_CMD_ALLOC_PD});
    EXPECT_EQ(header.in_words, 28 / 4);
    EXPECT_EQ(header.out_words, (4 + 8) / 4);
}

TEST(Command, TakesTheDriversAnswerFromBehindTheCores) {
    RecordingFile file;
    file.response_size = 12;
    ib_uverbs_alloc_pd_resp response{};
    std::array<std::byte, 8> out{};
    ASSERT_TRUE(
        execute(file, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, response}, {.out = out}));
    EXPECT_EQ(response.pd_handle, 0x04030201u);
    EXPECT_EQ(out.front(), std::byte{5});
    EXPECT_EQ(out.back(), std::byte{12});
}

TEST(Command, CarriesTheGuestsBytesBehindTheCores) {
    RecordingFile file;
    ib_uverbs_alloc_pd_resp response{};
    const std::array in{std::byte{9}, std::byte{8}, std::byte{7}, std::byte{6}};
    ASSERT_TRUE(
        execute(file, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, response}, {.in = in}));
    EXPECT_EQ(std::memcmp(file.bytes.data() + 16, in.data(), in.size()), 0);
}

TEST(Command, WithoutAnAnswerKeepsItsFirstField) {
    RecordingFile file;
    file.response_size = 0;
    file.response_offset = 0;
    ASSERT_TRUE(execute(file, {IB_USER_VERBS_CMD_DEALLOC_PD, ib_uverbs_dealloc_pd{77}}));
    EXPECT_EQ(file.at<uint32_t>(8), 77u);
    EXPECT_EQ(file.at<ib_uverbs_cmd_hdr>(0).out_words, 0);
}

TEST(Command, ExtendedHasItsSizesInWordsOfEightBytes) {
    RecordingFile file;
    file.response_size = sizeof(ib_uverbs_ex_create_cq_resp) + 16;
    ib_uverbs_ex_create_cq_resp response{};
    const std::array<std::byte, 8> in{};
    std::array<std::byte, 16> out{};
    ASSERT_TRUE(execute(
        file,
        UverbsCommand::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ, ib_uverbs_ex_create_cq{}, response),
        {.in = in, .out = out}));
    const auto header = file.at<ib_uverbs_cmd_hdr>(0);
    const auto extension = file.at<ib_uverbs_ex_cmd_hdr>(8);
    EXPECT_EQ(header.command, IB_USER_VERBS_EX_CMD_CREATE_CQ | IB_USER_VERBS_CMD_FLAG_EXTENDED);
    EXPECT_EQ(header.in_words, sizeof(ib_uverbs_ex_create_cq) / 8);
    EXPECT_EQ(header.out_words, sizeof(response) / 8);
    EXPECT_EQ(extension.provider_in_words, 1);
    EXPECT_EQ(extension.provider_out_words, 2);
    EXPECT_EQ(out.front(), static_cast<std::byte>(sizeof(response) + 1));
}

TEST(Command, ReachesNobodyWithPartsOfWords) {
    RecordingFile file;
    ib_uverbs_alloc_pd_resp response{};
    ib_uverbs_ex_create_cq_resp extended{};
    const std::array<std::byte, 6> six{};
    const std::array<std::byte, 4> four{};
    EXPECT_EQ(
        execute(file, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, response}, {.in = six})
            .error(),
        Errno{EINVAL});
    EXPECT_EQ(execute(file,
                      UverbsCommand::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ,
                                              ib_uverbs_ex_create_cq{}, extended),
                      {.in = four})
                  .error(),
              Errno{EINVAL});
    EXPECT_TRUE(file.bytes.empty());
}

TEST(Command, ThatFailsLeavesTheAnswerAlone) {
    RecordingFile file;
    file.response_size = 4;
    file.error = EPERM;
    ib_uverbs_alloc_pd_resp response{.pd_handle = 5};
    EXPECT_EQ(execute(file, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, response}).error(),
              Errno{EPERM});
    EXPECT_EQ(response.pd_handle, 5u);
}

}  // namespace
}  // namespace vrdma::uverbs
