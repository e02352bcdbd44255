// SPDX-License-Identifier: Apache-2.0
#include "device/command_dispatcher.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <type_traits>

#include "device/request_memory.h"

namespace vrdma::device {
namespace {

// Room for any fixed request and response of the protocol.
constexpr size_t kMaxRequest = 512;
constexpr size_t kMaxResponse = 512;

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
    VRDMA_COMMAND(QUERY_UDATA_POINTER, query_udata_pointer, vrdma_cmd_query_udata_pointer_valid),
    VRDMA_COMMAND(ALLOC_UCONTEXT, alloc_ucontext, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(DEALLOC_UCONTEXT, dealloc_ucontext, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(MMAP, mmap, vrdma_cmd_mmap_valid),
    VRDMA_COMMAND(MUNMAP, munmap, vrdma_cmd_munmap_valid),
    VRDMA_COMMAND(ALLOC_PD, alloc_pd, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(DEALLOC_PD, dealloc_pd, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(REG_MR, reg_mr, vrdma_cmd_reg_mr_valid),
    VRDMA_COMMAND(REREG_MR, rereg_mr, vrdma_cmd_rereg_mr_valid),
    VRDMA_COMMAND(DEREG_MR, dereg_mr, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(GET_DMA_MR, get_dma_mr, vrdma_cmd_get_dma_mr_valid),
    VRDMA_COMMAND(ALLOC_MR, alloc_mr, vrdma_cmd_alloc_mr_valid),
    VRDMA_COMMAND(ALLOC_MW, alloc_mw, vrdma_cmd_alloc_mw_valid),
    VRDMA_COMMAND(DEALLOC_MW, dealloc_mw, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(CREATE_CQ, create_cq, vrdma_cmd_create_cq_valid),
    VRDMA_COMMAND(RESIZE_CQ, resize_cq, vrdma_cmd_resize_cq_valid),
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
    VRDMA_COMMAND(ATTACH_MCAST, attach_mcast, vrdma_cmd_mcast_valid),
    VRDMA_COMMAND(DETACH_MCAST, detach_mcast, vrdma_cmd_mcast_valid),
    VRDMA_COMMAND(IW_CONNECT, iw_connect, vrdma_cmd_iw_connect_valid),
    VRDMA_COMMAND(IW_LISTEN, iw_listen, vrdma_cmd_iw_listen_valid),
    VRDMA_COMMAND(IW_ACCEPT, iw_accept, vrdma_cmd_iw_accept_valid),
    VRDMA_COMMAND(IW_REJECT, iw_reject, vrdma_cmd_iw_reject_valid),
    VRDMA_COMMAND(IW_CLOSE, iw_close, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(IW_GET_EVENT, iw_get_event, vrdma_cmd_empty_valid),
    VRDMA_COMMAND(UCMA_OPEN, ucma_open, vrdma_cmd_ucma_open_valid),
    VRDMA_COMMAND(UCMA_CLOSE, ucma_close, vrdma_cmd_handle_valid),
    VRDMA_COMMAND(UCMA_COMMAND, ucma_command, vrdma_cmd_ucma_command_valid),
};

#undef VRDMA_COMMAND

const Command* find_command(uint16_t opcode) {
    const auto* found = std::ranges::lower_bound(kCommands, opcode, {}, &Command::opcode);
    return found != std::end(kCommands) && found->opcode == opcode ? found : nullptr;
}

// Those verbs that give something back.
bool releases(uint16_t opcode) {
    switch (opcode) {
        case VRDMA_CMD_DEL_GID:
        case VRDMA_CMD_DEALLOC_UCONTEXT:
        case VRDMA_CMD_MUNMAP:
        case VRDMA_CMD_DEALLOC_PD:
        case VRDMA_CMD_DEREG_MR:
        case VRDMA_CMD_DEALLOC_MW:
        case VRDMA_CMD_DESTROY_CQ:
        case VRDMA_CMD_DESTROY_SRQ:
        case VRDMA_CMD_DESTROY_QP:
        case VRDMA_CMD_DESTROY_AH:
        case VRDMA_CMD_DETACH_MCAST:
        case VRDMA_CMD_IW_CLOSE:
        case VRDMA_CMD_UCMA_CLOSE:
            return true;
        default:
            return false;
    }
}

template <typename Request>
uint32_t run_count_of(std::span<const std::byte> bytes) {
    Request request;
    std::memcpy(&request, bytes.data(), sizeof(request));
    return le32toh(request.run_count);
}

// The runs of the memory region itself, where the request is to register one, or of its
// description.
uint32_t run_count(uint16_t opcode, std::span<const std::byte> request) {
    switch (opcode) {
        case VRDMA_CMD_REG_MR:
            return run_count_of<vrdma_cmd_reg_mr>(request);
        case VRDMA_CMD_ALLOC_MR:
            return run_count_of<vrdma_cmd_alloc_mr>(request);
        case VRDMA_CMD_REREG_MR:
            return run_count_of<vrdma_cmd_rereg_mr>(request);
        default:
            return 0;
    }
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
                                            std::span<const std::byte> request, const Verbs& verbs,
                                            Call& call, std::vector<rnic::UdataRegion>& regions) {
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
    uint64_t count = run_count(opcode, request);
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
    return refuse(chain, releases(le16toh(header.opcode)) ? 0 : ENODEV);
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
    if (auto read = read_memory(chain, fixed, request, verbs, call, regions); !read) {
        return reject(to_int(read.error()));
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
