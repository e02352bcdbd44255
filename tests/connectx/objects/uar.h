// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Pages of doorbells, which the host maps into programs.
#ifndef VRDMA_CONNECTX_OBJECTS_UAR_H
#define VRDMA_CONNECTX_OBJECTS_UAR_H

#include "connectx/command.h"

Handler uar_alloc, uar_dealloc;

#endif
