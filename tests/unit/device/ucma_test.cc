// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The connection manager's user interface as commands.
#include <vector>

#include "command_fixture.h"
#include "rnic/ucma.h"

namespace vrdma::device {
namespace {

struct CmState {
    rnic::UcmaFileInit init;  // of the last file
    int files = 0;
    uint32_t command = 0;
    std::vector<std::byte> in;
    size_t room = 0;
    rnic::UcmaFile* other = nullptr;
    Result<rnic::UcmaAnswer> answer = rnic::UcmaAnswer{};
};

class RecordingUcmaFile final : public rnic::UcmaFile {
  public:
    explicit RecordingUcmaFile(CmState& state) : state_(state) { ++state_.files; }
    ~RecordingUcmaFile() override { --state_.files; }
    Result<rnic::UcmaAnswer> execute(uint32_t command, std::span<const std::byte> in,
                                     std::span<std::byte> out, rnic::UcmaFile* other) override {
        state_.command = command;
        state_.in.assign(in.begin(), in.end());
        state_.room = out.size();
        state_.other = other;
        std::ranges::fill(out, std::byte{0x5a});
        return state_.answer;
    }

  private:
    CmState& state_;
};

class PortWithFiles final : public FakePort {
  public:
    PortWithFiles(FakeRnicState& state, CmState& cm)
        : FakePort(state, &FakeRnicState::ports, "port"), cm_(cm) {}
    Result<std::unique_ptr<rnic::UcmaFile>> open_ucma_file(
        const rnic::UcmaFileInit& init) override {
        cm_.init = init;
        return std::make_unique<RecordingUcmaFile>(cm_);
    }

  private:
    CmState& cm_;
};

class UcmaCommandsTest : public CommandTest {
  protected:
    static constexpr uint32_t kFiles = 3;
    static constexpr uint64_t kGuid = 0x1122334455667788;

    UcmaCommandsTest() {
        attributes_.ucma = true;
        attributes_.node_guid = kGuid;
        Limits limits;
        limits.ucma_files = kFiles;
        make_verbs(roce_, {}, limits);
    }
    ~UcmaCommandsTest() override { verbs_.reset(); }

    std::pair<int, uint32_t> open() {
        auto request = make<vrdma_cmd_ucma_open>(VRDMA_CMD_UCMA_OPEN);
        request.ibdev_index = htole32(6);
        return ask(request);
    }
    struct CommandRequest {
        vrdma_cmd_ucma_command head;
        std::array<std::byte, 5> udata;
    };
    CommandRequest command(uint32_t file, uint32_t other = VRDMA_NO_HANDLE) {
        CommandRequest request{make<vrdma_cmd_ucma_command>(VRDMA_CMD_UCMA_COMMAND),
                               {std::byte{1}, std::byte{2}}};
        request.head.hdr.udata_in_len = htole16(sizeof(request.udata));
        request.head.hdr.udata_out_len = htole16(16);
        request.head.file = htole32(file);
        request.head.command = htole32(17);
        request.head.other_file = htole32(other);
        return request;
    }
    // Without the padding at the end.
    int status_of(const CommandRequest& request) {
        return ask_bytes(std::as_bytes(std::span(&request, 1))
                             .first(sizeof(request.head) + sizeof(request.udata)))
            .first;
    }

    CmState cm_;
    PortWithFiles roce_{state_, cm_};
};

TEST_F(CommandTest, TheConnectionManagersFilesAreNotThereWithoutTheFeature) {
    EXPECT_EQ(ask(make<vrdma_cmd_ucma_open>(VRDMA_CMD_UCMA_OPEN)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_handle>(VRDMA_CMD_UCMA_CLOSE)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_ucma_command>(VRDMA_CMD_UCMA_COMMAND)).first, EOPNOTSUPP);
}

TEST_F(UcmaCommandsTest, AFileKnowsItsDevice) {
    const auto [status, handle] = open();
    ASSERT_EQ(status, 0);
    EXPECT_EQ(cm_.init.handle, handle);
    EXPECT_EQ(cm_.init.ibdev_index, 6u);
    EXPECT_EQ(cm_.init.node_guid, kGuid);
}

TEST_F(UcmaCommandsTest, FilesAreLimited) {
    for (uint32_t i = 0; i < kFiles; ++i) {
        EXPECT_EQ(open().first, 0);
    }
    EXPECT_EQ(open().first, EDQUOT);
    EXPECT_EQ(verbs_->counts().ucma_files, kFiles);
}

TEST_F(UcmaCommandsTest, ClosingEndsTheFile) {
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_UCMA_CLOSE);
    request.handle = htole32(open().second);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(cm_.files, 0);
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(UcmaCommandsTest, LosingTheRnicEndsAllFiles) {
    open();
    open();
    verbs_->release_all();
    EXPECT_EQ(cm_.files, 0);
}

TEST_F(UcmaCommandsTest, ACommandGoesToItsFileAsItIs) {
    const uint32_t file = open().second;
    EXPECT_EQ(status_of(command(file)), 0);
    EXPECT_EQ(cm_.command, 17u);
    EXPECT_EQ(cm_.in.size(), 5u);
    EXPECT_EQ(cm_.in[1], std::byte{2});
    EXPECT_EQ(cm_.room, 16u);
    EXPECT_EQ(cm_.other, nullptr);
}

TEST_F(UcmaCommandsTest, AnotherFileIsOneOfTheDevice) {
    const uint32_t file = open().second;
    EXPECT_EQ(status_of(command(file, open().second)), 0);
    EXPECT_NE(cm_.other, nullptr);
    EXPECT_EQ(status_of(command(file, 77)), EINVAL);
    EXPECT_EQ(status_of(command(77)), EINVAL);
}

TEST_F(UcmaCommandsTest, ErrorsAreThoseOfTheConnectionManager) {
    cm_.answer = fail(EADDRINUSE);
    EXPECT_EQ(status_of(command(open().second)), EADDRINUSE);
}

}  // namespace
}  // namespace vrdma::device
