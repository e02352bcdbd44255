# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Virtual machines with vrdma devices, their daemon and their network, on this machine."""
