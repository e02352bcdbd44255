// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/places.h"

namespace vrdma::test {

const char* const kVrdmad = PLACE_OF_VRDMAD;
const char* const kVrdmadNext = PLACE_OF_VRDMAD_NEXT;
const char* const kVrdmactl = PLACE_OF_VRDMACTL;
const char* const kExporter = PLACE_OF_EXPORTER;

std::string in_source(const std::string& path) {
    return std::string(PLACE_OF_SOURCE) + "/" + path;
}

}  // namespace vrdma::test
