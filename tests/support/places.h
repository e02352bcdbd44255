// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Where the source tree and the programs of this build are.  The compiler's cache knows the other
// sources in whatever folder they are, since only places.cc has these paths.
#pragma once

#include <string>

namespace vrdma::test {

extern const char* const kVrdmad;
extern const char* const kVrdmadNext;  // of another version
extern const char* const kVrdmactl;
extern const char* const kExporter;

// A file of the source tree by its path there.
std::string in_source(const std::string& path);

}  // namespace vrdma::test
