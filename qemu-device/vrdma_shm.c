/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_shm.h"

#include <errno.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint64_t offset, length;
} Mapping;

struct VRdmaShm {
    uint8_t *base;
    uint64_t size;
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

/* The state of every page that nothing is mapped to: private zeroes. */
static void *map_anonymous(void *address, uint64_t length, int flags)
{
    return mmap(address, length, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

VRdmaShm *vrdma_shm_new(uint64_t size)
{
    VRdmaShm *shm;
    void *base = map_anonymous(NULL, size, 0);

    if (base == MAP_FAILED) {
        return NULL;
    }
    shm = g_new0(VRdmaShm, 1);
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
    if (mremap(scratch, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED) {
        return 0;
    }
    error = errno;
    /* The range may already be gone (mremap(2) unmaps it first): put it back. */
    map_anonymous(target, length, MAP_FIXED);
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
    } else if (map_anonymous(shm->base + offset, length, MAP_FIXED) == MAP_FAILED) {
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
    if (map_anonymous(shm->base, shm->size, MAP_FIXED) == MAP_FAILED) {
        /* The guest would keep memory that belongs to others now. */
        g_error("vrdma: cannot clear the shared memory region: %s", g_strerror(errno));
    }
    g_tree_destroy(shm->mappings);
    shm->mappings = new_tree();
    g_mutex_unlock(&shm->lock);
}
