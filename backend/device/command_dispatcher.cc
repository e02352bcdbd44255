// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/command_dispatcher.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <new>
#include <span>
#include <system_error>
#include <type_traits>

#include "device/features.h"
#include "log_fields.h"
#include "probes.h"

namespace vrdma::device {
namespace {

// Bytes of room for the request structure and the response structure of any command.
constexpr size_t kMaxRequest = 512;
constexpr size_t kMaxResponse = 512;

// One row of the table of commands (common/vrdma_command_table.h).
struct Command {
    uint16_t opcode;
    const char* name;
    const char* verb;
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

template <auto Verb, auto Valid, typename Request, typename Response>
Result<void> handle(const Command& command, Verbs& verbs, Call& call, const std::byte* request,
                    std::byte* response) {
    Request typed_request;
    Response typed_response{};
    std::memcpy(&typed_request, request, sizeof(Request));
    if (!Valid(&typed_request)) {
        return fail(EINVAL);
    }
    if ((feature_mask(command.feature) & ~features_of(verbs.attributes())) != 0) {
        return fail(EOPNOTSUPP);
    }
    auto result = Verb(verbs, call, typed_request, typed_response);
    std::memcpy(response, &typed_response, sizeof(Response));
    return result;
}

template <auto Verb, auto Valid, typename Request, typename Response, uint32_t Flags>
constexpr Command command(uint16_t opcode, const char* name, const char* verb, uint32_t feature) {
    static_assert(sizeof(Request) <= kMaxRequest && sizeof(Response) <= kMaxResponse);
    static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
    static_assert(kHasRunCount<Request> == ((Flags & VRDMA_COMMAND_HAS_RUNS) != 0));
    return {.opcode = opcode,
            .name = name,
            .verb = verb,
            .request_size = sizeof(Request),
            .response_size = sizeof(Response),
            .feature = feature,
            .run_count = &run_count<Request>,
            .handle = &handle<Verb, Valid, Request, Response>};
}

// NOLINTBEGIN(bugprone-macro-parentheses): names take none
#define VRDMA_COMMAND(NAME, name, opcode, request, response, feature, flags)                  \
    command<&verb::name, &request##_valid, request, response, flags>(VRDMA_CMD_##NAME, #NAME, \
                                                                     #name, feature),
// NOLINTEND(bugprone-macro-parentheses)
constexpr Command kCommands[] = {VRDMA_COMMANDS(VRDMA_COMMAND)};
#undef VRDMA_COMMAND
static_assert(std::ranges::is_sorted(kCommands, {}, &Command::opcode));

const Command* find_command(uint16_t opcode) {
    const auto* found = std::ranges::lower_bound(kCommands, opcode, {}, &Command::opcode);
    return found != std::end(kCommands) && found->opcode == opcode ? found : nullptr;
}

std::vector<const char*> verb_names() {
    std::vector<const char*> names;
    std::ranges::transform(kCommands, std::back_inserter(names), &Command::verb);
    return names;
}

template <typename T>
std::span<std::byte> bytes_of(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

// Whether the lengths in `header` are those of the command, and the chain has as many bytes.
bool well_formed(const vhost::DescriptorChain& chain, const Command& command,
                 const vrdma_cmd_hdr& header) {
    const size_t udata_in = le16toh(header.udata_in_len);
    const size_t udata_out = le16toh(header.udata_out_len);
    return le32toh(header.length) == command.request_size && udata_in <= kMaxUdata &&
           udata_out <= kMaxUdata && chain.readable_size() >= command.request_size + udata_in &&
           chain.writable_size() >= command.response_size + udata_out;
}

// Writes the response structure, which gets its header here, and udata.  The chain has room for
// them.  Returns how many bytes that are.
uint32_t answer(vhost::DescriptorChain& chain, const Command& command,
                std::span<std::byte> response, std::span<const std::byte> udata) {
    const vrdma_rsp_hdr header{
        .status = 0,
        .length = htole32(command.response_size),
        .udata_len = htole32(static_cast<uint32_t>(udata.size())),
        .reserved = 0,
    };
    std::memcpy(response.data(), &header, sizeof(header));
    // Neither write can fail: well_formed() has compared the sizes.
    (void)chain.write(0, response.first(command.response_size));
    (void)chain.write(command.response_size, udata);
    return static_cast<uint32_t>(command.response_size + udata.size());
}

}  // namespace

CommandDispatcher::CommandDispatcher(std::string guest, std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), log_(std::move(logger)), figures_(verb_names()) {}

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
    const uint32_t flags = vrdma_command_flags(le16toh(header.opcode));
    return refuse(chain, (flags & VRDMA_COMMAND_RELEASES) != 0 ? 0 : ENODEV);
}

CommandDispatcher::Outcome CommandDispatcher::execute(vhost::DescriptorChain& chain, Verbs& verbs) {
    using Clock = std::chrono::steady_clock;
    Attempt attempt;
    const Clock::time_point begin = Clock::now();
    const Outcome outcome = execute_or_refuse(chain, verbs, attempt);
    if (attempt.verb && !outcome.cancelled) {
        const std::chrono::nanoseconds took = Clock::now() - begin;
        figures_.count(*attempt.verb, attempt.error != 0, took);
        VRDMA_PROBE4(verb__done, guest_.c_str(), kCommands[*attempt.verb].verb, attempt.error,
                     took.count());
    }
    return outcome;
}

CommandDispatcher::Outcome CommandDispatcher::execute_or_refuse(vhost::DescriptorChain& chain,
                                                                Verbs& verbs, Attempt& attempt) {
    const auto fail_with = [&](int status, const char* why) {
        const LogScope scope({.guest = guest_,
                              .verb = attempt.verb ? kCommands[*attempt.verb].verb : "",
                              .error = status});
        log_.warn("{}: {}; the verb gets {}", guest_, why, to_string(Errno{status}));
        attempt.error = status;
        return refuse(chain, status);
    };
    try {
        return execute_or_throw(chain, verbs, attempt);
    } catch (const std::bad_alloc&) {
        return fail_with(ENOMEM, "vrdmad has no memory left");
    } catch (const std::system_error& error) {
        // For instance EAGAIN: no thread is left.
        return fail_with(error.code().value(), error.what());
    } catch (const std::exception& error) {
        return fail_with(EIO, error.what());
    }
}

CommandDispatcher::Outcome CommandDispatcher::execute_or_throw(vhost::DescriptorChain& chain,
                                                               Verbs& verbs, Attempt& attempt) {
    vrdma_cmd_hdr header;
    if (chain.writable_size() < sizeof(vrdma_rsp_hdr) || !chain.read(0, bytes_of(header))) {
        log_.warn("{}: control queue: a chain of {} + {} bytes has no room for the headers", guest_,
                  chain.readable_size(), chain.writable_size());
        return {};
    }
    const auto reject = [&](int status) {
        attempt.error = status;
        return refuse(chain, status);
    };

    const Command* command = find_command(le16toh(header.opcode));
    if (command == nullptr) {
        return reject(EOPNOTSUPP);
    }
    attempt.verb = static_cast<size_t>(command - std::begin(kCommands));
    const LogScope scope({.guest = guest_, .verb = command->verb});
    VRDMA_PROBE2(verb__start, guest_.c_str(), command->verb);
    const size_t udata_in = le16toh(header.udata_in_len);
    const size_t udata_out = le16toh(header.udata_out_len);
    if (!well_formed(chain, *command, header)) {
        log_.warn(Errno{EINVAL},
                  "{}: {}: malformed request: length {}, udata {} + {}, chain {} + {} bytes; the "
                  "verb gets {}",
                  guest_, command->name, le32toh(header.length), udata_in, udata_out,
                  chain.readable_size(), chain.writable_size(), to_string(Errno{EINVAL}));
        return reject(EINVAL);
    }

    std::array<std::byte, kMaxRequest> request;
    std::array<std::byte, kMaxResponse> response{};
    // The guest must not change the header, which is checked already: it is not read again.
    std::memcpy(request.data(), &header, sizeof(header));
    udata_in_.resize(udata_in);
    udata_out_.assign(udata_out, std::byte{0});
    if (!chain.read(sizeof(header), std::span(request).subspan(
                                        sizeof(header), command->request_size - sizeof(header))) ||
        !chain.read(command->request_size, udata_in_)) {
        return reject(EINVAL);
    }
    auto memory =
        memory_reader_.read(chain, command->request_size + udata_in,
                            {.opcode = command->opcode,
                             .fixed = request,
                             .udata = udata_in_,
                             .run_count = command->run_count(request.data())},
                            verbs.udata_pointers(), verbs.guest_memory(), verbs.budgets().mr_runs);
    if (!memory) {
        return reject(to_int(memory.error()));
    }
    Call call{.uctx = le32toh(header.uctx),
              .udata = {.in = udata_in_, .out = udata_out_, .regions = memory->udata_regions},
              .runs = memory->runs,
              .lasting = memory->lasting};

    auto result = command->handle(*command, verbs, call, request.data(), response.data());
    if (!result) {
        if (call.cancelled) {
            return {.written = 0, .cancelled = true};
        }
        return reject(to_int(result.error()));
    }
    const size_t udata_written = std::min(call.udata.out_written, udata_out);
    return {
        .written = answer(chain, *command, response, std::span(udata_out_).first(udata_written)),
        .cancelled = false};
}

}  // namespace vrdma::device
