# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""RDMA programs between two sides, and the figures that they print."""
