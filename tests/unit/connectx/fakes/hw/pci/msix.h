// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "fake_qemu.h"  // IWYU pragma: export
