# SPDX-License-Identifier: Apache-2.0
"""RDMA programs between two sides, and the figures that they print."""
