// SPDX-License-Identifier: Apache-2.0
// The connection manager's user interface as commands.
#include <vector>

#include "command_fixture.h"
#include "rnic/ucma.h"

namespace vrdma::device {
namespace {

struct CmState {
    rnic::CmFileInit init;  // of the last file
    int files = 0;
    uint32_t command = 0;
    std::vector<std::byte> in;
    size_t room = 0;
    rnic::CmFile* other = nullptr;
    Result<rnic::CmAnswer> answer = rnic::CmAnswer{};
};

class FakeCmFile final : public rnic::CmFile {
  public:
    explicit FakeCmFile(CmState& state) : state_(state) { ++state_.files; }
    ~FakeCmFile() override { --state_.files; }
    Result<rnic::CmAnswer> execute(uint32_t command, std::span<const std::byte> in,
                                   std::span<std::byte> out, rnic::CmFile* other) override {
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
    Result<std::unique_ptr<rnic::CmFile>> open_cm_file(const rnic::CmFileInit& init) override {
        cm_.init = init;
        return std::make_unique<FakeCmFile>(cm_);
    }

  private:
    CmState& cm_;
};

class RdmaCmCommandsTest : public CommandTest {
  protected:
    static constexpr uint32_t kFiles = 3;
    static constexpr uint64_t kGuid = 0x1122334455667788;

    RdmaCmCommandsTest() {
        auto attributes = FakeRnic().attributes();
        attributes.rdma_cm = true;
        attributes.node_guid = kGuid;
        Limits limits;
        limits.connection_files = kFiles;
        verbs_ = std::make_unique<Verbs>(
            Verbs::Options{
                .guest = "guest", .limits = limits, .attributes = attributes, .udata_pointers = {}},
            roce_, window_, DoorbellMemory{.fd = 3, .length = VRDMA_WINDOW_PAGE_SIZE},
            [this] { return memory_.as_guest_memory(); }, logger_);
    }
    ~RdmaCmCommandsTest() override { verbs_.reset(); }

    std::pair<int, uint32_t> open() {
        auto request = make<vrdma_cmd_cm_open>(VRDMA_CMD_CM_OPEN);
        request.ibdev_index = htole32(6);
        return ask(request);
    }
    struct CommandRequest {
        vrdma_cmd_cm_command head;
        std::array<std::byte, 5> udata;
    };
    CommandRequest command(uint32_t file, uint32_t other = VRDMA_NO_HANDLE) {
        CommandRequest request{make<vrdma_cmd_cm_command>(VRDMA_CMD_CM_COMMAND),
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
    EXPECT_EQ(ask(make<vrdma_cmd_cm_open>(VRDMA_CMD_CM_OPEN)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_handle>(VRDMA_CMD_CM_CLOSE)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_cm_command>(VRDMA_CMD_CM_COMMAND)).first, EOPNOTSUPP);
}

TEST_F(RdmaCmCommandsTest, AFileKnowsItsDevice) {
    const auto [status, handle] = open();
    ASSERT_EQ(status, 0);
    EXPECT_EQ(cm_.init.handle, handle);
    EXPECT_EQ(cm_.init.ibdev_index, 6u);
    EXPECT_EQ(cm_.init.node_guid, kGuid);
}

TEST_F(RdmaCmCommandsTest, FilesAreLimited) {
    for (uint32_t i = 0; i < kFiles; ++i) {
        EXPECT_EQ(open().first, 0);
    }
    EXPECT_EQ(open().first, EDQUOT);
    EXPECT_EQ(verbs_->counts().connection_files, kFiles);
}

TEST_F(RdmaCmCommandsTest, ClosingEndsTheFile) {
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_CM_CLOSE);
    request.handle = htole32(open().second);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(cm_.files, 0);
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(RdmaCmCommandsTest, LosingTheRnicEndsAllFiles) {
    open();
    open();
    verbs_->release_all();
    EXPECT_EQ(cm_.files, 0);
}

TEST_F(RdmaCmCommandsTest, ACommandGoesToItsFileAsItIs) {
    const uint32_t file = open().second;
    EXPECT_EQ(status_of(command(file)), 0);
    EXPECT_EQ(cm_.command, 17u);
    EXPECT_EQ(cm_.in.size(), 5u);
    EXPECT_EQ(cm_.in[1], std::byte{2});
    EXPECT_EQ(cm_.room, 16u);
    EXPECT_EQ(cm_.other, nullptr);
}

TEST_F(RdmaCmCommandsTest, AnotherFileIsOneOfTheDevice) {
    const uint32_t file = open().second;
    EXPECT_EQ(status_of(command(file, open().second)), 0);
    EXPECT_NE(cm_.other, nullptr);
    EXPECT_EQ(status_of(command(file, 77)), EINVAL);
    EXPECT_EQ(status_of(command(77)), EINVAL);
}

TEST_F(RdmaCmCommandsTest, ErrorsAreThoseOfTheConnectionManager) {
    cm_.answer = fail(EADDRINUSE);
    EXPECT_EQ(status_of(command(open().second)), EADDRINUSE);
}

}  // namespace
}  // namespace vrdma::device
