// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>

namespace vrdma::memory {

// The seals of a file of tmpfs or hugetlbfs, memfds among them (fcntl(2), F_GET_SEALS); -1 for a
// file of another file system.  Does not ask the file system, which might never answer.
int seals_of(int fd);

// Whether the file was made by memfd_create(2), and has no name in any folder.
bool is_memfd(int fd);

// The name of the file that a descriptor is open on, as /proc has it; empty without /proc.
std::string name_of(int fd);

// The type of the file system that the file is on, such as "ext4", as /proc/filesystems has it;
// empty for one that is not mounted where this process can see it.  Does not ask the file system.
std::string file_system_of(int fd);

}  // namespace vrdma::memory
