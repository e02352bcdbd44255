// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a program can do with /dev/infiniband/rdma_cm beyond what librdmacm would: commands that
// are too short or unknown, pointers to nowhere, ids that are another file's, and what poll()
// says of a file.  Prints what came of each; takes an IPv4 address of the RNIC's as argument.  With
// "removal" before it, the program tells what it sees of the RNIC's end and return.  With "stalled"
// alone, it has a command answered into memory that nobody fills (userfaultfd).
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <rdma/rdma_user_cm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum {
    kForever = -1,
    kSoonMs = 0,
    kTimeoutMs = 2000,
    kNoId = 0x7ffffff0,
    kNoFd = 9999,
    kForbiddenAddress = 4096,
    kMaxCommand = 512,
    kFiles = 16,
    kPort = 7471,
};

static int open_file(int flags) {
    const int file = open("/dev/infiniband/rdma_cm", O_RDWR | O_CLOEXEC | flags);

    if (file < 0) {
        fail_errno("/dev/infiniband/rdma_cm");
    }
    return file;
}

// Writes one command whose lengths may be wrong: its header says `in` bytes, `written` are there.
static int command_of(int file, __u32 number, const void* data, __u16 in, size_t written,
                      __u16 out) {
    __u8 buffer[sizeof(struct rdma_ucm_cmd_hdr) + kMaxCommand] = {0};
    const struct rdma_ucm_cmd_hdr header = {.cmd = number, .in = in, .out = out};
    const size_t length = sizeof(header) + written;

    memcpy(buffer, &header, sizeof(header));
    memcpy(buffer + sizeof(header), data, written);
    return write(file, buffer, length) == (ssize_t)length ? 0 : errno;
}

static int command(int file, __u32 number, const void* data, size_t size, size_t out) {
    return command_of(file, number, data, (__u16)size, size, (__u16)out);
}

static void say(const char* what, int error) {
    printf("%s: %s\n", what, strerror(error));
}

static void must(const char* what, int error) {
    if (error != 0) {
        fail("%s: %s", what, strerror(error));
    }
}

static int create_id_at(int file, __u64 response, __u16 port_space) {
    const struct rdma_ucm_create_id create = {
        .uid = 1, .response = response, .ps = port_space, .qp_type = 2 /* IBV_QPT_RC */};

    return command(file, RDMA_USER_CM_CMD_CREATE_ID, &create, sizeof(create),
                   sizeof(struct rdma_ucm_create_id_resp));
}

static __u32 create_id(int file) {
    struct rdma_ucm_create_id_resp response = {0};

    must("CREATE_ID", create_id_at(file, (uintptr_t)&response, RDMA_PS_TCP));
    return response.id;
}

static int destroy_id(int file, __u32 id) {
    struct rdma_ucm_destroy_id_resp response;
    const struct rdma_ucm_destroy_id destroy = {.response = (uintptr_t)&response, .id = id};

    return command(file, RDMA_USER_CM_CMD_DESTROY_ID, &destroy, sizeof(destroy), sizeof(response));
}

// Resolves the address of the RNIC; an event follows.
static int resolve(int file, __u32 id, struct in_addr address) {
    struct rdma_ucm_resolve_ip resolve = {.id = id, .timeout_ms = kTimeoutMs};
    struct sockaddr_in* to = (struct sockaddr_in*)&resolve.dst_addr;

    to->sin_family = AF_INET;
    to->sin_addr = address;
    to->sin_port = htons(1);
    return command(file, RDMA_USER_CM_CMD_RESOLVE_IP, &resolve, sizeof(resolve), 0);
}

static int get_event_at(int file, __u64 response, size_t room) {
    const struct rdma_ucm_get_event get = {.response = response};

    return command(file, RDMA_USER_CM_CMD_GET_EVENT, &get, sizeof(get), room);
}

static int get_event(int file) {
    struct rdma_ucm_event_resp event;

    return get_event_at(file, (uintptr_t)&event, sizeof(event));
}

static int ready(int file, int timeout_ms) {
    struct pollfd polled = {.fd = file, .events = POLLIN};

    if (poll(&polled, 1, timeout_ms) < 0) {
        fail_errno("poll");
    }
    return polled.revents;
}

static int set_option(int file, __u32 id, __u32 option, __u64 value, __u32 length) {
    const struct rdma_ucm_set_option set = {
        .optval = value, .id = id, .level = RDMA_OPTION_ID, .optname = option, .optlen = length};

    return command(file, RDMA_USER_CM_CMD_SET_OPTION, &set, sizeof(set), 0);
}

static int migrate(int file, int from, __u32 id) {
    struct rdma_ucm_migrate_resp response;
    const struct rdma_ucm_migrate_id migrate = {
        .response = (uintptr_t)&response, .id = id, .fd = (__u32)from};

    return command(file, RDMA_USER_CM_CMD_MIGRATE_ID, &migrate, sizeof(migrate), sizeof(response));
}

static void lengths(int file) {
    const struct rdma_ucm_destroy_id destroy = {.id = kNoId};
    const __u64 nothing = 0;

    say("half a header", write(file, &nothing, sizeof(nothing) / 2) < 0 ? errno : 0);
    say("a command beyond the last", command(file, 1000, &nothing, sizeof(nothing), 0));
    say("a command that says to be longer than it is",
        command_of(file, RDMA_USER_CM_CMD_DESTROY_ID, &destroy, sizeof(destroy) + 1,
                   sizeof(destroy), sizeof(struct rdma_ucm_destroy_id_resp)));
    say("no room for the response",
        command(file, RDMA_USER_CM_CMD_DESTROY_ID, &destroy, sizeof(destroy), 0));
    say("no room for an event", get_event_at(file, (uintptr_t)&nothing, 1));
}

static void pointers(int file) {
    const __u32 id = create_id(file);
    __u8 tos = 32;
    int on = 1;

    say("a response to nowhere", create_id_at(file, kForbiddenAddress, RDMA_PS_TCP));
    say("an option from nowhere",
        set_option(file, id, RDMA_OPTION_ID_TOS, kForbiddenAddress, sizeof(tos)));
    say("an option that is too long",
        set_option(file, id, RDMA_OPTION_ID_TOS, (uintptr_t)&tos, 1 << 30));
    say("an option of a wrong length",
        set_option(file, id, RDMA_OPTION_ID_TOS, (uintptr_t)&on, sizeof(on)));
    say("a type of service",
        set_option(file, id, RDMA_OPTION_ID_TOS, (uintptr_t)&tos, sizeof(tos)));
    say("an address that is used again",
        set_option(file, id, RDMA_OPTION_ID_REUSEADDR, (uintptr_t)&on, sizeof(on)));
    must("DESTROY_ID", destroy_id(file, id));
}

static void ids(int file) {
    struct rdma_ucm_create_id_resp response;
    const int other = open_file(0);
    const __u32 id = create_id(other);

    say("a port space that there is not",
        create_id_at(file, (uintptr_t)&response, RDMA_PS_TCP + 7));
    say("an id that there is not", destroy_id(file, kNoId));
    say("an id of another file", destroy_id(file, id));
    say("an id from a file that there is not", migrate(file, kNoFd, id));
    say("an id from a file of another kind", migrate(file, STDIN_FILENO, id));
    say("an id that moves here", migrate(file, other, id));
    say("an id that is here", destroy_id(file, id));
    say("an id that was here", destroy_id(file, id));
    close(other);
}

static void events(int file, struct in_addr address) {
    const __u32 id = create_id(file);
    int other;

    say("no event", get_event(file));
    printf("poll without an event: %#x\n", ready(file, kSoonMs));
    must("RESOLVE_IP", resolve(file, id, address));
    printf("poll for an event: %#x\n", ready(file, kForever));
    say("an event", get_event(file));
    printf("poll after the event: %#x\n", ready(file, kSoonMs));
    say("no more events", get_event(file));

    // An event that waits goes where its id goes: to another file first, and away at the end.
    const __u32 moving = create_id(file);
    must("RESOLVE_IP", resolve(file, moving, address));
    printf("poll for the event of another id: %#x\n", ready(file, kForever));
    other = open_file(O_NONBLOCK);
    must("MIGRATE_ID", migrate(other, file, moving));
    say("the event where it was", get_event(file));
    printf("poll where it went: %#x\n", ready(other, kForever));
    must("DESTROY_ID", destroy_id(other, moving));
    say("the event of an id that is gone", get_event(other));
    close(other);
    must("DESTROY_ID", destroy_id(file, id));
}

// Closes files that have ids and events, which end with their file.
static void closing(struct in_addr address) {
    int files[kFiles];

    for (int i = 0; i < kFiles; i++) {
        files[i] = open_file(O_NONBLOCK);
        must("RESOLVE_IP", resolve(files[i], create_id(files[i]), address));
    }
    for (int i = 0; i < kFiles; i++) {
        close(files[i]);
    }
}

static int listen_at(int file, __u32 id, struct in_addr address) {
    struct rdma_ucm_bind_ip bind = {.id = id};
    const struct rdma_ucm_listen listen = {.id = id, .backlog = 1};

    bind.addr.sin6_family = AF_INET;
    ((struct sockaddr_in*)&bind.addr)->sin_addr = address;
    ((struct sockaddr_in*)&bind.addr)->sin_port = htons(kPort);
    const int error = command(file, RDMA_USER_CM_CMD_BIND_IP, &bind, sizeof(bind), 0);

    return error != 0 ? error : command(file, RDMA_USER_CM_CMD_LISTEN, &listen, sizeof(listen), 0);
}

// Listens, and waits for the event of the adapter's removal.  Then the same file serves the
// adapter that comes back.
static void removal(struct in_addr address) {
    struct rdma_ucm_event_resp event = {0};
    const int file = open_file(0);
    __u32 id = create_id(file);

    must("LISTEN", listen_at(file, id, address));
    printf("listens\n");
    fflush(stdout);
    must("GET_EVENT", get_event_at(file, (uintptr_t)&event, sizeof(event)));
    printf("event %u of id %llu\n", event.event, (unsigned long long)event.uid);
    printf("ready for more: %d\n", ready(file, kSoonMs));
    printf("LISTEN again: %s\n", strerror(listen_at(file, id, address)));
    must("DESTROY_ID", destroy_id(file, id));
    printf("destroyed\n");
    fflush(stdout);

    const struct timespec pause = {.tv_nsec = 50000000};
    struct rdma_ucm_create_id_resp response;
    int error;

    do {
        nanosleep(&pause, NULL);
        error = create_id_at(file, (uintptr_t)&response, RDMA_PS_TCP);
        if (error == 0) {
            error = listen_at(file, response.id, address);
            if (error != 0) {
                destroy_id(file, response.id);
            }
        }
    } while (error != 0);
    printf("listens again\n");
    close(file);
}

static void* create_id_there(void* page) {
    create_id_at(open_file(0), (uintptr_t)page, RDMA_PS_TCP);
    return NULL;
}

// The command's thread waits in the kernel, for a page that does not come.
static void stalled(void) {
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void* page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register all = {
        .range = {.start = (uintptr_t)page, .len = size},
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };
    struct uffd_msg fault;
    pthread_t thread;

    if (page == MAP_FAILED || faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 ||
        ioctl(faults, UFFDIO_REGISTER, &all) != 0) {
        fail_errno("userfaultfd");
    }
    if (pthread_create(&thread, NULL, create_id_there, page) != 0 ||
        read(faults, &fault, sizeof(fault)) != sizeof(fault)) {
        fail_errno("the fault");
    }
    printf("stalled\n");
    fflush(stdout);
    pthread_join(thread, NULL);
}

int main(int argc, char** argv) {
    struct in_addr address;

    if (argc == 2 && strcmp(argv[1], "stalled") == 0) {
        stalled();
        return 0;
    }

    if (argc == 3 && strcmp(argv[1], "removal") == 0 &&
        inet_pton(AF_INET, argv[2], &address) == 1) {
        removal(address);
        return 0;
    }
    if (argc != 2 || inet_pton(AF_INET, argv[1], &address) != 1) {
        refuse("arguments: stalled, or [removal] an IPv4 address of the RNIC");
    }
    const int file = open_file(O_NONBLOCK);

    lengths(file);
    pointers(file);
    ids(file);
    events(file, address);
    closing(address);
    close(file);
    return 0;
}
