# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Machines that take commands: the channel into one, the agent at its other end, the addresses."""
