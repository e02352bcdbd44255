// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <map>
#include <string>

namespace vrdma::libvirt {

// The value of one of QEMU's options, such as "socket,id=vrdma0,path=/run/vrdma/a.sock" or the same
// as JSON (qemu(1)).  The first word has the key "".
using OptionProperties = std::map<std::string, std::string>;
OptionProperties parse_option(const std::string& value);

// A property's value as QEMU reads it again: a comma is written twice.
std::string escape_commas(const std::string& value);

}  // namespace vrdma::libvirt
