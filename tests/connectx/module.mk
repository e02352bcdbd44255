# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
# Compiles the model of the adapter as a library that QEMU gets by LD_PRELOAD.  Called by build.sh,
# which sets:
#   OUT      folder for the results
#   HEADERS  folder with QEMU's headers (see qemu-device/build.sh)
#   LAYOUTS  folder with mlx5_ifc.h, include/linux/mlx5 of the kernel

SRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
OBJ := $(OUT)/obj-connectx

CC ?= gcc
# A compiler's cache, where the environment names one to CMake.
COMPILE := $(CMAKE_C_COMPILER_LAUNCHER) $(CC)
# Handlers have one signature, whether they use all of it or not.
WARNINGS := -Wall -Wextra -Werror -Wno-unused-parameter
ROOMS := commands ethernet frames objects queue_pairs roce transport
SOURCES := $(patsubst $(SRC)%,%,$(wildcard $(SRC)*.c $(ROOMS:%=$(SRC)%/*.c)))
OBJECTS := $(SOURCES:%.c=$(OBJ)/%.o)

# As QEMU compiles itself; its headers rely on some of it.
QEMU_CFLAGS := -std=gnu11 -O2 -g -fPIC -fno-strict-aliasing -fno-common -fwrapv \
               -fvisibility=hidden -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_LARGEFILE_SOURCE
INCLUDES = -I$(SRC).. -isystem $(LAYOUTS) -isystem $(HEADERS)/gen -isystem $(HEADERS)/include \
           -isystem $(HEADERS)/linux-headers \
           $(patsubst -I%,-isystem %,$(shell pkg-config --cflags glib-2.0))

$(OUT)/libconnectx-model.so: $(OBJECTS)
	$(CC) -shared -Wl,-z,lazy -o $@.new $^
	mv $@.new $@

$(OBJ)/%.o: $(SRC)%.c $(SRC)module.mk
	@mkdir -p $(@D)
	$(COMPILE) $(QEMU_CFLAGS) $(WARNINGS) $(INCLUDES) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)
