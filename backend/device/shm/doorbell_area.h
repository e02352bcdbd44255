// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include "file_descriptor.h"
#include "memory/mapping.h"

namespace vrdma::device {

// A device's doorbell area, in a file of its own that the VMM maps into the shared memory
// region.
class DoorbellArea {
  public:
    // Throws std::system_error when the kernel gives no memory file.
    DoorbellArea();
    // The area of a device that another process has served.  Throws as above when the file is none
    // such.
    explicit DoorbellArea(FileDescriptor file);

    vrdma_doorbell_area* area() const {
        return reinterpret_cast<vrdma_doorbell_area*>(mapping_.data());
    }
    int fd() const { return fd_.get(); }
    uint64_t length() const { return mapping_.size(); }  // bytes, whole pages

  private:
    void map();

    FileDescriptor fd_;
    memory::Mapping mapping_;
};

}  // namespace vrdma::device
