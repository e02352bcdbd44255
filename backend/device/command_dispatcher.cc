// SPDX-License-Identifier: Apache-2.0
#include "device/command_dispatcher.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <type_traits>

namespace vrdma::device {
namespace {

// Room for any fixed request and response of the protocol.
constexpr size_t kMaxRequest = 256;
constexpr size_t kMaxResponse = 256;

struct Command {
    uint16_t opcode;
    const char* name;
    uint32_t request_size;
    uint32_t response_size;
    // Checks the request by itself and calls the verb.
    Result<void> (*handle)(Verbs& verbs, Call& call, const std::byte* request, std::byte* response);
};

template <auto Method, auto Valid, typename Request, typename Response>
Result<void> handle(Verbs& verbs, Call& call, const std::byte* request, std::byte* response) {
    Request typed_request;
    Response typed_response{};
    std::memcpy(&typed_request, request, sizeof(Request));
    if (!Valid(&typed_request)) {
        return fail(EINVAL);
    }
    auto result = (verbs.*Method)(call, typed_request, typed_response);
    std::memcpy(response, &typed_response, sizeof(Response));
    return result;
}

template <auto Method, auto Valid, typename Request, typename Response>
constexpr Command command(uint16_t opcode, const char* name,
                          Result<void> (Verbs::*)(Call&, const Request&, Response&)) {
    static_assert(sizeof(Request) <= kMaxRequest && sizeof(Response) <= kMaxResponse);
    static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
    return {opcode, name, sizeof(Request), sizeof(Response),
            &handle<Method, Valid, Request, Response>};
}

// NOLINTBEGIN(bugprone-macro-parentheses): a member's name takes none
#define VRDMA_COMMAND(opcode, method, valid) \
    command<&Verbs::method, &valid>(VRDMA_CMD_##opcode, #opcode, &Verbs::method)
// NOLINTEND(bugprone-macro-parentheses)

// Sorted by opcode.
constexpr Command kCommands[] = {
    VRDMA_COMMAND(QUERY_DEVICE, query_device, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(QUERY_PORT, query_port, vrdma_cmd_query_port_valid),
    VRDMA_COMMAND(ADD_GID, add_gid, vrdma_cmd_gid_valid),
    VRDMA_COMMAND(DEL_GID, del_gid, vrdma_cmd_gid_valid),
    VRDMA_COMMAND(MAP_DOORBELLS, map_doorbells, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(ALLOC_UCONTEXT, alloc_ucontext, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(DEALLOC_UCONTEXT, dealloc_ucontext, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(MMAP, mmap, vrdma_cmd_mmap_valid),
    VRDMA_COMMAND(MUNMAP, munmap, vrdma_cmd_munmap_valid),
    VRDMA_COMMAND(ALLOC_PD, alloc_pd, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(DEALLOC_PD, dealloc_pd, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(REG_MR, reg_mr, vrdma_cmd_reg_mr_valid),
    VRDMA_COMMAND(DEREG_MR, dereg_mr, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(CREATE_CQ, create_cq, vrdma_cmd_create_cq_valid),
    VRDMA_COMMAND(DESTROY_CQ, destroy_cq, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(CREATE_SRQ, create_srq, vrdma_cmd_create_srq_valid),
    VRDMA_COMMAND(MODIFY_SRQ, modify_srq, vrdma_cmd_modify_srq_valid),
    VRDMA_COMMAND(QUERY_SRQ, query_srq, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(DESTROY_SRQ, destroy_srq, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(CREATE_QP, create_qp, vrdma_cmd_create_qp_valid),
    VRDMA_COMMAND(MODIFY_QP, modify_qp, vrdma_cmd_modify_qp_valid),
    VRDMA_COMMAND(QUERY_QP, query_qp, vrdma_cmd_query_qp_valid),
    VRDMA_COMMAND(DESTROY_QP, destroy_qp, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(CREATE_AH, create_ah, vrdma_cmd_create_ah_valid),
    VRDMA_COMMAND(QUERY_AH, query_ah, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(DESTROY_AH, destroy_ah, vrdma_cmd_handle_valid),
};

#undef VRDMA_COMMAND

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
                                          uint32_t count) {
    if (count > max_mr_runs_) {
        log_.warn(
            "{}: limit reached: a memory region of {} runs of guest-physical memory, {} are "
            "allowed (mr_runs); the verb gets {}",
            guest_, count, max_mr_runs_, to_string(Errno{ENOMEM}));
        return fail(ENOMEM);
    }
    if (chain.readable_size() - offset != size_t{count} * sizeof(vrdma_run)) {
        return fail(EINVAL);
    }
    runs_.resize(count);
    return chain.read(offset, std::as_writable_bytes(std::span(runs_)));
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
        udata_out > kMaxUdata || header.region_count != 0 || chain.readable_size() < fixed ||
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
    if (command->opcode == VRDMA_CMD_REG_MR) {
        vrdma_cmd_reg_mr reg_mr;
        std::memcpy(&reg_mr, request.data(), sizeof(reg_mr));
        if (auto read = read_runs(chain, fixed, le32toh(reg_mr.run_count)); !read) {
            return reject(to_int(read.error()));
        }
        call.runs = runs_;
    } else if (chain.readable_size() != fixed) {
        return reject(EINVAL);
    }

    auto result = command->handle(verbs, call, request.data(), response.data());
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
