// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Objects of which the model knows that they are there: transport domains, XRC domains, counters,
// TISs.  Their kind is the operation that made them.
#ifndef VRDMA_CONNECTX_OBJECTS_OTHERS_H
#define VRDMA_CONNECTX_OBJECTS_OTHERS_H

#include "connectx/command.h"

Handler other_create, other_destroy, other_modify;

#endif
