// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/memory_attacks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace vrdma::hostile {
namespace {

constexpr uint64_t kPlugged = uint64_t{64} << 10;
constexpr size_t kMostRegions = 8;

// The threads of the daemon look into the rings.
void kick_all(Machine& machine) {
    for (auto& [index, queue] : machine.queues()) {
        queue->kick();
    }
}

void resize(const FileDescriptor& file, uint64_t size) {
    if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
        throw std::runtime_error("a memory file cannot be resized");
    }
}

// Memory that is in the table, and in no file: the guest's commands name it from then on.
void plug_empty_memory(Machine& machine, Choices& choices) {
    const size_t count = machine.memory().regions().size();
    if (count == kMostRegions) {
        return;
    }
    auto& region = machine.memory().add_region_of(
        make_memory_file(choices.pick({MemoryFile::kUnsealed, MemoryFile::kTmpfs}), kPlugged),
        (uint64_t{1} << 32) + count * kPlugged, kPlugged);
    const bool before = choices.one_in(4);
    if (before) {
        resize(region.file, 0);
    }
    machine.vmm().add_region(region);
    if (!before) {
        resize(region.file, choices.below(kPlugged));
    }
}

}  // namespace

bool take_memory_away(Machine& machine, Choices& choices) {
    const auto& ram = *machine.memory().regions().front();
    const uint64_t end = choices.one_in(2) ? 0 : choices.below(ram.size);
    switch (choices.below(4)) {
        case 0:
            plug_empty_memory(machine, choices);
            return true;
        case 1:
            // The pages are zero afterwards, the rings' indices among them.
            if (::fallocate(ram.file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            static_cast<off_t>(end), static_cast<off_t>(ram.size - end)) != 0) {
                throw std::runtime_error("a memory file takes no hole");
            }
            kick_all(machine);
            return true;
        default:
            break;
    }
    if (machine.options().ram_file == MemoryFile::kSealed) {
        if (::ftruncate(ram.file.get(), static_cast<off_t>(end)) == 0 || errno != EPERM) {
            throw std::logic_error("a sealed file has been shrunk");
        }
        return true;
    }
    resize(ram.file, end);
    kick_all(machine);
    if (choices.one_in(2)) {
        return false;
    }
    resize(ram.file, ram.size);
    return true;
}

}  // namespace vrdma::hostile
