/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_shm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint64_t offset, length;
} Mapping;

/*
 * Pages that nothing is mapped to are those of a file without a block, at the same offset: what
 * a vCPU touches there costs a page, and no other page shows it.  A shared mapping of such a
 * file is nothing that vm.overcommit_memory=2 counts, and stays one mapping of the kernel
 * however often parts of it come and go.
 */
struct VRdmaShm {
    uint8_t *base;
    uint64_t size;
    int spare;                  /* the file */
    GMutex lock;
    GTree *mappings;            /* each Mapping by its offset; disjoint */
};

static gint compare_offsets(gconstpointer a, gconstpointer b, gpointer unused)
{
    const Mapping *left = a, *right = b;

    (void)unused;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static GTree *new_tree(void)
{
    return g_tree_new_full(compare_offsets, NULL, g_free, NULL);
}

/*
 * Puts pages of the spare file, zeroes as long as nobody writes to them, over the range: at
 * target, or where the kernel likes with NULL.  Whoever touches the range meanwhile finds
 * either what was there before or the new pages.
 *
 * With mlockall(MCL_FUTURE), as of -overcommit mem-lock=on, a new mapping is locked and filled
 * at once, and is charged to RLIMIT_MEMLOCK.  So only one page is mapped anew, without access,
 * with which it is not filled, and unlocked.  mremap() makes the range of it: what that adds
 * is as unlocked as the page.
 */
static void *map_spare(VRdmaShm *shm, uint64_t offset, uint64_t length, void *target)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, page_size, PROT_NONE, MAP_SHARED, shm->spare, (off_t)offset);
    void *range = MAP_FAILED;
    int error;

    if (page == MAP_FAILED) {
        return MAP_FAILED;
    }
    if (munlock(page, page_size) == 0 && mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0) {
        range = target
            ? mremap(page, page_size, length, MREMAP_MAYMOVE | MREMAP_FIXED, target)
            : mremap(page, page_size, length, MREMAP_MAYMOVE);
    }
    if (range == MAP_FAILED) {
        error = errno;
        munmap(page, page_size);
        errno = error;
    }
    return range;
}

/* Gives back what vCPUs have written to pages of the spare file: they are zeroes again. */
static int clear_spare(VRdmaShm *shm, uint64_t offset, uint64_t length)
{
    return fallocate(shm->spare, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                     (off_t)length);
}

static int make_spare(uint64_t size)
{
    int fd = memfd_create("vrdma-shm", MFD_CLOEXEC);
    int error;

    if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

VRdmaShm *vrdma_shm_new(uint64_t size)
{
    VRdmaShm *shm = g_new0(VRdmaShm, 1);
    void *base = MAP_FAILED;
    int error;

    shm->spare = make_spare(size);
    if (shm->spare >= 0) {
        base = map_spare(shm, 0, size, NULL);
    }
    if (base == MAP_FAILED) {
        error = errno;
        if (shm->spare >= 0) {
            close(shm->spare);
        }
        g_free(shm);
        errno = error;
        return NULL;
    }
    shm->base = base;
    shm->size = size;
    shm->mappings = new_tree();
    g_mutex_init(&shm->lock);
    return shm;
}

void vrdma_shm_free(VRdmaShm *shm)
{
    if (shm) {
        munmap(shm->base, shm->size);
        close(shm->spare);
        g_tree_destroy(shm->mappings);
        g_mutex_clear(&shm->lock);
        g_free(shm);
    }
}

void *vrdma_shm_base(const VRdmaShm *shm)
{
    return shm->base;
}

static bool range_valid(const VRdmaShm *shm, uint64_t offset, uint64_t length)
{
    uint64_t page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;

    return length != 0 && ((offset | length) & page_mask) == 0 &&
           length <= shm->size && offset <= shm->size - length;
}

static bool overlaps(VRdmaShm *shm, uint64_t offset, uint64_t length)
{
    Mapping end = { .offset = offset + length };
    GTreeNode *node = g_tree_lower_bound(shm->mappings, &end);
    const Mapping *before;

    /* The last mapping that starts below the end is the only candidate. */
    node = node ? g_tree_node_previous(node) : g_tree_node_last(shm->mappings);
    if (!node) {
        return false;
    }
    before = g_tree_node_key(node);
    return before->offset + before->length > offset;
}

/*
 * Pages beyond the end of a file raise SIGBUS in whoever touches them, which
 * is a vCPU of this process.  A character device has no size to look at.
 */
static bool file_covers(int fd, uint64_t offset, uint64_t length)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        return true;
    }
    return length <= (uint64_t)st.st_size && offset <= (uint64_t)st.st_size - length;
}

/*
 * MAP_FIXED would remove what is there before it asks the driver behind fd,
 * and leave a hole when that refuses: a hole that a vCPU can fault on and any
 * other mmap can fall into.  So the driver is asked at an address of the
 * kernel's choice, and the result is moved over the range in one step.
 */
static int move_into_place(VRdmaShm *shm, uint64_t offset, uint64_t length, int fd,
                           uint64_t fd_offset, bool writable)
{
    void *target = shm->base + offset;
    void *scratch = mmap(NULL, length, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd,
                         (off_t)fd_offset);
    int error;

    if (scratch == MAP_FAILED) {
        return errno;
    }
    /* Under mlockall() the memory of an RNIC would count as QEMU's. */
    munlock(scratch, length);
    if (mremap(scratch, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED) {
        return 0;
    }
    error = errno;
    /* The range may already be gone (mremap(2) unmaps it first): put it back. */
    map_spare(shm, offset, length, target);
    munmap(scratch, length);
    return error;
}

int vrdma_shm_map(VRdmaShm *shm, uint64_t offset, uint64_t length, int fd,
                  uint64_t fd_offset, bool writable)
{
    uint64_t page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
    Mapping *mapping;
    int error;

    if (!range_valid(shm, offset, length) || (fd_offset & page_mask) != 0 ||
        fd_offset > INT64_MAX || !file_covers(fd, fd_offset, length)) {
        return EINVAL;
    }

    g_mutex_lock(&shm->lock);
    if (overlaps(shm, offset, length)) {
        error = EEXIST;
    } else {
        error = move_into_place(shm, offset, length, fd, fd_offset, writable);
    }
    if (error == 0) {
        mapping = g_new(Mapping, 1);
        *mapping = (Mapping){ .offset = offset, .length = length };
        g_tree_insert(shm->mappings, mapping, mapping);
    }
    g_mutex_unlock(&shm->lock);
    return error;
}

int vrdma_shm_unmap(VRdmaShm *shm, uint64_t offset, uint64_t length)
{
    Mapping key = { .offset = offset };
    const Mapping *mapping;
    int error = 0;

    g_mutex_lock(&shm->lock);
    mapping = g_tree_lookup(shm->mappings, &key);
    if (!mapping || mapping->length != length) {
        error = ENOENT;
    } else if (clear_spare(shm, offset, length) < 0 ||
               map_spare(shm, offset, length, shm->base + offset) == MAP_FAILED) {
        error = errno;
    } else {
        g_tree_remove(shm->mappings, &key);
    }
    g_mutex_unlock(&shm->lock);
    return error;
}

void vrdma_shm_reset(VRdmaShm *shm)
{
    g_mutex_lock(&shm->lock);
    if (map_spare(shm, 0, shm->size, shm->base) == MAP_FAILED ||
        clear_spare(shm, 0, shm->size) < 0) {
        /* The guest would keep memory that belongs to others now. */
        g_error("vrdma: cannot clear the shared memory region: %s", g_strerror(errno));
    }
    g_tree_destroy(shm->mappings);
    shm->mappings = new_tree();
    g_mutex_unlock(&shm->lock);
}
