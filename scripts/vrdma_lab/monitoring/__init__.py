# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Prometheus beside a daemon of the lab, and what vrdma gives to it."""
