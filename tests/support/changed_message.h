// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <google/protobuf/message.h>

#include <random>

namespace vrdma::test {

// Changes one field that the message has, or one of a message in it, to what a program would hardly
// write: numbers at the ends of their ranges, bytes that are cut or flipped, elements that are
// gone.
void change_some(google::protobuf::Message& message, std::minstd_rand& random);

}  // namespace vrdma::test
