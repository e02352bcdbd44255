# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Compiles the shim, or the device module for one version of QEMU.  Called by
# build.sh, which sets:
#   OUT       folder for the results
#   VERSION   X.Y, and for it
#   HEADERS   folder with QEMU's headers (see build.sh)
#   BUILT_FOR the full version of those headers

SRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
OBJ := $(OUT)/obj-$(VERSION)

# CPPFLAGS, CFLAGS and LDFLAGS of the environment come after these, as packages expect it.
CC ?= gcc
# A compiler's cache, where the environment names one to CMake.
COMPILE := $(CMAKE_C_COMPILER_LAUNCHER) $(CC)
WARNINGS := -Wall -Wextra -Werror
MODULE_SOURCES := vrdma_abi vrdma_backend_requests vrdma_backend vrdma_device vrdma_farewell \
                  vrdma_greeting vrdma_guest_memory vrdma_module vrdma_pci vrdma_shm vrdma_socket \
                  vrdma_watchdog
MODULE_OBJECTS := $(MODULE_SOURCES:%=$(OBJ)/%.o)

# As QEMU compiles itself; its headers rely on some of it.
QEMU_CFLAGS := -std=gnu11 -O2 -g -fPIC -fno-strict-aliasing -fno-common -fwrapv \
               -fvisibility=hidden -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_LARGEFILE_SOURCE
INCLUDES = -I$(SRC) -I$(SRC)../common -isystem $(HEADERS)/gen -isystem $(HEADERS)/include \
           -isystem $(HEADERS)/linux-headers \
           $(patsubst -I%,-isystem %,$(shell pkg-config --cflags glib-2.0))

preload: $(OUT)/libvrdma-qemu-preload.so
module: $(OUT)/vrdma-qemu-$(VERSION).so
.PHONY: preload module

$(OUT)/libvrdma-qemu-preload.so: $(SRC)preload.c
	$(CC) -std=gnu11 -O2 -g -fPIC -fvisibility=hidden $(WARNINGS) $(CPPFLAGS) $(CFLAGS) \
		-shared $(LDFLAGS) -o $@ $<

$(OUT)/vrdma-qemu-$(VERSION).so: $(MODULE_OBJECTS)
	$(CC) -shared $(LDFLAGS) -Wl,-z,lazy -o $@ $^ $(shell pkg-config --libs glib-2.0)

$(OBJ)/%.o: $(SRC)%.c $(SRC)module.mk
	@mkdir -p $(@D)
	$(COMPILE) $(QEMU_CFLAGS) $(WARNINGS) $(INCLUDES) \
		$(CPPFLAGS) $(CFLAGS) -DVRDMA_BUILT_FOR='"$(BUILT_FOR)"' -MMD -c -o $@ $<

-include $(MODULE_OBJECTS:.o=.d)
