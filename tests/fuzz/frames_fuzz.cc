// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Frames from a hostile network, and messages of a hostile driver, to the Ethernet side of
// tests/connectx.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <vector>

#include "connectx/frames/segments.h"

namespace {

void require(bool condition) {
    if (!condition) {
        __builtin_trap();
    }
}

void check(const uint8_t* frame, size_t size, const Headers& headers) {
    require(headers.network <= size);
    if (headers.version == 0) {
        require(headers.transport == 0);
        return;
    }
    require(headers.network + headers.header_bytes <= headers.end && headers.end <= size);
    require(headers.transport < headers.end);
    checksum_network_is_right(frame, &headers);
    checksum_transport_is_right(frame, &headers);
}

struct Sent {
    size_t header_bytes;
    unsigned most;
    size_t data;
};

void count(void* opaque, const uint8_t* frame, size_t size) {
    auto* sent = static_cast<Sent*>(opaque);
    Headers headers{};
    require(headers_parse(frame, size, &headers) && headers.end == size);
    require(checksum_network_is_right(frame, &headers));
    require(checksum_transport_is_right(frame, &headers));
    require(size > sent->header_bytes && size - sent->header_bytes <= sent->most);
    sent->data += size - sent->header_bytes;
}

void ignore(void* /*opaque*/, const uint8_t* /*frame*/, size_t /*size*/) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    FuzzedDataProvider input(bytes, size);
    const auto most = input.ConsumeIntegral<uint16_t>();
    const auto header_bytes = input.ConsumeIntegralInRange<size_t>(0, 160);
    std::vector<uint8_t> frame = input.ConsumeRemainingBytes<uint8_t>();
    Headers headers{};
    if (headers_parse(frame.data(), frame.size(), &headers)) {
        check(frame.data(), frame.size(), headers);
    }
    frame_send(frame.data(), frame.size(), {true, true}, ignore, nullptr);
    Sent sent{header_bytes, most, 0};
    if (header_bytes <= frame.size() &&
        segments_send(frame.data(), header_bytes, frame.size(), most, {true, true}, count, &sent)) {
        require(sent.data == frame.size() - header_bytes);
    }
    return 0;
}
