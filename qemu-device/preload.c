/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * libvrdma-qemu-preload.so: brings the vrdma device into an unmodified QEMU.
 *
 * QEMU's own module loader knows only the modules of its build, so the device
 * comes by LD_PRELOAD.  This shim depends on nothing but libc: in a process
 * that is not a QEMU system emulator (the shell of a wrapper script, say) it
 * does nothing.  In QEMU it finds out the version and loads the device module
 * made for it, before QEMU's main() runs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE_PREFIX "vrdma-qemu-"
#define MODULE_SUFFIX ".so"

/* The answer of QMP's query-version; QEMU generates the type from its QAPI schema. */
typedef struct {
    int64_t major, minor, micro;
} QemuVersionTriple;

typedef struct {
    QemuVersionTriple *qemu;
    char *package;
} QemuVersionInfo;

typedef QemuVersionInfo *QmpQueryVersion(void **errp);
typedef bool ModuleFits(void);
typedef void ModuleAttach(void);

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
    va_list args;

    fputs("vrdma: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Both exist only in system emulators: not in qemu-img, not in any other program. */
static QmpQueryVersion *find_system_emulator(void)
{
    if (!dlsym(RTLD_DEFAULT, "virtio_pci_types_register")) {
        return NULL;
    }
    return (QmpQueryVersion *)dlsym(RTLD_DEFAULT, "qmp_query_version");
}

/* The path by which the dynamic loader found this very file. */
static const char *own_path(void)
{
    Dl_info info;

    return dladdr((void *)own_path, &info) && info.dli_fname ? info.dli_fname : "";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/*
 * QEMU starts helpers (network scripts, swtpm, migration commands): they get
 * the environment without this library, but with whatever else was preloaded.
 */
static void drop_from_environment(void)
{
    const char *preload = getenv("LD_PRELOAD");
    const char *self = base_name(own_path());
    char *list, *kept, *entry, *state = NULL;

    if (!preload) {
        return;
    }
    list = strdup(preload);
    if (!list) {
        return;
    }
    kept = calloc(1, strlen(preload) + 1);
    if (!kept) {
        free(list);
        return;
    }
    /* ld.so(8): the entries are separated by spaces or colons. */
    for (entry = strtok_r(list, " :", &state); entry; entry = strtok_r(NULL, " :", &state)) {
        if (strcmp(base_name(entry), self) != 0) {
            strcat(kept, *kept ? ":" : "");
            strcat(kept, entry);
        }
    }
    if (*kept) {
        setenv("LD_PRELOAD", kept, 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    free(kept);
    free(list);
}

static void module_directory(char *dir, size_t size)
{
    const char *configured = getenv("VRDMA_QEMU_DIR");
    char *slash;

    snprintf(dir, size, "%s", configured && *configured ? configured : own_path());
    if (configured && *configured) {
        return;
    }
    slash = strrchr(dir, '/');
    if (slash) {
        *slash = '\0';
    } else {
        snprintf(dir, size, ".");
    }
}

/* "7.2, 10.0": the versions that the modules in dir are for. */
static void list_available(const char *dir, char *list, size_t size)
{
    struct dirent **entries;
    size_t length, used = 0;
    int count = scandir(dir, &entries, NULL, versionsort);

    snprintf(list, size, "none");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        size_t fixed = strlen(MODULE_PREFIX) + strlen(MODULE_SUFFIX);

        length = strlen(name);
        if (length > fixed && strncmp(name, MODULE_PREFIX, strlen(MODULE_PREFIX)) == 0 &&
            strcmp(name + length - strlen(MODULE_SUFFIX), MODULE_SUFFIX) == 0 && used < size) {
            used += snprintf(list + used, size - used, "%s%.*s", used ? ", " : "",
                             (int)(length - fixed), name + strlen(MODULE_PREFIX));
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

static void load_module(const char *path, const char *version)
{
    ModuleFits *fits;
    ModuleAttach *attach;
    void *module;

    /*
     * First lazily: a module for another QEMU may want functions that this one
     * lacks, and its own words are better than the dynamic loader's.
     */
    module = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!module) {
        complain("cannot load the device module for QEMU %s: %s", version, dlerror());
        return;
    }
    fits = (ModuleFits *)dlsym(module, "vrdma_qemu_fits");
    if (!fits) {
        complain("%s is not a vrdma device module", path);
        return;
    }
    if (!fits()) {
        return;
    }
    dlclose(module);

    /* Then in earnest: nothing may be missing later, while the guest runs. */
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    attach = module ? (ModuleAttach *)dlsym(module, "vrdma_qemu_attach") : NULL;
    if (!attach) {
        complain("the device module does not fit QEMU %s: %s", version, dlerror());
        return;
    }
    attach();
}

static void __attribute__((constructor)) vrdma_preload(void)
{
    QmpQueryVersion *query_version = find_system_emulator();
    char dir[PATH_MAX], path[PATH_MAX + 128], available[256], version[64];
    QemuVersionInfo *info;

    if (!query_version) {
        return;
    }
    drop_from_environment();

    info = query_version(NULL);
    snprintf(version, sizeof(version), "%d.%d", (int)info->qemu->major, (int)info->qemu->minor);

    module_directory(dir, sizeof(dir));
    snprintf(path, sizeof(path), "%s/" MODULE_PREFIX "%s" MODULE_SUFFIX, dir, version);

    FILE *module = fopen(path, "re");
    if (!module) {
        list_available(dir, available, sizeof(available));
        complain("this is QEMU %s.%d, and %s has no device module for it (available: %s); "
                 "build one with qemu-device/build.sh or use a QEMU of an available version",
                 version, (int)info->qemu->micro, dir, available);
        return;
    }
    fclose(module);
    load_module(path, version);
}
