# SPDX-License-Identifier: Apache-2.0
"""RDMA hosts: machines with an RNIC and KVM, emulated or not, and the suites that run on them."""
