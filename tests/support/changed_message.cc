// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/changed_message.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vrdma::test {
namespace {

std::string changed(std::string bytes, std::minstd_rand& random) {
    if (bytes.empty() || random() % 4 == 0) {
        return bytes + "x";
    }
    if (random() % 2 == 0) {
        bytes.resize(random() % bytes.size());
    } else {
        bytes[random() % bytes.size()] ^= static_cast<char>(1U << random() % 8);
    }
    return bytes;
}

// Changes one field of the message, or one of a message in it.
void change_field(google::protobuf::Message& message,
                  const google::protobuf::FieldDescriptor& field, std::minstd_rand& random) {
    using Field = google::protobuf::FieldDescriptor;
    const auto& reflection = *message.GetReflection();
    constexpr std::array<uint64_t, 8> kNumbers{0,      1,       0x7fffffff,   0xffffffff,
                                               0x1000, 0x10000, ~uint64_t{0}, 0x7fffffffffffffff};
    const uint64_t number = random() % 2 != 0 ? kNumbers[random() % 8] : random() % 128;
    const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
    const int at = count != 0 ? static_cast<int>(random() % static_cast<unsigned>(count)) : 0;
    if (count == 0 || (field.is_repeated() && random() % 8 == 0)) {
        if (count != 0) {
            reflection.RemoveLast(&message, &field);
        }
        return;
    }
    switch (field.cpp_type()) {
        case Field::CPPTYPE_MESSAGE:
            change_some(field.is_repeated()
                            ? *reflection.MutableRepeatedMessage(&message, &field, at)
                            : *reflection.MutableMessage(&message, &field),
                        random);
            break;
        case Field::CPPTYPE_UINT32:
            field.is_repeated()
                ? reflection.SetRepeatedUInt32(&message, &field, at, static_cast<uint32_t>(number))
                : reflection.SetUInt32(&message, &field, static_cast<uint32_t>(number));
            break;
        case Field::CPPTYPE_UINT64:
            field.is_repeated() ? reflection.SetRepeatedUInt64(&message, &field, at, number)
                                : reflection.SetUInt64(&message, &field, number);
            break;
        case Field::CPPTYPE_BOOL:
            reflection.SetBool(&message, &field, !reflection.GetBool(message, &field));
            break;
        case Field::CPPTYPE_ENUM:
            reflection.SetEnumValue(&message, &field, static_cast<int>(random() % 4));
            break;
        case Field::CPPTYPE_STRING:
            field.is_repeated()
                ? reflection.SetRepeatedString(
                      &message, &field, at,
                      changed(reflection.GetRepeatedString(message, &field, at), random))
                : reflection.SetString(&message, &field,
                                       changed(reflection.GetString(message, &field), random));
            break;
        default:
            break;
    }
}

}  // namespace

void change_some(google::protobuf::Message& message, std::minstd_rand& random) {
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    if (!fields.empty()) {
        change_field(message, *fields[random() % fields.size()], random);
    }
}

}  // namespace vrdma::test
