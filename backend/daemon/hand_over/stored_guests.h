// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests that wait with the service manager while no vrdmad runs.
#pragma once

#include <spdlog/logger.h>

#include "daemon/server/server.h"
#include "daemon/service/service_manager.h"
#include "file_descriptor.h"

namespace vrdma::daemon {

// Has the service manager keep all guests for the next process of the service.  Returns whether it
// does: then the caller ends without giving anything back.  A manager that keeps no files is
// normal, and everything else that fails is logged; the guests are the caller's then.
bool store_guests(Server& server, const ServiceManager& manager, spdlog::logger& logger);

// The stream that store_guests() of an earlier process has left, once, or none.
FileDescriptor take_stored_guests(ServiceManager& manager);

}  // namespace vrdma::daemon
