# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""RDMA hosts: machines with an RNIC and KVM, emulated or not, and the suites that run on them."""
