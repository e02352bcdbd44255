// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "state/document.h"

#include <endian.h>
#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace vrdma::state {
namespace {

constexpr std::array<char, 8> kMagic{'V', 'R', 'D', 'M', 'A', 'S', 'T', 'A'};

// In front of the message; little-endian.
struct Header {
    std::array<char, 8> magic;
    uint32_t format;
    uint32_t checksum;  // CRC-32 of the message (ISO 3309), as zlib has it
    uint64_t length;    // of the message, bytes
};
static_assert(sizeof(Header) == 24);

uint32_t checksum_of(std::span<const std::byte> bytes) {
    return static_cast<uint32_t>(
        ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// The name of a field that this version does not know, anywhere in `message`; empty if it knows
// all.
std::string unknown_field(const google::protobuf::Message& message) {
    const auto* reflection = message.GetReflection();
    const auto& unknown = reflection->GetUnknownFields(message);
    if (!unknown.empty()) {
        return fmt::format("field {} of {}", unknown.field(0).number(),
                           message.GetDescriptor()->full_name());
    }
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const auto* field : fields) {
        if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
            continue;
        }
        const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
        for (int i = 0; i < count; ++i) {
            const auto& inner = field->is_repeated()
                                    ? reflection->GetRepeatedMessage(message, field, i)
                                    : reflection->GetMessage(message, field);
            if (std::string found = unknown_field(inner); !found.empty()) {
                return found;
            }
        }
    }
    return {};
}

}  // namespace

std::vector<std::byte> encode(const Daemon& daemon) {
    const size_t length = daemon.ByteSizeLong();
    if (length > kMaxDocument - sizeof(Header)) {
        throw std::length_error(fmt::format("the state has {} bytes", length));
    }
    std::vector<std::byte> document(sizeof(Header) + length);
    const auto message = std::span(document).subspan(sizeof(Header));
    daemon.SerializeToArray(message.data(), static_cast<int>(length));
    const Header header{.magic = kMagic,
                        .format = htole32(kFormatVersion),
                        .checksum = htole32(checksum_of(message)),
                        .length = htole64(length)};
    std::memcpy(document.data(), &header, sizeof(header));
    return document;
}

tl::expected<Daemon, std::string> decode(std::span<const std::byte> document) {
    Header header{};
    if (document.size() < sizeof(header) || document.size() > kMaxDocument) {
        return tl::unexpected(fmt::format("it has {} bytes", document.size()));
    }
    std::memcpy(&header, document.data(), sizeof(header));
    const auto message = document.subspan(sizeof(header));
    if (header.magic != kMagic) {
        return tl::unexpected<std::string>("it is no state of vrdmad");
    }
    if (le32toh(header.format) != kFormatVersion) {
        return tl::unexpected(
            fmt::format("it has version {} of the format, and this vrdmad knows {}",
                        le32toh(header.format), kFormatVersion));
    }
    if (le64toh(header.length) != message.size() ||
        le32toh(header.checksum) != checksum_of(message)) {
        return tl::unexpected<std::string>("it is damaged");
    }
    Daemon daemon;
    if (!daemon.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
        return tl::unexpected<std::string>("it is damaged");
    }
    if (const std::string unknown = unknown_field(daemon); !unknown.empty()) {
        return tl::unexpected(fmt::format("{} is of a newer vrdmad", unknown));
    }
    return daemon;
}

}  // namespace vrdma::state
