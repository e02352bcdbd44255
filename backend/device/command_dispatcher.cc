// SPDX-License-Identifier: Apache-2.0
#include "device/command_dispatcher.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <type_traits>

#include "device/features.h"
#include "device/request/request_memory.h"

namespace vrdma::device {
namespace {

// Room for any fixed request and response of the protocol.
constexpr size_t kMaxRequest = 512;
constexpr size_t kMaxResponse = 512;

// One row of the table of commands (common/vrdma_command_table.h).
struct Command {
    uint16_t opcode;
    const char* name;
    uint32_t request_size;
    uint32_t response_size;
    uint32_t feature;  // VRDMA_F_* or VRDMA_NO_FEATURE
    // `run_count` of a request with VRDMA_COMMAND_HAS_RUNS; 0 for others.
    uint32_t (*run_count)(const std::byte* request);
    // Checks the request by itself and the feature, then calls the verb.
    Result<void> (*handle)(const Command& command, Verbs& verbs, Call& call,
                           const std::byte* request, std::byte* response);
};

template <typename Request>
constexpr bool kHasRunCount = requires(Request request) {
    request.run_count;
};

template <typename Request>
uint32_t run_count(const std::byte* request) {
    if constexpr (kHasRunCount<Request>) {
        Request typed;
        std::memcpy(&typed, request, sizeof(typed));
        return le32toh(typed.run_count);
    } else {
        return 0;
    }
}

template <auto Method, auto Valid, typename Request, typename Response>
Result<void> handle(const Command& command, Verbs& verbs, Call& call, const std::byte* request,
                    std::byte* response) {
    Request typed_request;
    Response typed_response{};
    std::memcpy(&typed_request, request, sizeof(Request));
    if (!Valid(&typed_request)) {
        return fail(EINVAL);
    }
    if ((feature_mask(command.feature) & ~verbs.features()) != 0) {
        return fail(EOPNOTSUPP);
    }
    auto result = (verbs.*Method)(call, typed_request, typed_response);
    std::memcpy(response, &typed_response, sizeof(Response));
    return result;
}

template <auto Method, auto Valid, typename Request, typename Response, uint32_t Flags>
constexpr Command command(uint16_t opcode, const char* name, uint32_t feature) {
    static_assert(sizeof(Request) <= kMaxRequest && sizeof(Response) <= kMaxResponse);
    static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
    static_assert(kHasRunCount<Request> == ((Flags & VRDMA_COMMAND_HAS_RUNS) != 0));
    return {.opcode = opcode,
            .name = name,
            .request_size = sizeof(Request),
            .response_size = sizeof(Response),
            .feature = feature,
            .run_count = &run_count<Request>,
            .handle = &handle<Method, Valid, Request, Response>};
}

// NOLINTBEGIN(bugprone-macro-parentheses): names take none
#define VRDMA_COMMAND(NAME, name, opcode, request, response, feature, flags)                   \
    command<&Verbs::name, &request##_valid, request, response, flags>(VRDMA_CMD_##NAME, #NAME, \
                                                                      feature),
// NOLINTEND(bugprone-macro-parentheses)
constexpr Command kCommands[] = {VRDMA_COMMANDS(VRDMA_COMMAND)};
#undef VRDMA_COMMAND
static_assert(std::ranges::is_sorted(kCommands, {}, &Command::opcode));

const Command* find_command(uint16_t opcode) {
    const auto* found = std::ranges::lower_bound(kCommands, opcode, {}, &Command::opcode);
    return found != std::end(kCommands) && found->opcode == opcode ? found : nullptr;
}

template <typename T>
std::span<std::byte> bytes_of(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace

CommandDispatcher::CommandDispatcher(std::string guest, uint32_t max_mr_runs,
                                     std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), max_mr_runs_(max_mr_runs), log_(std::move(logger)) {}

Result<void> CommandDispatcher::read_runs(const vhost::DescriptorChain& chain, size_t offset,
                                          uint64_t count) {
    if (count > max_mr_runs_) {
        log_.warn(
            "{}: limit reached: memory of {} guest-physical runs, {} are allowed (mr_runs); the "
            "verb gets {}",
            guest_, count, max_mr_runs_, to_string(Errno{ENOMEM}));
        return fail(ENOMEM);
    }
    if (chain.readable_size() - offset != count * sizeof(vrdma_run)) {
        return fail(EINVAL);
    }
    runs_.resize(count);
    return chain.read(offset, std::as_writable_bytes(std::span(runs_)));
}

// What follows udata: the regions behind its pointers, their runs, and those of a memory
// region.
Result<void> CommandDispatcher::read_memory(const vhost::DescriptorChain& chain, size_t offset,
                                            std::span<const std::byte> request, uint64_t call_runs,
                                            const Verbs& verbs, Call& call,
                                            std::vector<rnic::UdataRegion>& regions) {
    vrdma_cmd_hdr header;
    std::memcpy(&header, request.data(), sizeof(header));
    const uint16_t opcode = le16toh(header.opcode);
    std::array<vrdma_udata_region, VRDMA_MAX_UDATA_REGIONS> described;
    std::array<RequestedRegion, VRDMA_MAX_UDATA_REGIONS> requested;
    const size_t region_count = le16toh(header.region_count);
    if (region_count > described.size()) {
        return fail(EINVAL);
    }
    const auto list = std::as_writable_bytes(std::span(described).first(region_count));
    if (auto read = chain.read(offset, list); !read) {
        return read;
    }
    uint64_t count = call_runs;
    for (size_t i = 0; i < region_count; ++i) {
        count += le32toh(described[i].run_count);
    }
    if (auto read = read_runs(chain, offset + list.size(), count); !read) {
        return read;
    }

    call.runs = runs_;
    for (size_t i = 0; i < region_count; ++i) {
        const uint32_t runs = le32toh(described[i].run_count);
        requested[i] = {.offset = le16toh(described[i].offset),
                        .length = le64toh(described[i].length),
                        .runs = call.runs.first(runs)};
        call.runs = call.runs.subspan(runs);
    }
    const auto wanted = std::span<const RequestedRegion>(requested).first(region_count);
    auto lasting = check_regions(verbs.udata_pointers(), opcode, call.udata.in,
                                 udata_counts(opcode, request), wanted);
    if (!lasting) {
        return fail(lasting.error());
    }
    call.lasting = *lasting;
    for (const RequestedRegion& region : wanted) {
        auto pieces = verbs.pin(region.runs, region.length);
        if (!pieces) {
            return fail(pieces.error());
        }
        regions.push_back(
            {.offset = region.offset, .length = region.length, .pieces = std::move(*pieces)});
    }
    call.udata.regions = regions;
    return {};
}

CommandDispatcher::Outcome CommandDispatcher::refuse(vhost::DescriptorChain& chain, int status) {
    const vrdma_rsp_hdr response{
        .status = htole32(static_cast<uint32_t>(status)),
        .length = htole32(sizeof(vrdma_rsp_hdr)),
        .udata_len = 0,
        .reserved = 0,
    };
    if (!chain.write(0, std::as_bytes(std::span(&response, 1)))) {
        return {};
    }
    return {.written = sizeof(response), .cancelled = false};
}

CommandDispatcher::Outcome CommandDispatcher::execute_without_rnic(vhost::DescriptorChain& chain) {
    static_assert(sizeof(vrdma_rsp_empty) == sizeof(vrdma_rsp_hdr), "refuse() writes all of it");
    vrdma_cmd_hdr header;
    if (!chain.read(0, bytes_of(header))) {
        return {};
    }
    return refuse(chain, (vrdma_command_flags(le16toh(header.opcode)) & VRDMA_COMMAND_RELEASES) != 0
                             ? 0
                             : ENODEV);
}

CommandDispatcher::Outcome CommandDispatcher::execute(vhost::DescriptorChain& chain, Verbs& verbs) {
    vrdma_cmd_hdr header;
    if (chain.writable_size() < sizeof(vrdma_rsp_hdr) || !chain.read(0, bytes_of(header))) {
        log_.warn("{}: control queue: a chain of {} + {} bytes has no room for the headers", guest_,
                  chain.readable_size(), chain.writable_size());
        return {};
    }
    const auto reject = [&](int status) { return refuse(chain, status); };

    const Command* command = find_command(le16toh(header.opcode));
    if (command == nullptr) {
        return reject(EOPNOTSUPP);
    }
    const size_t udata_in = le16toh(header.udata_in_len);
    const size_t udata_out = le16toh(header.udata_out_len);
    const size_t fixed = size_t{command->request_size} + udata_in;
    if (le32toh(header.length) != command->request_size || udata_in > kMaxUdata ||
        udata_out > kMaxUdata || chain.readable_size() < fixed ||
        chain.writable_size() < command->response_size + udata_out) {
        log_.warn(
            "{}: {}: malformed request: length {}, udata {} + {}, chain {} + {} bytes; the "
            "verb gets {}",
            guest_, command->name, le32toh(header.length), udata_in, udata_out,
            chain.readable_size(), chain.writable_size(), to_string(Errno{EINVAL}));
        return reject(EINVAL);
    }

    std::array<std::byte, kMaxRequest> request;
    std::array<std::byte, kMaxResponse> response{};
    // The header was read once already: it must not change under the checks above.
    std::memcpy(request.data(), &header, sizeof(header));
    udata_in_.resize(udata_in);
    udata_out_.assign(udata_out, std::byte{0});
    if (!chain.read(sizeof(header), std::span(request).subspan(
                                        sizeof(header), command->request_size - sizeof(header))) ||
        !chain.read(command->request_size, udata_in_)) {
        return reject(EINVAL);
    }
    Call call{.uctx = le32toh(header.uctx), .udata = {.in = udata_in_, .out = udata_out_}};
    std::vector<rnic::UdataRegion> regions;
    if (auto read = read_memory(chain, fixed, request, command->run_count(request.data()), verbs,
                                call, regions);
        !read) {
        return reject(to_int(read.error()));
    }

    auto result = command->handle(*command, verbs, call, request.data(), response.data());
    if (!result) {
        if (call.cancelled) {
            return {.written = 0, .cancelled = true};
        }
        return reject(to_int(result.error()));
    }
    const size_t udata_written = std::min(call.udata.out_written, udata_out);
    const vrdma_rsp_hdr response_header{
        .status = 0,
        .length = htole32(command->response_size),
        .udata_len = htole32(static_cast<uint32_t>(udata_written)),
        .reserved = 0,
    };
    std::memcpy(response.data(), &response_header, sizeof(response_header));
    // The sizes were checked: neither write can fail.
    (void)chain.write(0, std::span(response).first(command->response_size));
    (void)chain.write(command->response_size, std::span(udata_out_).first(udata_written));
    return {.written = static_cast<uint32_t>(command->response_size + udata_written),
            .cancelled = false};
}

}  // namespace vrdma::device
