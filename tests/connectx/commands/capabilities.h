// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What the adapter says that it can do.
#ifndef VRDMA_CONNECTX_COMMANDS_CAPABILITIES_H
#define VRDMA_CONNECTX_COMMANDS_CAPABILITIES_H

#include "connectx/command.h"

Handler capabilities_query, capabilities_set, capabilities_query_adapter,
    capabilities_special_contexts, capabilities_query_issi;

#endif
