// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the kernel allows with a part of a huge page.  vrdmad would need one of these ways to put
// scattered small pages of a guest's RAM on hugetlbfs side by side (docs/operations.md, "Guest RAM
// on huge pages").  With a device it registers kinds of memory there.  One line for each: "WAY:
// RESULT". The program needs two free huge pages.
#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <linux/udmabuf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "endpoint.h"
#include "tool.h"

enum { kPage = 4096, kHugePage = 2 << 20, kSomePage = 3, kScattered = 32 };

static void say(const char* way, const void* result) {
    printf("%s: %s\n", way, result == MAP_FAILED ? strerror(errno) : "Success");
}

// Whether the kernel pins the page at `address`: it does so to read it for another process.
static bool pin(char* address) {
    char byte = 0;
    struct iovec to = {&byte, 1};
    struct iovec from = {address, 1};

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

// A dma-buf of two small pages that do not follow each other.
static void dma_buf(int file) {
    struct {
        struct udmabuf_create_list head;
        struct udmabuf_create_item items[2];
    } list = {.head = {.flags = UDMABUF_FLAGS_CLOEXEC, .count = 2}};
    const int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

    for (uint32_t i = 0; i < 2; i++) {
        list.items[i] =
            (struct udmabuf_create_item){.memfd = (uint32_t)file,
                                         .offset = (uint64_t)(kSomePage - 2 * i) * kPage,
                                         .size = kPage};
    }
    const int buffer = device < 0 ? -1 : ioctl(device, UDMABUF_CREATE_LIST, &list);
    if (buffer < 0) {
        say("a dma-buf of two pages", MAP_FAILED);
    } else {
        say("a dma-buf of two pages", NULL);
        char* mapped = mmap(NULL, (size_t)2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
        say("mapping the dma-buf", mapped);
        if (mapped != MAP_FAILED) say("pinning that mapping", pin(mapped) ? NULL : MAP_FAILED);
    }
    if (device >= 0) close(device);
}

static void kernel_ways(void) {
    const int file = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING);
    const int protection = PROT_READ | PROT_WRITE;

    if (file < 0 || ftruncate(file, (off_t)2 * kHugePage) != 0) fail_errno("memfd_create");
    if (fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) != 0) fail_errno("F_ADD_SEALS");
    char* whole = mmap(NULL, (size_t)2 * kHugePage, protection, MAP_SHARED, file, 0);
    if (whole == MAP_FAILED) fail_errno("mmap of whole huge pages");
    memset(whole, 1, (size_t)2 * kHugePage);

    char* place = mmap(NULL, (size_t)2 * kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) fail_errno("mmap of address space");
    say("mapping the file at a small page's offset",
        mmap(NULL, kPage, protection, MAP_SHARED, file, (off_t)kSomePage * kPage));
    say("mapping the file at an address that is no huge page's",
        mmap((char*)(((uintptr_t)place + kHugePage) / kHugePage * kHugePage) + kPage, kPage,
             protection, MAP_SHARED | MAP_FIXED, file, 0));
    say("duplicating a small page of a mapping (mremap of 0 bytes)",
        mremap(whole + (size_t)kSomePage * kPage, 0, kPage, MREMAP_MAYMOVE));
    say("moving a small page of a mapping (mremap)",
        mremap(whole + (size_t)kSomePage * kPage, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
               place));
    say("other pages in a mapping (remap_file_pages)",
        (void*)syscall(SYS_remap_file_pages, whole, (size_t)kPage, 0, (size_t)kSomePage, 0));
    dma_buf(file);
    close(file);
}

static void say_registered(struct ibv_pd* pd, const char* kind, void* address, size_t length) {
    if (address == MAP_FAILED) {
        printf("%s: not here\n", kind);
        return;
    }
    struct ibv_mr* mr = ibv_reg_mr(pd, address, length, IBV_ACCESS_LOCAL_WRITE);
    say(kind, mr == NULL ? MAP_FAILED : NULL);
    if (mr != NULL && ibv_dereg_mr(mr) != 0) fail_errno("ibv_dereg_mr");
}

// Faults pages in so that neighbours in virtual memory are none in physical memory, also when the
// kernel gives one physical page after the other: by the reversed bits of their numbers.
static char* scattered_pages(void) {
    char* memory = mmap(NULL, (size_t)kScattered * kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) fail_errno("mmap");
    madvise(memory, (size_t)kScattered * kPage, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < kScattered; i++) {
        unsigned page = 0;
        for (unsigned bit = 1; bit < kScattered; bit <<= 1) {
            page = page << 1 | ((i & bit) != 0);
        }
        memory[(size_t)page * kPage] = 1;
    }
    return memory;
}

static void registrations(const char* device) {
    const struct DeviceChoice choice = {.name = device, .port = 1, .gid_index = kAnyGid};
    struct RdmaDevice opened = open_device(&choice);
    struct ibv_pd* pd = ibv_alloc_pd(opened.context);

    if (pd == NULL) fail_errno("ibv_alloc_pd");
    char* scattered = scattered_pages();
    say_registered(pd, "scattered small pages", scattered, (size_t)kScattered * kPage);
    say_registered(pd, "one small page", scattered, kPage);
    char* transparent = aligned_alloc(kHugePage, 2 * (size_t)kHugePage);
    if (transparent == NULL) fail_errno("aligned_alloc");
    madvise(transparent, 2 * (size_t)kHugePage, MADV_HUGEPAGE);
    memset(transparent, 1, 2 * (size_t)kHugePage);
    say_registered(pd, "transparent huge pages", transparent, 2 * (size_t)kHugePage);
    say_registered(pd, "a part of transparent huge pages", transparent + 100,
                   (size_t)kHugePage + kPage);
    free(transparent);
    say_registered(pd, "huge pages",
                   mmap(NULL, 2 * (size_t)kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0),
                   2 * (size_t)kHugePage);
    if (ibv_dealloc_pd(pd) != 0) fail_errno("ibv_dealloc_pd");
    close_device(&opened);
}

int main(int argc, char** argv) {
    if (argc > 2) refuse("usage: huge_page_edges [DEVICE]");
    if (argc == 2) {
        registrations(argv[1]);
    } else {
        kernel_ways();
    }
    return 0;
}
